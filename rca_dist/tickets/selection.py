"""Which rows become tickets: unusable answers and repeated tickets go, each with its reason counted."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rca_dist.errors import UserError
from rca_dist.tickets.clean import is_boilerplate
from rca_dist.tickets.words import join_counts, word_count

LEAST_TICKETS = 10


@dataclass
class Selection:
    """Row indices kept, in file order, and how many rows went for which reason."""

    rows: list[int]
    dropped: Counter[str]


def select_rows(
    prompts: Sequence[str],
    answers: Sequence[str],
    ids: Sequence[str],
    raw_rows: Sequence[tuple[str, ...]],
    newest: Sequence[dt.datetime | None],
    min_answer_words: int = 2,
) -> Selection:
    """Rows with a prompt and an answer worth learning; of a repeated id the newest by `newest`, else the last.

    `raw_rows` are the cells as read, to find rows that repeat word for word. An empty id never counts as repeated.
    """
    dropped: Counter[str] = Counter()
    kept: dict[str, int] = {}
    seen: set[bytes] = set()
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        digest = hashlib.blake2b("\x1f".join(raw_rows[row]).encode("utf-8", "replace"), digest_size=16).digest()
        reason = "exact duplicate row" if digest in seen else _unusable(prompt, answer, min_answer_words)
        seen.add(digest)
        if reason:
            dropped[reason] += 1
            continue
        key = ids[row] or f"\x00{row}"
        if key in kept:
            dropped["duplicate id"] += 1
            if _older(newest[row], newest[kept[key]]):
                continue
        kept[key] = row
    return Selection(sorted(kept.values()), dropped)


def require_tickets(kept: int, rows_in: int, dropped: Counter[str], name: str, answer: str) -> None:
    """Raise UserError where fewer than 10 usable tickets are left, with the reasons."""
    if kept >= LEAST_TICKETS:
        return
    if dropped["empty answer"] and dropped["empty answer"] + dropped["exact duplicate row"] >= rows_in:
        raise UserError(
            f"{name}: the answer column {answer!r} is empty in all {rows_in} rows. Export resolved tickets with their "
            "resolution text, or name another column with --data.columns.answer=NAME."
        )
    reasons = f" ({join_counts(dropped)})" if dropped.total() else ""
    raise UserError(
        f"{name}: only {kept} usable tickets of {rows_in} rows{reasons}; at least {LEAST_TICKETS} are needed. "
        f"The answer column is {answer!r}; name another with --data.columns.answer=NAME, or export more tickets."
    )


def unique_ids(ids: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Ids with the missing ones made from each ticket's content, so that they do not depend on row order."""
    taken: Counter[str] = Counter(identifier for identifier in ids if identifier)
    result = []
    for identifier, content in zip(ids, contents, strict=True):
        if not identifier:
            base = "t-" + hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=8).hexdigest()
            identifier = base
            while taken[identifier]:
                taken[base] += 1
                identifier = f"{base}-{taken[base]}"
            taken[identifier] += 1
        result.append(identifier)
    return result


def _unusable(prompt: str, answer: str, min_answer_words: int) -> str | None:
    if not answer:
        return "empty answer"
    if not prompt:
        return "empty prompt"
    if is_boilerplate(answer):
        return "boilerplate answer"
    if word_count(answer) < min_answer_words:
        return f"answer under {min_answer_words} words"
    return None


def _older(date: dt.datetime | None, kept: dt.datetime | None) -> bool:
    return date is not None and kept is not None and date < kept
