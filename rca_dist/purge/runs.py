"""Run directories: what they hold of it, and its removal; every file is written whole or not at all."""

import json
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.purge.wanted import Trace, Wanted, in_file, scrub
from rca_dist.report import write_report
from rca_dist.runtime.files import aside, read_json, write_json
from rca_dist.runtime.rundir import RunDirectory, now

_OWN = {"predictions.jsonl", "split.parquet", "data.json", "report.html", ".lock"}
_WEIGHTS = {".safetensors", ".bin", ".pt", ".pth", ".distcp", ".npy"}
_TEXTS = ("prompt", "reference", "prediction")


@dataclass
class RunHits:
    """What one run directory holds of it; counts of lines, rows and entries, never texts."""

    path: Path
    trace: Trace
    predictions: int = 0
    rows: int = 0
    trained: int = 0
    entries: int = 0
    report: bool = False
    others: list[Path] = field(default_factory=list)
    unknown: bool = False
    textless: bool = False
    earlier: int = 0
    fingerprint: str = ""

    @property
    def models(self) -> list[Path]:
        """The folders with weights of this run."""
        folders = [self.path / name for name in ("model", "checkpoints")]
        return [folder for folder in folders if folder.is_dir()]

    @property
    def holds(self) -> bool:
        """Whether there is something to remove."""
        return bool(self.predictions or self.rows or self.entries or self.report)

    def __bool__(self) -> bool:
        return self.holds or bool(self.others or self.unknown or (self.earlier and self.models))


def ids_in(path: Path) -> set[str]:
    """The ticket ids in the split of a run."""
    return {identifier for identifier, _ in _sides(path)}


def search_run(
    path: Path, wanted: Wanted, known: Iterable[tuple[str | None, str | None, Trace]], searched: Set[str] = frozenset()
) -> RunHits:
    """Look through one run directory.

    `known` are the cached tables that hold it as (fingerprint, file, trace); those of this run's data tell the ids of its
    tickets, whose texts a run keeps of the evaluated sides only. `searched` are the fingerprints of all tables looked through.
    """
    facts, data = read_json(path / "run.json") or {}, read_json(path / "data.json")
    trace = Trace(wanted)
    tables = [
        other for fingerprint, file, other in known
        if fingerprint == facts.get("data_fingerprint") or (file is not None and file == _file_of(data))
    ]  # fmt: skip
    for other in tables:
        trace.ids |= other.ids
        trace.texts += other.texts
    hits = RunHits(path, trace, earlier=int((facts.get("purged") or {}).get("trained_on", 0)))
    hits.fingerprint = str(facts.get("data_fingerprint", ""))
    _learn_ids(path, trace)
    hits.predictions = sum(not keep for _, keep in _prediction_lines(path, trace))
    sides = _sides(path)
    hits.rows = sum(_is_hit(identifier, trace) for identifier, _ in sides)
    hits.trained = sum(side == "train" and _is_hit(identifier, trace) for identifier, side in sides)
    hits.entries = scrub_facts(data, trace, belongs=bool(hits.rows))[1]
    hits.report = (path / "report.html").is_file() and bool(hits.predictions or hits.entries or _in_report(path, wanted))
    hits.others = [file for file in _other_files(path) if in_file(file, wanted)]
    hits.textless = bool(hits.rows and not trace.texts)
    unread = not tables and facts.get("data_fingerprint") not in searched
    hits.unknown = wanted.holds is not None and unread and any(side == "train" for _, side in sides)
    return hits


def remove(hits: RunHits) -> None:
    """Take it out of one run's files and write the report again. Raises UserError while a job is at work there."""
    if not hits.holds:
        return
    with _held(hits.path):
        if hits.predictions:
            with aside(hits.path / "predictions.jsonl") as temporary, temporary.open("wb") as handle:
                handle.writelines(line for line, keep in _prediction_lines(hits.path, hits.trace) if keep)
        if hits.entries:
            data = read_json(hits.path / "data.json")
            write_json(hits.path / "data.json", scrub_facts(data, hits.trace, belongs=bool(hits.rows))[0])
        if hits.rows:
            _write_split(hits.path, hits.trace)
        run = RunDirectory(hits.path)
        purged = run.facts.get("purged") or {}
        counts = {"tickets": hits.rows, "trained_on": hits.trained}
        run.save(purged={name: int(purged.get(name, 0)) + count for name, count in counts.items()} | {"at": now()})
        if (hits.path / "report.html").is_file():
            write_report(hits.path)


