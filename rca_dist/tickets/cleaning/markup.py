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
_STRAY_LESS = re.compile(rf"<(?!/?{_KNOWN}(?:[\s/][^<>]*)?>|!--)", re.IGNORECASE)
_STRAY_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)")
_BREAK = re.compile(r"<(?:br|hr)\b[^<>]*>", re.IGNORECASE)
_PARAGRAPH_EDGE = re.compile(rf"</?(?:{_PARAGRAPH})\b[^<>]*>", re.IGNORECASE)
_LINE_EDGE = re.compile(rf"</?(?:{_LINE})\b[^<>]*>", re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)
_CELL_END = re.compile(r"</t[dh]\s*>", re.IGNORECASE)
# Marks for the parser to carry: form feeds are white space in HTML, so a table does not push them out.
_LINE_MARK, _PARAGRAPH_MARK = "\x0c", "\x0c\t\x0c"
# Indentation behind <pre> hides from the trimming around marks as private-use characters.
_PRE_INDENT = re.compile(r"(<pre\b[^<>]*>(?:\s*<code\b[^<>]*>)?)(?:\r?\n)?([ \t]+)", re.IGNORECASE)
_INDENT = "\ue0f0"
_LINK = re.compile(
    r"<a\b(?P<attributes>[^<>]*)>"
    r"(?P<text>[^<]{0,400}(?:</?(?:span|b|u|i|font|strong|em)\b[^<>]{0,400}>[^<]{0,400}){0,6})</a\s*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_TRACKING = re.compile(
    r"utm_|[?&](?:trk|track|mc_eid|fbclid|gclid|mkt_tok|_hs)|://[^/]*(?:safelinks|urldefense|list-manage|mandrillapp|sendgrid|"
    r"doubleclick|mimecast|proofpoint|clicks?\.|trk\.|track(?:ing)?\.|links?\.|email\.)",
    re.IGNORECASE,
)
_LONGEST_URL = 200


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
    source = _BREAK.sub("\n", source.replace("\x0c", " ").replace(_INDENT, " "))
    source = _LINK.sub(_with_address, source)
    source = _PRE_INDENT.sub(lambda match: match[1] + _INDENT * len(match[2].expandtabs(4)), source)
    source = _ITEM.sub(lambda match: f"{match.group(0)}- ", source)
    source = _CELL_END.sub(lambda match: f" {match.group(0)}", source)
    source = _PARAGRAPH_EDGE.sub(lambda match: _outside(match.group(0), _PARAGRAPH_MARK), source)
    source = _LINE_EDGE.sub(lambda match: _outside(match.group(0), _LINE_MARK), source)
    parser = LexborHTMLParser(source)
    parser.strip_tags(["script", "style", "head"])
    root = parser.root
    plain = root.text() if root is not None else ""
    return _lines_at_marks(plain).replace(_INDENT, " ").rstrip()


def _lines_at_marks(plain: str) -> str:
    """One line break for a run of marks and the white space around it, two where a paragraph's mark is among them."""
    result: list[str] = []
    between = "\n"
    for part in plain.split("\x0c"):
        if part == "\t":
            between = "\n\n"
        stripped = part.strip()
        if stripped:
            result += [between, stripped] if result else [stripped]
            between = "\n"
    return "".join(result)


def _with_address(link: re.Match[str]) -> str:
    """The link with its address behind the text, where that says more than the text and does not track the reader."""
    found = _HREF.search(link["attributes"])
    address = html.unescape(next(filter(None, found.groups()), "")).strip() if found else ""
    text = html.unescape(_TAG.sub("", link["text"])).strip()
    plain = address.split("://")[-1].rstrip("/")
    if (
        not address.lower().startswith(("http://", "https://", "ftp://", "\\\\"))
        or len(address) > _LONGEST_URL
        or _TRACKING.search(address)
        or plain.lower() in text.lower()
    ):
        return link[0]
    shown = html.escape(address, quote=False)
    return f"{link[0]} ({shown})" if text else f"{link[0]}{shown}"


def _outside(tag: str, mark: str) -> str:
    return tag + mark if tag.startswith("</") else mark + tag
