"""From per-ticket arrays of every system to one split of `results.json`: intervals, paired differences, verdict."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rca_dist.evaluation.bootstrap import Bootstrap, Interval, Statistic, Sums, difference, ratio
from rca_dist.evaluation.text_metrics import corpus_bleu

LOWER_IS_BETTER = frozenset({"loss", "perplexity", "bits_per_byte", "byte_perplexity"})
METRICS = (
    *("loss", "perplexity", "bits_per_byte", "byte_perplexity", "token_accuracy"),
    *("exact_match", "token_f1", "rouge_l", "chrf", "bleu"),
)
_LABELS = {"chrf": "chrF", "bleu": "BLEU", "rouge_l": "ROUGE-L", "token_f1": "token F1"}
_UNITS = {"loss": "nats per token", "bits_per_byte": "bits per byte"}
_SYSTEMS = {
    "base": "the base model before fine-tuning",
    "nearest": "copying the nearest old ticket",
    "nearest_k": "the best of the nearest old tickets",
    "constant": "always giving the most frequent answer",
    "random": "giving a random old answer",
    "copy": "repeating the ticket itself",
}
# Perplexities follow from these by a monotone map, ends included.
_MAPPED: dict[str, tuple[str, Callable[[float], float]]] = {
    "perplexity": ("loss", math.exp),
    "byte_perplexity": ("bits_per_byte", lambda bits: 2.0**bits),
}


@dataclass(frozen=True)
class SystemScores:
    """Per-ticket scores of one system, all arrays over the same n tickets in the same order.

    `values` holds text scores (n,) in 0..1 by metric name. `nll` (n,) is the NLL summed over each answer, in nats;
    `tokens`, `correct` and `bytes` (n,) count its supervised tokens, those predicted right, and the UTF-8 bytes of
    the answer. `bleu` (n, k) are BLEU counts. What a system does not define is None or absent.
    """

    name: str
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    nll: np.ndarray | None = None
    tokens: np.ndarray | None = None
    correct: np.ndarray | None = None
    bytes: np.ndarray | None = None
    bleu: np.ndarray | None = None

    def statistics(self) -> dict[str, tuple[np.ndarray, Statistic]]:
        """Per metric: per-ticket columns (n, k) and the statistic of their sums; undefined metrics are absent."""
        found: dict[str, tuple[np.ndarray, Statistic]] = {}

        def add(metric: str, over: np.ndarray | None, under: np.ndarray | None) -> None:
            if over is not None and under is not None and np.sum(under) > 0:
                found[metric] = np.column_stack([over, under]).astype(np.float64), ratio

        add("loss", self.nll, self.tokens)
        add("bits_per_byte", None if self.nll is None else self.nll / math.log(2.0), self.bytes)
        add("token_accuracy", self.correct, self.tokens)
        for metric, values in self.values.items():
            add(metric, values, np.ones(len(values)))
        if self.bleu is not None:
            found["bleu"] = np.asarray(self.bleu, dtype=np.float64), _bleu
        for metric, (source, mapped) in _MAPPED.items():
            if source in found:
                found[metric] = found[source][0], _through(found[source][1], mapped)
        return found


def _bleu(sums: np.ndarray) -> np.ndarray:
    return np.asarray(corpus_bleu(sums))


def _through(statistic: Statistic, mapped: Callable[[float], float]) -> Statistic:
    def composed(sums: np.ndarray) -> np.ndarray:
        return np.array([_safe(mapped, float(x)) for x in statistic(sums)])

    return composed


def _safe(mapped: Callable[[float], float], x: float) -> float:
    try:
        return mapped(x)
    except OverflowError:
        return math.inf


def split_results(
    systems: Sequence[SystemScores],
    groups: np.ndarray,
    *,
    split: str = "test",
    primary_metric: str = "chrf",
    yardstick: str = "nearest",
    templated: bool = False,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """One split of `results.json` for `systems` on the tickets whose near-duplicate `groups` (n,) are given.

    `yardstick` is the baseline that was strongest on validation (see `strongest`); where it was not evaluated here,
    `nearest` takes its place. `templated` says that the data cannot tell learning from templates. Paired differences
    are raw (model minus the other), so below 0 is better for a loss. Raises ValueError where arrays disagree on n.
    """
    bootstrap = Bootstrap(groups, samples=samples, seed=seed)
    parts: dict[str, dict[str, tuple[Sums, Statistic]]] = {}
    for system in systems:
        parts[system.name] = _summed(system, bootstrap)
    scores = {
        name: {metric: _cell(bootstrap, *metrics[metric], metrics, metric) for metric in _ordered(metrics)}
        for name, metrics in parts.items()
    }
    result: dict[str, Any] = {
        "n": bootstrap.n,
        "groups": bootstrap.groups,
        "systems": {name: {m: _as_json(cell) for m, cell in cells.items()} for name, cells in scores.items()},
        "paired": {
            f"model-{name}": _paired(bootstrap, parts["model"], metrics)
            for name, metrics in parts.items()
            if "model" in parts and name != "model"
        },
        "primary_metric": primary_metric,
        "yardstick": yardstick if yardstick in parts else "nearest",
    }
    result["verdict"] = verdict(result, split=split, templated=templated)
    return result


def _summed(system: SystemScores, bootstrap: Bootstrap) -> dict[str, tuple[Sums, Statistic]]:
    """Sums of all metrics of one system, drawn in one go."""
    columns = system.statistics()
    for metric, (values, _) in columns.items():
        if len(values) != bootstrap.n:
            raise ValueError(f"system {system.name!r}: {len(values)} values of {metric} for {bootstrap.n} tickets")
    if not columns:
        return {}
    ends = np.cumsum([values.shape[1] for values, _ in columns.values()])
    sums = bootstrap.sums(np.hstack([values for values, _ in columns.values()]))
    return {
        metric: (sums.pick(slice(int(end) - values.shape[1], int(end))), statistic)
        for end, (metric, (values, statistic)) in zip(ends, columns.items(), strict=True)
    }


def _ordered(metrics: Collection[str]) -> list[str]:
    return sorted(metrics, key=lambda m: (METRICS.index(m) if m in METRICS else len(METRICS), m))


def _cell(bootstrap: Bootstrap, sums: Sums, statistic: Statistic, metrics: Mapping[str, Any], metric: str) -> Interval:
    if metric not in _MAPPED:
        return bootstrap.interval(sums, statistic)
    source, mapped = _MAPPED[metric]
    inner = bootstrap.interval(*metrics[source])
    low, high = (None if end is None else _safe(mapped, end) for end in (inner.low, inner.high))
    return Interval(_safe(mapped, inner.value), low, high, inner.n, inner.reason)


def _paired(
    bootstrap: Bootstrap, model: Mapping[str, tuple[Sums, Statistic]], other: Mapping[str, tuple[Sums, Statistic]]
) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for metric in _ordered(model.keys() & other.keys()):
        (first, statistic), (second, _) = model[metric], other[metric]
        joined = Sums(
            np.hstack([first.total, second.total]),
            np.hstack([first.draws, second.draws]),
            np.hstack([first.without, second.without]),
        )
        cells[metric] = _as_json(bootstrap.interval(joined, difference(statistic, first.total.shape[1])))
    return cells


def _as_json(cell: Interval) -> dict[str, Any]:
    """The cell with finite numbers only: what is not finite becomes null, and the reason says so."""
    result = cell.as_json()
    if not all(end is None or math.isfinite(end) for end in (cell.value, cell.low, cell.high)):
        result.update(low=None, high=None, reason="not a finite number (the model diverged, or a score overflows)")
        if not math.isfinite(cell.value):
            result["value"] = None
    return result


def strongest(
    split_result: Mapping[str, Any], metric: str, exclude: Collection[str] = frozenset({"model", "oracle"})
) -> str | None:
    """Name of the best system of `split_result` on `metric` but for `exclude`; the first of equals, or None."""
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    best: tuple[float, str] | None = None
    for name, cells in split_result["systems"].items():
        value = cells.get(metric, {}).get("value")
        if name not in exclude and value is not None and (best is None or sign * value > best[0]):
            best = (sign * value, name)
    return None if best is None else best[1]


def verdict(result: Mapping[str, Any], *, split: str = "test", templated: bool = False) -> str:
    """The sentence for a manager: a gain is claimed only where the paired interval to the yardstick lies above zero."""
    metric, yardstick = result["primary_metric"], result["yardstick"]
    label = _LABELS.get(metric, metric.replace("_", " "))
    if "model" not in result["systems"]:
        return "No evidence of gain: no fine-tuned model was evaluated."
    if templated:
        return (
            "No evidence of gain: the data is templated, its tickets fall into too few groups of near-duplicates, "
            "so a high score may only mean that templates were learnt by heart."
        )
    if split == "train":
        return "No evidence of gain: these are the tickets that the model was trained on."
    cell = result["paired"].get(f"model-{yardstick}", {}).get(metric)
    if cell is None or cell["value"] is None:
        return f"No evidence of gain: {label} is not known for both the fine-tuned model and a baseline ({yardstick})."
    if cell["low"] is None:
        return f"No evidence of gain: {cell['reason']}."
    other = f"{_SYSTEMS.get(yardstick, yardstick)} ({yardstick})"
    seen = "it has never seen" if split == "test" else f"of the {split} split"
    return _sentence(metric, label, cell, other, f"on {result['n']} tickets {seen}")


def _sentence(metric: str, label: str, cell: Mapping[str, Any], other: str, where: str) -> str:
    lower = metric in LOWER_IS_BETTER
    gain, low, high = cell["value"], cell["low"], cell["high"]
    if lower:
        gain, low, high = -gain, -high, -low
    scale, unit, digits = (1.0, _UNITS.get(metric, label), 3) if lower else (100.0, f"{label} points", 1)

    def number(x: float) -> str:
        text = f"{scale * x:.{digits}f}"
        return text[1:] if float(text) == 0.0 and text.startswith("-") else text

    opening, relation = "The fine-tuned model", "beats"
    if low <= 0.0:
        opening = "No evidence of gain: the fine-tuned model"
        relation = "is worse than" if high < 0.0 else "differs from"
    if high < 0.0:
        gain, low, high = -gain, -high, -low
    span = f"(95 % interval {number(low)} to {number(high)})"
    return f"{opening} {relation} {other} by {number(gain)} {unit} {span} {where}."
