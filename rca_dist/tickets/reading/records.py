"""Records (JSON, Parquet, Arrow) to flat text columns: nested keys become dotted names, every value becomes text."""

import datetime
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.reading import comment_lists
from rca_dist.tickets.reading.text_columns import RecordColumns

_SURROGATE = re.compile("[\ud800-\udfff]")
_CUSTOM = re.compile(r"customfield_\d+")


def to_columns(
    records: Iterable[tuple[int, Any]], name: str, lenient: bool, dropped: Counter[str], explained: Mapping[str, str] = {}
) -> tuple[dict[str, list[str]], list[int]]:
    """Flatten numbered records to equally long text columns, and the number of each kept record.

    `explained` gives the document's own names for fields such as customfield_10010.
    """
    table, labels = RecordColumns(name), _unique_labels(explained)
    for number, record in records:
        if not isinstance(record, dict):
            if not lenient:
                raise UserError(f"{name}: record {number} is a {type(record).__name__}, not an object with named fields.")
            dropped["not an object"] += 1
            continue
        row: dict[str, str] = {}
        try:
            _flatten("", _own_labels(record, labels), record, row)
        except RecursionError:
            raise UserError(f"{name}: record {number} is nested too deep to be a ticket.") from None
        if not any(value.strip() for value in row.values()):
            dropped["blank row"] += 1
            continue
        table.add(number, row)
    return table.columns(), table.numbers


def _unique_labels(explained: Mapping[str, str]) -> dict[str, str]:
    """Jira's names of its numbered fields; two fields with one name keep their number beside it."""
    found = {key: " ".join(label.split()) for key, label in explained.items() if _CUSTOM.fullmatch(key) and label.strip()}
    counts = Counter(found.values())
    return {key: label if counts[label] == 1 else f"{label} ({key})" for key, label in found.items()}


def _own_labels(record: dict[Any, Any], labels: dict[str, str]) -> dict[str, str]:
    """The names that a single record brings along (Jira's `expand=names`); taken out of the record."""
    if isinstance(record.get("names"), dict) and isinstance(record.get("fields"), dict):
        own = {key: label for key, label in record.pop("names").items() if isinstance(label, str)}
        record.pop("schema", None)
        return labels | _unique_labels(own)
    return labels


def _flatten(prefix: str, labels: dict[str, str], value: dict[Any, Any], row: dict[str, str]) -> None:
    for raw_key, item in value.items():
        name = labels.get(raw_key, raw_key) if labels else raw_key
        key = clean_text(f"{prefix}{name}".strip()) or "Unnamed"
        if isinstance(item, dict):
            if "display_value" in item:
                item = item["display_value"]  # a ServiceNow reference field: {display_value, link}
            elif comment_lists.is_journal(item.get("comments")):
                item = item["comments"]  # Jira's comment field: {comments, total, ...}
        if isinstance(item, dict):
            text = (
                comment_lists.document_text(item).strip()
                if comment_lists.is_document(item)
                else comment_lists.option_text(item)
            )
            if text is None:
                _flatten("" if key == "_source" else f"{key}.", labels, item, row)
            else:
                row[key] = clean_text(text)
        else:
            row[key] = clean_text(as_text(item))


def clean_text(text: str) -> str:
    """The text with halves of surrogate pairs, which no file can hold, replaced."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def as_text(value: Any) -> str:
    """A value as the text that a ticket system shows."""
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
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list):
        return _list_text(value)
    return str(value)


def _list_text(value: list[Any]) -> str:
    if all(not isinstance(item, dict | list) for item in value):
        return ", ".join(as_text(item) for item in value)
    if comment_lists.is_journal(value):
        return comment_lists.journal_text(value)
    named = comment_lists.named_list(value)
    return named if named is not None else json.dumps(value, ensure_ascii=False, default=str)
