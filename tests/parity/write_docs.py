"""Runs the whole parity matrix and the long runs, and writes docs/parity.md:  python tests/parity/write_docs.py"""

import os
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in range(3)]

from gloo import ROOT
from parity_cells import GROUPS, Cell, matrix
from parity_compare import LIMITS
from parity_groups import excesses, measure
from parity_long import ARRANGEMENTS, CHECKED, SEEDS, STEPS, long_runs
from parity_models import MODELS, save_models

PAGE = ROOT / "docs" / "parity.md"
COLUMNS = {
    "eval": "evaluation loss",
    "gradient": "first gradient, worst tensor",
    "losses": "ten training losses",
    "norms": "ten gradient norms",
    "weights": "weights after ten steps",
    "tensor": "worst tensor of these",
}
PACKAGES = ("torch", "transformers", "accelerate", "deepspeed", "peft")

INTRO = """# Parity: how far every back end is from the exact step

Written by `python tests/parity/write_docs.py`; do not edit. The same cells are tests (`tests/parity/`).

The reference is one process that takes one example at a time, with all arithmetic in float64 and loss, token mean, clipping,
AdamW, LoRA and RMSNorm written once more from their formulas. Against it runs the real code (`Distributed`, `Trainer`,
`Evaluator`) in fp32 on CPU processes, for ten AdamW steps with warm-up, cosine and weight decay, from one saved checkpoint.
The cells of each group: packed and padded micro-batches, two token budgets, clipping on and off, and three sets of examples:
uneven shares; ranks without any example or without any supervised token; an example longer than the budget. Some recompute
activations. Models: {models}, two layers each. ZeRO runs with bucket and persistence bounds so small
that these models are cut into pieces.

Each figure is the largest relative deviation over the cells of its group (tensors: 2-norm of the difference over 2-norm of
the exact tensor). Evaluation loss: of the loaded weights, and of the trained ones against the reference on the same weights.
First gradient: read from AdamW's first moment. Tensors whose exact gradient is zero (GPT-2's key bias, which shifts all
attention scores alike) are left out of the tensor columns, since AdamW turns their rounding noise into steps; that noise
stayed below {noise} of the gradient's norm. Frozen weights under LoRA are bit-equal after training in every cell, and all ranks
report bit-equal numbers.
"""


def row_key(backend: str, world: int, lora: bool) -> str:
    """How a row of the table starts."""
    return f"| {backend} | {world} | {'LoRA' if lora else 'full'} |"


def table(found: dict[tuple[str, int, bool], dict[Cell, dict[str, float]]]) -> list[str]:
    """The largest deviations, one row per back end, number of processes and kind of training."""
    head = ["back end", "processes", "trained", "cells", *COLUMNS.values()]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for key, cells in found.items():
        worst = [max(values[kind] for values in cells.values()) for kind in COLUMNS]
        lines.append(f"{row_key(*key)} {len(cells)} | {' | '.join(f'{value:.1e}' for value in worst)} |")
    lines.append(f"| **limit** | | | | {' | '.join(f'{LIMITS[kind]:.0e}' for kind in COLUMNS)} |")
    return lines


def long_section(folder: Path) -> list[str]:
    """How runs over many steps part, beside what another order of the examples does."""
    arranged, seeds = long_runs(folder)
    first, *others = ARRANGEMENTS
    base = arranged[first]
    lines = [
        "## Longer runs",
        "",
        f"The Llama-style model over {STEPS} steps of 8 of 64 examples (DDP where there are two processes), at a constant rate.\n"
        f"Relative difference of the *training* loss of one step from the run with `{first}`, which has the\nsame examples in every step:",
        "",
        f"| step | {' | '.join(others)} |",
        f"|{'---|' * (len(others) + 1)}",
    ]
    for n, step in enumerate(CHECKED):
        parts = [f"{abs(arranged[label][n]['train'] / base[n]['train'] - 1):.0e}" for label in others]
        lines.append(f"| {step} | {' | '.join(parts)} |")
    lines += [
        "",
        f"The loss on 32 examples that were not trained on, as relative difference from the same run, beside the spread (largest\n"
        f"minus smallest, over the mean) of {len(SEEDS)} runs with other seeds, which see the examples in another order:",
        "",
        f"| step | loss | {' | '.join(others)} | {len(SEEDS)} seeds |",
        f"|{'---|' * (len(others) + 3)}",
    ]
    for n, step in enumerate(CHECKED):
        parts = [f"{abs(arranged[label][n]['eval'] / base[n]['eval'] - 1):.0e}" for label in others]
        values = [run[n]["eval"] for run in seeds]
        spread = (max(values) - min(values)) / (sum(values) / len(values))
        lines.append(f"| {step} | {base[n]['eval']:.4f} | {' | '.join(parts)} | {spread:.0e} |")
    return lines


def main() -> int:
    """Measure, write the page, and say what is above a limit."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    found: dict[tuple[str, int, bool], dict[Cell, dict[str, float]]] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_models(folder)
        for backend, world in GROUPS:
            began, cells = time.monotonic(), matrix(backend, world)
            measured = measure(folder, folder / f"{backend}-{world}", backend, world, cells, timeout=900)
            for cell, values in measured.items():
                found[backend, world, cell.lora][cell] = values
            print(f"{backend}, {world} processes: {len(cells)} cells in {time.monotonic() - began:.0f} s", flush=True)
        long = long_section(folder)
    above = [line for cells in found.values() for line in excesses(cells)]
    noise = max(values["noise"] for cells in found.values() for values in cells.values())
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    parts = [
        INTRO.format(models=", ".join(MODELS), noise=f"{noise:.0e}"),
        *table(found),
        "",
        f"Measured with {versions}.",
        "",
        *long,
    ]
    if not above:
        PAGE.write_text("\n".join(parts) + "\n")
    print("\n".join(above) or f"wrote {PAGE.name}")
    return 1 if above else 0


if __name__ == "__main__":
    raise SystemExit(main())
