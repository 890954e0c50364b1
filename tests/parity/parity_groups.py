"""Starts the groups, holds their results against the exact runs and collects the deviations."""

import json
from functools import cache
from pathlib import Path

from gloo import ROOT, ZERO, backend_environment, run_ranks
from parity_cells import HERE, Cell, group_job
from parity_compare import LIMITS, deviations
from parity_reference import Reference, run


@cache
def exact(folder: Path, model: str, lora: bool, scenario: str, clip: float) -> Reference:
    """The exact run, computed once per process."""
    return run(folder, model, lora, scenario, clip)


def environment(folder: Path, backend: str) -> dict[str, str]:
    """The launcher's environment; ZeRO with bounds so small that these models are cut into several pieces too.

    With the shipped bounds ZeRO-3 would keep every tensor of a tiny model whole, and one bucket would hold all gradients.
    """
    env = backend_environment(backend)
    if backend in ZERO:
        config = json.loads((ROOT / "configs" / "deepspeed" / f"{backend}.json").read_text())
        section = config["zero_optimization"]
        assert section["stage"] == ZERO[backend]
        section["reduce_bucket_size"] = 5000
        if ZERO[backend] == 3:
            section |= {"stage3_param_persistence_threshold": 0, "stage3_prefetch_bucket_size": 5000}
        path = folder / f"{backend}.json"
        path.write_text(json.dumps(config))
        env["ACCELERATE_DEEPSPEED_CONFIG_FILE"] = str(path)
    return env


def measure(
    folder: Path, out: Path, backend: str, world: int, cells: list[Cell], *, timeout: int = 300
) -> dict[Cell, dict[str, float]]:
    """Run a group of cells in one process group. Returns each cell's deviations."""
    out.mkdir(parents=True, exist_ok=True)
    job = group_job(folder, out, backend, world, cells)
    ranks = run_ranks(world, HERE, "run_group", job, timeout=timeout, env=environment(folder, backend))
    found = {}
    for n, cell in enumerate(cells):
        found[cell] = deviations(cell, folder, out, [results[n] for results in ranks], exact(folder, *cell.reference))
    return found


def excesses(found: dict[Cell, dict[str, float]]) -> list[str]:
    """One line per deviation above its limit."""
    return [
        f"{cell.name}: {kind} {value:.1e}, limit {LIMITS[kind]:.0e}"
        for cell, values in found.items()
        for kind, value in values.items()
        if not value <= LIMITS[kind]
    ]
