"""JSON, JSONL and Parquet to flat text columns: nested keys become dotted names, every value becomes text."""

import datetime
import json
import re
from collections import Counter
from typing import Any

from rca_dist.errors import UserError

_WRAPPERS = ("records", "result", "results", "issues", "data", "items", "tickets", "incidents", "rows", "value")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_CELLS = 50_000_000


def parse_json(text: str, name: str) -> list[Any]:
    """Records of a JSON text: a list, a map of id to record, or a list under a wrapper key such as "result"."""
    try:
        return _records_of(_loads(text), name)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except RecursionError:
        raise UserError(f"{name}: the JSON is nested too deep to be a table of tickets.") from None
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{name}: not readable as JSON: {error}.") from None


def parse_json_lines(text: str, name: str, lenient: bool, dropped: Counter[str]) -> list[Any]:
    """Records of a text with one JSON object a line; unreadable lines are an error, or counted with `lenient`."""
    records: list[Any] = []
    # Only \n ends a line here: U+2028 and the like may stand inside a JSON string.
    for number, line in enumerate(text.replace("\r", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = _loads(line)
        except (ValueError, RecursionError) as error:
            record = error
        if not isinstance(record, dict):
            if not lenient:
                raise UserError(
                    f"{name}: line {number} is not a JSON object; each line must hold one. "
                    "Drop and count such lines with --data.lenient=true."
                )
            dropped["unreadable JSON line"] += 1
            continue
        records.append(record)
    return records


def looks_like_json_lines(text: str) -> bool:
    """True when the first non-empty line is a whole JSON object and others follow."""
    lines = text.lstrip().split("\n", 1)
    if len(lines) < 2 or not lines[1].strip() or not lines[0].startswith("{"):
        return False
    try:
        return isinstance(_loads(lines[0]), dict)
    except (ValueError, RecursionError):
        return False


def parse_parquet(data: bytes, name: str) -> list[Any]:
    """Records of a Parquet file."""
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_table(pyarrow.BufferReader(data)).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UserError(f"{name}: not a readable Parquet file ({str(error).splitlines()[0][:120]}).") from None


def to_columns(records: list[Any], name: str, lenient: bool, dropped: Counter[str]) -> tuple[dict[str, list[str]], list[int]]:
    """Flatten records to equally long text columns, and the 1-based number of each kept record."""
    flat: list[dict[str, str]] = []
    numbers: list[int] = []
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            if not lenient:
                raise UserError(f"{name}: record {number} is a {type(record).__name__}, not an object with named fields.")
            dropped["not an object"] += 1
            continue
        row: dict[str, str] = {}
        try:
            _flatten("", record, row)
        except RecursionError:
            raise UserError(f"{name}: record {number} is nested too deep to be a ticket.") from None
        if not any(value.strip() for value in row.values()):
            dropped["blank row"] += 1
            continue
        flat.append(row)
        numbers.append(number)
    names = list(dict.fromkeys(key for row in flat for key in row))
    if len(names) * len(flat) > _MOST_CELLS and len(names) > 2000:
        raise UserError(f"{name}: {len(names)} different field names in {len(flat)} records; this is no table of tickets.")
    return {key: [row.get(key, "") for row in flat] for key in names}, numbers


def _loads(text: str) -> Any:
    # Numbers stay as written, so that ids and versions keep their digits.
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)


def _records_of(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise UserError(f"{name}: the JSON is a single {type(value).__name__}; a list of tickets is needed.")
    for key in _WRAPPERS:
        if isinstance(value.get(key), list):
            return value[key]
    lists = [item for item in value.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
    if len(lists) == 1:
        return lists[0]
    if value and all(isinstance(item, dict) for item in value.values()):
        named = any("id" in item for item in value.values())
        return [item if named else {"id": key, **item} for key, item in value.items()]
    return [value] if value else []


def _flatten(prefix: str, value: dict[Any, Any], row: dict[str, str]) -> None:
    for raw_key, item in value.items():
        key = _SURROGATE.sub("\ufffd", f"{prefix}{raw_key}".strip()) or "Unnamed"
        if isinstance(item, dict) and "display_value" in item:
            item = item["display_value"]  # a ServiceNow reference field: {display_value, link}
        if isinstance(item, dict) and item.get("type") == "doc" and isinstance(item.get("content"), list):
            row[key] = _SURROGATE.sub("\ufffd", _document_text(item).strip())
        elif isinstance(item, dict):
            _flatten(f"{key}.", item, row)
        else:
            row[key] = _SURROGATE.sub("\ufffd", _as_text(item))


def _document_text(node: dict[str, Any]) -> str:
    """Plain text of an Atlassian document tree; a line break after each block."""
    if isinstance(node.get("text"), str):
        return node["text"]
    if node.get("type") == "hardBreak":
        return "\n"
    content = node.get("content")
    inner = "".join(_document_text(part) for part in content if isinstance(part, dict)) if isinstance(content, list) else ""
    return inner + ("\n" if node.get("type") in {"paragraph", "heading", "listItem", "codeBlock", "tableRow"} else "")


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Parquet written by pandas stores integer ids with gaps as floats: 12.0 is the id 12.
        if value != value:
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        if all(not isinstance(item, dict | list) for item in value):
            return ", ".join(_as_text(item) for item in value)
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
