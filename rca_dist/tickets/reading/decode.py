"""Bytes of an export to text: which encoding, and is it text at all. The bytes are streamed, never held whole."""

import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TextIO

from rca_dist.errors import UserError
from rca_dist.tickets.reading.byte_scan import check_encoding, scan_bytes
from rca_dist.tickets.reading.content import Content
from rca_dist.tickets.reading.detect import FORMATS, detect

_SAVE_AS = "open it in a spreadsheet and save it as .xlsx or 'CSV UTF-8'"
_MAGIC = (
    (b"PK\x03\x04", "a zip or Excel (.xlsx) file", _SAVE_AS),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) or a password-protected file", _SAVE_AS),
    (b"%PDF", "a PDF file", "export the tickets as CSV or JSON"),
    (b"\x89PNG", "a PNG image", "export the tickets as CSV or JSON"),
    (b"\xff\xd8\xff", "a JPEG image", "export the tickets as CSV or JSON"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive", "unpack it first"),
    (b"\x1f\x8b", "a gzip file inside a gzip file", "unpack it first"),
    (b"\xfd7zXZ", "an xz file", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (b"\x7fELF", "a program", "give the ticket export"),
    (b"SQLite format 3", "an SQLite database", "export the ticket table as CSV"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Choice:
    """The encoding of an export and its most frequent accented words; `dropped_end` counts bytes of a cut character."""

    encoding: str
    preview: list[str]
    dropped_end: int = 0


def choose(content: Content, encoding: str | None = None) -> Choice:
    """Choose the encoding: `encoding` if given, else BOM, strict UTF-8, UTF-16, cp1252, then a detector.

    cp1252 is only taken when the text it gives is plausible. latin-1 is never tried: it accepts every byte and turns a
    typographic apostrophe into a control character. Raises UserError for a binary file, an unknown encoding, or bytes
    that do not fit; a character cut at the end of the file is left out when `content.lenient`.
    """
    name, head = content.name, content.head(200_000)
    for magic, what, todo in _MAGIC:
        if head.startswith(magic):
            raise UserError(f"{name}: this is {what}, not a text export; {todo}.")
    scan = scan_bytes(content)
    used, dropped_end = (check_encoding(content, encoding), 0) if encoding else detect(content, scan, head)
    sample = head.decode(used, "ignore").removeprefix("\ufeff")
    if len(_CONTROL.findall(sample)) > max(1, len(sample) // 100):
        raise UserError(
            f"{name}: this looks like a binary file (control characters in the text, read as {used}); "
            f"give a {FORMATS} export, or name the encoding with --data.encoding=..."
        )
    _refuse_markup(sample, name)
    # Lines with accents may come after a long plain beginning; UTF-16 and UTF-32 cannot be cut at line feeds.
    wide = used.startswith(("utf-16", "utf-32"))
    return Choice(used, _preview(sample if wide else bytes(scan.high).decode(used, "ignore")), dropped_end)


def open_text(content: Content, choice: Choice) -> TextIO:
    """The text as a stream, with every line end as it stands; a byte-order mark may still lead it."""
    stream = content.open()
    if choice.dropped_end:
        with stream:
            stream = io.BytesIO(stream.read()[: -choice.dropped_end])
    return io.TextIOWrapper(stream, encoding=choice.encoding, newline="")


def _refuse_markup(sample: str, name: str) -> None:
    start = sample.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html", "<table")):
        raise UserError(f"{name}: this is an HTML page, not a table file; {_SAVE_AS}.")
    if start.startswith("<?xml"):
        raise UserError(f"{name}: this is an XML file; export the tickets as CSV or JSON, or {_SAVE_AS}.")


def _preview(text: str, most: int = 8) -> list[str]:
    # Words that begin with a small letter come first: capitalised ones are more often people's names.
    counts = Counter(word for word in _WORD.findall(text[:500_000]) if len(word) <= 40 and not word.isascii())
    ranked = sorted(counts, key=lambda word: (word[:1].isupper(), -counts[word], word))
    return ranked[:most]
