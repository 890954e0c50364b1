"""Memory that runs out: half the tokens per micro-batch on all ranks, the same examples in each step, losses within rounding."""

import re
import sys
from pathlib import Path

import pytest
from fault_rows import record
from job import Nursery, examples, losses

SLOW = pytest.mark.slow
# A step of 16 short tickets is about 250 tokens; the longest ticket has 23.
OPTIONS = {"eval_steps": 4, "evaluate_end": True, "budget": 160, "batch": 16, "steps": 8, "longest": 12}
# Other micro-batches add up in another order. Over eight steps from random weights it was at most 1e-6.
BOUND = 5e-6


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


def close(folder):
    ours, whole = losses(folder / "cut"), losses(folder / "whole")
    assert ours.keys() == whole.keys()
    assert [ours[key] for key in ours] == pytest.approx([whole[key] for key in ours], rel=BOUND)
    assert examples(folder / "cut") == examples(folder / "whole")


@pytest.mark.process
@pytest.mark.parametrize(("backend", "world"), [("ddp", 2), pytest.param("no", 1, marks=SLOW)])
def test_out_of_memory_on_one_rank(nursery, tmp_path, backend, world):
    last = world - 1

    def run(name, fault=None, **changes):
        return nursery.run(backend, world, tmp_path / name, fault=fault, **(OPTIONS | changes))

    whole, half = run("whole"), run("half", budget=80)
    # The rehearsal leaves no trace, in generators neither.
    assert run("rehearsed", "kind=oom,at=start,over=100000")[0]["weights"] == whole[0]["weights"]
    noisy = {"lora": True, "dropout": 0.2}
    assert run("noisy-rehearsed", "kind=oom,at=start,over=100000", **noisy)[0]["weights"] == run("noisy", **noisy)[0]["weights"]
    # Before step 1: as if the smaller budget had been asked for.
    found = run("start", f"kind=oom,at=start,over=100,rank={last}")
    assert [r["budget"] for r in found] == [80] * world
    assert found[0]["weights"] == half[0]["weights"] != whole[0]["weights"]
    assert "going on with 80 on every process" in found[0]["output"]
    # Later: the step is computed again, with the same examples.
    found = run("cut", f"kind=oom,rank={last},step=5")
    assert [r["budget"] for r in found] == [80] * world
    close(tmp_path)
    # What a resumed run remembers; and a budget asked for anew wins.
    stopped = run("again", f"kind=oom,rank={last},step=2;kind=term,step=5,rank=0")
    assert "after step 5" in stopped[0]["stopped"]
    assert run("again")[0]["budget"] == 80
    assert run("again", budget=120)[0]["budget"] == 120
    # In the evaluation: each ticket is scored, in smaller batches.
    found = run("scored", f"kind=oom,at=evaluate,over=30,rank={last}")
    assert found[0]["weights"] == whole[0]["weights"]
    assert found[0]["nll"] == pytest.approx(whole[0]["nll"], rel=1e-6)
    assert found[0]["texts"] == whole[0]["texts"]
    assert "in halves from here on" in found[last]["output"]
    same = {"fault": "out of memory", "back_end": backend, "world": world}
    record(injected="before step 1 (`RCA_FAULT=kind=oom,at=start,over=100,rank=last`)", lost="nothing", **same, happened="all "
           "ranks go on with half the tokens per micro-batch; weights bit-equal to a run with that budget")  # fmt: skip
    record(injected="in a step (`RCA_FAULT=kind=oom,rank=last,step=5`)", lost="that step, computed again", **same,
           happened=f"half the budget on all ranks; same examples, losses within {BOUND:.0e}")  # fmt: skip
    record(injected="in a step, then stopped (`kind=oom,step=2; kind=term,step=5`)", lost="that step, computed again", **same,
           happened="the next start remembers the smaller budget; another one asked for wins")  # fmt: skip
    record(injected="in an evaluation (`RCA_FAULT=kind=oom,at=evaluate,over=30,rank=last`)", lost="nothing", **same,
           happened="that rank goes on in smaller batches; same weights and answers, losses of answers within 1e-6")  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("place", ["start", "step"])
def test_a_memory_too_small_for_the_longest_example_is_said_on_all_ranks(nursery, tmp_path, place):
    fault = f"kind=oom,at={place},over=15,rank=1"
    codes, texts, _ = nursery.crash("ddp", 2, tmp_path, fault=fault, **OPTIONS)
    assert codes == [2, 2]
    assert "no more than the longest example's 23 tokens" in texts[0]
    assert "lower train.max_length" in texts[0]
    assert "Traceback" not in "".join(texts)
    record(fault="out of memory", injected=f"for the longest example too (`RCA_FAULT={fault}`)", back_end="ddp", world=2,
           happened="exit code 2 on all ranks with what to change", lost="not gone on with as it is")  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("backend", ["fsdp2", pytest.param("zero2", marks=SLOW), pytest.param("zero3", marks=SLOW)])
