"""HTML and entities to plain text, without harm to text that only looks like markup."""

import html
import re

_PARAGRAPH = "p|h[1-6]|ul|ol|table|blockquote|pre"
_LINE = "div|li|tr|section|article|dl|dt|dd"
_BLOCK = f"{_PARAGRAPH}|{_LINE}"
_INLINE = (
    "span|b|i|u|s|em|strong|a|code|kbd|td|th|thead|tbody|small|sub|sup|font|center|img|style|script|html|head|body|"
    "meta|"
    "link|title|button|label|o:p"
)
_KNOWN = f"(?:{_BLOCK}|{_INLINE}|br|hr)"
# Markup shows by a closing tag, a line break, or an attribute: '<host>' and 'a < b' have none of them.
_IS_HTML = re.compile(rf"</{_KNOWN}\s*>|<(?:br|hr)\s*/?>|<{_KNOWN}\s+[\w:-]+\s*=\s*[\"']?", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_STRAY_LESS = re.compile(rf"<(?!/?{_KNOWN}(?:\s[^<>]*)?/?\s*>|!--)", re.IGNORECASE)
_STRAY_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)")
_BREAK = re.compile(r"<(?:br|hr)\b[^<>]*>", re.IGNORECASE)
_PARAGRAPH_EDGE = re.compile(rf"</?(?:{_PARAGRAPH})\b[^<>]*>", re.IGNORECASE)
_LINE_EDGE = re.compile(rf"</?(?:{_LINE})\b[^<>]*>", re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)
_CELL_END = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
# Marks for the parser to carry: form feeds are white space in HTML, so a table does not push them out.
_LINE_MARK, _PARAGRAPH_MARK = "\x0c", "\x0c\t\x0c"
_MARKS = re.compile(r"\s*\x0c\s*")


def strip_markup(text: str) -> str:
    """Plain text of an HTML cell: line breaks, list marks and code kept, entities resolved.

    Escaped HTML ('&lt;p&gt;') is unescaped first. Text without a tag or an entity comes back unchanged.
    """
    if _IS_HTML.search(text):
        return _text_of(text)
    if not _ENTITY.search(text):
        return text
    unescaped = _ENTITY.sub(lambda match: html.unescape(match.group(0)), text)
    return _text_of(unescaped) if _IS_HTML.search(unescaped) else unescaped


def _text_of(source: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    # Neither '<host>' nor 'R&D;' nor '?a=1&copy=2' is markup; escaped, they survive the parser.
    source = _STRAY_AMPERSAND.sub("&amp;", _STRAY_LESS.sub("&lt;", source))
    # The parser's text has no line structure, so marks go in before it, on the outer side of each tag.
    source = _BREAK.sub("\n", source.replace("\x0c", " "))
    source = _ITEM.sub(lambda match: f"{match.group(0)}- ", source)
    source = _CELL_END.sub(lambda match: f" {match.group(0)}", source)
    source = _PARAGRAPH_EDGE.sub(lambda match: _outside(match.group(0), _PARAGRAPH_MARK), source)
    source = _LINE_EDGE.sub(lambda match: _outside(match.group(0), _LINE_MARK), source)
    parser = LexborHTMLParser(source)
    parser.strip_tags(["script", "style", "head"])
    root = parser.root
    plain = root.text() if root is not None else ""
    return _MARKS.sub(lambda match: "\n\n" if _PARAGRAPH_MARK in match.group(0) else "\n", plain).strip()


def _outside(tag: str, mark: str) -> str:
    return tag + mark if tag.startswith("</") else mark + tag
