"""One cell to a moment in UTC: the forms in which ticket systems write dates."""

import datetime as dt
import re
from dataclasses import dataclass, field

from rca_dist.tickets.mapping.date_words import MONTHS, WEEKDAYS, zone_of
from rca_dist.tickets.words import fold, is_missing

LONGEST = 100
DAY_FIRST, MONTH_FIRST = "day first", "month first"
_CLOCK = (
    r"(?P<hour>\d{1,2})(?: ?h ?|[:.])(?P<minute>\d{2})(?:[:.m](?P<second>\d{2})s?(?:[.,]\d{1,9})?)?"
    r"(?: uhr)?(?: ?(?P<half>[ap])\.? ?m\b\.?| ?(?P<german>vorm|nachm)\.?)?"
)
# A zone: an offset, a name such as CET or Europe/Paris, or both; what stands in brackets after it only explains it.
_ZONE_NAME = r"(?:utc|gmt)? ?[+\u2212-]\d{1,2}(?::?\d{2})?|[a-z]{1,5}\b(?!/)|[a-z_]+(?:/[a-z_-]+)+"
_ZONE = rf"(?: ?(?P<zone>{_ZONE_NAME}))?(?: ?[(\[][^()\[\]]*[)\]])?"
_TIME = rf"(?:(?:t|_|-(?=\d\d[.:])|[ ,]+(?:- )?)(?:at |a |a las |as |alle |alle ore |ore |um |om |@ )?{_CLOCK}{_ZONE})?$"
_ISO = re.compile(r"(?P<year>\d{4})(?P<sign>[-/.])(?P<month>\d{1,2})(?P=sign)(?P<day>\d{1,2})(?:z$)?" + _TIME)
_COMPACT = re.compile(
    r"(?P<year>(?:19|20)\d{2})(?P<month>\d{2})(?P<day>\d{2})"
    r"(?:[t ]?(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:\.\d+)?)?(?P<zone>z|[+-]\d{2}:?\d{2})?)?$"
)
_NUMERIC = re.compile(r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<other>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})" + _TIME)
_OF = r"(?:de |del |di |of |van )?"
_DAY_NAME = re.compile(
    rf"(?P<day>\d{{1,2}})(?:er|st|nd|rd|th|o)?[-/ .]+{_OF}(?P<name>[a-z]{{3,10}})[-/ .,]+{_OF}(?P<year>\d{{4}}|\d{{2}})" + _TIME
)
_NAME_DAY = re.compile(r"(?P<name>[a-z]{3,10})[ .-]+(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:, ?| |-)+(?P<year>\d{4})" + _TIME)
_YEAR_LAST = re.compile(rf"(?P<name>[a-z]{{3,10}}) +(?P<day>\d{{1,2}}) +{_CLOCK}{_ZONE} (?P<year>\d{{4}})$")
_YEAR_NAME = re.compile(r"(?P<year>\d{4})[-/ ](?P<name>[a-z]{3,10})[-/ ](?P<day>\d{1,2})" + _TIME)
_TIME_FIRST = re.compile(rf"(?P<clock>{_CLOCK}),? +(?:on )?(?P<date>\d.*\d)$")
_EPOCH = re.compile(r"(?P<seconds>1\d{9})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?$")
_DOT_NET = re.compile(r"\\?/date\((?P<milliseconds>-?\d{1,14})(?:[+-]\d{4})?\)\\?/$")
_SERIAL = re.compile(r"[2-7]\d{4}(?:[.,]\d{1,12})?$")
_FIRST_WORD = re.compile(r"(?P<word>[a-z]{2,10})(?:-feira)?\.?,? +(?=(?P<next>[a-z\d]))")
_NO_DATE = re.compile(r"0000-00-00|0001-01-01|0?1/0?1/0001|00/00/0000")
_EXCEL_DAY_0 = dt.datetime(1899, 12, 30, tzinfo=dt.UTC)


@dataclass
class Reading:
    """What came up while cells were read: zone names that are not known.

    With `alone`, a numeric date that fits one order only ('27/01/2024') is read by it, whatever the order of the column.
    """

    alone: bool = False
    unknown_zones: set[str] = field(default_factory=set)


