"""Asked to stop, by any of the ways: saved at once on all ranks, gone on with as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_rows import record
from job import ROOT, Nursery, losses
from test_kill import OPTIONS, agree

pytestmark = pytest.mark.process
SLOW = pytest.mark.slow
REQUESTS = {
    "a signal to all": ("kind=term,step=7", {}, 7, "on request after step 7"),
    "SIGUSR1 to one": ("kind=usr1,rank={last},step=8", {}, 8, "on request after step 8"),
    "SIGINT to rank 0": ("kind=int,rank=0,step=3", {}, 3, "on request after step 3"),
    "in the evaluation": (
        "kind=term,rank={last},at=evaluate,step=12",
        {},
        12,
        "on request during the evaluation after step 12",
    ),
    "in the last evaluation": ("kind=term,rank=0,at=evaluate,step=20", {}, 20, "during the evaluation after step 20"),
    "while saving": ("kind=term,rank=0,at=save,step=10", {}, 11, "on request after step 11"),
    "a file STOP": (None, {"stop_file": "{folder}/STOP"}, 1, "on request (the file STOP, now removed) after step 1"),
    "a time limit": (None, {"max_minutes": 1e-6}, 1, "at the time limit of 1e-06 min (train.max_minutes) after step 1"),
}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


@pytest.mark.parametrize(
    ("backend", "world"), [("ddp", 2), *(pytest.param(*cell, marks=SLOW) for cell in (("no", 1), ("fsdp2", 2), ("zero2", 2)))]
)
def test_stopped_in_every_way_and_gone_on_with(nursery, tmp_path, backend, world):
    whole = nursery.run(backend, world, tmp_path / "whole", **OPTIONS)
    for name, (fault, more, step, words) in REQUESTS.items():
        folder = tmp_path / name.replace(" ", "-")
        folder.mkdir()
        (folder / "whole").symlink_to(tmp_path / "whole")
        more = {key: value.format(folder=folder) if isinstance(value, str) else value for key, value in more.items()}
        if "stop_file" in more:
            (folder / "STOP").touch()
        stopped = nursery.run(backend, world, folder / "cut", fault=fault and fault.format(last=world - 1), **(OPTIONS | more))
        assert words in stopped[0]["stopped"], name
        assert [r["step"] for r in stopped] == [step] * world, name
        assert not (folder / "STOP").exists()
        assert sorted(path.name for path in (folder / "cut" / "checkpoints").glob("step-*"))[-1] == f"step-{step:06d}"
        cut = nursery.run(backend, world, folder / "cut", **OPTIONS)
        assert cut[0]["began"] == step, name
        agree(whole, cut, folder)
        record(fault="asked to stop", injected=f"{name} (`{fault.format(last='last') if fault else next(iter(more))}`)",
               happened="all ranks stop at the same step and save it; the next start goes on there; losses, examples, weights "
               "and answers bit-equal to the undisturbed run", lost="nothing", back_end=backend, world=world)  # fmt: skip


def test_the_best_step_is_found_again_when_its_evaluation_was_interrupted(nursery, tmp_path):
    options = OPTIONS | {"keep_best": True}
    whole = nursery.run("no", 1, tmp_path / "whole", **options)
    (best,) = {step for (step, key), value in losses(tmp_path / "whole").items()
               if key == "eval/loss" and value == min(v for (_, k), v in losses(tmp_path / "whole").items() if k == "eval/loss")}  # fmt: skip
    nursery.run("no", 1, tmp_path / "cut", fault=f"kind=term,at=evaluate,step={best}", **options)
    assert (best, "eval/loss") not in losses(tmp_path / "cut")
    agree(whole, nursery.run("no", 1, tmp_path / "cut", **options), tmp_path)
    record(fault="asked to stop", injected="in the evaluation of the best step (`kind=term,at=evaluate`, "
           "`checkpoint.keep_best`)", happened="the next start evaluates that step first; losses, examples, weights and "
           "answers bit-equal", lost="nothing")  # fmt: skip


# -- the real job ----------------------------------------------------------------------------------------------------
SHORT = ["--data.builtin_tickets=200", "--train.max_steps=4", "--eval.max_tickets=6", "--train.precision=fp32",
         "--train.log_steps=1", "--eval.max_new_tokens=8", "--tracking.wandb=disabled", "--eval.systems=[model]",
         "--run.output_dir=run", "--eval.batch_tokens=600"]  # fmt: skip


def start(folder, *arguments, fault=None):
    env = {name: value for name, value in os.environ.items() if name != "RCA_FAULT"} | ({"RCA_FAULT": fault} if fault else {})
    command = [sys.executable, str(ROOT / "rca_dist" / "train.py"), *SHORT, *arguments]
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ends(process, code):
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    return err


def catches(pid, number):
    """Whether a process has a handler for a signal."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    mask = next((int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")), 0)
    return bool(mask >> (number - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see when the process listens")
def test_a_signal_while_libraries_are_loaded_is_served_before_the_first_step(tmp_path):
    process, deadline = start(tmp_path), time.monotonic() + 60
    while not catches(process.pid, signal.SIGTERM):
        assert process.poll() is None and time.monotonic() < deadline
    assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
    process.send_signal(signal.SIGTERM)
    err = ends(process, 75)
    assert "stopped on request before the first step" in err
    assert err.count("start it again to go on") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
    assert not list((tmp_path / "run").glob("checkpoints/step-*"))
    record(fault="asked to stop", injected="SIGTERM while the libraries load", lost="nothing: no step was computed",
           happened="exit code 75 before the first step, `interrupted` in `run.json`, no checkpoint")  # fmt: skip


@SLOW
def test_the_file_stop_and_the_evaluation_after_training(tmp_path):
    (tmp_path / "run").mkdir()
    ends(start(tmp_path, "--run.output_dir=whole"), 0)
    first = start(tmp_path, fault="kind=term,at=start")
    assert "before the first step" in ends(first, 75)
    (tmp_path / "run" / "STOP").touch()
    assert "the file STOP, now removed" in ends(start(tmp_path), 75)
    assert not (tmp_path / "run" / "STOP").exists()
    # Between two batches of the generation, after all training; the validation loss of step 4 is scored in between.
    ends(start(tmp_path, fault="kind=usr1,at=evaluate,step=4"), 75)
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (facts["status"], facts["starts"]) == ("interrupted", 3)
    ends(start(tmp_path), 0)
    results = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("run", "whole")]
    assert results[0] == results[1]
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    record(fault="asked to stop", injected="before step 1, by the file STOP, and in the evaluation after training, one after "
           "the other", happened="exit code 75 each time; `results.json` and losses equal to the undisturbed run's",
           lost="nothing")  # fmt: skip
