"""Facts of the data and of the run as rows of (label, value) text, tolerant of any shape of data.json and run.json."""

import math
import re
from typing import Any

from rca_dist.report.reading import as_dict
from rca_dist.report.tables import DASH, MINUS, number

_MAX_ITEMS = 12
_KNOWN = {
    *("rows", "split", "duplicates", "redactions", "redaction", "cleaned", "languages", "truncated", "columns"),
    *("warnings", "raw_samples"),
}


def words(key: Any) -> str:
    """A key of a JSON file as words."""
    return str(key).replace("_", " ")


def plain(value: Any) -> str:
    """Any JSON value as short text; numbers with thousands separators."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    x = number(value)
    if x is not None:
        return (f"{x:,.0f}" if x == round(x) else f"{x:,.4g}").replace("-", MINUS)
    if isinstance(value, dict):
        return "; ".join(f"{words(k)}: {plain(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(plain(v) for v in value)
    return str(value)


def file_name(path: Any) -> str:
    """The last part of a path: where it lay is nobody's business who gets the page by mail."""
    return str(path).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def counts(mapping: Any) -> list[tuple[str, str]]:
    """(name, count) of a mapping, the largest first; what goes beyond a dozen is one line of its own."""
    items = list(as_dict(mapping).items())
    items.sort(key=lambda kv: (-(number(kv[1]) or 0.0), str(kv[0])))
    rows = [(words(k), plain(v)) for k, v in items[:_MAX_ITEMS]]
    if len(items) > _MAX_ITEMS:
        rest = sum(number(v) or 0.0 for _, v in items[_MAX_ITEMS:])
        rows.append((f"{len(items) - _MAX_ITEMS} others", plain(rest)))
    return rows


def data_blocks(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Blocks of (label, value) rows: what went in, what was left out, changed, found, and how it was split.

    Whatever else data.json holds follows: mappings as blocks of their own, single facts under "Source".
    """
    rows, columns = as_dict(data.get("rows")), as_dict(data.get("columns"))
    redaction = as_dict(data.get("redaction"))
    blocks = [
        ("Rows", [(label, plain(rows[key])) for key, label in (("in", "read"), ("kept", "kept")) if key in rows]),
        ("Left out", counts(rows.get("dropped"))),
        ("Split", _entries(as_dict(data.get("split")))),
        ("Near-duplicates", _entries(as_dict(data.get("duplicates")))),
        ("Redacted", counts(data.get("redactions", redaction.get("counts")))),
        ("Cleaned", counts(data.get("cleaned"))),
        ("Languages", counts(data.get("languages"))),
        ("Cut to fit", counts(data.get("truncated"))),
        ("Columns", [(words(role), _columns(v)) for role, v in columns.items()]),
    ]
    if redaction.get("on") is False:
        blocks.append(("Redacted", [("redaction", "switched off")]))
    other = {k: v for k, v in data.items() if k not in _KNOWN}
    blocks += [(words(k).capitalize(), _entries(v, shares=k == "leakage")) for k, v in other.items() if as_dict(v)]
    single = {k: file_name(v) if k == "file" else v for k, v in other.items() if not isinstance(v, dict)}
    blocks.append(("Source", _entries(single)))
    return [{"title": title, "rows": entries} for title, entries in blocks if entries]


def _entries(mapping: dict[str, Any], *, shares: bool = False) -> list[tuple[str, str]]:
    """(label, value) rows; an inner mapping gives a row per entry, and what is empty gives none."""
    found = []
    for key, value in mapping.items():
        for name, inner in as_dict(value).items() or [(key, value)]:
            if inner not in (None, "", [], {}):
                x = number(inner)
                share = x is not None and isinstance(inner, float) and 0.0 <= x <= 1.0 and (shares or "share" in key)
                found.append((words(name), f"{100 * (x or 0.0):.0f} %" if share else _date(plain(inner))))
    return found


def _date(text: str) -> str:
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)\S*$", r"\1 \2", text)


def warnings(data: dict[str, Any]) -> list[str]:
    """The warnings of the data, as a list of sentences whatever their shape."""
    found = data.get("warnings")
    entries = found if isinstance(found, list) else [found] if found else []
    return [str(as_dict(entry).get("message", plain(entry))) for entry in entries]


def _columns(value: Any) -> str:
    inner = value.get("columns", value.get("column")) if isinstance(value, dict) else value
    return plain(inner)


def duration(seconds: Any) -> str:
    """Seconds as hours, minutes and seconds."""
    x = number(seconds)
    if x is None or x < 0:
        return DASH
    if x < 60:
        return f"{x:.1f} s" if x < 10 else f"{x:.0f} s"
    minutes, rest = divmod(round(x), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def memory(size: Any) -> str:
    """Bytes as MiB or GiB."""
    x = number(size)
    if x is None:
        return plain(size)
    return f"{x / 2**30:,.1f} GiB" if x >= 2**30 else f"{x / 2**20:,.0f} MiB"


_COST = ("wall_seconds", "tokens_per_second", "peak_memory_bytes", "parameters", "trainable_parameters")
_HARDWARE = ("device", "world_size", "backend", "precision")


def cost(run: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, value) rows of what the run took."""
    shown = {
        "wall_seconds": ("wall time", duration),
        "tokens_per_second": ("tokens per second", lambda v: plain(round(v) if number(v) is not None else v)),
        "peak_memory_bytes": ("peak memory", memory),
    }
    rows = []
    for key in (*_COST, *_HARDWARE):
        if run.get(key) is not None:
            label, text = shown.get(key, (words(key), plain))
            rows.append((label, text(run[key])))
    return rows


def provenance(run: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, value) rows of what the result depends on, in run.json's order, versions one by one."""
    rows = []
    for key, value in run.items():
        if key in _COST or key in _HARDWARE or value is None:
            continue
        if key == "versions":
            rows += [(str(name), str(version)) for name, version in as_dict(value).items()]
        else:
            # Identifiers and seeds are names, not quantities: no thousands separators.
            rows.append((words(key), str(value) if number(value) is not None else plain(value)))
    return [(label, _date(text)) for label, text in rows]
