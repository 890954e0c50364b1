"""Notes what a test has shown once it has passed; docs/reliability.md's table is made of these notes (write_fault_table.py)."""

import json
import os
from pathlib import Path

# Names the file that the notes are added to, a JSON line each. Unset: nothing happens.
VARIABLE = "RCA_FAULT_RECORDS"
NAMES = {"no": "1 process", "ddp": "DDP", "fsdp2": "FSDP2", "zero1": "ZeRO-1", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}


def record(*, fault, injected, happened, lost, back_end="no", world=1, lora=False, measured=None):
    """Note one fault; called after the last check of a test.

    `world`: number of processes, None where it changes. `back_end` None: nothing is trained. `measured`: {unit, words: number}.
    """
    if not (path := os.environ.get(VARIABLE)):
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
    note = {"fault": fault, "injected": injected, "happened": happened, "lost": lost, "measured": measured or {}}
    note |= {"back_end": back_end, "world": world, "lora": lora, "test": test}
    with Path(path).open("a") as handle:
        handle.write(json.dumps(note) + "\n")


def number(value):
    """A number of two digits: 7, 0.04, 2.1, 1.2e-08."""
    return str(value) if isinstance(value, int) else f"{value:.2g}"


def spread(values):
    """`0.61`, or `0.61 to 2.1`."""
    lowest, highest = number(min(values)), number(max(values))
    return lowest if lowest == highest else f"{lowest} to {highest}"


def where(cells):
    """`1 process, DDP 2 and 3, FSDP2 2, FSDP2 2 with LoRA` of a set of (back end, processes, LoRA)."""
    parts = []
    for lora in (False, True):
        for key, name in NAMES.items():
            worlds = {world for back_end, world, with_lora in cells if (back_end, with_lora) == (key, lora)}
            if worlds:
                counts = [] if key == "no" else sorted(map(str, worlds - {None}))
                parts.append(" ".join([name, *([" and ".join(counts)] if counts else [])]) + " with LoRA" * lora)
    return ", ".join(parts) or "-"


def merged(notes):
    """One row (fault, injected, happened, lost, back ends) for notes that agree, a fault's rows together, in order of notes.

    Notes that say the same of several back ends become one row; then rows of the same back ends and the same end become
    one, so that no row claims a way of injection under a back end that has not seen it.
    """
    cells, figures = {}, {}
    for note in notes:
        key = tuple(note[name] for name in ("fault", "happened", "lost", "injected"))
        cells.setdefault(key, set()).add((note["back_end"], note["world"], note["lora"]))
        for what, value in note["measured"].items():
            figures.setdefault(key, {}).setdefault(what, []).append(value)
    groups = {}
    for key, seen in cells.items():
        groups.setdefault((*key[:3], frozenset(seen)), []).append(key)
    rows = []
    for (fault, happened, lost, seen), keys in groups.items():
        together = {}
        for what, values in (item for key in keys for item in figures.get(key, {}).items()):
            together.setdefault(what, []).extend(values)
        told = "; ".join([happened, *(f"{spread(values)} {what}" for what, values in together.items())])
        rows.append((fault, "; ".join(key[3] for key in keys), told, lost, where(seen)))
    order = list(dict.fromkeys(row[0] for row in rows))
    return sorted(rows, key=lambda row: order.index(row[0]))


def table(notes):
    """The Markdown table's lines."""
    head = ("fault", "how injected", "what happened", "what was lost", "seen under")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in merged(notes):
        cells = (cell.replace("|", "\\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return lines
