"""Which encoding the bytes of an export have: byte-order mark, strict UTF-8, UTF-16, cp1252, then statistics."""

import re

from rca_dist.errors import UserError
from rca_dist.tickets.reading import plausible
from rca_dist.tickets.reading.byte_scan import Scan, check_encoding, fits, is_text, line_of, multibyte_count, stray_count
from rca_dist.tickets.reading.content import Content

FORMATS = "CSV, JSON, JSONL, Parquet, Arrow or XLSX"
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def detect(content: Content, scan: Scan, head: bytes) -> tuple[str, int]:
    """The encoding, and how many bytes of a cut character to leave out at the end. Raises UserError when none fits."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return _with_bom(content, encoding, scan)
    if scan.first_nul >= 0:
        return _utf16_without_bom(content, scan)
    if scan.utf8_error < 0:
        return "utf-8", 0
    if scan.utf8_cut and multibyte_count(bytes(scan.high)) > 0:
        return "utf-8", _cut_character(content, scan.size - scan.utf8_error, "utf-8")
    return _by_evidence(content, scan), 0


def _with_bom(content: Content, encoding: str, scan: Scan) -> tuple[str, int]:
    width = {"utf-8-sig": 1, "utf-16": 2, "utf-32": 4}[encoding]
    if encoding == "utf-8-sig":
        if scan.utf8_cut:
            return encoding, _cut_character(content, scan.size - scan.utf8_error, encoding)
        if scan.utf8_error >= 0:
            raise UserError(
                f"{content.name}: begins like {encoding} but byte {scan.utf8_error} does not fit; the file is damaged or cut."
            )
        return encoding, 0
    if scan.size % width and content.lenient and scan.size > 2 * width:
        return encoding, _cut_character(content, scan.size % width, encoding)
    try:
        return check_encoding(content, encoding), 0
    except UserError as error:
        place = re.search(r"at byte (\d+)", str(error))
        where = f"byte {place.group(1)} does not fit" if place else "the rest does not fit"
        raise UserError(f"{content.name}: begins like {encoding} but {where}; the file is damaged or cut.") from None


def _cut_character(content: Content, count: int, encoding: str) -> int:
    if not content.lenient:
        raise UserError(
            f"{content.name}: the file is cut: its last {count} bytes are half a character ({encoding}). "
            "Export it again, or keep the complete rows with --data.lenient=true."
        )
    content.cut = True
    return count


def _utf16_without_bom(content: Content, scan: Scan) -> tuple[str, int]:
    # Mostly-Latin UTF-16 has its NULs on one side of each pair: odd offsets in little-endian, even in big-endian.
    odd, even = scan.nul_odd, scan.nul_even
    if (odd + even) * 100 < scan.size:
        _refuse_stray_nul(content, scan)
    encoding = "utf-16-le" if odd >= even else "utf-16-be"
    if min(odd, even) * 10 <= max(odd, even):
        dropped = _cut_character(content, 1, encoding) if scan.size % 2 and is_text(content, encoding) else 0
        if dropped or is_text(content, encoding, final=True):
            return encoding, dropped
    raise UserError(
        f"{content.name}: this is a binary file (it holds NUL bytes and is no UTF-16 text); give a {FORMATS} export."
    )


def _refuse_stray_nul(content: Content, scan: Scan) -> None:
    """A few NUL bytes in what is text otherwise: say where the first stands. Raises UserError, or returns for binary."""
    with content.open() as stream:
        before = stream.read(scan.first_nul + 100_000)
    text = before.replace(b"\x00", b"").decode("utf-8", "ignore")
    if scan.utf8_error < 0 and _CONTROL.search(text) is None:
        line = len(before[: scan.first_nul].splitlines()) or 1
        raise UserError(
            f"{content.name}: damaged text: {scan.nul_odd + scan.nul_even} NUL bytes, the first in line {line}; "
            "export it again or take them out."
        )


def _by_evidence(content: Content, scan: Scan) -> str:
    """cp1252, another code page, or an error for UTF-8 with a few broken bytes, whichever the bytes speak for."""
    sample = bytes(scan.high)
    whole, strays = multibyte_count(sample), stray_count(sample)
    if whole >= 3 and strays * 2 <= whole:
        line = line_of(content, scan.utf8_error)
        raise UserError(
            f"{content.name}: nearly all of it is UTF-8, but byte {scan.utf8_error} (line {line}) is not: "
            "two encodings in one file, or damage. Export it again as UTF-8, "
            "or name the encoding that should win with --data.encoding=cp1252."
        )
    if not plausible.side_by_side(sample):
        found = plausible.by_letters(sample) or ("" if plausible.signs_in_words(sample) else "cp1252")
        if found and fits(content, found):
            return found
    return _by_statistics(content, sample)


def _by_statistics(content: Content, sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(
        sample,
        cp_exclusion=[
            "latin_1",
            "iso8859_1",
            "cp1252",
            "utf_7",
            "utf_16",
            "utf_32",
            "utf_16_le",
            "utf_16_be",
            "utf_32_le",
            "utf_32_be",
        ],
    ).best()
    if best is not None and fits(content, best.encoding):
        return best.encoding
    raise UserError(
        f"{content.name}: the bytes are no UTF-8, UTF-16 or cp1252 text, and no other encoding fits well; "
        "if it is a text file, name its encoding with --data.encoding=..."
    )
