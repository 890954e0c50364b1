"""Bytes of an export to text: which encoding, and is it text at all."""

import re
from collections import Counter
from dataclasses import dataclass

from rca_dist.errors import UserError

_MAGIC = (
    (b"PK\x03\x04", "a zip or Excel (.xlsx) file", "open it in a spreadsheet and save it as 'CSV UTF-8'"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls) file", "open it in a spreadsheet and save it as 'CSV UTF-8'"),
    (b"%PDF", "a PDF file", "export the tickets as CSV or JSON"),
    (b"\x89PNG", "a PNG image", "export the tickets as CSV or JSON"),
    (b"\xff\xd8\xff", "a JPEG image", "export the tickets as CSV or JSON"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive", "unpack it first"),
    (b"\x7fELF", "a program", "give the ticket export"),
    (b"SQLite format 3", "an SQLite database", "export the ticket table as CSV"),
)
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Decoded:
    """Text of a file, the encoding it was read with, and its most frequent accented words."""

    text: str
    encoding: str
    preview: list[str]


def decode(data: bytes, name: str, encoding: str | None = None) -> Decoded:
    """Decode `data`: `encoding` if given, else BOM, strict UTF-8, UTF-16 (by its NULs), cp1252, then a detector.

    latin-1 is never tried: it accepts every byte and turns a typographic apostrophe into a control character.
    Raises UserError for a binary file, an unknown encoding, or bytes that do not fit.
    """
    for magic, what, todo in _MAGIC:
        if data.startswith(magic):
            raise UserError(f"{name}: this is {what}, not a text export; {todo}.")
    text, used = _as_named(data, name, encoding) if encoding else _detect(data, name)
    text = text.removeprefix("\ufeff")
    head = text[:200_000]
    if len(_CONTROL.findall(head)) > max(1, len(head) // 100):
        raise UserError(
            f"{name}: this looks like a binary file (control characters in the text, read as {used}); "
            "give a CSV, JSON, JSONL or Parquet export, or name the encoding with --data.encoding=..."
        )
    return Decoded(text, used, _preview(text))


def _as_named(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    try:
        return data.decode(encoding), encoding
    except LookupError:
        raise UserError(
            f"data.encoding={encoding!r} is not a text encoding that Python knows; use for example utf-8, cp1252, utf-16."
        ) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(
            f"{name}: not valid {encoding} at byte {error.start} (about line {line}); leave data.encoding out to "
            "have it "
            "detected, or name another one."
        ) from None
    except (UnicodeError, ValueError) as error:
        raise UserError(f"{name}: cannot be read as {encoding} ({error}); name another data.encoding.") from None


def _detect(data: bytes, name: str) -> tuple[str, str]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(encoding), encoding
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{name}: begins like {encoding} but byte {error.start} does not fit; the file is damaged or cut."
                ) from None
    if b"\x00" in data:
        return _utf16_without_bom(data, name)
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return _by_statistics(data, name)


def _utf16_without_bom(data: bytes, name: str) -> tuple[str, str]:
    # Mostly-Latin UTF-16 has its NULs on one side of each pair: odd offsets in little-endian, even in big-endian.
    odd, even = data[1::2].count(0), data[0::2].count(0)
    if (odd + even) * 100 < len(data):
        _refuse_stray_nul(data, name)
    encoding = "utf-16-le" if odd >= even else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text or min(odd, even) * 10 > max(odd, even):
        raise UserError(
            f"{name}: this is a binary file (it holds NUL bytes and is no UTF-16 text); "
            "give a CSV, JSON, JSONL or Parquet export."
        )
    return text, encoding


def _refuse_stray_nul(data: bytes, name: str) -> None:
    """A few NUL bytes in what is text otherwise: say where the first stands. Raises UserError, or returns for binary."""
    try:
        text = data.replace(b"\x00", b"").decode("utf-8")
    except UnicodeDecodeError:
        return
    if _CONTROL.search(text) is None:
        line = len(data[: data.index(b"\x00")].splitlines()) or 1
        raise UserError(
            f"{name}: damaged text: {data.count(0)} NUL bytes, the first in line {line}; export it again or take them out."
        )


def _by_statistics(data: bytes, name: str) -> tuple[str, str]:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:500_000], cp_exclusion=["latin_1", "iso8859_1"]).best()
    if best is not None:
        try:
            return data.decode(best.encoding), best.encoding
        except (UnicodeError, LookupError):
            pass
    raise UserError(
        f"{name}: the bytes are no UTF-8, UTF-16 or cp1252 text, and no other encoding fits well; "
        "if it is a text file, name its encoding with --data.encoding=..."
    )


def _preview(text: str, most: int = 8) -> list[str]:
    # Words that begin with a small letter come first: capitalised ones are more often people's names.
    counts = Counter(word for word in _WORD.findall(text[:500_000]) if len(word) <= 40 and not word.isascii())
    ranked = sorted(counts, key=lambda word: (word[:1].isupper(), -counts[word], word))
    return ranked[:most]
