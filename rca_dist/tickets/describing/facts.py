"""What a table's facts say about its file, columns, dates and near-duplicates; it ends up in data.json."""

import datetime as dt
from statistics import median
from typing import Any

from rca_dist.tickets.clean import Cleaner, has_real_breaks
from rca_dist.tickets.cleaning.journal_entries import date_order_of
from rca_dist.tickets.columns import ColumnMap
from rca_dist.tickets.dates import ParsedDates, parse_dates
from rca_dist.tickets.groups import Groups
from rca_dist.tickets.mapping.samples import samples
from rca_dist.tickets.mapping.shown_names import shown
from rca_dist.tickets.reading.raw_table import RawTable
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.rows_to_tickets import Shaping
from rca_dist.tickets.words import is_missing

_JOURNALS_READ = 50
_PEOPLE_ROWS = 200  # samples come from the first rows


def source(raw: RawTable) -> dict[str, Any]:
    """Name, format, encoding and delimiter of the (first) file, and one entry per file where there are several."""
    return {
        "file": raw.name,
        "format": raw.format,
        "encoding": raw.encoding,
        "accented_words": raw.preview,
        "delimiter": raw.delimiter,
        "sources": raw.sources,
        **({"threads": raw.threads} if raw.threads else {}),
    }


def columns(raw: RawTable, mapped: ColumnMap) -> dict[str, Any]:
    """Role -> its columns and two samples of each, cleaned and redacted whatever `data.redact` says."""
    roles: dict[str, list[str]] = {"prompt": mapped.prompt, "answer": mapped.answers}
    for role in ("id", "created_at", "resolved_at", "updated_at", "status", "split"):
        column = getattr(mapped, role)
        # Where there is no column of changes the end of the ticket stands in for it; it is listed once.
        again = role == "updated_at" and column in (mapped.resolved_at, mapped.created_at)
        roles[role] = [column] if column and not again else []
    roles |= {"outcome": mapped.outcome, "group": mapped.groups, "slices": mapped.slices, "people": mapped.people}
    if mapped.oracle_nll and mapped.oracle_answer:
        roles["oracle"] = [mapped.oracle_nll, mapped.oracle_answer]
    used = {column for found in roles.values() for column in found}
    people = sorted({cell for column in mapped.people for cell in raw.columns[column][:_PEOPLE_ROWS] if cell.strip()})
    facts: dict[str, Any] = {
        role: {
            "columns": found,
            "samples": {column: samples(_as_used(raw, mapped, role, column), people=people) for column in found},
        }
        for role, found in roles.items()
        if found
    }
    if mapped.people:
        facts["people"]["samples"] = {}  # names by themselves are found by no rule
    if mapped.slices_auto and mapped.slices:
        facts["slices"]["chosen"] = "automatically"
    facts["not_used"] = [shown(column) for column in raw.columns if column not in used]
    return facts


def _as_used(raw: RawTable, mapped: ColumnMap, role: str, column: str) -> list[str]:
    """The cells for samples; those of a journal as the prompt or the answer will hold them, without headers and names."""
    cells = raw.columns[column]
    if column not in mapped.journal or role not in ("prompt", "answer"):
        return cells
    rows = [row for row, cell in enumerate(cells) if not is_missing(cell)][:_JOURNALS_READ]
    cut_at: list[dt.datetime | None] = []
    if role == "prompt" and mapped.resolved_at:
        # Of the whole column, as it tells whether the day or the month comes first.
        resolved = parse_dates(raw.columns[mapped.resolved_at], mapped.date_order).values
        cut_at = [resolved[row] or dt.datetime.min.replace(tzinfo=dt.UTC) for row in rows]
    return Cleaner().column(
        [cells[row] for row in rows], journal=True, answer=role == "answer", cut_at=cut_at,
        real_breaks=has_real_breaks(cells), date_order=date_order_of(cells),
    )  # fmt: skip


def redaction(redactor: Redactor, shaping: Shaping) -> dict[str, Any]:
    """Whether redaction was on, what it replaced by kind, and the languages whose names a model looked for."""
    names = {"names": sorted(shaping.names)} if shaping.names and shaping.redact else {}
    return {"on": shaping.redact, "counts": dict((+redactor.counts).most_common()), **names}


def dates(parsed: ParsedDates | None, mapped: ColumnMap) -> dict[str, Any]:
    """The date column, how its days and months are read, how many cells are no dates, first and last (UTC)."""
    if parsed is None:
        return {"column": None}
    known = [value for value in parsed.values if value is not None]
    span = {"first": min(known).isoformat(), "last": max(known).isoformat()} if known else {}
    return {"column": mapped.created_at, "order": parsed.order, "unreadable": parsed.unreadable, **span,
            "unknown_zones": sorted(parsed.unknown_zones)}  # fmt: skip


def duplicates(groups: Groups, similarity: float) -> dict[str, Any]:
    """Number and sizes of near-duplicate groups; `share_in_groups` of tickets that have a near-duplicate."""
    sizes = groups.sizes() or [0]
    return {
        "similarity": similarity,
        "groups": len(sizes),
        "largest_group": max(sizes),
        "median_group": median(sizes),
        "share_in_groups": round(sum(size for size in sizes if size > 1) / max(1, sum(sizes)), 4),
        "capped_buckets": groups.capped_buckets,
    }
