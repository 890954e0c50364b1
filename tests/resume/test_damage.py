"""Damaged checkpoints: gone on from the one before with a warning, or refused; never begun anew unasked."""

import shutil
from pathlib import Path

import pytest
from fault_rows import record
from job import Nursery, losses

pytestmark = pytest.mark.process
OPTIONS = {"steps": 12, "save_steps": 4, "store": {"background": True}}


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as started:
        yield started


@pytest.fixture(
    scope="module", params=["ddp", pytest.param("fsdp2", marks=pytest.mark.slow), pytest.param("zero2", marks=pytest.mark.slow)]
)
def runs(request, nursery, tmp_path_factory):
    """(back end, folder of a run that nothing disturbed, its result, folder of one killed in step 10 with checkpoints 4 and 8)."""
    folder, backend = tmp_path_factory.mktemp("runs"), request.param
    whole = nursery.run(backend, 2, folder / "whole", **OPTIONS)[0]
    nursery.crash(backend, 2, folder / "cut", fault="rank=1,step=10,kind=kill", **OPTIONS | {"store": {}})
    assert sorted(p.name for p in (folder / "cut/checkpoints").glob("step-*")) == ["step-000004", "step-000008"]
    return backend, folder / "whole", whole, folder / "cut"


def largest(path):
    return max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(path):
    file = largest(path)
    with file.open("r+b") as handle:
        handle.truncate(file.stat().st_size - 1000)


def flip(path):
    with largest(path).open("r+b") as handle:
        handle.seek(-2000, 2)
        byte = handle.read(1)
        handle.seek(-2000, 2)
        handle.write(bytes([byte[0] ^ 1]))


def remove(path):
    largest(path).unlink()


def remove_a_ranks(path):
    (path / "rng-1.pt").unlink()


def no_manifest(path):
    (path / "manifest.json").unlink()


def half_a_manifest(path):
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text[: len(text) // 2])


DAMAGES = {
    truncate: "has the wrong size", flip: "has other content than when it was saved", remove: "is missing",
    remove_a_ranks: "rng-1.pt is missing", no_manifest: "no manifest", half_a_manifest: "no manifest",
}  # fmt: skip
WORDS = {
    truncate: "largest file cut short", flip: "one bit flipped", remove: "largest file removed",
    remove_a_ranks: "a rank's file removed", no_manifest: "manifest removed", half_a_manifest: "half a manifest",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_the_newest_is_damaged(runs, nursery, tmp_path, damage):
    backend, folder, whole, cut = runs
    shutil.copytree(cut, tmp_path / "run")
    store = tmp_path / "run/checkpoints"
    damage(store / "step-000008")
    again = nursery.run(backend, 2, tmp_path / "run", **OPTIONS)
    assert (again[0]["began"], again[0]["weights"]) == (4, whole["weights"])
    assert "checkpoint step-000008 is damaged" in again[0]["output"]
    assert DAMAGES[damage] in again[0]["output"]
    assert losses(tmp_path / "run") == losses(folder)
    assert (store / "step-000008.damaged").is_dir()
    assert (store / "step-000008" / "manifest.json").is_file()
    record(fault="newest checkpoint damaged", injected=WORDS[damage], happened="warning that says what is wrong; it is set "
           "aside as `.damaged` and the one before is used; losses and weights bit-equal to the undisturbed run", lost="steps "
           "5 to 8, computed again", back_end=backend, world=2)  # fmt: skip


def test_latest_points_nowhere(runs, nursery, tmp_path):
    backend, _, whole, cut = runs
    shutil.copytree(cut, tmp_path / "run")
    (tmp_path / "run/checkpoints/latest").write_text("step-000099\n")
    again = nursery.run(backend, 2, tmp_path / "run", **OPTIONS)
    assert (again[0]["began"], again[0]["weights"]) == (8, whole["weights"])
    record(fault="`latest` points nowhere", injected="file rewritten", happened="not read; gone on from the newest, same "
           "weights", lost="nothing", back_end=backend, world=2)  # fmt: skip


def test_nothing_is_whole(runs, nursery, tmp_path):
    backend, _, _, cut = runs
    shutil.copytree(cut, tmp_path / "run")
    for path in Path(tmp_path / "run/checkpoints").glob("step-*"):
        flip(path)
    codes, texts, _ = nursery.crash(backend, 2, tmp_path / "run", **OPTIONS)
    assert codes == [2, 2]
    assert "no checkpoint of this run is whole; start over with --run.overwrite, or restore one" in texts[0]
    assert not (tmp_path / "run/checkpoints/step-000004.damaged").exists()
    record(fault="no checkpoint is whole", injected="one bit flipped in each", lost="nothing: no file renamed, no step "
           "computed", happened="refused on all ranks, exit code 2, with what to do", back_end=backend, world=2)  # fmt: skip
