"""Builds `data.html`: what an export holds, on one self-contained page, from the facts that data.json holds."""

from collections.abc import Mapping
from typing import Any

from rca_dist.report import plots
from rca_dist.report.facts import counts, plain
from rca_dist.report.histograms import bar_plot, trimmed
from rca_dist.report.reading import as_dict
from rca_dist.tickets.describing.advice import advice_for

MARK = '<meta name="generator" content="rca-dist data">'
_WIDE, _NARROW = 800, 330
_HOW = {
    "group": "Near-duplicate tickets stay on one side.", "random": "Tickets are dealt at random.",
    "time": "The newest tickets are the test.", "file": "As the file says.",
}  # fmt: skip
_KINDS = {"random": "random", "group": "grouped", "time": "by time"}


def render(facts: Mapping[str, Any]) -> str:
    """The page as text; every text from the data is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rca_dist.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A lone surrogate, as damaged JSON exports hold them, cannot be written as UTF-8.
    text = environment.get_template("data_page.html").render(**context(facts))
    return text.encode("utf-8", "replace").decode("utf-8")


def context(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the template shows; what the facts lack is empty."""
    rows, profile = as_dict(facts.get("rows")), as_dict(facts.get("profile"))
    split, redaction = as_dict(facts.get("split")), as_dict(facts.get("redaction"))
    flattery = as_dict(facts.get("flattery"))
    return {
        "file": plain(facts.get("file")),
        "headline": _headline(rows, split),
        "source": _source(facts),
        "warnings": [str(line) for line in dict.fromkeys(facts.get("warnings") or [])],
        "notes": [str(line) for line in dict.fromkeys([*(facts.get("notes") or []), *(split.get("notes") or [])])],
        "dropped": _dropped(as_dict(rows.get("dropped"))),
        "columns": _columns(as_dict(facts.get("columns"))),
        "not_used": [str(name) for name in as_dict(facts.get("columns")).get("not_used") or []],
        "redaction_off": redaction.get("on") is False,
        "redacted": counts(redaction.get("counts")),
        "cleaned": counts(facts.get("cleaned")),
        "languages": counts(facts.get("languages")),
        "split": _split(split),
        "lengths": [_lengths(as_dict(profile.get("lengths")), part) for part in ("prompt", "answer")],
        "cut": as_dict(profile.get("cut")),
        "timeline": _timeline(as_dict(profile.get("timeline"))),
        "repeated": [as_dict(found) for found in profile.get("repeated_answers") or []],
        "group_sizes": [as_dict(row) for row in as_dict(profile.get("groups")).get("sizes") or []],
        "slices": _slices(as_dict(profile.get("slices"))),
        "samples": [as_dict(sample) for sample in profile.get("samples") or []],
        "flattery_plot": _flattery(flattery),
        "flattery": [str(line) for line in flattery.get("sentences") or []],
    }


def _headline(rows: Mapping[str, Any], split: Mapping[str, Any]) -> str:
    read, kept = rows.get("in", 0), rows.get("kept", 0)
    text = f"{kept:,} of {read:,} rows are usable tickets."
    if split.get("templated"):
        return f"{text} They are templated: scores on them are no evidence of what a model learns."
    return text


def _source(facts: Mapping[str, Any]) -> str:
    parts = [str(facts[key]) for key in ("format", "encoding") if facts.get(key)]
    words = [str(word) for word in facts.get("accented_words") or []][:6]
    return ", ".join(parts) + (f" (do these words look right? {', '.join(words)})" if words else "")


def _dropped(dropped: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    ordered = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    return [(str(reason), plain(count), advice_for(str(reason))) for reason, count in ordered]


def _columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for role, entry in columns.items():
        if isinstance(entry, dict):
            samples = as_dict(entry.get("samples"))
            names = [str(name) for name in entry.get("columns") or []]
            found.append({
                "role": str(role).replace("_", " "),
                "columns": [(name, [str(value) for value in samples.get(name) or []][:2]) for name in names],
            })  # fmt: skip
    return found


def _split(split: Mapping[str, Any]) -> dict[str, Any]:
    if split.get("problem"):
        return {"text": f"No split: {split['problem']}", "bars": []}
    sizes = {str(side): size for side, size in as_dict(split.get("sizes")).items() if isinstance(size, int)}
    total = sum(sizes.values())
    bars = [(side, size, f"{100 * size / total:.0f} %") for side, size in sizes.items()] if total else []
    kind = plain(split.get("used", split.get("kind")))
    return {"text": str(split.get("sentence") or _HOW.get(kind, kind)), "bars": bars}


def _lengths(lengths: Mapping[str, Any], part: str) -> dict[str, Any]:
    found = as_dict(lengths.get(part))
    bars = trimmed([(str(label), float(count)) for label, count in found.get("histogram") or []])
    name = {"prompt": "ticket text", "answer": "answer"}[part]
    labels = {"x_label": f"words in the {name}", "y_label": "tickets", "title": f"Words in the {name}"}
    drawn = [bar_plot(bars, width=wide, height=230, **labels) for wide in (_WIDE, _NARROW)]
    return {"name": name, "plot": drawn, "words": as_dict(found.get("words")), "characters": as_dict(found.get("characters"))}


def _timeline(timeline: Mapping[str, Any]) -> dict[str, Any]:
    bars = [(str(label), float(count)) for label, count in timeline.get("points") or []]
    unit = timeline.get("unit")
    labels = {"x_label": f"{unit} of opening (UTC)", "y_label": "tickets", "title": f"Tickets per {unit}"}
    drawn = [bar_plot(bars, width=wide, height=230, **labels) for wide in (_WIDE, _NARROW)]
    return {"plot": drawn, "undated": timeline.get("undated", 0), "first": timeline.get("first"), "last": timeline.get("last")}


def _slices(slices: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, entry in slices.items():
        values = [(str(value) or "(empty)", plain(count)) for value, count in as_dict(entry).get("values") or []]
        others = as_dict(entry).get("others")
        found.append({"name": str(name), "rows": values + ([("all others", plain(others))] if others else [])})
    return found


def _flattery(found: Mapping[str, Any]) -> list[Any]:
    bars = []
    for kind, name in _KINDS.items():
        cell = as_dict(as_dict(found.get(kind)).get("chrf"))
        if cell.get("value") is not None:
            low, high = (None if cell.get(end) is None else 100 * cell[end] for end in ("low", "high"))
            bars.append(plots.Bar(name, 100 * cell["value"], low, high, strong=kind != "random"))
    label, title = "chrF of the most similar old ticket's answer, points of 100", "chrF under each split"
    drawn = [plots.interval_plot(bars, width=wide, label=label, title=title) for wide in (_WIDE, _NARROW)]
    return drawn if bars else []
