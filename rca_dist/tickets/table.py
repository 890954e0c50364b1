"""The front door: `prepare` turns an export into a `TicketTable`, through a cache that keeps redacted text only
once."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist.errors import UserError
from rca_dist.tickets.read import parse, read_bytes
from rca_dist.tickets.split import check_settings

if TYPE_CHECKING:
    import pandas

CODE_VERSION = 1
"""Raise it with any change to what `prepare` returns: cached tables of another version are not used."""
_TABLE, _FACTS = "tickets.parquet", "facts.json"


@dataclass
class TicketTable:
    """Prepared tickets, one row each in file order.

    `frame` columns: `id` (unique), `prompt`, `answer`, `created_at` (UTC or NaT), `language`, `group`
    (near-duplicates),
    `split` (train, validation or test), `fold` (-1 without folds), `slice_<name>`; generated data also has `oracle_nll`
    (nats) and `oracle_answer`. `facts` is JSON-able and becomes `data.json`. `fingerprint` is a sha256 over rows and
    split.
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
    path: str,
    *,
    columns: dict[str, Any] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    redact: bool = True,
    lenient: bool = False,
    min_answer_words: int = 2,
    kind: str = "group",
    similarity: float = 0.7,
    test_size: float = 0.1,
    validation_size: float = 0.1,
    seed: int = 0,
    folds: int = 0,
    fold: int = 0,
    group_columns: Sequence[str] = (),
    cache_dir: Path | None = None,
) -> TicketTable:
    """Read, clean, redact and split the ticket export at `path` (CSV, TSV, JSON, JSONL, Parquet, also gzipped).

    `columns` maps roles (id, prompt, answer, created_at, group, slices, split) to column names and wins over the
    automatic
    mapping. With `cache_dir`, the result is kept there, keyed by the file's bytes, all settings and `CODE_VERSION`.
    Raises UserError for anything the user can mend: the file, its columns, the settings.
    """
    check_settings(kind, test_size, validation_size, folds, fold)
    if not 0 < similarity <= 1:
        raise UserError(f"split.similarity={similarity}: give a number above 0 and up to 1, such as 0.7.")
    shaping: dict[str, Any] = {
        "columns": columns, "redact": redact, "min_answer_words": min_answer_words, "kind": kind, "similarity":
        similarity,
        "test_size": test_size, "validation_size": validation_size, "seed": seed, "folds": folds, "fold": fold,
        "group_columns": list(group_columns),
    }  # fmt: skip
    reading: dict[str, Any] = {"encoding": encoding, "delimiter": delimiter, "lenient": lenient}
    data, name = read_bytes(path), Path(path).name
    entry = _cache_entry(cache_dir, data, {"name": name, **reading, **shaping}) if cache_dir else None
    if entry is not None and entry.is_dir():
        try:
            return TicketTable.load(entry)
        except UserError:
            pass  # damaged or cut: built again below
    from rca_dist.tickets.assemble import assemble

    frame, facts = assemble(parse(data, name, **reading), **shaping)
    table = TicketTable(frame, facts, fingerprint_of(frame))
    facts["fingerprint"] = table.fingerprint
    if entry is not None:
        _store(table, entry)
    return table


def _cache_entry(cache_dir: Path, data: bytes, settings: dict[str, Any]) -> Path:
    digest = hashlib.sha256(data)
    digest.update(json.dumps([CODE_VERSION, settings], sort_keys=True, default=str).encode())
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
