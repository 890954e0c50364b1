"""Excel workbooks (.xlsx) to columns: the sheet with the tickets, its header row, and cells as a person reads them."""

import datetime as dt
import io
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.answer_names import answer_rank
from rca_dist.tickets.reading.content import LARGEST_RATIO, RATIO_FROM, Content
from rca_dist.tickets.reading.footers import FOOTER, footer_note, is_footer
from rca_dist.tickets.reading.gather import joiner
from rca_dist.tickets.reading.merge import column_key
from rca_dist.tickets.reading.text_columns import RowColumns

_LARGEST_UNPACKED = 4 * 2**30
_MOST_ROWS = 1_048_576
_MOST_CELLS = 200_000_000
_LOOK = 40
_KNOWN = frozenset((*names.ID, *names.TITLE, *names.DESCRIPTION, *names.CREATED, *names.SUMMARY))
_ZEROS = re.compile(r"0{2,}")


@dataclass
class Sheet:
    """Columns of one sheet, the row number of each ticket in it, rows left out by reason, and what was noticed."""

    columns: dict[str, list[str]]
    numbers: list[int]
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    title: str = ""


@dataclass(frozen=True)
class _Header:
    """Where the header of a sheet is (row from 1), its texts, and how many of them are known names of ticket columns."""

    row: int
    texts: tuple[str, ...]
    known: int

    @property
    def rank(self) -> int:
        return 2 if self.known >= 2 else 1 if len(self.texts) >= 3 else 0

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(map(column_key, self.texts))


def parse_workbook(content: Content, sheet: str | None = None) -> list[Sheet]:
    """Read `sheet` (a name, or a number from 1) of a workbook, or all visible sheets with the header of the first one that
    holds a table of tickets (one sheet a month is common).

    Numbers have no '.0', dates are ISO, formulas give the values stored with them. Raises UserError for a damaged or
    oversized workbook, a protected one, an unknown sheet, and when no sheet holds a table.
    """
    name = content.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(content, sheet)
        except UserError:
            raise
        except MemoryError:
            raise UserError(f"{name}: the workbook does not fit into memory; save the sheet as CSV.") from None
        except Exception as error:  # openpyxl meets a damaged part with whatever its parsers raise
            reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
            raise UserError(f"{name}: not a readable Excel (.xlsx) file ({reason}); save it again, or as CSV.") from None


def _read(content: Content, sheet: str | None) -> list[Sheet]:
    source = io.BytesIO(content.whole()) if content.packed or content.path is None else content.path
    _check_archive(source, content.name)
    try:
        import openpyxl
    except ImportError:
        raise UserError(f"{content.name}: reading .xlsx needs the package openpyxl; install it, or save as CSV.") from None
    book = openpyxl.load_workbook(source, read_only=True, data_only=True, keep_links=False)
    try:
        sheets = [item for item in book.worksheets if hasattr(item, "reset_dimensions")]
        chosen, notes = _choose(sheets, sheet, content.name)
        tables = [_table(item, header.row, content.name) for item, header in chosen]
        tables[0].notes[:0] = notes
        return tables
    finally:
        book.close()


def _check_archive(source: Any, name: str) -> None:
    """Raises UserError for a zip that is no workbook, is damaged, or unpacks to more than any workbook holds."""
    try:
        with zipfile.ZipFile(source) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UserError(f"{name}: a damaged or cut zip or Excel (.xlsx) file; fetch or save it again.") from None
    found = {part.filename.lower() for part in parts}
    if not any(part.startswith("xl/") for part in found):
        if "content.xml" in found:
            raise UserError(f"{name}: this is an OpenDocument file; save it as .xlsx or 'CSV UTF-8'.")
        raise UserError(f"{name}: this is a zip archive, not an Excel (.xlsx) file; unpack it first and give what it holds.")
    if "xl/workbook.bin" in found:
        raise UserError(f"{name}: this is a binary Excel (.xlsb) file; save it as .xlsx or 'CSV UTF-8'.")
    dense = any(part.file_size > RATIO_FROM and part.file_size > LARGEST_RATIO * part.compress_size for part in parts)
    if dense or sum(part.file_size for part in parts) > _LARGEST_UNPACKED or len(parts) > 20_000:
        raise UserError(f"{name}: the workbook unpacks to a size that no table of tickets has; save the sheet as CSV.")


def _choose(sheets: list[Any], wanted: str | None, name: str) -> tuple[list[tuple[Any, _Header]], list[str]]:
    """The sheets to read with their headers, and a note on the others."""
    titles = _titles([sheet.title for sheet in sheets])
    if wanted is not None and str(wanted).strip():
        place = str(wanted).strip()
        named = [sheet for sheet in sheets if sheet.title.strip().casefold() == place.casefold()]
        if not named and place.isdecimal() and 0 < int(place[:6]) <= len(sheets):
            named = [sheets[int(place[:6]) - 1]]
        if not named:
            raise UserError(f"data.sheet={wanted}: {name} has no such sheet. Its sheets: {titles}.")
        header = _header(named[0])
        if header is None:
            raise UserError(f"{name}: sheet {named[0].title!r} has no table (a header row with rows below it).")
        return [(named[0], header)], []
    found = [(sheet, _header(sheet) if sheet.sheet_state == "visible" else None) for sheet in sheets]
    tables = [(sheet, header) for sheet, header in found if header is not None]
    if not tables:
        raise UserError(f"{name}: no sheet holds a table (a header row with rows below it). Its sheets: {titles or 'none'}.")
    best = max(tables, key=lambda item: item[1].rank)[1]
    read = [(sheet, header) for sheet, header in tables if header.keys == best.keys and header.rank == best.rank]
    others = [sheet.title for sheet, _ in found if all(sheet is not taken for taken, _ in read)]
    if len(sheets) < 2:
        return read, []
    shown = _titles([sheet.title for sheet, _ in read])
    note = f"sheet {shown} is read" if len(read) == 1 else f"{len(read)} sheets of one header are read ({shown})"
    return read, [f"{name}: {note}, not {_titles(others)}; name one with --data.sheet=NAME." if others else f"{name}: {note}."]


