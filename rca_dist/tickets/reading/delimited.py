"""Delimited text (CSV, TSV...) to columns: delimiter, title lines, line ends, quoting, field counts."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise

from rca_dist.errors import UserError
from rca_dist.tickets.reading.footers import FOOTER, footer_note, is_footer
from rca_dist.tickets.reading.gather import joiner
from rca_dist.tickets.reading.text_columns import RowColumns

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_END = "\x00end-of-file\x00"
_HEAD = 200_000
# A quote that is never closed would otherwise take the rest of a large file into one cell.
_LARGEST_CELL = 64 * 2**20
_TITLE_LINES = 10
_HINT = re.compile(r"sep=([,;\t|])[ \t]*(?:\r\n|\r|\n|$)")
_LENIENT = "--data.lenient=true"


@dataclass
class Rows:
    """Data rows as columns, the row number of each in the file, rows left out by reason, and what was noticed."""

    columns: dict[str, list[str]]
    numbers: list[int]
    delimiter: str
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def parse_delimited(
    open_lines: Callable[[], Iterator[str]], name: str, delimiter: str | None = None, lenient: bool = False, cut: bool = False
) -> Rows:
    """Parse delimited text; `open_lines` starts a new pass over its lines, each with its line end. `cut`
    says that the end of the file is known to be missing, so that the last row is no whole one.

    With `lenient`, rows that do not fit the header are dropped and counted. Raises UserError for a quote that is never
    closed and for a row with another field count than the header, each with its row and line.
    """
    head = _head(open_lines())
    hint = _HINT.match(head[0]) if head else None
    head = head[1:] if hint else head
    delimiter = _named_delimiter(delimiter) if delimiter else hint.group(1) if hint else find_delimiter(head)
    lines = _without_mark(open_lines())
    reader = _Reader(name, delimiter, lenient, cut)
    records = _records(reader.watch(islice(lines, 1, None) if hint else lines), delimiter, _padded(head, delimiter))
    try:
        return reader.read(records, _header_place(_widths(head, delimiter)))
    except csv.Error as error:
        hint_text = "a quote is probably never closed" if "field larger" in str(error) else str(error)
        raise UserError(
            f"{name}: cannot be read as a delimited file: {hint_text}. Export it again, or name another --data.delimiter=..."
        ) from None


class _Reader:
    """Takes records one by one; the newest one waits, because a short row means a cut file only when it is the last."""

    def __init__(self, name: str, delimiter: str, lenient: bool, cut: bool) -> None:
        self.name, self.delimiter, self.lenient, self.cut = name, delimiter, lenient, cut
        self.dropped: Counter[str] = Counter()
        self.notes: list[str] = []
        self.wider = 0
        self.open_end = False

    def watch(self, lines: Iterator[str]) -> Iterator[str]:
        """The lines; at their end it is known whether the last one had a line end (a cut file has none)."""
        line = "\n"
        for line in lines:
            yield line
        self.open_end = not line.endswith(("\n", "\r"))

    def read(self, records: Iterator[tuple[int, int, list[str]]], titles: int) -> Rows:
        header: list[str] = []
        for number, _, header in records:
            if header[-1:] and header[-1].endswith(_END):
                raise UserError(f"{self.name}: a quote in the header (row {number}) is never closed; the file is damaged.")
            if number > titles and any(cell.strip() for cell in header):
                break
        if titles:
            self.notes.append(f"{self.name}: the header is row {titles + 1}; what stands above it is taken as titles.")
        self.table, self.width = RowColumns(header), len(header)
        self.gathers = self.width > 1 and header[-1].strip() != "" and header[-1] in header[:-1]
        self.joiner = joiner(header[-1]) if header else ""
        waiting: list[tuple[int, int, list[str]]] = []
        for record in records:
            # Lines below the table are told by standing at its end: until a row follows, they wait.
            blank = not any(cell.strip() for cell in record[2])
            if blank or (self.width > 1 and is_footer(record[2], self.width)):
                waiting.append(record)
                continue
            for earlier in waiting:
                self._take(*earlier, last=False)
            waiting = [record]
        self._end(waiting)
        if self.wider:
            self.notes.append(
                f"{self.name}: {self.wider} rows are wider than the header; their surplus cells are taken as more "
                f"{header[-1]!r} cells."
            )
        return Rows(self.table.columns(), self.table.numbers, self.delimiter, self.dropped, self.notes)

    def _end(self, waiting: list[tuple[int, int, list[str]]]) -> None:
        """Take the last row and what stands below it."""
        below = []
        for record in waiting:
            last = record is waiting[-1]
            if is_footer(record[2], self.width) and self.width > 1 and not (last and self.cut):
                below.append(record[2])
            else:
                self._take(*record, last=last)
        if below:
            self.dropped[FOOTER] += len(below)
            self.notes.append(footer_note(self.name, below))

    def _take(self, number: int, line: int, fields: list[str], last: bool) -> None:
        width = self.width
        if fields and fields[-1].endswith(_END):
            return self._leave_out("cut inside a quoted cell", _never_closed(self.name, number, line))
        if not any(cell.strip() for cell in fields):
            if fields:
                self.dropped["blank row"] += 1
            return None
        if len(fields) > width and not any(cell.strip() for cell in fields[width:]):
            fields = fields[:width]
        elif len(fields) > width and self.gathers:
            self.wider += 1
            fields = [*fields[: width - 1], self.joiner.join(cell for cell in fields[width - 1 :] if cell.strip())]
        if last and (self.cut or (self.open_end and len(fields) < width)):
            return self._leave_out("cut last row", _cut_row(self.name, number, line, len(fields), width))
        if len(fields) == width:
            return self.table.add(number, fields)
        return self._leave_out("wrong number of fields", self._wrong_width(number, line, len(fields)))

    def _leave_out(self, reason: str, message: str) -> None:
        if not self.lenient:
            raise UserError(message)
        self.dropped[reason] += 1

    def _wrong_width(self, number: int, line: int, count: int) -> str:
        return (
            f"{self.name}: row {number} (ends at line {line}) has {count} fields, the header has {self.width} "
            f"(delimiter {DELIMITERS.get(self.delimiter, self.delimiter)!r}). Is a cell not quoted, or the file cut? "
            f"Name another one with --data.delimiter=..., or drop and count such rows with {_LENIENT}."
        )


def _never_closed(name: str, number: int, line: int) -> str:
    return (
        f"{name}: row {number} (ends at line {line}) opens a quote that is never closed: the file is cut or damaged. "
        f"Export it again, or keep the complete rows with {_LENIENT}."
    )


def _cut_row(name: str, number: int, line: int, count: int, width: int) -> str:
    return (
        f"{name}: the last row, row {number} (ends at line {line}), has {count} of {width} fields: the file is cut "
        f"(or ends with a line that is no ticket). Export it again, or keep the complete rows with {_LENIENT}."
    )


def find_delimiter(head: list[str]) -> str:
    """The delimiter of `, ; tab |` under which the first records agree best with the header's field count."""

    widths = {delimiter: _widths(head, delimiter) for delimiter in DELIMITERS}

    def score(delimiter: str, titles: int) -> tuple[float, int]:
        found = [width for width, _ in widths[delimiter][titles:] if width]
        if not found or found[0] < 2:
            return (0.0, 0)
        return (sum(width == found[0] for width in found) / len(found), found[0])

    scores = {delimiter: score(delimiter, 0) for delimiter in DELIMITERS}
    if not any(width for _, width in scores.values()):
        scores = {delimiter: score(delimiter, _header_place(widths[delimiter])) for delimiter in DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best][1] else ","


