"""The outcome of one split as a few lines of text, for the terminal and the model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_dist.runtime.files import read_json

COLUMNS = (
    ("bits_per_byte", "bits/byte", 1, 3),
    ("chrf", "chrF", 100, 1),
    ("rouge_l", "ROUGE-L", 100, 1),
    ("bleu", "BLEU", 100, 1),
    ("exact_match", "exact %", 100, 1),
)


def summary_lines(split: str, result: Mapping[str, Any]) -> list[str]:
    """Verdict, then one aligned line per system with values and 95 % intervals."""
    columns = [c for c in COLUMNS if any(c[0] in cells for cells in result["systems"].values())]
    table = [["system", *(label for _, label, _, _ in columns)]]
    for name, cells in result["systems"].items():
        table.append([name, *(_cell(cells.get(metric), scale, digits) for metric, _, scale, digits in columns)])
    widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
    lines = [
        "  ".join(text.ljust(w) if n == 0 else text.rjust(w) for n, (text, w) in enumerate(zip(row, widths, strict=True)))
        for row in table
    ]
    return [
        result["verdict"],
        "",
        f"{split} split, {result['n']} tickets in {result['groups']} groups",
        *lines,
        *_oracle(result),
    ]


def _cell(cell: Mapping[str, Any] | None, scale: float, digits: int) -> str:
    if cell is None or cell.get("value") is None:
        return "-"
    text = f"{cell['value'] * scale:.{digits}f}"
    if cell.get("low") is None:
        return text
    return f"{text} [{cell['low'] * scale:.{digits}f}, {cell['high'] * scale:.{digits}f}]"


def _oracle(result: Mapping[str, Any]) -> list[str]:
    gap = result.get("paired", {}).get("model-oracle", {}).get("bits_per_byte")
    if not gap or gap.get("value") is None:
        return []
    span = f" [{gap['low']:.3f}, {gap['high']:.3f}]" if gap.get("low") is not None else ""
    return [f"the model is {gap['value']:.3f}{span} bits per byte above the oracle, the floor that this generated data has"]


def print_outcome(run_dir: Path) -> None:
    """Verdicts, systems tables and where the report lies, on stdout."""
    results = read_json(run_dir / "results.json") or {"splits": {}}
    for split, result in results["splits"].items():
        print("\n".join(["", *summary_lines(split, result)]))
    print(f"\nreport: {run_dir / 'report.html'}\nmodel:  {run_dir / 'model'}")
