"""The answer column: the best-named column that holds text, never a status or a code, never a guess between two."""

from collections.abc import Sequence

from rca_dist.errors import UserError
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.answer_names import answer_rank, is_journal, is_oracle
from rca_dist.tickets.mapping.chosen_columns import list_columns
from rca_dist.tickets.mapping.column_kinds import SHORT_TEXT, TEXT, Kind, kind_of
from rca_dist.tickets.mapping.samples import samples
from rca_dist.tickets.words import is_missing

__all__ = ["choose_answer", "is_oracle", "named_answer_warnings"]
_FLAG = "--data.columns.answer=NAME"
_RANKS = 4
# A column with less than a fifth of the other's cells is no rival, a second one that says the same is none either.
_RIVAL, _SAME = 0.2, 0.9
_LISTED = 6
Columns = dict[str, list[str]]


def choose_answer(table: Columns, prompt: Sequence[str], notes: list[str]) -> str:
    """The answer column by name and content; what was passed over, and why, goes to `notes`.

    Raises UserError when none fits, or two of the same rank hold text.
    """
    ranked: list[list[str]] = [[] for _ in range(_RANKS)]
    for column in table:
        rank = None if column in prompt or is_oracle(column) else answer_rank(column)
        if rank is not None:
            ranked[rank].append(column)
    kinds = {column: kind_of(table[column]) for columns in ranked for column in columns}
    texts = [[column for column in columns if kinds[column].is_text] for columns in ranked]
    refused = [column for columns in ranked[:3] for column in columns if not kinds[column].is_text]
    rank = next((rank for rank, columns in enumerate(texts) if columns), None)
    if rank is None:
        raise UserError(_no_candidate(table, prompt, {column: kinds[column] for column in refused}))
    # "Resolution notes" beside a "Root cause" that is text: both could be meant, and only the user knows.
    rivals = texts[0] + texts[1] if rank == 0 else texts[rank]
    used = _settle(table, rivals, kinds, notes)
    notes += [
        f"column {column!r} is not taken as the answer: {kinds[column].why_not_text()}; {used!r} is used. "
        f"Change it with {_FLAG}."
        for column in refused
        if kinds[column].filled
    ]
    others = [column for columns in texts for column in columns if column not in rivals]
    if others:
        notes.append(f"answer: {used!r}; further columns of text: {_listed(others)}. Change it with {_FLAG}.")
    notes += _notes_on(used, kinds[used], rank)
    return used


def named_answer_warnings(table: Columns, answers: Sequence[str]) -> list[str]:
    """Sentences on named answer columns that hold no text; a named column is used whatever it holds."""
    kinds = {column: kind_of(table[column]) for column in answers}
    return [
        f"answer column {column!r}: {kind.why_not_text()}; the model learns to write just that."
        for column, kind in kinds.items()
        if not kind.is_text and kind.filled
    ]


def _settle(table: Columns, rivals: list[str], kinds: dict[str, Kind], notes: list[str]) -> str:
    """The one column of `rivals` that can be meant. Raises UserError when several can."""
    fullest = max(kinds[column].filled for column in rivals)
    sparse = [column for column in rivals if kinds[column].filled < _RIVAL * fullest]
    serious = [column for column in rivals if column not in sparse]
    # The same content under two names is no choice to make: the fuller of them, or the first, is used.
    used = max(serious, key=lambda column: kinds[column].filled)
    different = [column for column in serious if not _say_the_same(table[column], table[used])]
    if different:
        raise UserError(_two_candidates(table, [column for column in serious if column in different or column == used]))
    if sparse:
        counts = ", ".join(f"{column!r} ({kinds[column].filled} of {kinds[column].rows} rows)" for column in sparse[:_LISTED])
        notes.append(f"answer: {used!r}; hardly filled and not used: {counts}. Change it with {_FLAG}.")
    return used


def _say_the_same(cells: Sequence[str], others: Sequence[str]) -> bool:
    both = [
        (cell, other)
        for cell, other in zip(cells, others, strict=True)
        if cell.strip() and other.strip() and not is_missing(cell) and not is_missing(other)
    ]
    equal = sum(cell == other or " ".join(cell.split()) == " ".join(other.split()) for cell, other in both)
    return bool(both) and equal >= _SAME * len(both)


def _notes_on(column: str, kind: Kind, rank: int) -> list[str]:
    notes = []
    if rank == _RANKS - 1:
        notes.append(f"answer: {column!r} is taken by a part of its name and because it holds text; change it with {_FLAG}.")
    if kind.name == SHORT_TEXT:
        notes.append(
            f"answers in {column!r} are short (half of them have {kind.words} words or fewer; {kind.distinct} distinct values "
            f"in {kind.filled} rows); they are used, as they are too many and too different for a code."
        )
    if kind.filled * 2 < kind.rows:
        notes.append(f"answer column {column!r} is filled in only {kind.filled} of {kind.rows} rows.")
    return notes


def _two_candidates(table: Columns, texts: list[str]) -> str:
    lines = "".join(f"\n  {column!r}: {next(iter(samples(table[column], most=1)), '')!r}" for column in texts[:_LISTED])
    both = ",".join(texts[:_LISTED])
    return (
        f"{len(texts)} columns could be the answer:{lines}\n"
        f"Say which with {_FLAG} (such as {texts[0]!r}), or join them with --data.columns.answer={both!r}."
    )


def _no_candidate(table: Columns, prompt: Sequence[str], refused: dict[str, Kind]) -> str:
    known = {*names.TITLE, *names.DESCRIPTION, *names.CREATED, *names.ID}
    free = [
        column
        for column in table
        if column not in prompt and not is_oracle(column)
        and known.isdisjoint(names.name_forms(column))
    ]  # fmt: skip
    others = [column for column in free if not is_journal(column) and kind_of(table[column]).name == TEXT]
    journals = [column for column in free if is_journal(column) and not all(map(is_missing, table[column]))]
    proposal = f" Columns that do hold text: {_listed(others)}." if others else ""
    if journals:
        proposal += (
            f" Journals: {_listed(journals)}; --data.columns.answer={journals[0]!r} takes the last useful entry of each ticket."
        )
    if refused:
        reasons = "; ".join(f"{column!r} does not fit: {kind.why_not_text()}" for column, kind in refused.items())
        return f"no column holds the answer as text. {reasons}.{proposal} Name the right one with {_FLAG}."
    return (
        "no column looks like the answer (close notes, resolution, root cause, solution...)."
        f"{proposal} Name it with {_FLAG}. Columns: {list_columns(table)}."
    )


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return ", ".join(repr(column) for column in columns[:_LISTED]) + more