def test_where_ranks_meet_in_the_forward_pass_the_job_ends_to_start_again_with_less(nursery, tmp_path, backend):
    options = OPTIONS | {"save_steps": 2}
    whole = nursery.run(backend, 2, tmp_path / "whole", **options)
    rehearsed = nursery.run(backend, 2, tmp_path / "rehearsed", fault="kind=oom,at=start,over=100000", **options)
    assert rehearsed[0]["weights"] == whole[0]["weights"]
    codes, texts, seconds = nursery.crash(backend, 2, tmp_path / "cut", fault="kind=oom,rank=1,step=5", **options)
    assert codes == [1, 76] and seconds < 10
    assert "--train.max_tokens_per_micro_batch=80 to go on" in texts[1]
    found = nursery.run(backend, 2, tmp_path / "cut", env={"RCA_MAX_TOKENS": "80"}, **options)
    assert (found[0]["began"], found[0]["budget"]) == (4, 80)
    close(tmp_path)
    if backend != "zero2":
        codes, texts, _ = nursery.crash(backend, 2, tmp_path / "scored", fault="kind=oom,at=evaluate,rank=1", **options)
        assert codes == [1, 76] and "--eval.batch_tokens=30" in texts[1]
        record(fault="out of memory", injected="in an evaluation (`RCA_FAULT=kind=oom,at=evaluate,rank=1`)", back_end=backend,
               world=2, happened="the job ends with worker status 76 and names the flag", lost="not gone on with in this test")  # fmt: skip
    record(fault="out of memory", injected="in a step (`RCA_FAULT=kind=oom,rank=1,step=5`)", back_end=backend, world=2,
           happened=f"the job ends with worker status 76; started again with half the budget it goes on from step 4; same "
           f"examples, losses within {BOUND:.0e}", lost="that step, computed again", measured={"s from the first rank's end to "
           "the last's": seconds})  # fmt: skip


def _worker(folder, script):
    path = Path(folder) / "launcher.py"
    path.write_text(f"import json, os, sys\nfrom pathlib import Path\nfolder = Path({str(folder)!r})\n{script}")
    return [sys.executable, str(path)]


def test_the_supervisor_starts_again_with_less_a_few_times(tmp_path, capfd):
    from rca_dist.runtime.supervise import supervise

    command = _worker(tmp_path, """
tokens = int(os.environ.get("RCA_MAX_TOKENS", 4096))
with open(folder / "log", "a") as handle:
    handle.write(f"{tokens} {sorted(p.name for p in folder.glob('memory-*'))}\\n")
if tokens > int(os.environ["FITS"]):
    (folder / "memory-1").write_text(json.dumps({"RCA_MAX_TOKENS": str(tokens // 2)}))
    (folder / "exit").write_text("1")
    sys.exit(1)
(folder / "exit").write_text("0")
""")  # fmt: skip
    assert supervise(command, {"FITS": "1000"}, tmp_path, restarts=3) == (0, 0)
    assert (tmp_path / "log").read_text().split("\n")[:-1] == ["4096 []", "2048 []", "1024 []", "512 []"]
    assert capfd.readouterr().err.count("starting again from the last checkpoint with RCA_MAX_TOKENS=") == 3
    assert supervise(command, {"FITS": "100"}, tmp_path, restarts=3) == (1, 1)
    assert "memory ran out 4 times" in capfd.readouterr().err
    (tmp_path / "log").unlink()
    assert supervise(command, {"FITS": "1000"}, tmp_path, restarts=0) == (1, 1)
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    record(fault="out of memory", injected="again at each start (a script in the ranks' place)", lost="nothing was trained "
           "here", happened="`rca-dist train`'s supervisor starts again with half, 3 times, then says so and ends with 1",
           back_end=None)  # fmt: skip


@pytest.mark.process
@SLOW
def test_rca_dist_train_starts_again_by_itself(tmp_path):
    import os
    import subprocess

    from job import ROOT

    command = [sys.executable, "-m", "rca_dist.cli", "train", "--config_file", str(ROOT / "configs/accelerate/fsdp2.yaml"),
               "--num_processes", "2", "--data.builtin_tickets=200", "--train.max_steps=6", "--eval.max_tickets=6",
               "--train.precision=fp32", "--train.log_steps=1", "--eval.max_new_tokens=8", "--tracking.wandb=disabled",
               "--checkpoint.save_steps=2", "--eval.systems=[model]", "--run.output_dir=run", "--run.overwrite=true"]  # fmt: skip
    env = os.environ | {"RCA_FAULT": f"kind=oom,rank=1,step=5,once={tmp_path}/once", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "starting again from the last checkpoint with RCA_MAX_TOKENS=2048 (3 of 3 times left)" in done.stderr
    # What --run.overwrite removes is removed once, not by the restart.
    assert re.search(r"going on from step [24]\b", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    rows = [key for key in losses(tmp_path / "run") if key[1] == "train/loss"]
    assert [step for step, _ in rows] == [1, 2, 3, 4, 5, 6]
    record(fault="out of memory", injected="in a step under `rca-dist train` (`RCA_FAULT=kind=oom,rank=1,step=5`)",
           back_end="fsdp2", world=2, happened="starts again by itself with half the budget and finishes, each step logged "
           "once", lost="steps since the newest checkpoint, computed again")  # fmt: skip


@pytest.mark.process
def test_a_loss_that_is_not_finite_is_told_after_a_repeated_step_too(nursery, tmp_path):
    # The step was computed with other micro-batches than planned; those are the ones to look the tickets up in.
    codes, texts, _ = nursery.crash("ddp", 2, tmp_path, fault="kind=oom,rank=1,step=3;kind=nan,rank=1,step=3", **OPTIONS)
    assert codes == [1, 1]
    assert "not finite at step 3" in texts[0]
