"""Every back end against one process that takes one example at a time in float64."""

import pytest
from gloo import ROOT, accelerate_launch
from parity_cells import BACKENDS, CORE, GROUPS, HERE, group_job, matrix
from parity_compare import LIMITS, deviations
from parity_groups import exact, excesses, measure
from parity_models import save_models

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    save_models(path)
    return path


@pytest.mark.parametrize("backend", ["no", "ddp", "fsdp2", "zero1", "zero2", "zero3"])
def test_core_cells(backend, folder, tmp_path):
    found = measure(folder, tmp_path, backend, 1 if backend == "no" else 2, list(CORE))
    assert len(found) == len(CORE)
    assert not excesses(found)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("backend", "world"), GROUPS)
def test_matrix(backend, world, folder, tmp_path):
    cells = matrix(backend, world)
    found = measure(folder, tmp_path, backend, world, cells, timeout=900)
    assert len(found) == len(cells)
    assert not excesses(found)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["ddp", "fsdp2", "zero2", "zero3"])
def test_the_shipped_config_through_the_launcher(backend, folder, tmp_path):
    cells = CORE[2:]
    config = ROOT / "configs" / "accelerate" / f"{backend}.yaml"
    ranks = accelerate_launch(config, 2, HERE, "run_group", group_job(folder, tmp_path, backend, 2, cells), timeout=400)
    found = {
        cell: deviations(cell, folder, tmp_path, [results[n] for results in ranks], exact(folder, *cell.reference))
        for n, cell in enumerate(cells)
    }
    assert not excesses(found)


def test_the_committed_page_has_a_row_for_every_group():
    from write_docs import COLUMNS, PAGE, row_key

    lines = PAGE.read_text().splitlines()
    for backend, world in GROUPS:
        for lora in (False, True):
            (row,) = [line for line in lines if line.startswith(row_key(backend, world, lora))]
            values = [float(cell) for cell in row.strip("| ").split(" | ")[4:]]
            assert len(values) == len(COLUMNS)
            assert all(value <= LIMITS[kind] for kind, value in zip(COLUMNS, values, strict=True)), row


def test_the_matrix_meets_every_value_of_every_dimension():
    for backend in BACKENDS:
        cells = [cell for name, world in GROUPS if name == backend for cell in matrix(name, world)]
        for field, count in {"model": 4, "lora": 2, "scenario": 3, "packed": 2, "budget": 2, "clip": 2, "recompute": 2}.items():
            assert len({getattr(cell, field) for cell in cells}) == count, (backend, field)
    assert {(cell.model, cell.lora) for group in GROUPS for cell in matrix(*group)} == {
        (cell.model, lora) for group in GROUPS for cell in matrix(*group) for lora in (False, True)
    }
    everything = [cell for group in GROUPS for cell in matrix(*group)]
    assert len({(c.model, c.lora, c.packed, c.budget, c.scenario) for c in everything}) == 4 * 2 * 2 * 2 * 3
