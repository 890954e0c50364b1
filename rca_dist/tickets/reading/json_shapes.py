"""JSON text to records: lists, wrappers such as {"result": [...]}, maps of id to record, tables of rows or columns."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.mapping import column_names as names

_WRAPPERS = (
    "records", "result", "results", "issues", "data", "items", "tickets", "incidents", "requests", "rows", "hits", "value",
    "entries", "ticket", "incident", "issue",
)  # fmt: skip
_DEEPEST = 4
_TICKET_NAMES = frozenset((*names.TITLE, *names.DESCRIPTION)) - {"content", "issue", "notes", "details", "message", "input"}


def parse_json(text: str, name: str, lenient: bool, dropped: Counter[str]) -> tuple[Iterable[Any], dict[str, str]]:
    """Records of a JSON text, and the field names that the document itself explains (Jira's `names`).

    A list is read record by record, so that the whole of it never stands in memory twice. With `lenient` the whole
    records before a cut are kept. Raises UserError for anything that is no table of tickets.
    """
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] == "[" and not _is_row_table(text, start):
        return _streamed(text, start + 1, name, lenient, dropped), {}
    with_place = _guarded(name)
    value = with_place(lambda: _loads(text))
    named = value.get("names") if isinstance(value, dict) else None
    explained = {key: label for key, label in named.items() if isinstance(label, str)} if isinstance(named, dict) else {}
    return _records_of(value, name), explained


def parse_json_lines(lines: Iterable[str], name: str, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[int, Any]]:
    """(line number, record) of a text with one JSON object a line; unreadable lines are an error, or counted."""
    for number, line in enumerate(_split(lines), start=1):
        if not line.strip():
            continue
        try:
            record = _loads(line)
        except (ValueError, RecursionError) as error:
            record = error
        if isinstance(record, dict):
            yield number, record
            continue
        if not lenient:
            raise UserError(
                f"{name}: line {number} is not a JSON object; each line must hold one (is the file cut?). "
                "Drop and count such lines with --data.lenient=true."
            )
        dropped["unreadable JSON line"] += 1


def looks_like_json_lines(head: str) -> bool:
    """True when the first non-empty line is a whole JSON object and others follow."""
    lines = head.lstrip("\ufeff \t\r\n").replace("\r", "\n").split("\n", 1)
    if len(lines) < 2 or not lines[1].strip() or not lines[0].startswith("{"):
        return False
    try:
        return isinstance(_loads(lines[0]), dict)
    except (ValueError, RecursionError):
        return False


def _split(lines: Iterable[str]) -> Iterator[str]:
    # Only \n and \r end a line here: U+2028 and the like may stand inside a JSON string.
    for place, line in enumerate(lines):
        yield line.removeprefix("\ufeff") if place == 0 else line


def _loads(text: str) -> Any:
    # Numbers stay as written, so that ids and versions keep their digits.
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)


def _cut(error: json.JSONDecodeError) -> str:
    at_end = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
    return ". The file is cut; export it again, or keep a list's whole records with --data.lenient=true" if at_end else ""


def _guarded(name: str) -> Any:
    def run(read: Any) -> Any:
        try:
            return read()
        except json.JSONDecodeError as error:
            raise UserError(
                f"{name}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}{_cut(error)}."
            ) from None
        except RecursionError:
            raise UserError(f"{name}: the JSON is nested too deep to be a table of tickets.") from None
        except ValueError as error:
            raise UserError(f"{name}: not readable as JSON: {error}.") from None

    return run


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _is_row_table(text: str, start: int) -> bool:
    place = _skip(text, start + 1)
    return text[place : place + 1] == "["


def _streamed(text: str, place: int, name: str, lenient: bool, dropped: Counter[str]) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: None)
    run = _guarded(name)
    place = _skip(text, place)
    first = True
    while text[place : place + 1] != "]" or not first:
        try:
            value, place = run(lambda place=place: decoder.raw_decode(text, place))
        except UserError:
            if lenient and not first:
                dropped["record after the file's cut"] += 1
                return
            raise
        yield value
        first, place = False, _skip(text, place)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
            continue
        if text[place : place + 1] == "]":
            break
        if lenient:
            dropped["record after the file's cut"] += 1
            return
        where = "the file is cut: the list is never closed" if place >= len(text) else "a comma or ] is missing"
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        raise UserError(
            f"{name}: not valid JSON at line {line}, column {column}: {where}. Export it again, or keep the whole records "
            "before it with --data.lenient=true."
        )
    rest = _skip(text, place + 1)
    if rest < len(text):
        line = text.count("\n", 0, rest) + 1
        raise UserError(f"{name}: not valid JSON at line {line}: something follows after the list of tickets.")


def _records_of(value: Any, name: str, depth: int = 0) -> list[Any]:
    if isinstance(value, list):
        return _rows_with_header(value, name) if value and isinstance(value[0], list) else value
    if not isinstance(value, dict):
        raise UserError(f"{name}: the JSON is a single {type(value).__name__}; a list of tickets is needed.")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list) and _all_text(value["columns"]):
        return _rows_with_header([value["columns"], *value["data"]], name)
    if depth < _DEEPEST and not _is_ticket(value):
        for key in _WRAPPERS:
            inner = value.get(key)
            alone = not any(isinstance(item, dict) for other, item in value.items() if other not in (key, "names", "schema"))
            if isinstance(inner, list) or (isinstance(inner, dict) and inner and alone):
                return _records_of(inner, name, depth + 1)
    columns = _columns_to_records(value)
    if columns is not None:
        return columns
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    if len(lists) == 1 and not _is_ticket(value):
        return lists[0]
    if value and all(isinstance(item, dict) for item in value.values()) and not _is_ticket(value):
        named = any("id" in item for item in value.values())
        return [item if named else {"id": key, **item} for key, item in value.items()]
    return [value] if value else []


def _is_ticket(value: dict[str, Any]) -> bool:
    """True for one ticket: it has a title or text of its own, or Jira's `fields`."""
    if isinstance(value.get("fields"), dict):
        return True
    return any(
        isinstance(item, str) and not _TICKET_NAMES.isdisjoint(names.name_forms(str(key)[:200])) for key, item in value.items()
    )


def _all_text(cells: list[Any]) -> bool:
    return bool(cells) and all(isinstance(cell, str) for cell in cells)


def _rows_with_header(rows: list[Any], name: str) -> list[Any]:
    header = rows[0]
    # Numbers arrive as text here: a row of numbers only is a row of data.
    if not _all_text(header) or not any(re.search(r"[^\W\d_]", cell) for cell in header) or len(set(header)) != len(header):
        raise UserError(f"{name}: the JSON is a list of lists, and the first one holds no column names.")
    for number, row in enumerate(rows[1:], start=2):
        if not isinstance(row, list) or len(row) > len(header):
            raise UserError(f"{name}: row {number} does not fit the {len(header)} column names of the first row.")
    return [dict(zip(header, row, strict=False)) for row in rows[1:]]


def _columns_to_records(value: dict[str, Any]) -> list[Any] | None:
    """Records of {"column": [cells]} or {"column": {"0": cell}} (how pandas writes a frame); None for other shapes."""
    parts = list(value.values())
    if len(parts) < 2:
        return None
    if all(isinstance(part, list) and part and len(part) == len(parts[0]) for part in parts):
        if any(isinstance(cell, dict | list) for part in parts for cell in part[:3]):
            return None
        return [dict(zip(value, cells, strict=True)) for cells in zip(*parts, strict=True)]
    if all(isinstance(part, dict) and part and all(key.isdigit() for key in part) for part in parts):
        keys = list(parts[0])
        if all(part.keys() == parts[0].keys() for part in parts) and not any(key.isdigit() for key in value):
            return [{column: value[column][key] for column in value} for key in keys]
    return None