def _titles(titles: list[str]) -> str:
    return ", ".join(map(repr, titles[:8])) + (", ..." if len(titles) > 8 else "")


def _header(sheet: Any) -> _Header | None:
    """The header of a sheet: the first row nearly as wide as the widest one, with rows below it."""
    rows: list[tuple[int, list[str], bool]] = []
    for number, cells in _rows(sheet, _LOOK):
        texts = [_text(cell) for cell in cells]
        filled = [text for text in texts if text.strip()]
        if filled:
            words = all(isinstance(cell.value, str) for cell in cells if cell.value is not None)
            rows.append((number, filled, words))
    widest = max((len(filled) for _, filled, _ in rows), default=0)
    for place, (number, filled, words) in enumerate(rows[:-1]):
        if len(filled) >= min(widest, max(2, -(-widest * 3 // 5))) and words:
            known = sum(_is_known(text[:200]) for text in filled)
            following = max(len(row[1]) for row in rows[place + 1 :])
            return _Header(number, tuple(filled), known) if following * 4 >= len(filled) else None
    return None


def _is_known(header: str) -> bool:
    return not _KNOWN.isdisjoint(names.name_forms(header)) or answer_rank(header) is not None


def _rows(sheet: Any, last: int = _MOST_ROWS) -> Iterator[tuple[int, tuple[Any, ...]]]:
    # The sheet's own claim of its size is often wrong, and padding to it can take for ever.
    sheet.reset_dimensions()
    yield from enumerate(sheet.iter_rows(max_row=last), start=1)


def _table(sheet: Any, header_row: int, name: str) -> Sheet:
    table: RowColumns | None = None
    result = Sheet({}, [], title=sheet.title)
    below: list[tuple[int, list[str]]] = []
    width = cells_read = wider = blank = 0
    header: list[str] = []
    for number, cells in _rows(sheet):
        if number < header_row:
            continue
        cells_read += len(cells)
        if cells_read > _MOST_CELLS:
            raise UserError(f"{name}: sheet {sheet.title!r} has more than {_MOST_CELLS:,} cells; save it as CSV.")
        texts = [_text(cell) for cell in cells]
        while texts and not texts[-1].strip():
            texts.pop()
        if table is None:
            header, width = texts, len(texts)
            table = RowColumns(header)
        elif not texts:
            blank += 1  # counted only when a row follows: below the table there is only formatting
        else:
            if blank:
                result.dropped["blank row"] += blank
                blank = 0
            if len(texts) > width:
                if header[-1] not in header[:-1]:
                    raise UserError(
                        f"{name}: sheet {sheet.title!r}, row {number}: a value stands in column {len(texts)}, and the header "
                        f"(row {header_row}) has {width}. Give that column a name, or clear the cell."
                    )
                texts[width - 1 :] = [joiner(header[-1]).join(text for text in texts[width - 1 :] if text.strip())]
                wider += 1
            texts += [""] * (width - len(texts))
            # Lines below the table are told by standing at its end: until a row follows, they wait.
            below.append((number, texts))
            if width == 1 or not is_footer(texts):
                for waiting in below:
                    table.add(*waiting)
                below.clear()
    if below:
        result.dropped[FOOTER] += len(below)
        result.notes.append(footer_note(name, [texts for _, texts in below]))
    if header_row > 1:
        result.notes.append(f"{name}: the header is row {header_row} of sheet {sheet.title!r}.")
    if wider:
        result.notes.append(f"{name}: {wider} rows are wider than the header; their surplus cells go to {header[-1]!r}.")
    assert table is not None
    result.columns, result.numbers = table.columns(), table.numbers
    return result


def _text(cell: Any) -> str:
    value = cell.value
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format or ""))
    if isinstance(value, dt.datetime):
        # Excel counts days in floating point: 05:58:00 comes back a few microseconds off.
        value = (value + dt.timedelta(microseconds=500_000) if value.year < 9999 else value).replace(microsecond=0)
        day_only = value.time() == dt.time() and "h" not in str(cell.number_format or "").lower()
        return value.date().isoformat() if day_only else value.isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def _number(value: int | float, number_format: str) -> str:
    whole = isinstance(value, int) or (value.is_integer() and abs(value) < 1e15)
    if not whole:
        return f"{value:.15g}"
    # A format of zeros ('0000000') is how Excel shows ids with leading zeros.
    return str(int(value)).zfill(len(number_format)) if _ZEROS.fullmatch(number_format) else str(int(value))
