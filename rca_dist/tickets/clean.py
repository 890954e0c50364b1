"""Cell cleaning, each rule counted by the cells it changed; the text as read is never written anywhere."""

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.cleaning import journal_entries
from rca_dist.tickets.cleaning.boilerplate import is_boilerplate
from rca_dist.tickets.cleaning.greetings import strip_greeting
from rca_dist.tickets.cleaning.mail import strip_thread
from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.cleaning.notices import strip_notices
from rca_dist.tickets.cleaning.signatures import strip_signature
from rca_dist.tickets.cleaning.structured import unfold
from rca_dist.tickets.words import is_missing

__all__ = ["Cleaner", "has_real_breaks", "is_boilerplate", "normalise_whitespace"]

_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t\x0b\x0c]")
_INDENT_TABS = re.compile(r"^[ ]{0,40}\t[ \t]{0,40}", re.MULTILINE)
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f\x80-\x9f]")
_RUN = re.compile(r"[^ \n\t]+")
_MANY_BLANK = re.compile(r"\n{3,}")
_EXCEL_RETURN = re.compile(r"_x000[dD]_(?:\r?\n)?")
_POWER_QUERY = re.compile(r"(?:#\(cr\))?#\(lf\)|#\(cr\)")
# Stands for a newline: \n or \r\n, except inside a Windows path or a DOMAIN\name.
_ESCAPED_BREAK = re.compile(
    r"(?P<keep>(?<![A-Za-z])[A-Za-z]:\\\S*|\\\\[\w.-]+\\\S*|\b[A-Z][A-Z0-9_-]{1,14}\\n[a-z]\w*)|(?:\\r)?\\n"
)


class Cleaner:
    """Cleans columns of text; `counts` says how many cells each rule changed.

    Picklable, and counts of several cleaners add up, so that worker processes may each take some rows of a column.
    `repair_mojibake` mends text that was decoded with the wrong encoding ('ProblÃ¨me') and needs the package ftfy.
    """

    def __init__(self, repair_mojibake: bool = False) -> None:
        if repair_mojibake:
            _require_ftfy()
        self.repair_mojibake = repair_mojibake
        self.counts: Counter[str] = Counter()

    def column(
        self,
        cells: list[str],
        *,
        journal: bool = False,
        answer: bool = False,
        cut_at: Sequence[dt.datetime | None] = (),
        real_breaks: bool | None = None,
        date_order: str | None = None,
    ) -> list[str]:
        """Clean one column, or some rows of one.

        `journal`: cells hold dated entries; they come out oldest first and without names. With `cut_at` (one UTC time a
        row, None for no cut) entries from that time on are left out; with `answer` only the last entry that says something
        stays. Cells of an `answer` lose the greeting line that they open with.
        `real_breaks` (`has_real_breaks`) and `date_order` (`journal_entries.date_order_of`) depend on the whole column: give
        them with a part of it. Raises ValueError when `cut_at` has another length than `cells`.
        """
        if real_breaks is None:
            real_breaks = has_real_breaks(cells)
        if not journal:
            texts = [self._cell(cell, real_breaks) for cell in cells]
            return [self._without_greeting(text) for text in texts] if answer else texts
        if cut_at and len(cut_at) != len(cells):
            raise ValueError(f"cut_at has {len(cut_at)} times for {len(cells)} cells")
        texts = [self._plain(cell, real_breaks) for cell in cells]
        if date_order is None:
            date_order = journal_entries.date_order_of(texts)
        moments = cut_at or [None] * len(cells)
        return [self._journal(text, moment, answer, date_order) for text, moment in zip(texts, moments, strict=True)]

    def _cell(self, cell: str, real_breaks: bool) -> str:
        text = self._plain(cell, real_breaks)
        if journal_entries.has_header(text):
            text = self._counted("journal header", text, journal_entries.without_headers(text))
        return self._without_mail(text)

    def _journal(self, text: str, cut_at: dt.datetime | None, answer: bool, date_order: str) -> str:
        found = journal_entries.entries(text, date_order)
        if found and (len(found) > 1 or found[0].author):
            self.counts["journal header"] += 1
            kept = journal_entries.written_before(found, cut_at)
            self.counts["journal cut at resolution"] += len(kept) < len(found)
            found = kept
        found = [journal_entries.Entry(entry.time, entry.author, entry.kind, self._without_mail(entry.text)) for entry in found]
        if answer:
            return self._without_greeting(journal_entries.answer_of(found))
        return "\n\n".join(entry.text for entry in found if entry.text)

    def _plain(self, cell: str, real_breaks: bool) -> str:
        """Text without markup, escapes and odd characters; empty for a missing-value word."""
        if is_missing(cell):
            self.counts["missing-value word"] += bool(cell.strip())
            return ""
        text = cell
        if self.repair_mojibake and not text.isascii():
            text = self._counted("mojibake", text, _repaired(text))
        if text[-1:] in "]} \n" or text[:1] in "[{ ":
            text = self._counted("list or record", text, unfold(text))
        text = self._counted("literal line breaks", text, _line_breaks(text, real_breaks))
        if "<" in text or "&" in text:
            text = self._counted("HTML", text, strip_markup(text))
        text = self._counted("Unicode and whitespace", text, normalise_whitespace(text))
        if is_missing(text):
            self.counts["missing-value word"] += bool(text)
            return ""
        return text

    def _without_mail(self, text: str) -> str:
        if len(text) < 8:
            return text
        before = text
        text = self._counted("quoted mail", text, strip_thread(text))
        text = self._counted("mail notice", text, strip_notices(text))
        text = self._counted("signature", text, strip_signature(text))
        return text if text is before else normalise_whitespace(text)

    def _without_greeting(self, text: str) -> str:
        return self._counted("greeting", text, strip_greeting(text)) if "\n" in text else text

    def _counted(self, rule: str, before: str, after: str) -> str:
        if before != after:
            self.counts[rule] += 1
        return after


