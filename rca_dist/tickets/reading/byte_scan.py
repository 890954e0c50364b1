"""Passes over the bytes of an export: where they stop being UTF-8, whether they fit an encoding, which line is where."""

import codecs
import re
from dataclasses import dataclass, field

from rca_dist.errors import UserError
from rca_dist.tickets.reading.content import Content

_CHUNK = 1 << 20
_SAMPLE = 400_000
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass
class Scan:
    """One pass over the bytes: size, NULs by side of each pair, where UTF-8 breaks, and lines with bytes above 127."""

    size: int = 0
    nul_even: int = 0
    nul_odd: int = 0
    first_nul: int = -1
    utf8_error: int = -1
    utf8_cut: bool = False
    high: bytearray = field(default_factory=bytearray)


def scan_bytes(content: Content) -> Scan:
    """Read the bytes once."""
    scan, decoder, valid = Scan(), codecs.getincrementaldecoder("utf-8")(), True
    with content.open() as stream:
        while chunk := stream.read(_CHUNK):
            if scan.first_nul < 0 and (place := chunk.find(0)) >= 0:
                scan.first_nul = scan.size + place
            if scan.first_nul >= 0:
                even, odd = chunk[scan.size % 2 :: 2].count(0), chunk[1 - scan.size % 2 :: 2].count(0)
                scan.nul_even, scan.nul_odd = scan.nul_even + even, scan.nul_odd + odd
            if valid:
                pending = len(decoder.getstate()[0])
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    valid, scan.utf8_error = False, scan.size - pending + error.start
            if len(scan.high) < _SAMPLE and not chunk.isascii():
                lines = (line for line in chunk.splitlines(keepends=True) if not line.isascii())
                scan.high += b"".join(lines)[:_SAMPLE]
            scan.size += len(chunk)
    if valid and (pending := len(decoder.getstate()[0])):
        scan.utf8_error, scan.utf8_cut = scan.size - pending, True
    return scan


def check_encoding(content: Content, encoding: str) -> str:
    """The encoding itself. Raises UserError for one that Python does not know, or that the bytes do not fit."""
    try:
        if codecs.lookup(encoding).name in ("idna", "punycode"):
            raise LookupError
        decoder = codecs.getincrementaldecoder(encoding)()
        if not isinstance(decoder.decode(b""), str):
            raise LookupError
    except (LookupError, TypeError, ValueError):
        raise UserError(
            f"data.encoding={encoding!r} is not a text encoding that Python knows; use for example utf-8, cp1252, utf-16."
        ) from None
    done = lines = 0
    with content.open() as stream:
        chunk = b"start"
        while chunk:
            chunk = stream.read(_CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                line = lines + chunk[: max(error.start - pending, 0)].count(b"\n") + 1
                raise UserError(
                    f"{content.name}: not valid {encoding} at byte {done - pending + error.start} (about line {line}); "
                    "leave data.encoding out to have it detected, or name another one."
                ) from None
            except (UnicodeError, ValueError) as error:
                raise UserError(
                    f"{content.name}: cannot be read as {encoding} ({error}); name another data.encoding."
                ) from None
            done, lines = done + len(chunk), lines + chunk.count(b"\n")
    return encoding


def is_text(content: Content, encoding: str, final: bool = False) -> bool:
    """True when the bytes decode to text without NUL; `final` says that the last character must be whole."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with content.open() as stream:
        try:
            while chunk := stream.read(_CHUNK):
                if "\x00" in decoder.decode(chunk):
                    return False
            decoder.decode(b"", final=final)
        except UnicodeDecodeError:
            return False
    return True


def fits(content: Content, encoding: str) -> bool:
    """True when every byte fits the encoding."""
    try:
        check_encoding(content, encoding)
    except UserError:
        return False
    return True


def line_of(content: Content, place: int) -> int:
    """Number, from 1, of the line that holds byte `place`."""
    with content.open() as stream:
        return len(stream.read(place + 1).splitlines())


def multibyte_count(sample: bytes) -> int:
    """How many well-formed UTF-8 characters of two or more bytes stand in the sample."""
    return len(_MULTIBYTE.findall(sample))


def stray_count(sample: bytes) -> int:
    """How many bytes above 127 belong to no such character."""
    return sum(byte > 127 for byte in _MULTIBYTE.sub(b"", sample))
