"""Two processes, then one, then three: the same examples in the same order, the same moments, the same losses."""

from pathlib import Path

import pytest
from fault_rows import NAMES, record
from job import Nursery, examples, losses

pytestmark = pytest.mark.process
JOB = Path(__file__).with_name("store_job.py")
OPTIONS = {"store": {"background": True}, "steps": 16, "save_steps": 100}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


@pytest.mark.parametrize("backend", [
    "ddp", "fsdp2", *(pytest.param(f"zero{stage}", marks=pytest.mark.slow) for stage in (1, 2, 3)),
])  # fmt: skip
def test_two_one_three(nursery, tmp_path, backend):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    nursery.run(backend, 2, whole, **OPTIONS)
    nursery.run(backend, 2, cut, fault="rank=0,step=6,kind=term", **OPTIONS)
    moves(nursery, backend, cut, 2, 1)
    stopped = nursery.run(backend, 1, cut, fault="rank=0,step=11,kind=term", **OPTIONS)
    assert (stopped[0]["began"], stopped[0]["step"]) == (6, 11)
    told = moves(nursery, backend, cut, 1, 3)
    # Ranks that the checkpoint does not know draw numbers of their own, the same ones at every start.
    assert len({rank["random"] for rank in told}) == 3
    assert [rank["random"] for rank in moves(nursery, backend, cut, 1, 3)] == [rank["random"] for rank in told]
    last = nursery.run(backend, 3, cut, **OPTIONS)
    assert (last[0]["began"], last[0]["step"]) == (11, 16)
    assert examples(cut) == examples(whole)
    assert losses(cut) == pytest.approx(losses(whole), rel=1e-6)
    assert not list((cut / "checkpoints").glob("*.tmp"))
    apart = max(abs(value / losses(whole)[key] - 1) for key, value in losses(cut).items())
    record(fault="another number of processes at the next start", injected="2, stopped, then 1, stopped, then 3",
           lost="nothing", happened="same examples in each step, same moments after each move, losses within rounding",
           back_end=backend, world=None, measured={"as largest relative difference of a loss": apart})  # fmt: skip


def moves(nursery, backend, folder, before, after):
    """The moments are the same numbers to both; returns what the later ranks read."""
    first, second = (nursery.run(backend, world, folder, function="told", module=JOB, **OPTIONS) for world in (before, after))
    assert second[0]["moments"] == first[0]["moments"]
    assert any(total for _, total, _ in second[0]["moments"])
    return second


@pytest.mark.parametrize(("written", "read"), [("ddp", "fsdp2"), pytest.param("zero2", "ddp", marks=pytest.mark.slow)])
def test_another_strategy_is_refused_with_what_works(nursery, tmp_path, written, read):
    nursery.run(written, 2, tmp_path, **OPTIONS | {"steps": 2})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step-*/**/*")}
    codes, texts, _ = nursery.crash(read, 2, tmp_path, **OPTIONS)
    assert codes == [2, 2]
    assert f"written by 2 processes under {written}, and 2 under {read} cannot go on from it" in texts[0]
    assert "start under the same back end as before" in texts[0]
    assert "Traceback" not in "".join(texts)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("step-*/**/*")} == before
    record(fault="another back end at the next start", injected=f"written under {NAMES[written]}, started under {NAMES[read]}",
           happened="refused with what works, exit code 2 on all ranks; no file changed", lost="nothing", back_end=read,
           world=2)  # fmt: skip
