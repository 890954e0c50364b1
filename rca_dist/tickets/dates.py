"""Dates of ticket exports to UTC; whether the day or the month comes first is read from the whole column."""

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from rca_dist.tickets.mapping import date_forms
from rca_dist.tickets.mapping.date_forms import DAY_FIRST, MONTH_FIRST

AMBIGUOUS, UNAMBIGUOUS = "ambiguous", "unambiguous"
# Of the cells that settle the order, one in a hundred against it is a slip, not a contradiction.
_SLIPS = 0.01
_LEAST_PAIRS, _LEAST_WRONG = 20, 0.05


@dataclass
class ParsedDates:
    """UTC times (None where there is none), the order found, and how many non-empty cells gave no date.

    `order` is 'day first', 'month first', 'ambiguous' (numeric dates that fit both ways, or contradict each other;
    those cells are None) or 'unambiguous' (year first or month names only). `example` is the first cell that gave no
    date; `unknown_zones` are zone names that are not known, so that their times were taken as UTC.
    """

    values: list[dt.datetime | None]
    order: str
    unreadable: int
    example: str = ""
    unknown_zones: list[str] = field(default_factory=list)


def parse_dates(cells: Sequence[str], order: str | None = None) -> ParsedDates:
    """Parse a whole column; times without a zone are taken as UTC.

    `order` ('day first' or 'month first') is used where no cell of the column settles it, e.g. because another column of
    the file does; see `shared_order`.
    """
    texts = [date_forms.prepare(cell) for cell in cells]
    if date_forms.excel_serials(texts):
        return ParsedDates([date_forms.serial_moment(text) if text else None for text in texts], UNAMBIGUOUS, 0)
    found, settled = _order(texts)
    if found == AMBIGUOUS and not settled and order in (DAY_FIRST, MONTH_FIRST):
        found = order
    reading = date_forms.Reading()
    values = [date_forms.moment(text, found, reading) if text else None for text in texts]
    failed = [place for place, (text, value) in enumerate(zip(texts, values, strict=True)) if text and value is None]
    return ParsedDates(
        values, found, len(failed), cells[failed[0]].strip()[:200] if failed else "", sorted(reading.unknown_zones)
    )


def shared_order(columns: Sequence[Sequence[str]]) -> str | None:
    """The order of day and month that holds for date columns of one file, or None when nothing settles it.

    A column whose days go beyond 12 settles the others. Otherwise the columns are taken as in time order (opened,
    resolved...): if only one reading keeps nearly all pairs in that order, it is the right one.
    """
    orders = [_order([date_forms.prepare(cell) for cell in cells]) for cells in columns]
    if all(order != AMBIGUOUS for order, _ in orders):
        return None
    known = {order for order, settled in orders if settled and order in (DAY_FIRST, MONTH_FIRST)}
    if known:
        return known.pop() if len(known) == 1 else None
    if any(settled and order == AMBIGUOUS for order, settled in orders):
        return None
    wrong = {order: _out_of_order(columns, order) for order in (DAY_FIRST, MONTH_FIRST)}
    fits = [order for order, (share, _) in wrong.items() if share == 0]
    against = max(share for share, _ in wrong.values())
    pairs = min(count for _, count in wrong.values())
    return fits[0] if len(fits) == 1 and against >= _LEAST_WRONG and pairs >= _LEAST_PAIRS else None


def date_share(cells: Sequence[str]) -> float:
    """Share of the filled cells that are dates, also where day and month cannot be told apart."""
    parsed = parse_dates(cells, DAY_FIRST)
    dates = sum(
        value is not None or date_forms.numeric_parts(date_forms.prepare(cell)) is not None
        for cell, value in zip(cells, parsed.values, strict=True)
    )
    filled = parsed.unreadable + sum(value is not None for value in parsed.values)
    return dates / filled if filled else 0.0


def date_notes(parsed: ParsedDates, column: str) -> list[str]:
    """Sentences on the cells that gave no date and on unknown time zones; examples are redacted."""
    from rca_dist.tickets.mapping.samples import shorten

    notes = []
    if parsed.order == AMBIGUOUS:
        notes.append(f"dates in {column!r} can be read day first or month first; such cells are left empty.")
    elif parsed.unreadable:
        notes.append(
            f"{parsed.unreadable} of {len(parsed.values)} cells in {column!r} are no date that can be read, such as "
            f"{shorten(parsed.example, 40)!r}; they are left empty."
        )
    if parsed.unknown_zones:
        notes.append(f"time zone {', '.join(parsed.unknown_zones[:5])} in {column!r} is not known; taken as UTC.")
    return notes


def _order(texts: Sequence[str]) -> tuple[str, bool]:
    """The order, and whether cells of the column settled it (or contradict each other) rather than its being open."""
    numeric = [parts for text in texts if text and (parts := date_forms.numeric_parts(text))]
    day_first = sum(first > 12 >= other for first, other, _ in numeric)
    month_first = sum(other > 12 >= first for first, other, _ in numeric)
    if day_first or month_first:
        slips = min(day_first, month_first)
        if slips > _SLIPS * (day_first + month_first):
            return AMBIGUOUS, True
        return (DAY_FIRST if day_first > month_first else MONTH_FIRST), True
    # No country writes month.day.year with dots, so dots settle it too.
    if any(sign == "." for _, _, sign in numeric):
        return DAY_FIRST, True
    return (AMBIGUOUS if any(first != other for first, other, _ in numeric) else UNAMBIGUOUS), False


def _out_of_order(columns: Sequence[Sequence[str]], order: str) -> tuple[float, int]:
    """Share and number of neighbouring pairs of columns whose later date lies before the earlier one."""
    parsed = [parse_dates(cells, order).values for cells in columns]
    pairs = [
        (before, after)
        for earlier, later in itertools.pairwise(parsed)
        for before, after in zip(earlier, later, strict=True)
        if before is not None and after is not None
    ]
    return (sum(after < before for before, after in pairs) / len(pairs) if pairs else 0.0), len(pairs)
