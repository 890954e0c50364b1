"""Score tables as rows of text: numbers are formatted here, none in the template."""

import math
from dataclasses import dataclass
from typing import Any

from rca_dist.report.reading import as_dict, order_systems

DASH = "\u2013"
MINUS = "\u2212"


@dataclass(frozen=True)
class Metric:
    """How a metric is shown: its heading, whether as points of 100, decimals, and which direction is better."""

    label: str
    points: bool = True
    digits: int = 1
    lower: bool = False


TEXT_METRICS = {
    "chrf": Metric("chrF"),
    "rouge_l": Metric("ROUGE-L"),
    "token_f1": Metric("token F1"),
    "exact_match": Metric("exact match"),
    "bleu": Metric("BLEU"),
}
MODEL_METRICS = {
    "bits_per_byte": Metric("bits per byte", points=False, digits=3, lower=True),
    "byte_perplexity": Metric("byte perplexity", points=False, digits=2, lower=True),
    "loss": Metric("loss (nats/token)", points=False, digits=3, lower=True),
    "perplexity": Metric("perplexity", points=False, digits=2, lower=True),
    "token_accuracy": Metric("token accuracy"),
}
TABLES = (TEXT_METRICS, MODEL_METRICS)
METRICS = {**TEXT_METRICS, **MODEL_METRICS}
SYSTEM_NOTES = {
    "model": "fine-tuned",
    "base": "before fine-tuning",
    "nearest": "nearest old ticket's answer",
    "nearest_k": "best of k nearest answers",
    "constant": "most frequent answer",
    "random": "a random old answer",
    "copy": "repeats the ticket",
    "oracle": "the best possible",
}


def number(value: Any) -> float | None:
    """`value` as a finite float, else None (booleans are no numbers)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def show(value: Any, metric: Metric, *, signed: bool = False) -> str:
    """A score as text, with a true minus sign; a dash where it is not a finite number."""
    x = number(value)
    if x is None:
        return DASH
    x = 100.0 * x if metric.points else x
    text = f"{x:+,.{metric.digits}f}" if signed else f"{x:,.{metric.digits}f}"
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def span(cell: dict[str, Any], metric: Metric, *, signed: bool = False) -> str:
    """The interval of `cell` as text, empty where there is none."""
    if number(cell.get("low")) is None or number(cell.get("high")) is None:
        return ""
    return f"{show(cell['low'], metric, signed=signed)} to {show(cell['high'], metric, signed=signed)}"


def systems_table(split: dict[str, Any], metrics: dict[str, Metric]) -> dict[str, Any] | None:
    """Headings and rows of the systems that define one of `metrics`; None where there are none."""
    systems = {name: as_dict(cells) for name, cells in as_dict(split.get("systems")).items()}
    used = [m for m in metrics if any(m in cells for cells in systems.values())]
    rows = []
    for name in order_systems(list(systems)):
        if any(m in systems[name] for m in used):
            cells = [_cell(systems[name].get(m), metrics[m]) for m in used]
            rows.append({"name": name, "note": SYSTEM_NOTES.get(name, ""), "cells": cells, "strong": name == "model"})
    return {"heads": [metrics[m] for m in used], "rows": rows} if rows else None


def paired_table(split: dict[str, Any], metrics: dict[str, Metric]) -> dict[str, Any] | None:
    """Like `systems_table`, of the differences model minus other system; toned where the interval avoids 0."""
    pairs = {name: as_dict(cells) for name, cells in as_dict(split.get("paired")).items()}
    # A difference of perplexities says what the difference of losses says, on a scale nobody can read.
    used = [m for m in metrics if "perplexity" not in m and any(m in cells for cells in pairs.values())]
    rows = []
    for name in order_systems([key.removeprefix("model-") for key in pairs]):
        cells = pairs.get(f"model-{name}", {})
        if any(m in cells for m in used):
            shown = [_cell(cells.get(m), metrics[m], signed=True) for m in used]
            rows.append({"name": f"{MINUS}\u00a0{name}", "note": "", "cells": shown, "strong": False})
    return {"heads": [metrics[m] for m in used], "rows": rows} if rows else None


def reasons(split: dict[str, Any]) -> list[str]:
    """Why intervals are missing, each reason once."""
    cells = [as_dict(c) for s in as_dict(split.get("systems")).values() for c in as_dict(s).values()]
    return list(dict.fromkeys(str(c["reason"]) for c in cells if c.get("reason")))


def _cell(cell: Any, metric: Metric, *, signed: bool = False) -> dict[str, str]:
    found = as_dict(cell)
    text = show(found.get("value"), metric, signed=signed) if found else ""
    tone = _tone(found, metric) if signed else ""
    return {"value": text, "span": span(found, metric, signed=signed), "tone": tone}


def _tone(cell: dict[str, Any], metric: Metric) -> str:
    low, high = number(cell.get("low")), number(cell.get("high"))
    if low is None or high is None or low <= 0.0 <= high:
        return ""
    return "good" if (low > 0.0) != metric.lower else "bad"
