"""Journals: work notes and comments that a ticket system writes into one cell, each entry under a dated header."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rca_dist.tickets.cleaning.boilerplate import is_boilerplate
from rca_dist.tickets.dates import parse_dates
from rca_dist.tickets.words import fold, word_count

_CLOCK = r"\d{1,2}[:h]\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?"
_NUMBERS = rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}})[T ,]{{1,2}}{_CLOCK}"
_NAMED = rf"\d{{1,2}}[/ -][^\W\d_]{{3,5}}\.?[/ -]\d{{2,4}}[ ,]{{1,2}}{_CLOCK}"
_WORDED = rf"[^\W\d_]{{3,10}}\.? \d{{1,2}},? \d{{4}},?(?: at)? {_CLOCK}"
_ANY = rf"(?:{_NUMBERS}|{_NAMED}|{_WORDED})"
_NAME = r"[^\W\d_][^\n:;=(){}]{1,60}?"
# '2024-03-05 10:20:30 - Jane Roe (Work notes)'
_SERVICENOW = re.compile(
    rf"^(?P<time>{_NUMBERS}|{_NAMED}) - (?P<author>[^\n]{{1,80}}?) ?\((?P<kind>[^()\n\d]{{3,40}})\)[ ]?$", re.MULTILINE
)
# '12/Mar/24 9:41 AM;jroe;text'
_JIRA = re.compile(rf"^(?P<time>{_NUMBERS}|{_NAMED});(?P<author>[^;\n]{{0,120}});", re.MULTILINE)
# 'Jane Roe, Mar 5, 2024, 10:20' on a line of its own
_ZENDESK = re.compile(
    rf"^(?:-{{10,200}}\n{{1,3}})?(?P<author>[^\W\d][^,;:\n]{{1,60}}), (?P<time>{_ANY})(?: "
    rf"?\((?P<kind>[^()\n\d]{{3,40}})\))?:?[ ]?$",
    re.MULTILINE,
)
# '[05-03-2024 10:20] Jane Roe :' and '05-03-2024 10:20 - Jane Roe' and 'Jane Roe (05-03-2024 10:20)', each on its own line
_GLPI = re.compile(
    rf"^(?:\[(?P<time>{_ANY})\]|(?P<time2>{_ANY})) ?[-:|]? ?(?:(?:par|by|von|por|da|door) )?(?P<author>{_NAME}) ?:?[ ]?$"
    rf"|^(?P<author2>{_NAME}) ?\((?P<time3>{_ANY})\) ?:?[ ]?$",
    re.MULTILINE,
)
_FORMS = (_SERVICENOW, _JIRA, _ZENDESK, _GLPI)
_NUMERIC = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
_SETTLES = {"day first": "31/12/2000", "month first": "12/31/2000"}
_ENOUGH_DATES = 20_000
_MACHINES = re.compile(
    r"(?:system|automation|workflow|guest|bot|robot|glpi|jira|integration|api|mid server|event management)\b"
)


@dataclass(frozen=True)
class Entry:
    """One entry: UTC time (None where the header gives none), author, kind such as 'Work notes', and its text."""

    time: dt.datetime | None
    author: str
    kind: str
    text: str


def entries(text: str, date_order: str | None = None) -> list[Entry]:
    """Entries of one journal cell, oldest first; text in front of the first header is an entry without a time.

    Known are ServiceNow, Jira, Zendesk and GLPI headers. `date_order` ('day first', 'month first') settles numeric dates;
    without it the cell's own dates must. Entries whose dates stay unknown keep the order of the system: ServiceNow writes the
    newest first.
    """
    headers = _headers(text)
    if not headers:
        return [Entry(None, "", "", text.strip())] if text.strip() else []
    times = _times([_part(header, "time") for header in headers], date_order)
    found = []
    for number, (header, time) in enumerate(zip(headers, times, strict=True)):
        end = headers[number + 1].start() if number + 1 < len(headers) else len(text)
        kind = (header["kind"] or "") if "kind" in header.re.groupindex else ""
        body = text[header.end() : end].strip().rstrip("-").rstrip()
        found.append(Entry(time, _part(header, "author").strip(), kind.strip(), body))
    found = _oldest_first(found, newest_first=headers[0].re is _SERVICENOW)
    before = text[: headers[0].start()].strip()
    return [Entry(None, "", "", before), *found] if before else found


def has_header(text: str) -> bool:
    """True when the text opens like a Jira comment, or holds a ServiceNow header line anywhere."""
    if " - " in text and ")" in text and _SERVICENOW.search(text):
        return True
    return ";" in text[:160] and _JIRA.match(text) is not None


def without_headers(text: str) -> str:
    """The text of a cell that is no journal column, without header lines and so without their names; order kept."""
    text = _SERVICENOW.sub("", text)
    match = _JIRA.match(text)
    text = text[match.end() :] if match else text
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def date_order_of(cells: Sequence[str]) -> str:
    """How the headers of a whole journal column write dates: 'day first', 'month first', 'ambiguous' or 'unambiguous'."""
    seen: list[str] = []
    looked = 0
    for cell in cells:
        seen += [time for header in _headers(cell) if _NUMERIC.match(time := _part(header, "time"))]
        if len(seen) - looked > _ENOUGH_DATES:
            looked = len(seen)
            if (order := parse_dates(seen).order) in _SETTLES:
                return order
    return parse_dates(seen).order


def written_before(found: list[Entry], cut_at: dt.datetime | None) -> list[Entry]:
    """Entries written before the resolution; one without a readable time may be later and goes too. No cut for None."""
    if cut_at is None:
        return found
    moment = cut_at if cut_at.tzinfo else cut_at.replace(tzinfo=dt.UTC)
    return [entry for entry in found if entry.time is not None and entry.time < moment]


def answer_of(found: list[Entry]) -> str:
    """The last entry that says something, by somebody else than the first author where there is one.

    Entries by machines ('System') and stock phrases are passed over; when nothing else is there, the last text stands.
    """
    filled = [entry for entry in found if entry.text]
    if not filled:
        return ""
    requester = next((fold(entry.author) for entry in filled if entry.author), "")
    saying = [entry for entry in filled if not _MACHINES.match(fold(entry.author)) and _is_substantive(entry.text)]
    by_agent = [entry for entry in saying if entry.author and fold(entry.author) != requester]
    return (by_agent or saying or filled)[-1].text


def _is_substantive(text: str) -> bool:
    return word_count(text) >= 2 and not is_boilerplate(text)


def _headers(text: str) -> list[re.Match[str]]:
    """Headers of the one form that the cell uses; a header of another form inside an entry is text."""
    best: list[re.Match[str]] = []
    for form in _FORMS:
        found = list(form.finditer(text))
        if len(found) > len(best):
            best = found
            if form in (_SERVICENOW, _JIRA):
                break
    return best


def _part(header: re.Match[str], name: str) -> str:
    groups = header.groupdict()
    return next((groups[key] for key in (name, f"{name}2", f"{name}3") if groups.get(key)), "")


def _times(texts: list[str], date_order: str | None) -> list[dt.datetime | None]:
    settled = [_SETTLES[date_order]] if date_order in _SETTLES else []
    return parse_dates([*texts, *settled]).values[: len(texts)]


def _oldest_first(found: list[Entry], newest_first: bool) -> list[Entry]:
    times = [entry.time for entry in found if entry.time is not None]
    if len(times) < len(found):  # a date that cannot be read: the system's own order is all there is
        falling = len(times) > 1 and times[0] > times[-1]
        return found[::-1] if falling or (newest_first and len(times) < 2) else found
    falling = times[0] > times[-1] or (times[0] == times[-1] and newest_first)
    # Entries of one second keep the direction of the cell.
    return sorted(found[::-1] if falling else found, key=lambda entry: entry.time or dt.datetime.min.replace(tzinfo=dt.UTC))
