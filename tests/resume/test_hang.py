"""A rank that stops answering is named at the time limit, and the job ends; faults are read from RCA_FAULT."""

import pytest
from fault_rows import record
from job import Nursery

from rca_dist.errors import UserError
from rca_dist.runtime import faults

SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


@pytest.mark.process
@pytest.mark.parametrize(
    ("backend", "world", "fault", "words"),
    [
        ("ddp", 2, "rank=1,step=7", "rank 1 has not answered for"),
        pytest.param("ddp", 3, "rank=1,at=evaluate,step=6", "rank 1 has not answered for", marks=SLOW),
        pytest.param("fsdp2", 2, "rank=1,at=save,step=5", "rank 1 has not answered for", marks=SLOW),
        # DeepSpeed's groups have a time limit of their own, half an hour; the neighbour's watch ends the job.
        pytest.param("zero2", 2, "rank=1,step=7", "rank 1 has not answered for", marks=SLOW),
        # Rank 0 keeps the store here; under a launcher the launcher does.
        pytest.param("ddp", 2, "rank=0,step=7", "rank 0, or the launcher, does not answer", marks=SLOW),
    ],
)
def test_a_rank_that_hangs_is_named_at_the_time_limit(nursery, tmp_path, backend, world, fault, words):
    options = {"eval_steps": 6, "timeout": 6}
    codes, texts, _ = nursery.crash(backend, world, tmp_path, fault=f"kind=hang,{fault}", limit=90, grace=4, **options)
    said = "".join(texts)
    assert codes.count(-9) == 1 and codes.count(1) == world - 1, (codes, said)
    assert words in said
    step = fault.rpartition("=")[2]
    assert f"waits in step {step} (" in said
    assert "dist.timeout_seconds=6" in said
    assert "Traceback" not in said
    record(fault="a rank hangs (SIGSTOP)", injected=f"`RCA_FAULT=kind=hang,{fault}`, `dist.timeout_seconds=6`",
           happened=f'the others end by themselves, exit code 1, "{words} …" and the step they wait in, no traceback',
           lost="steps since the newest checkpoint (not gone on with in this test)", back_end=backend, world=world)  # fmt: skip


def test_the_form_of_a_fault():
    (first, second) = faults.parse("rank=1,step=7,kind=kill; kind=oom,over=200,at=evaluate,rank=all,once=/x")
    assert (first.kind, first.place, first.rank, first.step, first.once) == ("kill", "step", 1, 7, None)
    assert (second.kind, second.place, second.rank, second.step, second.over, second.once) == (
        "oom",
        "evaluate",
        None,
        None,
        200,
        "/x",
    )


@pytest.mark.parametrize("text", ["kill", "rank=1", "kind=boom", "kind=kill,step=x", "kind=kill,at=lunch", "kind=kill,kind=hang",
                                  "kind=kill,over=3", "kind=kill,what=3", "kind=", "rank=-1,kind=kill"])  # fmt: skip
def test_a_malformed_fault_is_refused_with_the_form(text):
    with pytest.raises(UserError, match=r"RCA_FAULT=.*the form is rank=1,step=7,kind=kill"):
        faults.parse(text)


def test_a_malformed_fault_ends_the_job_before_anything_is_made(tmp_path):
    import os
    import subprocess
    import sys

    from job import ROOT

    command = [sys.executable, str(ROOT / "rca_dist" / "train.py"), "--run.output_dir=run"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"RCA_FAULT": "kind=boom"}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.startswith("train.py: RCA_FAULT=kind=boom: kind must be one of")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_fault_comes_at_its_place_step_and_rank_and_only_once(monkeypatch, tmp_path):
    import torch

    monkeypatch.setenv("RANK", "1")
    try:
        faults.arm(f"rank=1,step=7,kind=error;rank=0,kind=exit;kind=oom,at=evaluate,over=10;kind=nan,step=9;kind=disk,at=save;"
                   f"kind=error,at=end,rank=1,once={tmp_path}/done")  # fmt: skip
        assert not faults.at("step", 6)
        with pytest.raises(RuntimeError, match="on purpose"):
            faults.at("step", 7)
        assert not faults.at("step", 7)
        assert faults.at("step", 9)
        for _ in range(2):
            with pytest.raises(torch.OutOfMemoryError):
                faults.at("evaluate", size=11)
            with pytest.raises(OSError, match="No space left"):
                faults.at("save")
        assert not faults.at("evaluate", size=10)
        # A save that goes on in the background is of a step that is over.
        faults.arm("kind=error,at=evaluate,step=12")
        faults.at("step", 12)
        assert not faults.at("publish", 10)
        with pytest.raises(RuntimeError):
            faults.at("evaluate")
        faults.arm(f"kind=error,at=end,rank=1,once={tmp_path}/done")
        with pytest.raises(RuntimeError):
            faults.at("end")
        faults.arm(f"kind=error,at=end,rank=1,once={tmp_path}/done")
        assert not faults.at("end")
    finally:
        faults.arm(None)
    assert faults.armed is None