def prepare(cell: str) -> str:
    """The cell as the patterns want it: lower-case, no accents, no weekday; '' for a missing date."""
    text = cell.strip()
    if is_missing(text) or _NO_DATE.match(text):
        return ""
    if len(text) > LONGEST:
        return "?"
    text = fold(" ".join(text.split()))
    word = _FIRST_WORD.match(text)
    # 'mar' is Tuesday and March: before a number it stays, and `moment` tries again without it.
    if word and word["word"] in WEEKDAYS and not (word["word"] in MONTHS and word["next"].isdigit()):
        return text[word.end() :]
    return text


def numeric_parts(text: str) -> tuple[int, int, str] | None:
    """First part, second part and separator of '06/02/2025' and the like, else None."""
    match = _NUMERIC.match(text)
    if match is None and ":" in text[:6] and (clock := _TIME_FIRST.match(text)):
        match = _NUMERIC.match(clock["date"])
    return (int(match["first"]), int(match["other"]), match["sign"]) if match else None


def only_order(first: int, other: int) -> str:
    """The only order that the two parts of a numeric date fit, '' where they fit both or none."""
    return DAY_FIRST if first > 12 >= other > 0 else MONTH_FIRST if other > 12 >= first > 0 else ""


def excel_serials(texts: list[str]) -> bool:
    """True when every filled cell is an Excel day number (1954 to 2119)."""
    filled = [text for text in texts if text]
    return bool(filled) and all(_SERIAL.match(text) for text in filled)


def serial_moment(text: str) -> dt.datetime:
    """The moment of an Excel day number, to the second."""
    return _EXCEL_DAY_0 + dt.timedelta(seconds=round(float(text.replace(",", ".")) * 86400))


def moment(text: str, order: str, reading: Reading) -> dt.datetime | None:
    """The moment of a prepared cell in UTC, or None. `order` is `DAY_FIRST`, `MONTH_FIRST` or something else (not known)."""
    value = _moment(text, order, reading)
    if value is not None:
        return value
    if text.startswith("mar") and (word := _FIRST_WORD.match(text)):
        return _moment(text[word.end() :], order, reading)
    if match := _TIME_FIRST.match(text):
        return _moment(f"{match['date']} {match['clock']}", order, reading)
    return None


def _moment(text: str, order: str, reading: Reading) -> dt.datetime | None:
    if len(text) == 19 and text[4] == "-" and text[10] in " t":
        try:
            return _within(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC))
        except ValueError:
            pass
    for pattern in (_ISO, _COMPACT):
        if match := pattern.match(text):
            return _build(match, int(match["month"]), int(match["day"]), reading)
    if match := _NUMERIC.match(text):
        return _numeric(match, order, reading)
    for pattern in (_DAY_NAME, _NAME_DAY, _YEAR_LAST, _YEAR_NAME):
        match = pattern.match(text)
        if match and match["name"] in MONTHS:
            return _build(match, MONTHS[match["name"]], int(match["day"]), reading)
    if match := _EPOCH.match(text):
        return dt.datetime.fromtimestamp(int(match["seconds"]), dt.UTC)
    if match := _DOT_NET.match(text):
        return _within(dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=int(match["milliseconds"]) // 1000))
    return None


def _numeric(match: re.Match[str], order: str, reading: Reading) -> dt.datetime | None:
    first, other = int(match["first"]), int(match["other"])
    if reading.alone and (only := only_order(first, other)):
        order = only
    if order == DAY_FIRST or first == other:
        return _build(match, other, first, reading)
    return _build(match, first, other, reading) if order == MONTH_FIRST else None


def _build(match: re.Match[str], month: int, day: int, reading: Reading) -> dt.datetime | None:
    parts = match.groupdict()
    year = int(parts["year"])
    if year < 100:
        year += 2000 if year < 70 else 1900
    hour, minute, second = (int(parts.get(part) or 0) for part in ("hour", "minute", "second"))
    half = "p" if parts.get("german") == "nachm" else "a" if parts.get("german") else parts.get("half")
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        local = dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=dt.UTC)
        return _within(_in_utc(local, parts.get("zone"), reading))
    except (ValueError, OverflowError):
        return None


def _in_utc(local: dt.datetime, zone: str | None, reading: Reading) -> dt.datetime:
    if not zone:
        return local
    known = zone_of(zone)
    if known is None:
        if len(reading.unknown_zones) < 100:
            reading.unknown_zones.add(zone.upper())
        return local
    return local.replace(tzinfo=known).astimezone(dt.UTC)


def _within(value: dt.datetime) -> dt.datetime | None:
    return value if 1970 <= value.year <= 2200 else None
