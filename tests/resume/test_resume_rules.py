"""What may be gone on from: a run's own checkpoints always, others by name and with trust, nothing of another run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_rows import record

from rca_dist.command_line import parse
from rca_dist.errors import UserError
from rca_dist.wiring import preflight

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parents[2]
SHORT = ["--data.builtin_tickets=120", "--train.max_steps=8", "--train.precision=fp32", "--train.log_steps=1", "--train.eval_steps=4",
         "--checkpoint.save_steps=2", "--eval.max_tickets=2", "--eval.max_new_tokens=4", "--eval.systems=model",
         "--tracking.wandb=disabled"]  # fmt: skip


def command(*arguments):
    return [sys.executable, str(ROOT / "rca_dist/train.py"), *SHORT, *map(str, arguments)]


def train(cwd, *arguments, check=0, env=None):
    done = subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=240, env=os.environ | (env or {})
    )
    assert done.returncode == check, done.stderr[-3000:]
    return done


def rows(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "per_second" not in k} for line in lines]


def weights(run):
    return (run / "model/model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with `whole`, a finished run, and `cut`, the same killed in step 6 with checkpoints of steps 2 and 4."""
    folder = tmp_path_factory.mktemp("rules")
    train(folder, "--run.output_dir=whole")
    train(folder, "--run.output_dir=cut", env={"RCA_FAULT": "step=6,kind=exit"}, check=7)
    assert sorted(p.name for p in (folder / "cut/checkpoints").glob("step-*")) == ["step-000002", "step-000004"]
    return folder


@pytest.fixture
def refused(runs, monkeypatch):
    """refused(*arguments) -> the message with which a start is refused before anything is loaded or written."""
    monkeypatch.chdir(runs)
    before = {p: p.stat().st_mtime_ns for p in runs.rglob("*") if ".cache" not in p.parts}

    def start(*arguments):
        with pytest.raises(UserError) as caught:
            preflight(parse([*SHORT, *map(str, arguments)]).config)
        assert {p: p.stat().st_mtime_ns for p in runs.rglob("*") if ".cache" not in p.parts} == before
        return str(caught.value)

    return start


