"""Which column is what: automatic mapping by name and content, overridden by `data.columns.*`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.dates import date_share, shared_order
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping import slice_names
from rca_dist.tickets.mapping.answer_column import choose_answer, named_answer_warnings
from rca_dist.tickets.mapping.answer_names import NEVER_PROMPT, is_journal, is_oracle
from rca_dist.tickets.mapping.chosen_columns import ROLES, Columns, find_column, list_columns, named_columns
from rca_dist.tickets.mapping.column_kinds import DATES, EMPTY, TEXT, YES_NO, kind_of, sample_of
from rca_dist.tickets.mapping.header_row import refuse_headerless
from rca_dist.tickets.mapping.join_answers import answer_labels, join_answers
from rca_dist.tickets.mapping.people_names import is_person_name
from rca_dist.tickets.mapping.prompt_columns import choose_prompt, ranked_columns, spare_columns
from rca_dist.tickets.mapping.samples import samples
from rca_dist.tickets.mapping.shown_names import quoted
from rca_dist.tickets.words import is_missing

__all__ = ["ROLES", "ColumnMap", "answer_labels", "find_column", "join_answers", "list_columns", "map_columns", "samples"]
_MOST_SLICES, _FEWEST_VALUES, _MOST_VALUES = 6, 2, 50
_MOST_STATES = 50
_LEAST_DATES = 0.5


@dataclass
class ColumnMap:
    """Columns by role, and plain sentences on what was decided.

    `answers` are joined when there are several (see `join_answers`). `spare` columns give the text of rows whose prompt
    columns are empty. `journal` are the columns of the file whose name is a journal's. `outcome` are columns such as a close
    code, which say that a ticket was cancelled or a duplicate. `date_order` is 'day first' or 'month first' where the file's
    date columns together settle what one leaves open.
    """

    prompt: list[str]
    answers: list[str]
    spare: list[str] = field(default_factory=list)
    id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    resolved_at: str | None = None
    status: str | None = None
    split: str | None = None
    outcome: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    slices: list[str] = field(default_factory=list)
    slices_auto: bool = False
    people: list[str] = field(default_factory=list)
    journal: set[str] = field(default_factory=set)
    one_answer: bool = False
    date_order: str | None = None
    oracle_nll: str | None = None
    oracle_answer: str | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """The first answer column."""
        return self.answers[0]

    @property
    def labels(self) -> list[str]:
        """What stands before the part of each answer column in a joined answer; '' where they are one answer."""
        return [""] * len(self.answers) if self.one_answer else answer_labels(self.answers)


def map_columns(
    table: Columns, chosen: dict[str, Any] | None = None, group_columns: Sequence[str] = (), split_needed: bool = False
) -> ColumnMap:
    """Map the columns of `table` to roles; names in `chosen` win over the automatic choice.

    Raises UserError for an unknown name, for no prompt or answer column, and when two columns could be the answer.
    """
    if not {"prompt", "answer"} <= {role for role, value in (chosen or {}).items() if value}:
        refuse_headerless(table)
    named = named_columns(table, chosen or {})
    mapped = ColumnMap(named.get("prompt", []), named.get("answer", []))
    if mapped.answers:
        mapped.warnings += named_answer_warnings(table, mapped.answers)
    else:
        chosen_answer = choose_answer(table, mapped.prompt, mapped.notes)
        mapped.answers, mapped.one_answer = chosen_answer.columns, len(chosen_answer.columns) > 1
        mapped.warnings += chosen_answer.warnings
    if both := [column for column in mapped.answers if column in mapped.prompt]:
        raise UserError(f"column {quoted(both[0])} is both prompt and answer; the model would only copy it. Name another one.")
    mapped.warnings += [
        f"prompt column {quoted(column)} is a journal or closing field: it may hold the answer, written after the fix."
        for column in mapped.prompt
        if not NEVER_PROMPT.isdisjoint(names.name_forms(column))
    ]
    if not mapped.prompt:
        mapped.prompt = choose_prompt(table, mapped.answers, mapped.notes)
        mapped.spare = spare_columns(table, [*mapped.prompt, *mapped.answers])
    mapped.journal = {column for column in table if is_journal(column)}
    mapped.id = _one(named, "id") or _choose_id(table, [*mapped.prompt, *mapped.answers], mapped.notes)
    mapped.split = _one(named, "split") or (_first(ranked_columns(table, names.SPLIT)) if split_needed else None)
    _map_dates(table, mapped, named)
    _map_course(table, mapped, named)
    mapped.groups = list(
        dict.fromkeys(
            [*named.get("group", []), *(find_column(table, column, "split.group_columns") for column in group_columns)]
        )
    )
    mapped.people = _people(table, [*mapped.prompt, *mapped.spare, *mapped.answers])
    _map_slices(table, mapped, named, (chosen or {}).get("slices") in ([], ()))
    _note_related(table, mapped)
    _find_oracle(table, mapped)
    return mapped


def _map_dates(table: Columns, mapped: ColumnMap, named: dict[str, list[str]]) -> None:
    mapped.created_at = _one(named, "created_at") or _choose_dates(table, names.CREATED)
    mapped.resolved_at = _one(named, "resolved_at") or _choose_dates(table, names.RESOLVED, [mapped.created_at])
    # The last change decides which of two rows with one id is newer; the end of the ticket stands in for it.
    mapped.updated_at = (
        _one(named, "updated_at") or _choose_dates(table, names.UPDATED, [mapped.created_at]) or mapped.resolved_at
    )
    dated = list(dict.fromkeys(column for column in (mapped.created_at, mapped.resolved_at, mapped.updated_at) if column))
    mapped.date_order = shared_order([table[column] for column in dated]) if len(dated) > 1 else None


def _map_course(table: Columns, mapped: ColumnMap, named: dict[str, list[str]]) -> None:
    taken = [*mapped.prompt, *mapped.answers]
    states = [column for column in ranked_columns(table, slice_names.STATUS, taken) if _has_few_values(table[column])]
    mapped.status = _one(named, "status") or _first(states)
    mapped.outcome = [
        column
        for column in ranked_columns(table, slice_names.OUTCOME, [*taken, *([mapped.status] if mapped.status else [])])
        if kind_of(table[column]).name != TEXT
    ]


def _people(table: Columns, taken: Sequence[str]) -> list[str]:
    """Columns of persons by name, in file order, that are not full of sentences, dates or flags."""
    named = [column for column in table if column not in taken and is_person_name(column)]
    return [column for column in named if kind_of(table[column]).name not in (TEXT, EMPTY, DATES, YES_NO)]


def _map_slices(table: Columns, mapped: ColumnMap, named: dict[str, list[str]], none_wanted: bool) -> None:
    if "slices" in named or none_wanted:
        mapped.slices = named.get("slices", [])
        return
    mapped.slices_auto = True
    taken = {*mapped.prompt, *mapped.answers, mapped.id, mapped.split}
    for ranked in slice_names.SLICES.values():
        fitting = [column for column in ranked_columns(table, ranked, [c for c in taken if c]) if _is_slice(table[column])]
        if fitting and len(mapped.slices) < _MOST_SLICES:
            mapped.slices.append(fitting[0])
            taken.add(fitting[0])


def _is_slice(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if not is_missing(cell)]
    return len(filled) * 2 >= len(cells) and _FEWEST_VALUES <= len(set(filled)) <= _MOST_VALUES


def _has_few_values(cells: Sequence[str]) -> bool:
    kind = kind_of(cells)
    return kind.name != TEXT and kind.distinct <= _MOST_STATES


def _note_related(table: Columns, mapped: ColumnMap) -> None:
    if mapped.groups:
        return
    for column in ranked_columns(table, slice_names.RELATED, [*mapped.prompt, *mapped.answers, mapped.id or ""]):
        shared = [
            count for count in Counter(cell.strip() for cell in table[column] if not is_missing(cell)).values() if count > 1
        ]
        if shared and kind_of(table[column]).name not in (TEXT, YES_NO):
            mapped.notes.append(
                f"{sum(shared)} tickets share a {quoted(column)} with another one; to keep these on one side of the split, set "
                f"--split.group_columns=[{quoted(column)}]."
            )
            return


def _one(named: dict[str, list[str]], role: str) -> str | None:
    return named[role][0] if role in named else None


def _first(columns: Sequence[str]) -> str | None:
    return columns[0] if columns else None


def _choose_id(table: Columns, taken: Sequence[str], notes: list[str]) -> str | None:
    for column in ranked_columns(table, names.ID, taken):
        cells = [cell for cell in table[column] if cell.strip()]
        if len(cells) * 2 >= len(table[column]) and len(set(cells)) * 2 >= len(cells) and median(map(len, cells)) <= 64:
            return column
        notes.append(
            f"column {quoted(column)} is not taken as the ticket id: too many of its values are empty, repeated or long."
        )
    notes.append("no id column: ids are made from each ticket's text. Name one with --data.columns.id=NAME.")
    return None


def _choose_dates(table: Columns, ranked: Sequence[str], skip: Sequence[str | None] = ()) -> str | None:
    for column in ranked_columns(table, ranked, [column for column in skip if column]):
        sample = sample_of({cell for cell in table[column] if not is_missing(cell)})
        # An ambiguous column is still the right one: its message comes where dates are needed.
        if date_share(sample) >= _LEAST_DATES:
            return column
    return None


def _find_oracle(table: Columns, mapped: ColumnMap) -> None:
    by_name = {names.normalise_name(column): column for column in table if is_oracle(column)}
    numbers = by_name.get("oracle nll")
    if numbers is None or "oracle answer" not in by_name:
        return
    try:
        for cell in table[numbers]:
            float(cell or "nan")
    except ValueError:
        mapped.notes.append(f"column {quoted(numbers)} is not numeric, so the oracle columns are not used.")
        return
    mapped.oracle_nll, mapped.oracle_answer = numbers, by_name["oracle answer"]
