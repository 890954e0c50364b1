"""The answer column: the best-named column that holds text, never a status or a code, never a guess between two."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from rca_dist.errors import UserError
from rca_dist.tickets import column_names as names
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.words import is_missing, letter_word_count

LEAST_MEDIAN_WORDS = 5
_SAMPLED = 2000
_LEAST_DISTINCT = 20
_FLAG = "--data.columns.answer=NAME"
_ORACLE = frozenset({"oracle nll", "oracle answer"})
Columns = dict[str, list[str]]


def is_oracle(column: str) -> bool:
    """True for the columns in which generated data carries its own best answer."""
    return names.normalise_name(column) in _ORACLE


def holds_text(cells: Sequence[str]) -> bool:
    """True when the filled cells have a median of 5 words or more and many distinct values."""
    filled = [cell for cell in cells if not is_missing(cell)]
    if not filled:
        return False
    sample = filled[:: max(1, len(filled) // _SAMPLED)]
    if median(letter_word_count(cell) for cell in sample) < LEAST_MEDIAN_WORDS:
        return False
    return len(set(filled)) >= min(_LEAST_DISTINCT, 0.3 * len(filled))


def choose_answer(table: Columns, prompt: Sequence[str], notes: list[str]) -> str:
    """The answer column by name and content; what was passed over, and why, goes to `notes`.

    Raises UserError when none fits, or two of the same rank hold text.
    """
    tiers: list[list[str]] = [[] for _ in names.ANSWER_TIERS]
    empty: list[str] = []
    for column in table:
        if column in prompt or is_oracle(column):
            continue
        forms = names.name_forms(column)
        for rank, tier in enumerate(names.ANSWER_TIERS):
            if not tier.isdisjoint(forms):
                (empty if all(map(is_missing, table[column])) else tiers[rank]).append(column)
                break
    refused: list[str] = []
    for rank, candidates in enumerate(tiers):
        texts = [column for column in candidates if holds_text(table[column])]
        refused += [column for column in candidates if column not in texts]
        if not texts:
            continue
        if rank == 0:
            # "Resolution notes" beside a "Root cause" that is text: both could be meant, and only the user knows.
            texts += [column for column in tiers[1] if holds_text(table[column])]
        # The same content under two names is no choice to make.
        if len(texts) > 1 and any(table[column] != table[texts[0]] for column in texts):
            raise UserError(_two_candidates(table, texts))
        notes += [_passed_over(table, column, texts[0]) for column in refused]
        others = [column for later in tiers[rank + 1 :] for column in later if holds_text(table[column])]
        if others:
            notes.append(f"answer: {texts[0]!r}; {_listed(others)} hold text too; change it with {_FLAG}.")
        return texts[0]
    raise UserError(_no_candidate(table, prompt, refused + empty))


def _two_candidates(table: Columns, texts: list[str]) -> str:
    lines = [f"\n  {column!r}: {_sample(table[column])}" for column in texts]
    return f"{len(texts)} columns could be the answer; say which with {_FLAG}:" + "".join(lines)


def _passed_over(table: Columns, column: str, used: str) -> str:
    reason = _why_not(table[column])
    return f"column {column!r} is not taken as the answer: {reason}; {used!r} is used. Change it with {_FLAG}."


def _no_candidate(table: Columns, prompt: Sequence[str], refused: list[str]) -> str:
    known = {*names.TITLE, *names.DESCRIPTION, *names.CREATED, *names.ID}
    others = [
        column
        for column in table
        if column not in refused
        and column not in prompt
        and not is_oracle(column)
        and known.isdisjoint(names.name_forms(column))
        and holds_text(table[column])
    ]
    proposal = f" Columns that do hold text: {_listed(others)}." if others else ""
    if refused:
        reasons = "; ".join(f"{column!r} does not fit: {_why_not(table[column])}" for column in refused)
        return f"no column holds the answer as text. {reasons}.{proposal} Name the right one with {_FLAG}."
    shown = ", ".join(repr(column[:60]) for column in list(table)[:40])
    return (
        "no column looks like the answer (close notes, resolution, root cause, solution...)."
        f"{proposal} Name it with {_FLAG}. Columns: {shown}."
    )


def _why_not(cells: list[str]) -> str:
    filled = [cell.strip() for cell in cells if not is_missing(cell)]
    if not filled:
        return f"it is empty in all {len(cells)} rows"
    common = ", ".join(repr(_short(value, 40)) for value, _ in Counter(filled).most_common(2))
    return f"it looks like a status or a code ({len(set(filled))} distinct values in {len(filled)} rows, such as {common})"


def _sample(cells: list[str]) -> str:
    return repr(_short(next((cell for cell in cells if not is_missing(cell)), ""), 80))


def _short(text: str, length: int) -> str:
    # Messages end up in logs, so samples in them are redacted like everything else.
    line = Redactor().redact_ticket([" ".join(text[:400].split())])[0]
    return line if len(line) <= length else line[:length] + "..."


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(repr(column) for column in columns[:6])
