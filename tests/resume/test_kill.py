"""Killed by SIGKILL and started again: the same examples in each step, the same losses, the same weights, bit for bit."""

import re

import pytest
from fault_rows import record
from job import Nursery, examples, losses

pytestmark = pytest.mark.process
SLOW = pytest.mark.slow
OPTIONS = {"eval_steps": 6, "evaluate_end": True}
PLACES = ["rank 0 in step 17", "last rank in step 13", "rank 0 while saving step 10", "last rank in step 7",
          "rank 0 in the evaluation of step 12", "rank 0 before the rename of step 15"]  # fmt: skip


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


def agree(whole, cut, folder):
    """The run in `folder`/cut went as the uninterrupted one in `folder`/whole."""
    assert losses(folder / "cut") == losses(folder / "whole")
    assert examples(folder / "cut") == examples(folder / "whole")
    assert {r["weights"] for r in cut} == {r["weights"] for r in whole}
    assert whole[0]["weights"] is not None
    assert (cut[0]["nll"], cut[0]["texts"]) == (whole[0]["nll"], whole[0]["texts"])


@pytest.mark.parametrize(
    ("backend", "world", "lora", "background", "kills"),
    [
        ("no", 1, False, False, 6),
        ("ddp", 2, False, True, 6),
        ("fsdp2", 2, False, True, 2),
        ("zero2", 2, False, False, 1),
        pytest.param("ddp", 3, False, False, 6, marks=SLOW),
        pytest.param("fsdp2", 2, False, False, 6, marks=SLOW),
        pytest.param("zero1", 2, False, True, 3, marks=SLOW),
        pytest.param("zero2", 2, False, True, 3, marks=SLOW),
        pytest.param("zero3", 2, False, False, 3, marks=SLOW),
        pytest.param("ddp", 2, True, False, 3, marks=SLOW),
        pytest.param("fsdp2", 2, True, False, 3, marks=SLOW),
        pytest.param("zero3", 2, True, False, 2, marks=SLOW),
    ],
)
def test_killed_at_every_kind_of_place(nursery, tmp_path, backend, world, lora, background, kills):
    options = OPTIONS | {"lora": lora, "store": {"background": background}}
    whole = nursery.run(backend, world, tmp_path / "whole", **options)
    last, ended = world - 1, {}
    # Ten steps are an epoch: 13 and 17 lie in one.
    places = ["rank=0,step=17", f"rank={last},step=13", "rank=0,at=save,step=10", f"rank={last},step=7",
              f"rank=0,at=evaluate,step=12,once={tmp_path}/at12", f"rank=0,at=publish,step=15,once={tmp_path}/at15"]  # fmt: skip
    chosen = sorted(places[:kills], key=lambda place: int(re.findall(r"step=(\d+)", place)[0]))
    for kill in chosen:
        codes, texts, seconds = nursery.crash(backend, world, tmp_path / "cut", fault=f"kind=kill,{kill}", **options)
        assert codes.count(-9) == 1, (codes, texts)
        assert seconds < 10, (kill, seconds)
        assert "Traceback" not in "".join(texts)
        if world > 1 and f"rank={last}" in kill:
            assert f"rank {last} has ended" in texts[0]
        ended[kill] = {"s from the first rank's end to the last's": seconds} if world > 1 else {}
    cut = nursery.run(backend, world, tmp_path / "cut", **options)
    # Written in the background, the newest checkpoint may not count yet.
    assert cut[0]["began"] in ((5, 10, 15) if background else (15,))
    agree(whole, cut, tmp_path)
    assert not list((tmp_path / "cut" / "checkpoints").glob("*.tmp"))
    for kill, label in zip(places[:kills], PLACES[:kills], strict=True):
        record(fault="a rank killed (SIGKILL, `RCA_FAULT=kind=kill`)", injected=label, measured=ended[kill], happened="gone on "
               "with; losses, examples of each step, weights and answers bit-equal to the undisturbed run", lost="steps since "
               "the newest whole checkpoint (one every 5), computed again", back_end=backend, world=world, lora=lora)  # fmt: skip


@pytest.mark.parametrize("kind", ["exit", "error"])
@pytest.mark.parametrize("place", ["step,step=7", "save,step=5", "evaluate,step=6"])
def test_a_rank_that_fails_takes_the_job_down(nursery, tmp_path, kind, place):
    if (kind, place) == ("error", "save,step=5"):
        pytest.skip("an exception in saving is a failed checkpoint: test_disk.py")
    codes, texts, seconds = nursery.crash("ddp", 2, tmp_path, fault=f"kind={kind},rank=1,at={place}", **OPTIONS)
    assert codes == [1, 7 if kind == "exit" else 1]
    assert seconds < 10
    assert "rank 1 has ended" in texts[0]
    assert "Traceback" not in texts[0]
    assert ("an error on purpose" in texts[1]) == (kind == "error")
    record(fault="a rank fails", injected=f"`RCA_FAULT=kind={kind},rank=1,at={place}`", back_end="ddp", world=2,
           happened=f"the job ends, {'its own error shown' if kind == 'error' else 'exit code 7 kept'}; the other rank ends "
           f"with one sentence, no traceback", lost="steps since the newest checkpoint (not gone on with in this test)",
           measured={"s from the first rank's end to the last's": seconds})  # fmt: skip


@SLOW
def test_many_random_kills(nursery, tmp_path):
    from many_kills import many_kills

    # So many steps that the run cannot end before the last kill, however fast the machine.
    found = many_kills(nursery, tmp_path, kills=10, seed=1, steps=200)
    assert found["kills"] == 10
    assert found["equal"]
    record(fault="a rank killed again and again (SIGKILL)", injected=f"{found['kills']} times in a run of 200 steps, a random rank at a random "
           "moment", back_end="ddp", world=2, happened="gone on with each time; losses, examples of each step and weights "
           "bit-equal to the undisturbed run", lost=f"{found['computed']} steps computed instead of {found['steps']}")  # fmt: skip
