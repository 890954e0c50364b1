"""Which rows become tickets: unusable answers and repeated tickets go, each with its reason counted."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rca_dist.errors import UserError
from rca_dist.tickets.cleaning.boilerplate import is_boilerplate
from rca_dist.tickets.cleaning.outcomes import OPEN, POINTS_ELSEWHERE, answer_is_duplicate, status_outcomes
from rca_dist.tickets.plural import counted
from rca_dist.tickets.words import is_missing, join_counts, word_count

LEAST_TICKETS = 10
_ADVICE = {
    "empty answer": "most rows have no answer: export resolved tickets with their resolution text",
    "boilerplate answer": "most answers are stock phrases such as 'Issue resolved': the text that says what was done is "
    "perhaps in another column (work notes, root cause)",
    "answer under": "most answers are very short: is it a status or a code? Lower data.min_answer_words to keep them",
    "still open": "most tickets are still open: export resolved ones, or keep these with data.keep_open=true",
    "cancelled": "most tickets are cancelled: export resolved ones",
    "duplicate of": "most tickets are closed as duplicates of another one",
    "answer only points": "most answers only name another ticket: export the tickets they point at",
    "duplicate id": "most rows repeat the id of another row: check that the id column names tickets, with "
    "--data.columns.id=NAME",
    "exact duplicate row": "most rows stand in the file more than once",
    "empty prompt": "most tickets have no text to answer: name the title and description with --data.columns.prompt=[A,B]",
}


@dataclass
class Selection:
    """Row indices kept, in file order, and how many rows went for which reason."""

    rows: list[int]
    dropped: Counter[str]


def select_rows(
    prompts: Sequence[str],
    answers: Sequence[str],
    ids: Sequence[str],
    raw_rows: Iterable[tuple[str, ...]],
    newest: Sequence[dt.datetime | None],
    min_answer_words: int = 2,
    *,
    statuses: Sequence[Sequence[str]] = (),
    outcomes: Sequence[Sequence[str]] = (),
    keep_open: bool = False,
    status_names: Sequence[str] = (),
) -> Selection:
    """Rows with a prompt and an answer worth learning; of a repeated id the newest by `newest`.

    `raw_rows` are the cells as read, to find rows that repeat word for word; an iterator is enough. `statuses` (state, status)
    and `outcomes` (resolution, close code) hold the cells of such columns for each row, or are empty; `status_names` are the
    columns of `statuses`, which tell what a number means. Rows of the same id with the same date are told apart by content, so
    that row order does not matter; without any date the last one in the file stays. An empty id, or a missing-value word as an
    id, never counts as repeated. Raises ValueError when the arguments differ in length.
    """
    dropped: Counter[str] = Counter()
    kept: dict[str, int] = {}
    seen: set[bytes] = set()
    states = _aligned(status_outcomes(statuses, status_names), len(prompts), "statuses")
    results = _aligned(
        [None if found == OPEN else found for found in status_outcomes(outcomes, [""])], len(prompts), "outcomes"
    )
    for row, (prompt, answer, cells) in enumerate(zip(prompts, answers, raw_rows, strict=True)):
        digest = hashlib.blake2b("\x1f".join(cells).encode("utf-8", "replace"), digest_size=16).digest()
        if digest in seen:
            dropped["exact duplicate row"] += 1
            continue
        seen.add(digest)
        state = results[row] or states[row]
        reason = _unusable(prompt, answer, min_answer_words, None if keep_open and state == OPEN else state)
        if reason:
            dropped[reason] += 1
            continue
        key = ids[row].strip()
        key = f"\x00{row}" if is_missing(key) else key
        if key in kept:
            dropped["duplicate id"] += 1
            if _goes_before(row, kept[key], newest, prompts, answers):
                continue
        kept[key] = row
    return Selection(sorted(kept.values()), dropped)


def require_tickets(kept: int, rows_in: int, dropped: Counter[str], name: str, answer: str) -> None:
    """Raise UserError where fewer than 10 usable tickets are left, with the reasons and what to do about the largest."""
    if kept >= LEAST_TICKETS:
        return
    if dropped["empty answer"] and dropped["empty answer"] + dropped["exact duplicate row"] >= rows_in:
        raise UserError(
            f"{name}: the answer column {answer!r} is empty in all {counted(rows_in, 'row')}. Export resolved tickets "
            "with their resolution text, or name another column with --data.columns.answer=NAME."
        )
    reasons = f" ({join_counts(dropped)})" if dropped.total() else ""
    advice = ""
    if dropped.total():
        worst, count = min(dropped.items(), key=lambda item: (-item[1], item[0]))
        if count * 2 >= rows_in:
            advice = next((f" Here {text}." for start, text in _ADVICE.items() if worst.startswith(start)), "")
    raise UserError(
        f"{name}: only {counted(kept, 'usable ticket')} of {counted(rows_in, 'row')}{reasons}; at least "
        f"{LEAST_TICKETS} are needed.{advice} The answer column is {answer!r}; name another with "
        "--data.columns.answer=NAME, or export more tickets."
    )


def unique_ids(ids: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Ids with the missing ones ('', 'N/A') made from each ticket's content, so that they do not depend on row order."""
    known = ["" if is_missing(identifier) else identifier for identifier in ids]
    taken: Counter[str] = Counter(identifier for identifier in known if identifier)
    result = []
    for identifier, content in zip(known, contents, strict=True):
        if not identifier:
            base = "t-" + hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=8).hexdigest()
            identifier = base
            while taken[identifier]:
                taken[base] += 1
                identifier = f"{base}-{taken[base]}"
            taken[identifier] += 1
        result.append(identifier)
    return result


def _aligned(found: list[str | None], rows: int, name: str) -> Sequence[str | None]:
    if found and len(found) != rows:
        raise ValueError(f"{name} has {len(found)} rows for {rows} prompts")
    return found or [None] * rows


def _unusable(prompt: str, answer: str, min_answer_words: int, state: str | None) -> str | None:
    if state:
        return state
    if not answer:
        return "empty answer"
    if not prompt:
        return "empty prompt"
    if answer_is_duplicate(answer):
        return POINTS_ELSEWHERE
    if is_boilerplate(answer):
        return "boilerplate answer"
    if word_count(answer) < min_answer_words:
        return f"answer under {min_answer_words} words"
    return None


def _goes_before(
    row: int, kept: int, newest: Sequence[dt.datetime | None], prompts: Sequence[str], answers: Sequence[str]
) -> bool:
    """True when `row` is older than the kept row of the same id."""
    date, other = newest[row], newest[kept]
    if date is None or other is None:
        return date is None and other is not None
    if date != other:
        return date < other
    return (answers[row], prompts[row]) < (answers[kept], prompts[kept])
