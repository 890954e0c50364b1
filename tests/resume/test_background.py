"""A checkpoint written behind the training is the one that would have been written at once."""

import json
from pathlib import Path

import pytest
from fault_rows import record
from job import Nursery, examples, losses

pytestmark = pytest.mark.process
JOB = Path(__file__).with_name("store_job.py")
BEHIND = {"store": {"background": True}, "steps": 12, "save_steps": 4}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


@pytest.fixture(scope="module")
def whole(nursery, tmp_path_factory):
    """A run of 2 processes that nothing disturbs and that writes at once: (folder, first rank's result)."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, nursery.run("ddp", 2, folder, **BEHIND | {"store": {}})[0]


@pytest.mark.parametrize("backend", [
    "ddp", "fsdp2", "zero2", pytest.param("zero1", marks=pytest.mark.slow), pytest.param("zero3", marks=pytest.mark.slow),
])  # fmt: skip
@pytest.mark.parametrize("lora", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_copy_does_not_follow_the_training(nursery, tmp_path, backend, lora):
    for rank in nursery.run(backend, 2, tmp_path, function="copies", module=JOB, lora=lora):
        assert rank["late"] == rank["at_once"] != rank["moved"] or (backend == "ddp" and rank["rank"] == 1)
        # What each way of writing gives back is the state at the step, bit for bit.
        assert {rank[f"from {name}"] for name in ("checkpoints", "behind", "late")} == {rank["at_once"]}
        assert rank["rng"][0] == rank["rng"][1]
        assert rank["listed"] == sorted(name for name in rank["on_disk"] if name != "manifest.json")
        assert rank["listed"] == sorted([*rank["names"], "rng-0.pt", "rng-1.pt"])


def test_a_run_that_writes_behind_has_the_same_numbers_and_files(nursery, whole, tmp_path):
    folder, first = whole
    again = nursery.run("ddp", 2, tmp_path, **BEHIND)[0]
    assert again["weights"] == first["weights"]
    assert losses(tmp_path) == losses(folder)
    for path in (folder, tmp_path):
        assert sorted(p.name for p in (path / "checkpoints").iterdir()) == ["latest", "step-000008", "step-000012"]
    files = [json.loads((path / "checkpoints/step-000008/manifest.json").read_text())["files"] for path in (folder, tmp_path)]
    assert files[0].keys() == files[1].keys()
    assert files[0]["model.safetensors"] == files[1]["model.safetensors"]


@pytest.mark.parametrize("place", ["save", "publish"])
@pytest.mark.parametrize("rank", [0, 1])
def test_killed_between_two_files_or_before_the_rename(nursery, whole, tmp_path, place, rank):
    folder, first = whole
    nursery.crash("ddp", 2, tmp_path, fault=f"rank={rank},step=8,kind=kill,at={place}", **BEHIND)
    store = tmp_path / "checkpoints"
    assert {p.name for p in store.glob("step-*") if p.suffix != ".tmp"} == {"step-000004"}
    assert list(store.glob("step-000008.*.tmp"))
    again = nursery.run("ddp", 2, tmp_path, **BEHIND)[0]
    assert (again["began"], again["weights"]) == (4, first["weights"])
    assert (losses(tmp_path), examples(tmp_path)) == (losses(folder), examples(folder))
    assert not list(store.glob("*.tmp"))
    record(fault="a rank killed (SIGKILL, `RCA_FAULT=kind=kill`)", injected=f"rank {rank} "
           f"{'between two files' if place == 'save' else 'before the rename'} of step 8", happened="gone on from the "
           "checkpoint before; losses, examples of each step and weights bit-equal to the undisturbed run; the half-written "
           "one cleared away", lost="steps 5 to 8, computed again", back_end="ddp", world=2)  # fmt: skip


def test_too_little_memory_for_a_copy_is_said_and_writing_is_at_once(tmp_path, distributed, caplog, monkeypatch):
    import torch

    from rca_dist.runtime import checkpoint

    # A share of the free memory so small that no state fits.
    monkeypatch.setattr(checkpoint, "MOST_MEMORY", 1e-9)
    model = torch.nn.Linear(30, 30)
    optimizer = torch.optim.AdamW(model.parameters())
    store = checkpoint.Checkpoints(tmp_path, distributed, background=True)
    path = store.save(1, distributed.prepare(model, optimizer), {})
    assert not store.written
    assert (path / "manifest.json").is_file()
    assert "not written in the background" in caplog.text
    record(fault="too little CPU memory for a copy", injected="the share of free memory that a copy may take set to 1e-9",
           happened="said once; the checkpoint is written at once", lost="nothing")  # fmt: skip
