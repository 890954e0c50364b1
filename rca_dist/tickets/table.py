"""The front door: `prepare` turns an export into a `TicketTable`, through a cache that keeps redacted text only
once."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist.errors import UserError
from rca_dist.tickets.read import read_sources
from rca_dist.tickets.reading.sources import find
from rca_dist.tickets.redaction.names import name_finder
from rca_dist.tickets.split import check_settings

if TYPE_CHECKING:
    import pandas

CODE_VERSION = 4
"""Raise it with any change to what `prepare` returns: cached tables of another version are not used."""
_TABLE, _FACTS = "tickets.parquet", "facts.json"


@dataclass
class TicketTable:
    """Prepared tickets, one row each in file order.

    `frame` columns: `id` (unique), `prompt`, `answer`, `created_at` (UTC or NaT), `language`, `group` (near-duplicates),
    `split` (train, validation, test, or unused by a fold over time), `fold` (-1 without folds), `slice_<name>`; generated
    data also has `oracle_nll` (nats) and `oracle_answer`. `facts` is JSON-able and becomes `data.json`. `fingerprint` is a
    sha256 over rows and split.
    """

    frame: "pandas.DataFrame"
    facts: dict[str, Any]
    fingerprint: str

    def rows(self, split: str) -> "pandas.DataFrame":
        """The tickets of one side, renumbered from 0. Raises ValueError for another name than train, validation,
        test."""
        if split not in ("train", "validation", "test"):
            raise ValueError(f"split {split!r}: choose train, validation or test")
        return self.frame[self.frame["split"] == split].reset_index(drop=True)

    def save(self, directory: str | Path) -> None:
        """Write the table to `directory` (made if missing); each file appears complete or not at all."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / _TABLE, lambda path: self.frame.to_parquet(path, index=False))
        text = json.dumps({"fingerprint": self.fingerprint, "facts": self.facts}, ensure_ascii=False, indent=1)
        _write(folder / _FACTS, lambda path: path.write_text(text, encoding="utf-8"))

    @classmethod
    def load(cls, directory: str | Path) -> "TicketTable":
        """Read a saved table. Raises UserError when it is missing, unreadable, or not what was saved."""
        import pandas
        import pyarrow

        folder = Path(directory)
        try:
            stored = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            table = cls(pandas.read_parquet(folder / _TABLE), stored["facts"], stored["fingerprint"])
            if fingerprint_of(table.frame) == table.fingerprint:
                return table
            problem = "its content does not match its fingerprint"
        except (OSError, ValueError, KeyError, TypeError, AttributeError, pyarrow.ArrowException) as error:
            problem = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{folder.name}: not a readable ticket table ({problem}); prepare the export again.")


def fingerprint_of(frame: "pandas.DataFrame") -> str:
    """sha256 over every value of the frame, by column name, in order of ticket id: row order does not matter."""
    digest = hashlib.sha256()
    ordered = frame.sort_values("id", kind="stable")
    for column in sorted(ordered.columns):
        values = ordered[column]
        cells = values.astype("int64").tolist() if str(values.dtype).startswith("datetime") else values.tolist()
        digest.update(json.dumps([str(column), [str(cell) for cell in cells]]).encode())
    return digest.hexdigest()


def prepare(
    path: str | Sequence[str],
    *,
    columns: dict[str, Any] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    redact: bool = True,
    names: Sequence[str] | Mapping[str, str] = (),
    own_domains: Sequence[str] = (),
    lenient: bool = False,
    date_order: str | None = None,
    repair_mojibake: bool = False,
    keep_open: bool = False,
    min_answer_words: int = 2,
    kind: str = "group",
    similarity: float = 0.7,
    test_size: float = 0.1,
    validation_size: float = 0.1,
    seed: int = 0,
    folds: int = 0,
    fold: int = 0,
    group_columns: Sequence[str] = (),
    split_file: str | None = None,
    cache_dir: Path | None = None,
    for_training: bool = True,
) -> TicketTable:
    """Read, clean, redact and split ticket exports (see `sources.find` for what `path` may be).

    `columns` maps roles (see `chosen_columns.ROLES`) to column names and wins over the automatic mapping. With `cache_dir`
    the result is kept there, keyed by the bytes of all files, all settings and `CODE_VERSION`. `for_training=False`
    describes any number of tickets, with or without a split.
    Raises UserError for anything the user can mend: the files, their columns, the settings.
    """
    check_settings(kind, test_size, validation_size, folds, fold)
    if not 0 < similarity <= 1:
        raise UserError(f"split.similarity={similarity}: give a number above 0 and up to 1, such as 0.7.")
    shaping: dict[str, Any] = {
        "columns": columns or {}, "redact": redact, "own_domains": list(own_domains),
        "names": dict(names) if isinstance(names, Mapping) else list(names),
        "date_order": date_order, "repair_mojibake": repair_mojibake, "keep_open": keep_open,
        "min_answer_words": min_answer_words,
        "kind": kind, "similarity": similarity, "test_size": test_size, "validation_size": validation_size, "seed": seed,
        "folds": folds, "fold": fold, "group_columns": list(group_columns), "split_file": split_file,
        "for_training": for_training,
    }  # fmt: skip
    name_finder(names)  # a missing model is said before the file is read
    reading: dict[str, Any] = {"encoding": encoding, "delimiter": delimiter, "lenient": lenient, "sheet": sheet}
    said: list[str] = []
    sources = find(path, said)
    files = [source.fingerprint() for source in sources]
    if split_file:
        files.append(hashlib.sha256(Path(split_file).read_bytes()).hexdigest() if Path(split_file).is_file() else "")
    entry = _cache_entry(cache_dir, files, {**reading, **shaping, "split_file": None}) if cache_dir else None
    if entry is not None and entry.is_dir():
        try:
            return TicketTable.load(entry)
        except UserError:
            pass  # damaged or cut: built again below
    from rca_dist.tickets.assemble import assemble
    from rca_dist.tickets.reading import threads
    from rca_dist.tickets.rows_to_tickets import Shaping

    raw = read_sources(sources, said, **reading)
    if threads.is_named(shaping["columns"]):
        raw = threads.pair(raw, shaping["columns"])
        shaping["columns"] = threads.after_pairing(shaping["columns"], raw)
    elif not shaping["columns"].get("answer"):
        threads.refuse_posts(raw)
    frame, facts = assemble(raw, Shaping(**shaping))
    table = TicketTable(frame, facts, fingerprint_of(frame))
    facts["fingerprint"] = table.fingerprint
    if entry is not None:
        _store(table, entry)
    return table


def _cache_entry(cache_dir: Path, files: Sequence[str], settings: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps([CODE_VERSION, files, settings], sort_keys=True, default=str).encode())
    return Path(cache_dir).expanduser() / f"tickets-{digest.hexdigest()[:24]}"


def _store(table: TicketTable, entry: Path) -> None:
    """Put a table in the cache under its final name only when it is whole; readable by its owner only."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = Path(tempfile.mkdtemp(prefix=".tickets-", dir=entry.parent))  # made with mode 0700
    except OSError as error:
        raise UserError(f"the cache folder {str(entry.parent)!r} cannot be written ({error.strerror}).") from None
    try:
        table.save(aside)
        if entry.exists():
            shutil.rmtree(entry, ignore_errors=True)
        os.replace(aside, entry)  # noqa: PTH105
    except OSError as error:
        if not entry.is_dir():  # otherwise another process stored the same table first
            raise UserError(f"the cache folder {str(entry.parent)!r} cannot be written ({error.strerror}).") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write(path: Path, writer: Any) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        writer(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
