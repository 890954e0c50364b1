"""Cached tables and token files: which hold it, and their removal. An entry goes whole, it is made again when needed."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from rca_dist.purge.wanted import Trace, Wanted, in_file

_ENTRY = re.compile(r"tickets-[0-9a-f]{24}")
_TOKENS = ("tokens-*.safetensors", "tokens-*.tmp")


@dataclass
class CachedTable:
    """A cached table: how many of its tickets are meant, None where it could not be read; `quoted` in its facts."""

    path: Path
    tickets: int | None
    file: str | None = None
    fingerprint: str | None = None
    trace: Trace | None = None
    quoted: bool = False

    @property
    def holds(self) -> bool:
        """Whether it holds what is looked for."""
        return bool(self.tickets or self.quoted)


@dataclass
class CacheHits:
    """What one cache folder holds of it; `searched` are the fingerprints of all tables that could be read, `token_files` all
    token files of a folder with a hit."""

    folder: Path
    tables: list[CachedTable] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)
    exports: list[Path] = field(default_factory=list)
    token_files: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.tables or self.exports or self.token_files)


def search_cache(folder: Path, wanted: Wanted) -> CacheHits:
    """Look through the tables and generated exports of a cache folder."""
    hits = CacheHits(folder)
    for entry in sorted({*folder.glob("tickets-*"), *folder.glob(".tickets-*")}):
        found = _search_table(entry, wanted) if entry.is_dir() and _is_ours(entry) else None
        if found is not None and (found.tickets is None or found.holds):
            hits.tables.append(found)
        if found is not None and found.fingerprint:
            hits.searched.add(found.fingerprint)
    hits.exports = [path for path in sorted(folder.glob("builtin-tickets-*.csv")) if in_file(path, wanted) is not False]
    return hits


def ids_in(folder: Path) -> set[str]:
    """The ticket ids of all tables of a cache folder that can be read."""
    import pandas
    import pyarrow

    found: set[str] = set()
    for entry in folder.glob("tickets-*"):
        try:
            found.update(map(str, pandas.read_parquet(entry / "tickets.parquet", columns=["id"])["id"]))
        except (OSError, ValueError, KeyError, pyarrow.ArrowException):
            continue
    return found


def token_files(folder: Path) -> list[Path]:
    """Token files of a cache folder: they hold ids without words, so that nobody can tell whose tickets they are."""
    return sorted(path for pattern in _TOKENS for path in folder.glob(pattern))


def remove(hits: CacheHits) -> None:
    """Delete what was found, the tables first."""
    for table in hits.tables:
        shutil.rmtree(table.path, ignore_errors=False)
    for path in (*hits.exports, *hits.token_files):
        path.unlink(missing_ok=True)


def _is_ours(entry: Path) -> bool:
    """Whether `prepare` made this folder: caches are looked for in many places, and `tickets-...` is a common name."""
    made = entry.name.startswith(".") or _ENTRY.fullmatch(entry.name)
    return bool(made) or any((entry / name).is_file() for name in ("tickets.parquet", "facts.json"))


def _search_table(entry: Path, wanted: Wanted) -> CachedTable:
    import pandas
    import pyarrow

    try:
        frame = pandas.read_parquet(entry / "tickets.parquet")
        stored = json.loads((entry / "facts.json").read_text(encoding="utf-8"))
        facts, fingerprint, ids = stored["facts"], stored["fingerprint"], frame["id"].tolist()
        # A slice's value ("Network") is that of many tickets: it is searched, but does not tell whose a quotation is.
        named = sorted(filter(_is_text, frame.columns), key=lambda name: name.startswith("slice_"))
        columns, whole = [frame[name].tolist() for name in named], sum(not name.startswith("slice_") for name in named)
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException):
        return CachedTable(entry, None)
    trace = Trace(wanted)
    for row, identifier in enumerate(ids):
        texts = [str(column[row]) for column in columns]
        if wanted.is_ticket(identifier) or (wanted.holds is not None and any(map(wanted.holds, (identifier, *texts)))):
            trace.add(identifier, texts[:whole])
    quoted = wanted.in_text(json.dumps(facts, ensure_ascii=False))
    return CachedTable(entry, len(trace.ids), facts.get("file"), fingerprint, trace, quoted)


def _is_text(column: str) -> bool:
    return column in ("prompt", "answer", "oracle_answer") or column.startswith("slice_")
