"""Dates of ticket exports to UTC; whether the day or the month comes first is read from the whole column."""

import datetime as dt
import re
from dataclasses import dataclass

from rca_dist.tickets.words import fold, is_missing

_TIME = (
    r"(?:[T ,]+(?:at |a |um )?(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>z|utc|gmt|[+-]\d{2}:?\d{2})?)?$"
)
_ISO = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})" + _TIME, re.IGNORECASE)
_COMPACT = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2}))?"
    r"(?P<half>)(?P<zone>z|[+-]\d{2}:?\d{2})?)?$",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<other>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})" + _TIME, re.I)
_DAY_NAME_MONTH = re.compile(
    r"(?P<day>\d{1,2})[-/ .]+(?:de )?(?P<name>[a-z]{3,10})[-/ .,]+(?:de )?(?P<year>\d{4}|\d{2})" + _TIME, re.I
)
_NAME_DAY = re.compile(r"(?P<name>[a-z]{3,10})[ .]+(?P<day>\d{1,2})(?:st|nd|rd|th)?,? +(?P<year>\d{4})" + _TIME, re.I)
_EPOCH = re.compile(r"1\d{9}(?:\d{3})?$")
_WEEKDAY = re.compile(r"^[a-z]{2,9}\.?, +", re.I)
_MONTH_STEMS = (
    ("jan", "ene", "gen"),
    ("feb", "fev"),
    ("mar", "maer", "mrt"),
    ("apr", "avr", "abr"),
    ("may", "mai", "mag", "mei"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "aou", "ago"),
    ("sep", "set"),
    ("oct", "okt", "out", "ott"),
    ("nov",),
    ("dec", "dez", "dic"),
)


@dataclass
class ParsedDates:
    """UTC times (None where there is none), the order found, and how many non-empty cells gave no date.

    `order` is 'day first', 'month first', 'ambiguous' (numeric dates that fit both ways, or contradict each other;
    those cells are None) or 'unambiguous' (year first or month names only).
    """

    values: list[dt.datetime | None]
    order: str
    unreadable: int


def parse_dates(cells: list[str]) -> ParsedDates:
    """Parse a whole column; times without a zone are taken as UTC."""
    cleaned = ["" if is_missing(cell) else _WEEKDAY.sub("", fold(" ".join(cell.split()))) for cell in cells]
    order = _order(cleaned)
    values = [_parse(cell, order) if cell else None for cell in cleaned]
    unreadable = sum(bool(cell) and value is None for cell, value in zip(cleaned, values, strict=True))
    return ParsedDates(values, order, unreadable)


def _order(cells: list[str]) -> str:
    matches = [match for match in map(_NUMERIC.match, cells) if match]
    if not matches:
        return "unambiguous"
    # No country writes month.day.year with dots, so dots settle it too.
    day_first = any(int(match["first"]) > 12 or match["sign"] == "." for match in matches)
    month_first = any(int(match["other"]) > 12 for match in matches)
    if day_first == month_first:
        return "ambiguous"
    return "day first" if day_first else "month first"


def _parse(cell: str, order: str) -> dt.datetime | None:
    for pattern in (_ISO, _COMPACT):
        if match := pattern.match(cell):
            return _build(match, int(match["month"]), int(match["day"]))
    if match := _NUMERIC.match(cell):
        if order == "ambiguous":
            return None
        first, other = int(match["first"]), int(match["other"])
        return _build(match, other, first) if order == "day first" else _build(match, first, other)
    for pattern in (_DAY_NAME_MONTH, _NAME_DAY):
        if match := pattern.match(cell):
            return _build(match, _month(match["name"]), int(match["day"]))
    if _EPOCH.match(cell):
        return dt.datetime.fromtimestamp(int(cell[:10]), dt.UTC)
    return None


def _month(name: str) -> int:
    # The longest stem wins, so that 'juillet' is July although 'jui' also begins June.
    fits = [(len(stem), number) for number, stems in enumerate(_MONTH_STEMS, 1) for stem in stems if name.startswith(stem)]
    return max(fits, default=(0, 0))[1]


def _build(match: re.Match[str], month: int, day: int) -> dt.datetime | None:
    year = int(match["year"])
    if year < 100:
        year += 2000 if year < 70 else 1900
    if not 1970 <= year <= 2200:
        return None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower().startswith("p") else 0)
    try:
        moment = dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=_zone(match["zone"]))
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> dt.timezone:
    if not text or text[0] not in "+-":
        return dt.UTC
    offset = dt.timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return dt.timezone(-offset if text[0] == "-" else offset)
