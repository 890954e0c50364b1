"""Dates of ticket exports to UTC; whether the day or the month comes first is read from the whole column."""

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rca_dist.tickets.mapping import date_forms
from rca_dist.tickets.mapping.date_forms import DAY_FIRST, MONTH_FIRST

AMBIGUOUS, UNAMBIGUOUS = "ambiguous", "unambiguous"
# Of the cells that settle the order, one in a hundred against it is a slip, not a contradiction.
_SLIPS = 0.01
_OTHER = {DAY_FIRST: MONTH_FIRST, MONTH_FIRST: DAY_FIRST}
_LEAST_PAIRS, _LEAST_WRONG = 20, 0.05


@dataclass
class ParsedDates:
    """UTC times (None where there is none), the order found, and how many non-empty cells gave no date.

    `order` is 'day first', 'month first', 'ambiguous' (numeric dates that fit both ways, or contradict each other;
    cells that fit both are None) or 'unambiguous' (year first or month names only). `example` is the first cell that gave
    no date; `unknown_zones` are zone names that are not known, so that their times were taken as UTC. `contradiction` is
    the place (from 0) and text of the first cell that can only be day first and of the first that can only be month first,
    where both orders stand in the column and none is a slip; `against` counts the cells that do not fit an order given.
    """

    values: list[dt.datetime | None]
    order: str
    unreadable: int
    example: str = ""
    unknown_zones: list[str] = field(default_factory=list)
    contradiction: tuple[tuple[int, str], ...] = ()
    against: int = 0


def parse_dates(cells: Sequence[str], order: str | None = None, forced: bool = False) -> ParsedDates:
    """Parse a whole column; times without a zone are taken as UTC.

    `order` ('day first' or 'month first', also with '_') is used where no cell of the column settles it, e.g. because
    another column of the file does; see `shared_order`. With `forced` it is the user's word and holds whatever the column
    says; only cells that do not fit it (27/01/2024 month first) are read the other way.
    """
    order = order.replace("_", " ") if order else None
    forced = forced and order in _OTHER
    texts = [date_forms.prepare(cell) for cell in cells]
    if date_forms.excel_serials(texts):
        return ParsedDates([date_forms.serial_moment(text) if text else None for text in texts], UNAMBIGUOUS, 0)
    found, settled = _order(texts)
    lone = _first_of_each(texts) if forced or (settled and found == AMBIGUOUS) else {}
    against = 0
    if order is not None and order in _OTHER and (found != UNAMBIGUOUS if forced else found == AMBIGUOUS and not settled):
        against = _fitting_only(texts, _OTHER[order]) if forced else 0
        found = order
    reading = date_forms.Reading(alone=forced or found == AMBIGUOUS)
    values = [date_forms.moment(text, found, reading) if text else None for text in texts]
    failed = [place for place, (text, value) in enumerate(zip(texts, values, strict=True)) if text and value is None]
    both = tuple((lone[side], cells[lone[side]].strip()[:200]) for side in (DAY_FIRST, MONTH_FIRST)) if len(lone) == 2 else ()
    example = cells[failed[0]].strip()[:200] if failed else ""
    return ParsedDates(values, found, len(failed), example, sorted(reading.unknown_zones), both, against)


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


def date_notes(parsed: ParsedDates, column: str, place: Callable[[int], str] | None = None) -> list[str]:
    """Sentences on the cells that gave no date and on unknown time zones; examples are redacted.

    `place` says where a cell (from 0) stands, such as 'tickets.csv, row 12'.
    """
    notes = []
    if parsed.order == AMBIGUOUS:
        notes.append(f"{order_problem(parsed, column, place)} Cells that can be read both ways are left empty.")
    elif parsed.unreadable:
        notes.append(
            f"{parsed.unreadable} of {len(parsed.values)} cells in {column!r} are no date that can be read, such as "
            f"{_shown(parsed.example)}; they are left empty."
        )
    if parsed.against:
        notes.append(
            f"{parsed.against} of {len(parsed.values)} cells in {column!r} do not fit data.date_order "
            f"({parsed.order}){_first_against(parsed, place)}; they are read the other way. Check the setting, and the export."
        )
    if parsed.unknown_zones:
        notes.append(f"time zone {', '.join(parsed.unknown_zones[:5])} in {column!r} is not known; taken as UTC.")
    return notes


def order_problem(parsed: ParsedDates, column: str, place: Callable[[int], str] | None = None) -> str:
    """Why day and month of an 'ambiguous' column cannot be told apart, and the ways out; '' for another column."""
    if parsed.order != AMBIGUOUS:
        return ""
    name_it = "Say which with --data.date_order=day_first or month_first, or export ISO dates (2025-02-06)."
    if not parsed.contradiction:
        return f"dates in {column!r} can be read day first or month first, and no value settles it. {name_it}"
    (one, day_text), (other, month_text) = parsed.contradiction
    rows = [f" ({place(row)})" if place else "" for row in (one, other)]
    return (
        f"dates in {column!r} contradict each other: {_shown(day_text)}{rows[0]} can only be day first, {_shown(month_text)}"
        f"{rows[1]} only month first, so both orders stand in one column. Export ISO dates (2025-02-06), or say with "
        "--data.date_order=day_first or month_first how the others are meant."
    )


def time_split_problem(parsed: ParsedDates | None, column: str | None, place: Callable[[int], str] | None = None) -> str:
    """Why these dates cannot carry split.kind=time, with what to do; '' when they can."""
    flag = "--data.columns.created_at=NAME"
    if parsed is None or column is None:
        return f"split.kind=time needs a date column and none was found; name it with {flag}, or use split.kind=group."
    if problem := order_problem(parsed, column, place):
        return f"split.kind=time: {problem} Or name another column with {flag}, or use split.kind=group."
    found = sum(value is not None for value in parsed.values)
    if found * 2 < len(parsed.values):
        return (
            f"split.kind=time: only {found} of {len(parsed.values)} values in {column!r} are dates; "
            f"name another column with {flag}, or use split.kind=group."
        )
    return ""


def _shown(cell: str) -> str:
    from rca_dist.tickets.mapping.samples import shorten

    return repr(shorten(cell, 40))


def _first_against(parsed: ParsedDates, place: Callable[[int], str] | None) -> str:
    if not parsed.contradiction:
        return ""
    row, text = parsed.contradiction[1 if parsed.order == DAY_FIRST else 0]
    return f", such as {_shown(text)}" + (f" ({place(row)})" if place else "")


def _first_of_each(texts: Sequence[str]) -> dict[str, int]:
    """The first cell that can only be day first and the first that can only be month first, where there are such."""
    found: dict[str, int] = {}
    for place, text in enumerate(texts):
        parts = date_forms.numeric_parts(text) if text and len(found) < 2 else None
        if parts and (only := date_forms.only_order(*parts[:2])):
            found.setdefault(only, place)
    return found


def _fitting_only(texts: Sequence[str], order: str) -> int:
    parts = (date_forms.numeric_parts(text) for text in texts if text)
    return sum(part is not None and date_forms.only_order(*part[:2]) == order for part in parts)


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
