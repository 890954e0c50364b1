"""Lists of comments and document trees of ticket systems' JSON to plain text."""

import datetime as dt
import re
from typing import Any

_TEXT_KEYS = ("body_text", "plain_body", "body", "content", "text", "message", "comment", "note", "html_body")
_DATE_KEYS = ("created", "created_at", "createdAt", "sys_created_on", "date_creation", "date", "updated", "updated_at", "time")
_AUTHOR_KEYS = ("author", "user", "created_by", "author_id", "user_id", "from", "sys_created_by", "users_id")
_NAME_KEYS = ("displayName", "display_name", "display_value", "name", "value", "title", "label")
_BLOCKS = frozenset({"paragraph", "heading", "listItem", "codeBlock", "tableRow", "blockquote", "panel"})
_ISO = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?\s*(Z|[+-]\d{2}:?\d{2})?$")


def is_document(value: Any) -> bool:
    """True for an Atlassian document tree."""
    return isinstance(value, dict) and value.get("type") == "doc" and isinstance(value.get("content"), list)


def document_text(node: dict[str, Any]) -> str:
    """Plain text of an Atlassian document tree; a line break after each block."""
    kind, attributes = node.get("type"), node.get("attrs")
    if isinstance(node.get("text"), str):
        return node["text"]
    if kind == "hardBreak":
        return "\n"
    if kind in ("mention", "emoji", "status", "inlineCard", "blockCard", "date") and isinstance(attributes, dict):
        if kind == "mention" and isinstance(attributes.get("text"), str):
            # As Jira's own text writes it: who is meant stays plain to redaction, also '@bob'.
            return f"[~{attributes['text'].strip().lstrip('@')}]"
        found = (attributes.get(key) for key in ("text", "shortName", "url"))
        return next((item for item in found if isinstance(item, str)), "")
    content = node.get("content")
    inner = "".join(document_text(part) for part in content if isinstance(part, dict)) if isinstance(content, list) else ""
    if kind in ("tableCell", "tableHeader"):
        return inner.strip() + "\t"
    return inner + "\n" if kind in _BLOCKS and not inner.endswith("\n") else inner


def is_journal(value: Any) -> bool:
    """True for a list of comments: objects that each carry a text under one of the usual names."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return False
    return all(any(key in item for key in _TEXT_KEYS) for item in value)


def journal_text(items: list[dict[str, Any]]) -> str:
    """Comments in time order, each headed 'YYYY-MM-DD hh:mm:ss - author (Comments)', or '(Work notes)' if not public.

    Comments without dates keep the order of the list; one that has neither date nor author has no header.
    """
    dated = [(_time(item), place, item) for place, item in enumerate(items)]
    if all(time is not None for time, _, _ in dated):
        dated.sort(key=lambda entry: (entry[0], entry[1]))
    return "\n\n".join(text for _, _, item in dated if (text := _entry(item)))


def named_list(value: list[Any]) -> str | None:
    """'Mail, Calendar' for a list of objects that have a name or value (components, options); None for other lists."""
    found = [_named(item) for item in value]
    return ", ".join(name for name in found if name) if value and None not in found else None


def option_text(value: dict[str, Any]) -> str | None:
    """The value of a choice field of Jira ('Network', or 'Network / DNS' for a cascading one); None for other objects."""
    if not isinstance(value.get("value"), str) or not value.keys() <= {"self", "value", "id", "child", "disabled"}:
        return None
    if len(value) == 1:
        return None
    child = value.get("child")
    inner = option_text(child) if isinstance(child, dict) else None
    return f"{value['value']} / {inner}" if inner else value["value"]


def _entry(item: dict[str, Any]) -> str:
    body: Any = next((item[key] for key in _TEXT_KEYS if item.get(key)), "")
    text = document_text(body).strip() if is_document(body) else body.strip() if isinstance(body, str) else ""
    if not text:
        return ""
    date, author = _date(item), _author(item)
    if not date and not author:
        return text
    hidden = item.get("public") is False or item.get("private") is True or item.get("jsdPublic") is False
    return f"{date or '0000-00-00 00:00:00'} - {author or 'unknown'} ({'Work notes' if hidden else 'Comments'})\n{text}"


def _date(item: dict[str, Any]) -> str:
    for key in _DATE_KEYS:
        if isinstance(item.get(key), str) and (match := _ISO.match(item[key].strip())):
            clock = match.group(2)
            return f"{match.group(1)} {clock if len(clock) > 5 else clock + ':00'}"
    return ""


def _time(item: dict[str, Any]) -> dt.datetime | None:
    for key in _DATE_KEYS:
        if isinstance(item.get(key), str) and (match := _ISO.match(item[key].strip())):
            zone = (match.group(3) or "+00:00").replace("Z", "+00:00")
            try:
                return dt.datetime.fromisoformat(f"{match.group(1)}T{match.group(2)}{zone}").astimezone(dt.UTC)
            except (ValueError, OverflowError):
                return None
    return None


def _author(item: dict[str, Any]) -> str:
    for key in _AUTHOR_KEYS:
        value = item.get(key)
        name = _named(value) if isinstance(value, dict) else value
        if isinstance(name, str) and name.strip():
            return " ".join(name.split())[:80].replace("(", "").replace(")", "")
    return ""


def _named(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((item[key].strip() for key in _NAME_KEYS if isinstance(item.get(key), str)), None)