def test_the_manifest_says_whose_it_is(runs):
    manifest = json.loads((runs / "cut/checkpoints/step-000004/manifest.json").read_text())
    facts = json.loads((runs / "cut/run.json").read_text())
    same = ("config_hash", "data_fingerprint", "model", "wandb_id", "starts", "settings", "world_size", "backend")
    assert {name: manifest[name] for name in same} == {name: facts[name] for name in same}
    assert (manifest["step"], manifest["examples"], manifest["starts"]) == (4, 64, 1)
    assert manifest["settings"]["train"]["max_steps"] == 8
    assert manifest["epoch"] == pytest.approx(4 / -(-96 // 16), abs=0.2)


def test_other_settings_or_data_are_refused_with_the_differences(refused):
    text = refused("--run.output_dir=cut", "--train.learning_rate=0.1", "--train.betas=0.8,0.9")
    assert "holds a run of other settings or data (there -> here: " in text
    assert "train.learning_rate: 0.004 -> 0.1" in text
    assert "train.betas: [0.9, 0.95] -> [0.8, 0.9]" in text
    assert "model.name_or_path: builtin:tiny -> builtin:small" in refused(
        "--run.output_dir=cut", "--model.name_or_path=builtin:small"
    )
    text = refused("--run.output_dir=cut", "--data.builtin_seed=1")
    assert "data.builtin_seed: 0 -> 1" in text
    assert "data_fingerprint: " in text


def test_a_checkpoint_of_another_run_in_our_directory_is_refused(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "cut")
    # As one of another run looks: whole, and with that run's settings in its manifest.
    foreign = tmp_path / "cut/checkpoints/step-000005"
    shutil.copytree(foreign.with_name("step-000004"), foreign)
    manifest = json.loads((foreign / "manifest.json").read_text())
    manifest["settings"]["run"]["seed"] = 5
    (foreign / "manifest.json").write_text(json.dumps(manifest))
    done = train(tmp_path, "--run.output_dir=cut", check=2)
    assert "step-000005: a checkpoint of another run; there -> here: " in done.stderr
    assert "run.seed: 5 -> 0" in done.stderr
    assert "Traceback" not in done.stderr
    record(fault="a checkpoint of another run in the directory", injected="a whole one with another seed in its manifest",
           happened="refused with the differences, exit code 2", lost="nothing")  # fmt: skip


def test_a_path_needs_trust_and_must_be_a_checkpoint_of_the_same_run(refused, runs):
    assert "add --checkpoint.trust=true" in refused("--run.output_dir=new", "--checkpoint.resume=cut")
    trusted = ["--run.output_dir=new", "--checkpoint.trust=true"]
    assert "no such directory" in refused(*trusted, "--checkpoint.resume=nowhere")
    assert "no checkpoint there" in refused(*trusted, "--checkpoint.resume=.")
    text = refused(*trusted, "--checkpoint.resume=cut", "--train.max_steps=9")
    assert "step-000004 is of another run; there -> here: train.max_steps: 8 -> 9" in text
    text = refused("--run.output_dir=cut", "--checkpoint.resume=cut/checkpoints/step-000002", "--checkpoint.trust=true")
    assert "this run's own directory" in text


@pytest.mark.parametrize("name", [
    "cut", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cut/checkpoints", "cut/checkpoints/step-000002")),
])  # fmt: skip
def test_going_on_elsewhere_ends_with_the_same_run(runs, tmp_path, name):
    given = f"--checkpoint.resume={runs / name}"
    train(tmp_path, given, "--checkpoint.trust=true", "--run.output_dir=here")
    here = tmp_path / "here"
    assert weights(here) == weights(runs / "whole")
    assert rows(here) == rows(runs / "whole")
    facts = json.loads((here / "run.json").read_text())
    assert facts["resumed_from"]["step"] == (2 if name.endswith("2") else 4)
    assert facts["config_hash"] != json.loads((runs / "whole/run.json").read_text())["config_hash"]
    # Another source is another run.
    with pytest.raises(UserError, match="other settings or data"):
        preflight(parse([*SHORT, f"--run.output_dir={here}", f"--data.cache_dir={tmp_path / '.cache'}"]).config)


@pytest.mark.slow
def test_the_source_is_needed_once(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "source")
    options = ["--checkpoint.resume=source", "--checkpoint.trust=true", "--run.output_dir=here"]
    train(tmp_path, *options, env={"RCA_FAULT": "step=5,kind=exit"}, check=7)
    shutil.rmtree(tmp_path / "source")
    train(tmp_path, *options)
    assert weights(tmp_path / "here") == weights(runs / "whole")


def test_a_damaged_source_is_refused(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "source")
    file = tmp_path / "source/checkpoints/step-000004/optimizer.pt"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    done = train(tmp_path, "--checkpoint.resume=source", "--checkpoint.trust=true", "--run.output_dir=here", check=2)
    assert "optimizer.pt has other content than when it was saved" in done.stderr
    assert not list((tmp_path / "here/checkpoints").iterdir())
    record(fault="a checkpoint given by path is damaged", injected="one bit flipped", happened="refused, exit code 2; none of "
           "it is taken over", lost="nothing")  # fmt: skip


@pytest.mark.slow
def test_a_run_s_own_directory_by_name_needs_no_trust(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "cut")
    train(tmp_path, "--run.output_dir=cut", "--checkpoint.resume=cut")
    assert weights(tmp_path / "cut") == weights(runs / "whole")


@pytest.fixture
def read_only(tmp_path):
    """A directory in which nothing can be written, also by root."""
    place = tmp_path / "fixed"
    place.mkdir()
    if os.geteuid():
        place.chmod(0o555)
        yield place
        place.chmod(0o755)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("root without the right to mount: nothing is read-only here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_read_only_directory_is_found_before_the_run(read_only, tmp_path):
    done = train(tmp_path, f"--run.output_dir={read_only / 'run'}", "--data.cache_dir=cache", check=2)
    assert f"cannot write in {read_only}" in done.stderr
    assert "training tickets" not in done.stderr
    record(fault="read-only directory", injected="mounted read-only, or the mode where not root", lost="nothing",
           happened="refused before the data is read, exit code 2")  # fmt: skip


def wait_for(what, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None and time.monotonic() < deadline
    return True


def test_a_start_that_was_overtaken_publishes_nothing(tmp_path, distributed):
    import torch

    from rca_dist.runtime.checkpoint import Checkpoints
    from rca_dist.runtime.rundir import RunDirectory

    first, second = (RunDirectory(tmp_path / "run") for _ in range(2))
    first.begin(overwrite=False, config_yaml="", facts={})
    model = torch.nn.Linear(3, 3)
    engine = distributed.prepare(model, torch.optim.AdamW(model.parameters()))
    store = Checkpoints(tmp_path / "run/checkpoints", distributed)
    store.before_publish = first.check_mine
    assert store.save(1, engine, {"x": 1}).is_dir()
    written = (store.folder / "step-000001/model.safetensors").stat().st_mtime_ns
    # Saved again, its files stay and its facts are new.
    store.save(1, engine, {"x": 2})
    assert store.newest_valid()[1]["x"] == 2
    assert (store.folder / "step-000001/model.safetensors").stat().st_mtime_ns == written
    # The lock is lost, as on a network disk after a node was out of reach.
    first.release()
    second.facts = dict(first.facts)
    second.begin(overwrite=False, config_yaml="", facts={})
    before = (tmp_path / "run/run.json").read_text()
    for work in (lambda: store.save(2, engine, {}), lambda: first.save(x=1), lambda: first.end("finished")):
        with pytest.raises(UserError, match="start 2 of this run has taken over from start 1, which ends here"):
            work()
    assert (tmp_path / "run/run.json").read_text() == before
    assert sorted(p.name for p in store.folder.iterdir()) == ["latest", "step-000001"]
    record(fault="overtaken by a second start", injected="lock released, second start's mark in `run.json` (calls in one "
           "process)", happened="the first one's save, `run.json` and end are refused with the message", lost="the first's "
           "step 2, not saved")  # fmt: skip


@pytest.mark.slow
def test_a_second_launch_is_refused_and_a_zombie_writes_nothing(runs, tmp_path):
    """Its lock lost, as on a network disk: a start that is overtaken while it hangs ends with a message when it wakes."""
    run, long = (
        tmp_path / "run",
        ["--run.output_dir=run", "--train.max_steps=60", "--checkpoint.save_steps=5", "--train.eval_steps=30"],
    )
    with subprocess.Popen(command(*long), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as zombie:
        wait_for(lambda: (run / "checkpoints/latest").exists(), zombie)
        zombie.send_signal(signal.SIGSTOP)
        second = train(tmp_path, *long, check=2)
        assert "another start of this run is at work there" in second.stderr
        (run / ".lock").unlink()
        train(tmp_path, *long)
        files = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
        zombie.send_signal(signal.SIGCONT)
        _, text = zombie.communicate(timeout=120)
    assert zombie.returncode == 2, text
    assert "start 2 of this run has taken over from start 1, which ends here and writes nothing more" in text
    assert "Traceback" not in text
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == files
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["starts"]) == ("finished", 2)
    train(tmp_path, *long, "--run.output_dir=undisturbed")
    assert (weights(run), rows(run)) == (weights(tmp_path / "undisturbed"), rows(tmp_path / "undisturbed"))
    record(fault="two launches of one run", injected="started while the first is at work", happened="the second is refused, "
           "exit code 2", lost="nothing")  # fmt: skip
    record(fault="overtaken by a second start", injected="SIGSTOP, lock removed, second start finishes, SIGCONT",
           lost="nothing in the run", happened="the first ends with the message, exit code 2, no file changed; weights and "
           "rows as undisturbed")  # fmt: skip


@pytest.mark.slow
def test_the_best_stays_beside_the_newest(runs, tmp_path):
    # A rate that makes the loss rise again: the best is not among the newest.
    options = ["--run.output_dir=best", "--checkpoint.keep_best=true", "--checkpoint.keep_last=1", "--train.eval_steps=2",
               "--train.learning_rate=0.3", "--train.lr_scheduler=constant", "--train.warmup_steps=0"]  # fmt: skip
    train(tmp_path, *options)
    store = tmp_path / "best/checkpoints"
    newest = json.loads((store / "step-000008/manifest.json").read_text())
    best = newest["best"]["step"]
    names = {"step-000008", f"step-{best:06d}"}
    assert {p.name for p in store.glob("step-*")} == names
    assert (store / "best").read_text() == f"step-{best:06d}\n"
    assert json.loads((tmp_path / "best/run.json").read_text())["weights_step"] == 8
    message = "checkpoint.keep_best=true needs validation tickets"
    with pytest.raises(UserError, match=message):
        parse(["checkpoint.keep_best=true", "split.validation_size=0"])
