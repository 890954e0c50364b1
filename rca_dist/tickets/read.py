"""A file on disk to text columns: format, compression, encoding, and what is wrong when it cannot be read."""

import difflib
import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rca_dist.errors import UserError
from rca_dist.tickets import records
from rca_dist.tickets.decode import decode
from rca_dist.tickets.delimited import parse_delimited

_LARGEST_UNPACKED = 8 * 2**30
_FORMATS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass
class RawTable:
    """Columns of text as read (all of equal length); `numbers` is each row's number in the file."""

    name: str
    format: str
    columns: dict[str, list[str]]
    numbers: list[int]
    encoding: str | None = None
    delimiter: str | None = None
    preview: list[str] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows kept; `dropped` counts those left out."""
        return len(self.numbers)


def read_bytes(path: str | Path) -> bytes:
    """The bytes of an export. Raises UserError when there is no such file, or it is none."""
    text = str(path).strip()
    if "://" in text:
        raise UserError(f"data.path={text!r} is a web address; download the file first and give its path.")
    if not text:
        raise UserError("data.path is empty; give the path of a ticket export.")
    try:
        file = Path(text).expanduser()
        if file.is_dir():
            inside = sorted(item.name for item in file.iterdir() if item.is_file())[:5]
            raise UserError(
                f"{text}: is a folder; name one file in it" + (f", such as {', '.join(inside)}." if inside else ".")
            )
        if not file.exists():
            raise UserError(f"{text}: no such file.{_near_names(file)}")
        if not file.is_file():
            raise UserError(f"{text}: is not a regular file.")
        return file.read_bytes()
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{text}: cannot be read ({reason}).") from None


def _near_names(file: Path) -> str:
    if not file.parent.is_dir():
        return f" The folder {str(file.parent)!r} does not exist either."
    names = [item.name for item in file.parent.iterdir()]
    near = difflib.get_close_matches(file.name, names, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else f" The folder {str(file.parent)!r} has {len(names)} entries."


def parse(
    data: bytes, name: str, *, encoding: str | None = None, delimiter: str | None = None, lenient: bool = False
) -> RawTable:
    """Parse the bytes of a CSV/TSV, JSON, JSONL or Parquet export, also gzipped; every value stays text.

    Raises UserError, with the file's name and the row, for anything that cannot be read as a table with rows.
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if data.startswith(b"\x1f\x8b"):
        data = _unpack(data, name)
    suffix = next((suffix for suffix in reversed(suffixes) if suffix in _FORMATS), "")
    if not data.strip():
        raise UserError(f"{name}: the file is empty.")
    dropped: Counter[str] = Counter()
    if data.startswith(b"PAR1") or _FORMATS.get(suffix) == "parquet":
        columns, numbers = records.to_columns(records.parse_parquet(data, name), name, lenient, dropped)
        table = RawTable(name, "parquet", columns, numbers, dropped=dropped)
    else:
        decoded = decode(data, name, encoding)
        if not decoded.text.strip():
            raise UserError(f"{name}: the file is empty.")
        table = _parse_text(decoded.text, name, suffix, delimiter, lenient)
        table.encoding, table.preview = decoded.encoding, decoded.preview
    if not table.rows:
        if table.dropped.total():
            raise UserError(f"{name}: no row could be read ({_counts(table.dropped)}).")
        raise UserError(f"{name}: has a header but no rows." if table.columns else f"{name}: holds no tickets.")
    return table


def _parse_text(text: str, name: str, suffix: str, delimiter: str | None, lenient: bool) -> RawTable:
    form = _FORMATS.get(suffix) or ("json" if text.lstrip()[:1] in "[{" else "delimited")
    if form == "json" and records.looks_like_json_lines(text):
        form = "jsonl"
    dropped: Counter[str] = Counter()
    if form == "delimited":
        rows = parse_delimited(text, name, delimiter, lenient)
        cells = list(zip(*rows.rows, strict=True)) if rows.rows else [()] * len(rows.header)
        columns = {header: list(column) for header, column in zip(rows.header, cells, strict=True)}
        return RawTable(name, form, columns, rows.numbers, delimiter=rows.delimiter, dropped=rows.dropped)
    if form == "json":
        items = records.parse_json(text, name)
    else:
        items = records.parse_json_lines(text, name, lenient, dropped)
    columns, numbers = records.to_columns(items, name, lenient, dropped)
    return RawTable(name, form, columns, numbers, dropped=dropped)


def _unpack(data: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = stream.read(_LARGEST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error):
        raise UserError(f"{name}: the gzip file is cut or damaged; fetch it again.") from None
    if len(unpacked) > _LARGEST_UNPACKED:
        raise UserError(f"{name}: unpacks to more than {_LARGEST_UNPACKED >> 30} GiB; unpack and split it first.")
    return unpacked


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
