"""Splits as files: saved, read back by ticket id, recognised by a hash, and guessed from the names of data files."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.splitting.time_split import UNUSED
from rca_dist.tickets.words import fold as fold_word

_SIDE_WORDS = {
    **dict.fromkeys(("train", "training", "apprentissage", "entrainement"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
    UNUSED: UNUSED,
}
_ID_NAMES = ("id", "ticket_id", "ticketid", "number", "key", "issue_key")
_SIDE_NAMES = ("split", "side", "set", "subset", "partition")
_NAME_PARTS = re.compile(r"[^\W_]+")


def side_of(word: str) -> str | None:
    """train, validation, test or unused for a word that means one of them ("Training", "dev"...), else None."""
    return _SIDE_WORDS.get(fold_word(word.strip()))


def split_hash(ids: Sequence[str], sides: Sequence[str], folds: Sequence[int] = ()) -> str:
    """sha256 over every id with its side and fold; the order of rows does not matter."""
    digest = hashlib.sha256()
    for row in sorted(zip(ids, sides, folds or [-1] * len(ids), strict=True)):
        digest.update((json.dumps(row) + "\n").encode())
    return digest.hexdigest()


def save(path: str | Path, ids: Sequence[str], sides: Sequence[str], folds: Sequence[int], groups: Sequence[int]) -> None:
    """Write a split as Parquet, CSV or JSON lines (by the name's end) with columns id, split, fold and group."""
    import pandas

    frame = pandas.DataFrame({"id": list(ids), "split": list(sides), "fold": list(folds), "group": list(groups)})
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in (".parquet", ".csv", ".jsonl"):
        raise UserError(f"{target.name}: a split is saved as .parquet, .csv or .jsonl; give such a name.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".parquet":
            frame.to_parquet(target, index=False)
        elif kind == ".csv":
            frame.to_csv(target, index=False)
        else:
            frame.to_json(target, orient="records", lines=True, force_ascii=False)
    except OSError as error:
        raise UserError(f"{target.name}: the split cannot be written ({error.strerror or error}).") from None


def read_sides(path: str | Path, ids: Sequence[str]) -> tuple[list[str], list[int]]:
    """(sides, folds) of the tickets `ids` as a split file gives them; folds are -1 where it has none.

    The file is Parquet, CSV, JSON or JSON lines with a column of ids and one of sides, or a JSON object of id -> side. Tickets
    that the file has and `ids` has not are ignored. Raises UserError for unknown sides, an id given twice and ids not in it.
    """
    target = Path(path)
    columns = _columns(target)
    keys, words = _pick(columns, _ID_NAMES), _pick(columns, _SIDE_NAMES)
    if keys is None or words is None:
        raise UserError(f"{target.name}: a split file needs the columns id and split; it has {', '.join(columns) or 'none'}.")
    folds = columns.get("fold", ["-1"] * len(keys))
    found: dict[str, tuple[str, int]] = {}
    for row, (key, word, number) in enumerate(zip(keys, words, folds, strict=True), start=1):
        side, identifier = side_of(word), key.strip()
        if side is None:
            raise UserError(f"{target.name}: row {row} has {word[:40]!r} as its side; use train, validation or test.")
        entry = (side, _fold(target.name, row, number))
        if found.setdefault(identifier, entry) != entry:
            raise UserError(f"{target.name}: row {row}: ticket {identifier[:40]!r} stands twice with different sides or folds.")
    missing = [identifier for identifier in ids if identifier not in found]
    if missing:
        raise UserError(
            f"{target.name}: {len(missing)} of {len(ids)} tickets are not in this split file, such as {missing[0][:40]!r}. "
            "Add them to the file, or make a new split with split.kind=group."
        )
    chosen = [found[identifier] for identifier in ids]
    return [side for side, _ in chosen], [number for _, number in chosen]


def sides_from_names(names: Sequence[str]) -> list[str]:
    """The side that each data file's name tells: `train.csv`, `tickets-test.jsonl`, `validation/part-0.parquet`.

    Raises UserError when a name tells none or two, so that no ticket lands on a side by guess.
    """
    result = []
    for name in names:
        path = Path(name.replace("\\", "/"))
        inside = _told(path.name) or _told(path.parent.name)
        if len(inside) != 1:
            told = f"names {' and '.join(sorted(inside))}" if inside else "names no side"
            raise UserError(
                f"split.kind=file: the file name {path.name!r} {told}; call the files train, validation and test "
                "(such as tickets-train.csv), or name a column with --data.columns.split=NAME."
            )
        result.append(inside.pop())
    return result


def _told(name: str) -> set[str]:
    words = _NAME_PARTS.findall(name)
    return {side for word in words if (side := side_of(word)) is not None and side != UNUSED}


def _fold(name: str, row: int, word: str) -> int:
    try:
        return int(float(word)) if word.strip() else -1
    except (ValueError, OverflowError):
        raise UserError(f"{name}: row {row} has {word[:40]!r} as its fold; use whole numbers from 0.") from None


def _pick(columns: dict[str, list[str]], names: Sequence[str]) -> list[str] | None:
    return next((columns[name] for name in names if name in columns), None)


def _columns(path: Path) -> dict[str, list[str]]:
    """Columns of a small table, as text, by lower-case name."""
    import pandas

    kind = path.suffix.lower()
    try:
        if kind == ".parquet":
            frame = pandas.read_parquet(path)
        elif kind in (".json", ".jsonl"):
            frame = pandas.DataFrame(_records(path, lines=kind == ".jsonl"), dtype=object)
        else:
            frame = pandas.read_csv(path, dtype=str, keep_default_na=False, sep=None, engine="python", encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"split.file={str(path)!r}: there is no such file.") from None
    except Exception as error:  # pandas and pyarrow raise many kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(f"{path.name}: not a readable split file ({reason}); give Parquet, CSV, JSON or JSON lines.") from None
    return {
        str(name).strip().lower().replace(" ", "_"): ["" if cell is None or cell != cell else str(cell) for cell in frame[name]]
        for name in frame.columns
    }


def _records(path: Path, *, lines: bool) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    data = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    if isinstance(data, dict):
        data = [{"id": key, **(value if isinstance(value, dict) else {"split": value})} for key, value in data.items()]
    if not isinstance(data, list) or not all(isinstance(record, dict) for record in data):
        raise ValueError("no list of records and no object of id -> side")
    return data
