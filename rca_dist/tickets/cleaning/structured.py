"""Cells that hold a stringified list or record ("['a', 'b']", '{"step": 1}') to plain lines of text."""

import json
import re
from typing import Any

_OPEN = {"[": "]", "(": ")", "{": "}"}
_DEEPEST = 40
_TOKEN = re.compile(
    r"\s*(?:(?P<sign>[\[\](){}:,=])"
    r"|[uUbBrR]?(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<number>[+-]?\d[\w.+-]*)"
    r"|(?P<name>[A-Za-z_][\w.]*))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\n|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "", "f": "", "0": "", "\n": ""}
_VALUES = {"true": True, "false": False, "none": None, "null": None, "nan": None, "nat": None}


def unfold(text: str) -> str:
    """Lines for a cell that is one list or record written as text; any other cell comes back unchanged.

    Read are JSON and Python notation, also `array([...], dtype=object)` and `datetime(2024, 3, 5)`. A list gives one line an
    item, a record 'key: value' lines (nested keys joined by dots), a list of records a blank line between them.
    """
    stripped = text.strip()
    if len(stripped) < 3 or stripped[-1] != _OPEN.get(stripped[0]) or stripped[0] == "(":
        return text
    try:
        value = json.loads(stripped, strict=False, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        try:
            value = _Reader(stripped).whole()
        except (ValueError, RecursionError):
            return text
    if not isinstance(value, list | dict) or (isinstance(value, list) and not _has_text(value)):
        return text
    try:
        return _render(value)
    except RecursionError:
        return text


class _Reader:
    """Reads Python or JSON notation in one pass; ValueError where the text is something else."""

    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0

    def whole(self) -> Any:
        value = self._value(self._next(), 0)
        if self.source[self.at :].strip():
            raise ValueError("text behind the value")
        return value

    def _next(self) -> re.Match[str]:
        match = _TOKEN.match(self.source, self.at)
        if match is None:
            raise ValueError("no literal")
        self.at = match.end()
        return match

    def _peek(self) -> str:
        match = _TOKEN.match(self.source, self.at)
        return (match["sign"] or "") if match else ""

    def _value(self, token: re.Match[str], depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("nested too deep")
        if token["text"] is not None:
            return _ESCAPE.sub(_unescape, token["text"][1:-1])
        if token["number"] is not None:
            return token["number"]
        if token["name"] is not None:
            if self._peek() == "(":
                self._next()
                return self._call(depth)
            if token["name"].lower() in _VALUES:
                return _VALUES[token["name"].lower()]
            raise ValueError("a bare word")
        if token["sign"] not in _OPEN:
            raise ValueError("no value")
        items, record = self._items(_OPEN[token["sign"]], depth)
        return record if record or (token["sign"] == "{" and not items) else items

    def _items(self, closing: str, depth: int) -> tuple[list[Any], dict[str, Any]]:
        items: list[Any] = []
        record: dict[str, Any] = {}
        while True:
            token = self._next()
            if token["sign"] == closing:
                return items, record
            if token["sign"] == ",":
                continue
            if token["name"] and self._peek() == "=":  # dtype=object
                self._next()
                self._next()
                continue
            value = self._value(token, depth + 1)
            if closing == "}" and self._peek() == ":":
                self._next()
                record[str(value)] = self._value(self._next(), depth + 1)
            else:
                items.append(value)

    def _call(self, depth: int) -> Any:
        """`array([...], dtype=object)` is its list, `datetime(2024, 3, 5)` its numbers joined by dashes."""
        items, _ = self._items(")", depth + 1)
        if len(items) == 1 or (items and isinstance(items[0], list | dict)):
            return items[0]
        return "-".join(map(str, items))


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        char = chr(int(code[1:], 16))
        return "\ufffd" if "\ud800" <= char <= "\udfff" else char
    return _ESCAPES.get(code, code if code in "'\"\\/" else f"\\{code}")


def _has_text(value: list[Any]) -> bool:
    """Numbers alone in brackets ('[404]', '[3, 4]') are a code or a reference, not a list of texts."""
    return any(isinstance(item, list | dict) or (isinstance(item, str) and not item[:1].isdigit()) for item in value)


def _render(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(_fields(value, ""))
    if isinstance(value, list):
        parts = [part for part in map(_render, value) if part]
        return ("\n\n" if any(isinstance(item, dict) for item in value) else "\n").join(parts)
    return _scalar(value)


def _fields(record: dict[str, Any], prefix: str) -> list[str]:
    lines: list[str] = []
    for key, value in record.items():
        name = f"{prefix}{key}"
        texts: list[str] = []
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                lines += _fields(item, f"{name}.")
            else:
                texts.append(_render(item))
        if text := ", ".join(filter(None, texts)):
            lines.append(f"{name}: {text}")
    return lines


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
