"""Delimited text (CSV, TSV...) to rows: delimiter, line ends, quoting, field counts."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from rca_dist.errors import UserError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_END = "\x00end-of-file\x00"
_LARGEST_CELL = 2**31 - 1


@dataclass
class Rows:
    """Header, data rows, the row number of each in the file (the header is row 1), rows left out by reason."""

    header: list[str]
    rows: list[list[str]]
    numbers: list[int]
    delimiter: str
    dropped: Counter[str] = field(default_factory=Counter)


def parse_delimited(text: str, name: str, delimiter: str | None = None, lenient: bool = False) -> Rows:
    """Parse delimited text; with `lenient`, rows that do not fit the header are dropped and counted.

    Raises UserError for a quote that is never closed and for a row with another field count than the header,
    each with its row and line.
    """
    hint = re.match(r"\ufeff?sep=([,;\t|])[ \t]*(?:\r\n|\r|\n)", text)
    if hint:
        text, delimiter = text[hint.end() :], delimiter or hint.group(1)
    delimiter = _named_delimiter(delimiter) if delimiter else find_delimiter(text)
    records = _records(text, delimiter)
    try:
        header = next(((fields) for _, _, fields in records if any(cell.strip() for cell in fields)), [])
        result = Rows(_unique_names(header), [], [], delimiter)
        if header and header[-1].endswith(_END):
            raise UserError(f"{name}: a quote in the header (row 1) is never closed; the file is damaged.")
        for number, line, fields in records:
            _take(result, fields, number, line, name, lenient)
    except csv.Error as error:
        raise UserError(f"{name}: cannot be read as a delimited file: {error}.") from None
    return result


def _take(result: Rows, fields: list[str], number: int, line: int, name: str, lenient: bool) -> None:
    width = len(result.header)
    if fields and fields[-1].endswith(_END):
        if not lenient:
            raise UserError(
                f"{name}: row {number} (ends at line {line}) opens a quote that is never closed: the file is cut "
                "or damaged. "
                "Export it again, or keep the complete rows with --data.lenient=true."
            )
        result.dropped["cut inside a quoted cell"] += 1
        return
    if not any(cell.strip() for cell in fields):
        if fields:
            result.dropped["blank row"] += 1
        return
    if len(fields) > width and not any(cell.strip() for cell in fields[width:]):
        fields = fields[:width]
    if len(fields) != width:
        if not lenient:
            raise UserError(
                f"{name}: row {number} (ends at line {line}) has {len(fields)} fields, the header has {width} "
                f"(delimiter {DELIMITERS.get(result.delimiter, result.delimiter)!r}). Is a cell not quoted, or the "
                "file cut? "
                "Name another one with --data.delimiter=..., or drop and count such rows with --data.lenient=true."
            )
        result.dropped["wrong number of fields"] += 1
        return
    result.rows.append(fields)
    result.numbers.append(number)


def find_delimiter(text: str) -> str:
    """The delimiter of `, ; tab |` under which the first records agree best with the header's field count."""

    def score(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(fields) for _, _, fields in islice(_records(text[:200_000], delimiter), 200) if fields]
        except csv.Error:
            return (0.0, 0)
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (sum(width == widths[0] for width in widths) / len(widths), widths[0])

    scores = {delimiter: score(delimiter) for delimiter in DELIMITERS}
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best][1] else ","


def _records(text: str, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """(record number, last line, fields); a quote open at the end shows as a last field that ends with `_END`."""
    # csv's own size limit (128 KiB a cell) is lower than real journals; it can only be set for the process.
    csv.field_size_limit(_LARGEST_CELL)
    padded = re.search(f'{re.escape(delimiter)} "', text[:20_000]) is not None
    # newline="" keeps every line end as it stands, so that CR-only files and multi-line cells both work.
    lines = chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=padded)
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


def _unique_names(header: list[str]) -> list[str]:
    """Empty headers get 'Unnamed: i', repeated ones a running suffix (Comment, Comment.1, Comment.2)."""
    seen: set[str] = set()
    names: list[str] = []
    for index, cell in enumerate(header):
        base = re.sub(r"\s+", " ", cell).strip() or f"Unnamed: {index}"
        candidate, copy = base, 0
        while candidate in seen:
            copy += 1
            candidate = f"{base}.{copy}"
        seen.add(candidate)
        names.append(candidate)
    return names