def _widths(head: list[str], delimiter: str) -> list[tuple[int, int]]:
    """(fields, filled fields) of the records in the first lines; nothing when they cannot be read so."""
    try:
        return [
            (len(fields), sum(bool(cell.strip()) for cell in fields))
            for _, _, fields in islice(_records(iter(head), delimiter, False), 300)
            if not (fields and fields[-1].endswith(_END))
        ]
    except csv.Error:
        return []


def _header_place(widths: list[tuple[int, int]]) -> int:
    """How many records stand above the header: 0, unless title lines of one cell lead to a header of three or more."""
    filled = [(place, width, count) for place, (width, count) in enumerate(widths) if count][: _TITLE_LINES + 2]
    if not filled or filled[0][2] > 1:
        return 0
    for (place, width, count), (_, next_width, _) in pairwise(filled):
        if count >= 3:
            return place if next_width == width else 0
    return 0


def _head(lines: Iterator[str]) -> list[str]:
    head, size = [], 0
    for line in _without_mark(lines):
        head.append(line[:_HEAD])
        size += len(line)
        if size >= _HEAD:
            break
    return head


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, None)
    return lines if first is None else chain([first.removeprefix("\ufeff")], lines)


def _padded(head: list[str], delimiter: str) -> bool:
    return any(f'{delimiter} "' in line for line in head[:200])


def _records(lines: Iterator[str], delimiter: str, padded: bool) -> Iterator[tuple[int, int, list[str]]]:
    """(record number, last line, fields); a quote open at the end shows as a last field that ends with `_END`."""
    # csv's own size limit (128 KiB a cell) is lower than real journals; it can only be set for the process.
    csv.field_size_limit(_LARGEST_CELL)
    reader = csv.reader(chain(lines, [_END]), delimiter=delimiter, skipinitialspace=padded)
    for number, fields in enumerate(reader, start=1):
        if fields == [_END]:
            return
        yield number, reader.line_num, fields


def _named_delimiter(delimiter: str) -> str:
    named = {word: sign for sign, word in DELIMITERS.items()} | {"\\t": "\t"}
    sign = named.get(delimiter, delimiter)
    if len(sign) != 1 or sign in '"\r\n\x00':
        raise UserError(f"data.delimiter={delimiter!r}: give one character, such as ',' ';' '|' or 'tab'.")
    return sign
