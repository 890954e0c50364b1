"""Rows of an export to tickets: clean the columns in use, choose the rows worth learning from."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.cleaning.boilerplate import is_boilerplate
from rca_dist.tickets.columns import ColumnMap, join_answers
from rca_dist.tickets.dates import ParsedDates, parse_dates
from rca_dist.tickets.plural import counted
from rca_dist.tickets.reading.raw_table import RawTable
from rca_dist.tickets.selection import select_rows, unique_ids
from rca_dist.tickets.splitting.split_files import read_sides, sides_from_names
from rca_dist.tickets.words import is_missing

_BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class Shaping:
    """Settings of the pipeline after reading; `prepare` documents them."""

    columns: dict[str, Any] = field(default_factory=dict)
    redact: bool = True
    names: Sequence[str] | Mapping[str, str] = ()
    own_domains: Sequence[str] = ()
    date_order: str | None = None
    repair_mojibake: bool = False
    keep_open: bool = False
    min_answer_words: int = 2
    kind: str = "group"
    similarity: float = 0.7
    test_size: float = 0.1
    validation_size: float = 0.1
    seed: int = 0
    folds: int = 0
    fold: int = 0
    group_columns: Sequence[str] = ()
    split_file: str | None = None
    for_training: bool = True

    def order(self, mapped: ColumnMap) -> tuple[str | None, bool]:
        """How a date of two numbers is read, and whether the user said so."""
        return self.date_order or mapped.date_order, bool(self.date_order)


@dataclass
class Tickets:
    """Tickets in file order, each list one entry per ticket; `rows` are their rows in the table as read, `people` who
    is named beside them (caller, assignee...), for redaction only."""

    rows: list[int]
    ids: list[str]
    prompts: list[str]
    answers: list[str]
    created: list[dt.datetime | None]
    slices: dict[str, list[str]]
    groups: list[list[str]]
    people: list[tuple[str, ...]]
    sides: list[str]
    file_folds: Sequence[str | int]
    extra: dict[str, list[Any]]


def clean_and_select(
    raw: RawTable, mapped: ColumnMap, dates: ParsedDates | None, cleaner: Cleaner, dropped: Counter[str], shaping: Shaping
) -> Tickets:
    prompts, answers = _prompts(raw, mapped, cleaner, shaping), _answers(raw, mapped, cleaner)
    blank = [""] * raw.rows
    ids = [cell.strip() for cell in raw.columns[mapped.id]] if mapped.id else blank
    created = dates.values if dates else [None] * raw.rows
    newest = parse_dates(raw.columns[mapped.updated_at], *shaping.order(mapped)).values if mapped.updated_at else created
    states = [raw.columns[mapped.status]] if mapped.status else []
    outcomes = [raw.columns[column] for column in mapped.outcome]
    selection = select_rows(
        prompts, answers, ids, zip(*raw.columns.values(), strict=True), newest, shaping.min_answer_words,
        statuses=list(zip(*states, strict=True)), outcomes=list(zip(*outcomes, strict=True)), keep_open=shaping.keep_open,
        status_names=[mapped.status] if mapped.status else [],
    )  # fmt: skip
    rows = selection.rows
    dropped.update(selection.dropped)
    if shaping.kind == "time":
        undated = sum(created[row] is None for row in rows)
        rows = [row for row in rows if created[row] is not None]
        dropped.update({"no date (time split)": undated} if undated else {})
    slices = {column: cleaner.column(raw.columns[column]) for column in mapped.slices}
    extra: dict[str, list[Any]] = {}
    if mapped.oracle_nll and mapped.oracle_answer:
        extra["oracle_nll"] = [float(raw.columns[mapped.oracle_nll][row] or "nan") for row in rows]
        extra["oracle_answer"] = [raw.columns[mapped.oracle_answer][row] for row in rows]
    kept_ids = unique_ids([ids[row] for row in rows], [f"{prompts[row]}\x1f{answers[row]}" for row in rows])
    sides, folds = _given_sides(raw, mapped, rows, kept_ids, shaping) if shaping.kind == "file" else ([], [])
    return Tickets(
        rows=rows,
        ids=kept_ids,
        prompts=[prompts[row] for row in rows],
        answers=[answers[row] for row in rows],
        created=[created[row] for row in rows],
        slices={column: [cells[row] for row in rows] for column, cells in slices.items()},
        groups=[[raw.columns[column][row] for row in rows] for column in mapped.groups],
        people=[tuple(raw.columns[column][row] for column in mapped.people) for row in rows],
        sides=sides,
        file_folds=folds,
        extra=extra,
    )


def _prompts(raw: RawTable, mapped: ColumnMap, cleaner: Cleaner, shaping: Shaping) -> list[str]:
    """The prompt columns of each row, cleaned and joined; journals end where the ticket was resolved."""
    journals = mapped.journal.intersection(mapped.prompt)
    resolved: list[dt.datetime | None] = []
    if journals and mapped.resolved_at:
        moments = parse_dates(raw.columns[mapped.resolved_at], *shaping.order(mapped)).values
        # Without a date of the solution nothing tells which entries came after it, so none is shown.
        resolved = [moment or _BEFORE_ALL for moment in moments]
    parts = [
        cleaner.column(raw.columns[column], journal=True, cut_at=resolved)
        if column in journals
        else cleaner.column(raw.columns[column])
        for column in mapped.prompt
    ]
    prompts = ["\n".join(dict.fromkeys(cell for cell in cells if cell)) for cells in zip(*parts, strict=True)]
    for column in mapped.spare:
        empty = [row for row, prompt in enumerate(prompts) if not prompt and not is_missing(raw.columns[column][row])]
        for row, text in zip(empty, cleaner.column([raw.columns[column][row] for row in empty]), strict=True):
            prompts[row] = text
        if empty:
            named = " and ".join(mapped.prompt)
            mapped.notes.append(f"{counted(len(empty), 'row')} without text in {named} got it from {column!r}.")
    return prompts


def _answers(raw: RawTable, mapped: ColumnMap, cleaner: Cleaner) -> list[str]:
    parts = [cleaner.column(raw.columns[column], journal=column in mapped.journal, answer=True) for column in mapped.answers]
    return join_answers(parts, mapped.labels, is_boilerplate)


def _given_sides(
    raw: RawTable, mapped: ColumnMap, rows: Sequence[int], ids: Sequence[str], shaping: Shaping
) -> tuple[list[str], Sequence[str | int]]:
    """Sides (words) and folds for split.kind=file: of a saved split, a column, or the names of the files."""
    if shaping.split_file:
        return read_sides(shaping.split_file, ids)
    if mapped.split:
        words = [raw.columns[mapped.split][row] for row in rows]
        return words, words
    if len(raw.files) < 2 or shaping.folds:
        raise UserError(
            "split.kind=file: nothing says on which side a ticket is. Name a saved split with --split.file=FILE, a column with "
            "--data.columns.split=NAME, or give several files called train, validation and test as data.path."
        )
    side_of_file = sides_from_names(raw.files)
    return [side_of_file[raw.origins[row]] for row in rows], []


def raw_texts(raw: RawTable, mapped: ColumnMap, rows: Sequence[int]) -> Callable[[int], tuple[str, str]]:
    """Raw prompt and answer of ticket n, for samples of what cleaning did."""

    def text(columns: Sequence[str], row: int) -> str:
        return "\n".join(raw.columns[column][row] for column in columns)

    return lambda n: (text(mapped.prompt, rows[n]), text(mapped.answers, rows[n]))
