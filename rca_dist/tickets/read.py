"""Exports to text columns: format, compression, encoding, several files, and what is wrong when one cannot be read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rca_dist.errors import UserError
from rca_dist.tickets.reading import records, sources
from rca_dist.tickets.reading.content import Content
from rca_dist.tickets.reading.decode import Choice, choose, open_text
from rca_dist.tickets.reading.delimited import parse_delimited
from rca_dist.tickets.reading.gather import gather_repeated
from rca_dist.tickets.reading.json_shapes import looks_like_json_lines, parse_json, parse_json_lines
from rca_dist.tickets.reading.merge import merge
from rca_dist.tickets.reading.raw_table import RawTable as RawTable
from rca_dist.tickets.words import join_counts


def read_table(
    path: str | Sequence[str],
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    lenient: bool = False,
    sheet: str | None = None,
) -> RawTable:
    """Read one or several exports into one table; see `sources.find` for what `path` may be. Every value stays text.

    `encoding`, `delimiter` and `sheet` win over what is detected. With `lenient`, rows that cannot be read are left out
    and counted in `dropped`. Raises UserError, with the file's name and the row, for anything that is no table with rows.
    """
    notes: list[str] = []
    found = sources.find(path, notes)
    return read_sources(found, notes, encoding=encoding, delimiter=delimiter, lenient=lenient, sheet=sheet)


def read_sources(
    found: Sequence[sources.Source],
    notes: Sequence[str] = (),
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    lenient: bool = False,
    sheet: str | None = None,
) -> RawTable:
    """Read what `sources.find` found (with the `notes` it made) into one table. Raises UserError as `read_table` does."""
    several = len({source.split for source in found}) > 1
    tables = []
    for source in found:
        table = _read(Content(source.name, path=source.path, lenient=lenient), encoding, delimiter, lenient, sheet)
        if several and source.split and "split" not in table.columns:
            table.columns["split"] = [source.split] * table.rows
        tables.append(table)
    total = merge(tables)
    total.notes[:0] = notes
    return total


def read_bytes(path: str | Path) -> bytes:
    """The bytes of one export. Raises UserError when there is no such file, or it is none."""
    return Content(str(path), path=sources.regular_file(str(path))).whole()


def parse(
    data: bytes,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    lenient: bool = False,
    sheet: str | None = None,
) -> RawTable:
    """Like `read_table`, for the bytes of one export."""
    return _read(Content(name, data=data, lenient=lenient), encoding, delimiter, lenient, sheet)


def _read(content: Content, encoding: str | None, delimiter: str | None, lenient: bool, sheet: str | None) -> RawTable:
    name, head = content.name, content.head()
    if not head:
        raise UserError(f"{name}: the file is empty.")
    form = sources.format_of(name, head)
    if form == "xlsx":
        table = _workbook(content, sheet)
    elif form in ("parquet", "arrow"):
        table = _columnar(content, form, lenient)
    else:
        table = _text(content, form, encoding, delimiter, lenient)
    if not table.rows:
        if table.dropped.total():
            raise UserError(f"{name}: no row could be read ({join_counts(table.dropped)}).")
        raise UserError(f"{name}: has a header but no rows." if table.columns else f"{name}: holds no tickets.")
    if not table.files:
        table.columns = gather_repeated(table.columns)
        table.files, table.origins = [name], [0] * table.rows
    table.sources = [
        {
            "name": name,
            "format": table.format,
            "packed": "gzip" if content.packed else None,
            "encoding": table.encoding,
            "delimiter": table.delimiter,
            "accented_words": table.preview,
            "rows": table.rows,
            "dropped": dict(table.dropped),
        }
    ]
    return table


def _workbook(content: Content, sheet: str | None) -> RawTable:
    from rca_dist.tickets.reading.spreadsheet import parse_workbook

    found = parse_workbook(content, sheet)
    # A row number says where a ticket stands only together with its sheet.
    names = [f"{content.name}, sheet {one.title!r}" if len(found) > 1 else content.name for one in found]
    tables = [
        RawTable(
            name, "xlsx", gather_repeated(one.columns), one.numbers,
            dropped=one.dropped, files=[name], origins=[0] * len(one.numbers), notes=one.notes,
        )
        for name, one in zip(names, found, strict=True)
    ]  # fmt: skip
    table = merge(tables)
    table.name = content.name
    return table


def _columnar(content: Content, form: str, lenient: bool) -> RawTable:
    from rca_dist.tickets.reading import arrow_tables

    read = arrow_tables.parquet_records if form == "parquet" else arrow_tables.arrow_records
    dropped: Counter[str] = Counter()
    columns, numbers = records.to_columns(read(content), content.name, lenient, dropped)
    return RawTable(content.name, form, columns, numbers, dropped=dropped)


def _text(content: Content, form: str, encoding: str | None, delimiter: str | None, lenient: bool) -> RawTable:
    choice = choose(content, encoding)
    with open_text(content, choice) as stream:
        head = stream.read(200_000).removeprefix("\ufeff")
        if not head.strip() and not stream.read().strip():
            raise UserError(f"{content.name}: the file is empty.")
    if not form:
        form = "json" if head.lstrip()[:1] in ("[", "{") else "delimited"
    if form == "json" and looks_like_json_lines(head):
        form = "jsonl"
    if form == "delimited":
        table = _delimited(content, choice, delimiter, lenient)
    else:
        table = _json(content, choice, form, lenient)
    table.encoding, table.preview = choice.encoding, choice.preview
    return table


def _delimited(content: Content, choice: Choice, delimiter: str | None, lenient: bool) -> RawTable:
    found = parse_delimited(lambda: _lines(content, choice), content.name, delimiter, lenient, content.cut)
    return RawTable(
        content.name, "delimited", found.columns, found.numbers,
        delimiter=found.delimiter, dropped=found.dropped, notes=found.notes,
    )  # fmt: skip


def _json(content: Content, choice: Choice, form: str, lenient: bool) -> RawTable:
    dropped: Counter[str] = Counter()
    if form == "jsonl":
        items = parse_json_lines(_lines(content, choice), content.name, lenient, dropped)
        columns, numbers = records.to_columns(items, content.name, lenient, dropped)
    else:
        with open_text(content, choice) as stream:
            text = stream.read().removeprefix("\ufeff")
        values, explained = parse_json(text, content.name, lenient, dropped)
        del text
        columns, numbers = records.to_columns(enumerate(values, start=1), content.name, lenient, dropped, explained)
    return RawTable(content.name, form, columns, numbers, dropped=dropped)


def _lines(content: Content, choice: Choice) -> Iterator[str]:
    with open_text(content, choice) as stream:
        yield from stream
