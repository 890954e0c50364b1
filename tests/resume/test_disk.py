"""A disk that takes no more: a clear error on every rank, no hang, earlier checkpoints intact, and the run goes on or stops."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_rows import record
from job import Nursery, losses

pytestmark = pytest.mark.process
JOB, ROOT = Path(__file__).with_name("store_job.py"), Path(__file__).resolve().parents[2]
OPTIONS = {"steps": 12, "save_steps": 3}
REASON = "a file may not become larger (file-size limit)"


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


def limited(nursery, backend, folder, store, *, ranks, since=4, until=8):
    """12 steps, saved every 3; between two steps the disk takes no file above 10 kB."""
    where = {"ranks": ranks, "since": since, "until": until, "limit": 10_000}
    return nursery.run(backend, 2, folder, function="limited", module=JOB, limited=where, store=store, **OPTIONS)


CASES = [
    ("ddp", [0], True), ("ddp", [1], False), ("fsdp2", [1], True),
    *(pytest.param(backend, ranks, behind, marks=pytest.mark.slow)
      for backend, ranks, behind in (("fsdp2", [0], False), ("zero2", [1], True), ("zero3", [0], False), ("ddp", [0, 1], True))),
]  # fmt: skip


@pytest.mark.parametrize(("backend", "ranks", "behind"), CASES)
def test_the_run_goes_on(nursery, tmp_path, backend, ranks, behind):
    whole = nursery.run(backend, 2, tmp_path / "whole", **OPTIONS)[0]
    found = limited(nursery, backend, tmp_path / "run", {"background": behind}, ranks=ranks)
    for rank in found:
        # Step 6 could not be written, 9 and 12 could.
        assert (rank["error"], rank["step"], rank["newest"]) == (None, 12, 12)
        assert rank["weights"] == whole["weights"]
        assert rank["there"] == ["latest", "step-000009", "step-000012"]
    # Where several files fail one after the other, torch tells of the last.
    assert re.search(
        rf"the checkpoint of step 6 could not be written: ({re.escape(REASON)}|a file could not be wri)", found[0]["output"]
    )
    assert [rank["output"].count("the checkpoint of step") for rank in found] == [1, 0]
    assert "Traceback" not in found[0]["output"] + found[1]["output"]
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    record(fault="disk full at a save", injected=f"`RLIMIT_FSIZE` on "
           f"{'both ranks' if len(ranks) == 2 else f'rank {ranks[0]}'}, saved {'in the background' if behind else 'at once'}",
           happened="one warning on one rank, no traceback; training goes on, later saves succeed; weights and losses "
           "bit-equal", lost="the checkpoint of that step", back_end=backend, world=2)  # fmt: skip


@pytest.mark.parametrize("behind", [True, False])
def test_the_run_stops_where_that_is_asked_for(nursery, tmp_path, behind):
    found = limited(nursery, "ddp", tmp_path, {"background": behind, "on_error": "stop"}, ranks=[0])
    for rank in found:
        assert rank["error"].startswith("the checkpoint of step 6 could not be written: " + REASON)
        assert "earlier ones are intact" in rank["error"]
        assert (rank["newest"], rank["there"]) == (3, ["latest", "step-000003"])
    record(fault="disk full at a save", injected=f"`RLIMIT_FSIZE` on rank 0, `checkpoint.on_error=stop`, saved "
           f"{'in the background' if behind else 'at once'}", happened="ends with the message on all ranks; nothing "
           "half-written is left", lost="steps after the newest whole checkpoint, which is intact", back_end="ddp", world=2)  # fmt: skip


def test_the_last_checkpoint_must_be_written(nursery, tmp_path):
    found = limited(nursery, "ddp", tmp_path, {"background": True}, ranks=[1], since=10, until=99)
    assert [rank["error"] and rank["error"][:47] for rank in found] == ["the checkpoint of step 12 could not be written:"] * 2
    assert [rank["newest"] for rank in found] == [9, 9]
    record(fault="disk full at the last save", injected="`RLIMIT_FSIZE` on rank 1", happened="ends with the message on all "
           "ranks", lost="the steps after the checkpoint of step 9", back_end="ddp", world=2)  # fmt: skip


def test_rows_wait_in_memory_and_come_in_order(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from rca_dist.runtime.files import DiskProblem, write_json
from rca_dist.runtime.metrics_file import JsonlTracker
path = Path(sys.argv[1])
rows = JsonlTracker(path)
rows.log({"step": 1, "x": 0.5})
resource.setrlimit(resource.RLIMIT_FSIZE, (30, resource.RLIM_INFINITY))
rows.log({"step": 2, "x": 0.5})
rows.log({"step": 3, "x": 0.5})
assert path.read_text() == '{"step": 1, "x": 0.5}\\n', path.read_text()
for work in (rows.flush, lambda: write_json(path.with_name("run.json"), {"x": "y" * 99})):
    try:
        work()
        raise SystemExit("nothing was raised")
    except DiskProblem as problem:
        print(problem)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
rows.log({"step": 4, "x": 0.5})
rows.finish()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "metrics.jsonl")], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert [line.partition(" could not be written: ")[0] for line in done.stdout.splitlines()] == ["metrics.jsonl", "run.json"]
    assert done.stdout.count(REASON) == 2
    assert done.stderr.count("rows are kept in memory meanwhile") == 1
    assert (tmp_path / "metrics.jsonl").read_text() == "".join(f'{{"step": {n}, "x": 0.5}}\n' for n in (1, 2, 3, 4))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
    record(fault="disk full at a row of `metrics.jsonl`", injected="`RLIMIT_FSIZE` of 30 bytes", lost="nothing",
           happened="rows kept in memory, said once, written in order when there is room")  # fmt: skip


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 35 MiB; needs root and the right to mount."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    mounted = (
        mounted
        and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=35m", "tmpfs", str(place)], capture_output=True).returncode
    )
    if not mounted:
        pytest.skip("no right to mount a small file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def command(*arguments):
    return [sys.executable, str(ROOT / "rca_dist/train.py"), "--data.builtin_tickets=120", "--train.max_steps=8", "--eval.max_tickets=2",
               "--train.precision=fp32", "--eval.max_new_tokens=4", "--eval.systems=model", "--tracking.wandb=disabled", *arguments]  # fmt: skip


def train(cwd, *arguments, check=0, env=None):
    done = subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=240, env=os.environ | (env or {})
    )
    assert done.returncode == check, done.stderr[-3000:]
    return done


def test_too_small_a_disk_is_refused_before_the_run(tmp_path, small_disk):
    done = train(tmp_path, f"--run.output_dir={small_disk / 'run'}", "--data.cache_dir=cache", check=2)
    assert "checkpoints and model will take about 41 MiB and 35 MiB are free" in done.stderr
    assert "--checkpoint.keep_last (now 2)" in done.stderr
    assert not (small_disk / "run").exists()
    record(fault="disk too small for the run", injected="a file system of 35 MiB (tmpfs)", lost="nothing", happened="refused "
           "with need and room before anything is written, exit code 2")  # fmt: skip


@pytest.mark.slow
def test_a_disk_that_fills_up_while_training(tmp_path, small_disk):
    run = small_disk / "run"
    options = [f"--run.output_dir={run}", "--data.cache_dir=cache", "--checkpoint.keep_last=1", "--checkpoint.save_steps=2",
               "--train.max_steps=60", "--checkpoint.on_error=stop"]  # fmt: skip
    with subprocess.Popen(command(*options), cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        deadline = time.monotonic() + 120
        while not (run / "checkpoints/latest").exists():
            assert job.poll() is None and time.monotonic() < deadline
        job.send_signal(signal.SIGSTOP)
        (small_disk / "other").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 5 * 2**20))
        job.send_signal(signal.SIGCONT)
        _, text = job.communicate(timeout=120)
    assert job.returncode == 2, text
    assert re.search(r"the checkpoint of step \d+ could not be written: (no space left|a file could not be wri)", text)
    assert "Traceback" not in text
    assert not list((run / "checkpoints").glob("*.tmp"))
    (small_disk / "other").unlink()
    done = train(tmp_path, *options)
    assert "going on from step" in done.stderr
    record(fault="disk fills up while training", injected="a file system of 35 MiB (tmpfs) filled by another file, "
           "`checkpoint.on_error=stop`", happened="exit code 2 with the reason, nothing half-written; goes on once there is "
           "room", lost="steps since the newest whole checkpoint, computed again")  # fmt: skip