def scrub_facts(data: Any, trace: Trace, *, belongs: bool) -> tuple[Any, int]:
    """data.json without what quotes the tickets, and how many entries went.

    Where a ticket `belongs` to the data, the sample values of the columns go too, and all quotations where its text is not at
    hand: nobody can tell whose they are.
    """
    if not isinstance(data, dict):
        return data, 0
    cleaned, removed = scrub(data, trace.in_string)
    if belongs:
        removed += _drop_quotations(cleaned.get("columns") if trace.texts else cleaned)
    return cleaned, removed


def _drop_quotations(value: Any) -> int:
    removed = 0
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key in ("samples", "raw_samples", "repeated_answers") and inner:
            removed += len(inner)
            value[key] = type(inner)()
        else:
            removed += _drop_quotations(inner)
    return removed


def _learn_ids(path: Path, trace: Trace) -> None:
    """Ids and texts of the tickets in predictions.jsonl that hold it: the same tickets may be quoted elsewhere.

    A text that only a prediction holds was recited from another ticket, so this one stays.
    """
    for _, record in _records(path):
        if record is not None and _record_hit(record, trace, _TEXTS[:2]):
            trace.add(str(record.get("id")), [str(record.get(name) or "") for name in _TEXTS[:2]])


def _prediction_lines(path: Path, trace: Trace) -> Iterator[tuple[bytes, bool]]:
    """Every line of predictions.jsonl, and whether it stays; a line that cannot be read stays unless it holds it.

    Another ticket's line goes where its prediction recites one of the tickets, as the nearest-ticket baseline does.
    """
    for line, record in _records(path):
        if record is None:
            yield line, not trace.wanted.in_text(line.decode("utf-8", "replace"))
        else:
            yield line, not (_record_hit(record, trace) or trace.recited(str(record.get("prediction") or "")))


def _records(path: Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    file = path / "predictions.jsonl"
    if not file.is_file():
        return
    with file.open("rb") as stream:
        for line in stream:
            try:
                record = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError):
                record = None
            yield line, record if isinstance(record, dict) else None


def _record_hit(record: dict[str, Any], trace: Trace, texts: tuple[str, ...] = _TEXTS) -> bool:
    if _is_hit(str(record.get("id")), trace):
        return True
    holds = trace.wanted.holds
    return holds is not None and any(holds(str(record.get(name) or "")) for name in texts)


def _is_hit(identifier: str, trace: Trace) -> bool:
    return identifier in trace.ids or trace.wanted.is_ticket(identifier)


def _split_frame(path: Path) -> tuple[Any, str] | None:
    import pandas
    import pyarrow

    try:
        frame = pandas.read_parquet(path / "split.parquet")
    except (OSError, ValueError, pyarrow.ArrowException):
        return None
    name = next((name for name in ("id", "ticket_id") if name in frame.columns), None)
    return (frame, name) if name and "split" in frame.columns else None


def _sides(path: Path) -> list[tuple[str, str]]:
    found = _split_frame(path)
    if found is None:
        return []
    frame, name = found
    return list(zip(frame[name].astype(str), frame["split"].astype(str), strict=True))


def _write_split(path: Path, trace: Trace) -> None:
    found = _split_frame(path)
    assert found is not None
    frame, name = found
    kept = frame[[not _is_hit(str(identifier), trace) for identifier in frame[name]]].reset_index(drop=True)
    with aside(path / "split.parquet") as temporary:
        kept.to_parquet(temporary, index=False)


def _file_of(data: Any) -> str | None:
    return data.get("file") if isinstance(data, dict) and isinstance(data.get("file"), str) else None


def _in_report(path: Path, wanted: Wanted) -> bool:
    return in_file(path / "report.html", wanted) is True


def _other_files(path: Path) -> list[Path]:
    files = (file for file in path.rglob("*") if file.is_file() and file.suffix not in _WEIGHTS)
    return sorted(file for file in files if file.parent != path or file.name not in _OWN)


class _held:
    """Hold a run directory while its files are changed, so that no job starts in it or is at work there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.run = RunDirectory(self.path)
        try:
            self.run._lock()
        except UserError:
            raise UserError(f"{self.path}: a job is at work in this run; wait for it or stop it, then clean again") from None

    def __exit__(self, *_: object) -> None:
        self.run.release()