def has_real_breaks(cells: Sequence[str]) -> bool:
    """True when a column holds a real line break: then a literal backslash-n in it is text."""
    return any("\n" in cell or "\r" in cell for cell in cells)


def normalise_whitespace(text: str) -> str:
    """NFC, plain spaces and line ends, no zero-width or control characters, no trailing space, no third blank line."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\t" in text:
        text = _INDENT_TABS.sub(lambda match: match[0].expandtabs(4), text)
    text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    if " \n" in text or text.endswith(" "):
        text = "\n".join(line.rstrip(" ") for line in text.split("\n"))
    return _MANY_BLANK.sub("\n\n", text).strip()


def _line_breaks(text: str, real_breaks: bool) -> str:
    if "_x000" in text:
        # With a real newline behind it the mark is only the carriage return of that line end.
        text = _EXCEL_RETURN.sub("\n", text)
    if real_breaks:
        return text
    if "#(" in text:
        text = _POWER_QUERY.sub("\n", text)
    if "\\n" in text:
        text = _ESCAPED_BREAK.sub(lambda match: match["keep"] or "\n", text)
    return text


def _require_ftfy() -> Any:
    try:
        import ftfy
    except ImportError:
        raise UserError(
            "data.repair_mojibake=true needs the package ftfy: run `pip install ftfy`, or leave the setting out."
        ) from None
    return ftfy


def _repaired(text: str) -> str:
    """Only wrong decodings are undone; curly quotes, ligatures and wide characters stay as they are written.

    Word by word: a cell may hold right and wrong text side by side, and decoding all of it again would harm the right part.
    """
    ftfy = _require_ftfy()
    config = ftfy.TextFixerConfig(
        uncurl_quotes=False, fix_latin_ligatures=False, fix_character_width=False, unescape_html=False
    )

    def word(match: re.Match[str]) -> str:
        found = match[0]
        return str(ftfy.fix_encoding(found, config)) if not found.isascii() and ftfy.is_bad(found) else found

    repaired = _RUN.sub(word, text)
    # The second half of a wrong 'à' is a no-break space, which many tools turn into a plain one.
    return repaired if repaired == text else repaired.replace("\u00c3 ", "\u00e0 ")
