"""Several files as one table: columns are united by name, and every row still knows its file and its place there."""

import re
from collections import Counter

from rca_dist.tickets.reading.raw_table import RawTable
from rca_dist.tickets.words import fold

_NOT_WORD = re.compile(r"[\W_]+")
_SHOWN = 5


def merge(tables: list[RawTable]) -> RawTable:
    """One table of all rows, file after file. A column that a file lacks is empty there, and a note says so.

    A header in another case, with other accents or other separators is the same column; the first spelling stays.
    """
    if len(tables) == 1:
        return tables[0]
    spellings: dict[str, str] = {}
    places = [_names_in(table, spellings) for table in tables]
    order = dict.fromkeys(name for names in places for name in names.values())
    columns: dict[str, list[str]] = {name: [] for name in order}
    total = RawTable(_name(tables), _same([table.format for table in tables]) or "mixed", columns, [])
    for table, names in zip(tables, places, strict=True):
        present = {name: column for column, name in names.items()}
        lacking = [name for name in order if name not in present]
        for name in order:
            column = present.get(name)
            columns[name].extend(table.columns.pop(column) if column is not None else [""] * table.rows)
        total.numbers.extend(table.numbers)
        # A workbook of several sheets counts as several files.
        total.origins.extend(len(total.files) + origin for origin in table.origins or [0] * table.rows)
        if lacking:
            shown = ", ".join(repr(name) for name in lacking[:_SHOWN])
            more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
            total.notes.append(f"{table.name} has no column {shown}{more}; empty there.")
        total.notes.extend(table.notes)
        total.dropped.update(table.dropped)
        total.files.extend(table.files or [table.name])
        total.sources.extend(table.sources)
    total.encoding = _same([table.encoding for table in tables if table.encoding])
    total.delimiter = _same([table.delimiter for table in tables if table.delimiter])
    if total.encoding is None and any(table.encoding for table in tables):
        total.encoding = ", ".join(sorted({table.encoding for table in tables if table.encoding}))
    words = Counter(word for table in tables for word in table.preview)
    total.preview = sorted(words, key=lambda word: (word[:1].isupper(), -words[word], word))[:8]
    return total


def _names_in(table: RawTable, seen: dict[str, str]) -> dict[str, str]:
    """The table's columns -> their names in the union; `seen` maps folded names to the first spelling of each."""
    keys = Counter(column_key(column) for column in table.columns)
    names = {}
    for column in table.columns:
        key = column_key(column) if keys[column_key(column)] == 1 else column
        names[column] = seen.setdefault(key, column)
    return names


def column_key(column: str) -> str:
    """What two files' names of one column have in common: case, accents and separators make no difference."""
    return _NOT_WORD.sub(" ", fold(column)).strip() or column


def _same(values: list[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _name(tables: list[RawTable]) -> str:
    shown = ", ".join(table.name for table in tables[:3])
    return f"{len(tables)} files ({shown}{', ...' if len(tables) > 3 else ''})"
