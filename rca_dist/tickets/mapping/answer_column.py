"""The answer column: the best-named column that holds text, never a status or a code, never a guess between two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rca_dist.errors import UserError
from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.answer_names import ANSWER_TIERS, answer_rank, is_journal, is_oracle
from rca_dist.tickets.mapping.chosen_columns import list_columns
from rca_dist.tickets.mapping.column_kinds import SHORT_TEXT, TEXT, Kind, kind_of
from rca_dist.tickets.mapping.samples import samples, shorten
from rca_dist.tickets.mapping.shown_names import quoted, shown
from rca_dist.tickets.mapping.templates import Template, template_of
from rca_dist.tickets.words import is_missing

__all__ = ["choose_answer", "is_oracle", "named_answer_warnings"]
_FLAG = "--data.columns.answer=NAME"
# The last rank only holds a word for an answer in a longer name; the others are names of answers.
_RANKS = len(ANSWER_TIERS) + 1
_NAMED = len(ANSWER_TIERS)
_TEMPLATED, _WELL_FILLED = 0.8, 0.5
# A column with less than a fifth of the other's cells is no rival, a second one that says the same is none either.
_RIVAL, _SAME = 0.2, 0.9
_LISTED = 6
Columns = dict[str, list[str]]


@dataclass
class Choice:
    """The answer column, or several that are one answer as no row fills two of them; and sentences to warn with."""

    columns: list[str]
    warnings: list[str] = field(default_factory=list)


def choose_answer(table: Columns, prompt: Sequence[str], notes: list[str]) -> Choice:
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
    refused = [column for columns in ranked[:_NAMED] for column in columns if not kinds[column].is_text]
    letters = _form_letters(table, [column for columns in texts for column in columns])
    texts, warnings = _without_letters(texts, letters)
    rank = next((rank for rank, columns in enumerate(texts) if columns), None)
    if rank is None:
        raise UserError(_no_candidate(table, prompt, {column: kinds[column] for column in refused}))
    rivals = _rivals(texts, rank, kinds)
    used = _settle(table, rivals, kinds, notes)
    notes += [
        f"column {quoted(column)} is not taken as the answer: {kinds[column].why_not_text()}; {_listed(used)} is used. "
        f"Change it with {_FLAG}."
        for column in refused
        if kinds[column].filled
    ]
    others = [column for columns in texts for column in columns if column not in rivals]
    if others:
        notes.append(f"answer: {_listed(used)}; further columns of text: {_listed(others)}. Change it with {_FLAG}.")
    notes += [note for column in used for note in _notes_on(column, kinds[column], rank, alone=len(used) == 1)]
    # Where one text fills many rows that is said of the answers later, with the text.
    said = [column for column in used if column in letters and not _is_one_text(table[column])]
    warnings += [_template_warning(table, column, letters[column], prompt, kinds) for column in said]
    return Choice(used, warnings)


def _form_letters(table: Columns, texts: Sequence[str]) -> dict[str, Template]:
    """Columns of which most different cells are one sentence with other names and numbers."""
    found = {column: template_of(table[column]) for column in texts}
    return {column: template for column, template in found.items() if template and template.share >= _TEMPLATED}


def _is_one_text(cells: Sequence[str]) -> bool:
    counts = Counter(cell.strip() for cell in cells if not is_missing(cell))
    return max(counts.values()) >= _RIVAL * counts.total()


def _without_letters(texts: list[list[str]], letters: dict[str, Template]) -> tuple[list[list[str]], list[str]]:
    """`texts` without acknowledgements that every requester gets, where another named answer holds text; and what to say."""
    sent = [column for columns in texts for column in columns if column in letters and letters[column].acknowledges]
    rest = [[column for column in columns if column not in sent] for columns in texts]
    if not sent or not any(rest[:_NAMED]):
        return texts, []
    used = next(columns[0] for columns in rest if columns)
    return rest, [
        f"column {quoted(column)} is not taken as the answer: {100 * letters[column].share:.0f} % of its texts are one "
        f"form letter ({shorten(letters[column].example)!r}); {quoted(used)} is used. Change it with {_FLAG}."
        for column in sent
    ]


def _rivals(texts: list[list[str]], rank: int, kinds: dict[str, Kind]) -> list[str]:
    """Columns any of which could be meant: "Resolution notes" beside a "Root cause", "Root cause" beside a "Workaround"."""
    if rank > 1:
        return texts[rank]
    rivals = texts[0] + texts[1]
    fullest = max(kinds[column].filled for column in rivals)
    # What was done counts beside a cause where that column is as good: text, and filled half as often.
    return rivals + [
        column for column in texts[2] if kinds[column].name == TEXT and kinds[column].filled >= _WELL_FILLED * fullest
    ]


def _template_warning(table: Columns, column: str, template: Template, prompt: Sequence[str], kinds: dict[str, Kind]) -> str:
    others = [
        other for other in _free(table, [column, *prompt])
        if not is_journal(other) and (kinds.get(other) or kind_of(table[other])).name == TEXT
    ]  # fmt: skip
    proposal = f" Other columns that hold text: {_listed(others)}; {_FLAG} takes one of them." if others else ""
    return (
        f"answers in {quoted(column)}: {100 * template.share:.0f} % of the different texts are one sentence with other "
        f"names and numbers ({shorten(template.example)!r}): the model learns that sentence. Is it the solution?{proposal}"
    )


def named_answer_warnings(table: Columns, answers: Sequence[str]) -> list[str]:
    """Sentences on named answer columns that hold no text; a named column is used whatever it holds."""
    kinds = {column: kind_of(table[column]) for column in answers}
    return [
        f"answer column {quoted(column)}: {kind.why_not_text()}; the model learns to write just that."
        for column, kind in kinds.items()
        if not kind.is_text and kind.filled
    ]


def _settle(table: Columns, rivals: list[str], kinds: dict[str, Kind], notes: list[str]) -> list[str]:
    """The one column of `rivals` that can be meant, or those that are one answer. Raises UserError when several can."""
    if len(rivals) > 1 and _never_together(table, rivals):
        counts = ", ".join(f"{quoted(column)} ({kinds[column].filled} rows)" for column in rivals)
        notes.append(f"answer: no row fills two of these columns, so they are read as one answer: {counts}.")
        return rivals
    fullest = max(kinds[column].filled for column in rivals)
    sparse = [column for column in rivals if kinds[column].filled < _RIVAL * fullest]
    serious = [column for column in rivals if column not in sparse]
    # The same content under two names is no choice to make: the fuller of them, or the first, is used.
    used = max(serious, key=lambda column: kinds[column].filled)
    different = [column for column in serious if not _say_the_same(table[column], table[used])]
    if different:
        raise UserError(_two_candidates(table, [column for column in serious if column in different or column == used]))
    if sparse:
        counts = ", ".join(
            f"{quoted(column)} ({kinds[column].filled} of {kinds[column].rows} rows)" for column in sparse[:_LISTED]
        )
        notes.append(f"answer: {quoted(used)}; hardly filled and not used: {counts}. Change it with {_FLAG}.")
    return [used]


def _never_together(table: Columns, columns: Sequence[str]) -> bool:
    """Two files under one roof, each with its own name for the answer, fill their column in their own rows only."""
    return all(
        sum(not is_missing(cell) for cell in cells) < 2 for cells in zip(*(table[name] for name in columns), strict=True)
    )


def _say_the_same(cells: Sequence[str], others: Sequence[str]) -> bool:
    both = [
        (cell, other)
        for cell, other in zip(cells, others, strict=True)
        if cell.strip() and other.strip() and not is_missing(cell) and not is_missing(other)
    ]
    equal = sum(cell == other or _bare(cell) == _bare(other) for cell, other in both)
    return bool(both) and equal >= _SAME * len(both)


def _bare(cell: str) -> str:
    return " ".join((strip_markup(cell) if "<" in cell else cell).split())


def _notes_on(column: str, kind: Kind, rank: int, alone: bool) -> list[str]:
    notes = []
    if rank == _RANKS - 1:
        notes.append(
            f"answer: {quoted(column)} is taken by a part of its name and because it holds text; change it with {_FLAG}."
        )
    if kind.name == SHORT_TEXT:
        notes.append(
            f"answers in {quoted(column)} are short (half of them have {kind.words} words or fewer; {kind.distinct} distinct "
            f"values in {kind.filled} rows); they are used, as they are too many and too different for a code."
        )
    if alone and kind.filled * 2 < kind.rows:
        notes.append(f"answer column {quoted(column)} is filled in only {kind.filled} of {kind.rows} rows.")
    return notes


def _two_candidates(table: Columns, texts: list[str]) -> str:
    lines = "".join(f"\n  {quoted(column)}: {next(iter(samples(table[column], most=1)), '')!r}" for column in texts[:_LISTED])
    both = ",".join(map(shown, texts[:_LISTED]))
    return (
        f"{len(texts)} columns could be the answer:{lines}\n"
        f"Say which with {_FLAG} (such as {quoted(texts[0])}), or join them with --data.columns.answer={both!r}."
    )


def _no_candidate(table: Columns, prompt: Sequence[str], refused: dict[str, Kind]) -> str:
    free = _free(table, prompt)
    others = [column for column in free if not is_journal(column) and kind_of(table[column]).name == TEXT]
    journals = [column for column in free if is_journal(column) and not all(map(is_missing, table[column]))]
    proposal = f" Columns that do hold text: {_listed(others)}." if others else ""
    if journals:
        proposal += (
            f" Journals: {_listed(journals)}; --data.columns.answer={quoted(journals[0])} takes the last useful entry of "
            "each ticket."
        )
    if refused:
        reasons = "; ".join(f"{quoted(column)} does not fit: {kind.why_not_text()}" for column, kind in refused.items())
        return f"no column holds the answer as text. {reasons}.{proposal} Name the right one with {_FLAG}."
    return (
        "no column looks like the answer (close notes, resolution, root cause, solution...)."
        f"{proposal} Name it with {_FLAG}. Columns: {list_columns(table)}."
    )


def _free(table: Columns, taken: Sequence[str]) -> list[str]:
    """Columns that may be an answer: not taken, and not by their name the ticket's text, date or number."""
    known = {*names.TITLE, *names.DESCRIPTION, *names.CREATED, *names.ID}
    return [
        column
        for column in table
        if column not in taken and not is_oracle(column) and known.isdisjoint(names.name_forms(column))
    ]


def _listed(columns: Sequence[str]) -> str:
    more = f" and {len(columns) - _LISTED} more" if len(columns) > _LISTED else ""
    return ", ".join(map(quoted, columns[:_LISTED])) + more
