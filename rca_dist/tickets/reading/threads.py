"""Thread form (one row per post) to one row per question with its answer, or a refusal that names the columns."""

from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.columns import ColumnMap, find_column
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.answer_names import answer_rank
from rca_dist.tickets.reading import post_words
from rca_dist.tickets.reading.closings import says_nothing
from rca_dist.tickets.reading.post_words import ANSWER, flag_of
from rca_dist.tickets.reading.posts import ORPHAN, Posts, Thread, first_named, posts_of, threads_of
from rca_dist.tickets.reading.raw_table import RawTable
from rca_dist.tickets.words import letter_word_count

ROLES = ("parent", "role", "accepted")
_SAMPLED = 2000
_SMALL = "thread with thanks and closings only"


def is_named(chosen: dict[str, Any] | None) -> bool:
    """True when data.columns names a column of the thread form."""
    return any((chosen or {}).get(role) for role in ROLES)


def pair(raw: RawTable, chosen: dict[str, Any]) -> RawTable:
    """One row per question, with all its columns and the text of its answer; `chosen` names the columns.

    `parent` holds the id of the question (empty, or the post's own id, on the question itself), or an id that all posts
    of a thread share; `role` says who writes; `accepted` is a flag on the answer or holds its id on the question. With
    `accepted` only that answer counts, otherwise the last post of a helper that says something (see `says_nothing`). What was
    found is in `threads` of the result (posts, threads, pairs, without_answer, orphans, answer_column; id_column and
    created_column where they are known from the thread). Raises UserError when no thread can be paired.
    """
    posts = posts_of(raw, chosen)
    threads = threads_of(posts)
    replies = _accepted(posts, threads) if "accepted" in posts.named else [_last_answer(posts, item) for item in threads]
    pairs = [(item, answer) for item, answer in zip(threads, replies, strict=True) if answer is not None]
    reason = "thread without an accepted answer" if "accepted" in posts.named else "thread without an answer"
    unanswered = len(threads) - len(pairs)
    if not pairs:
        raise UserError(
            f"{raw.name}: {len(threads)} threads and none has an answer; check --data.columns.parent, .role and .accepted "
            f"(now {', '.join(f'{role}={column}' for role, column in posts.named.items() if role in ROLES)})."
        )
    source, target = _answer_columns(posts, chosen, pairs)
    if "accepted" not in posts.named:
        saying = [(item, _last_answer(posts, item, raw.columns[source])) for item, _ in pairs]
        pairs = [(item, answer) for item, answer in saying if answer is not None] or pairs
    lacking = len(threads) - len(pairs)
    rows = [item.question for item, _ in pairs]
    columns = {name: [cells[row] for row in rows] for name, cells in raw.columns.items()}
    shared = _thread_ids(posts, chosen, [item for item, _ in pairs], columns)
    columns[target] = [raw.columns[source][answer] for _, answer in pairs]
    result = RawTable(
        raw.name, raw.format, columns, [raw.numbers[row] for row in rows], raw.encoding, raw.delimiter, raw.preview,
        raw.dropped.copy(), raw.files, [raw.origins[row] for row in rows] if raw.origins else [], raw.sources,
        list(raw.notes),
    )  # fmt: skip
    result.dropped.update(posts.dropped)
    result.dropped.update({why: count for why, count in {reason: unanswered, _SMALL: lacking - unanswered}.items() if count})
    result.threads = {
        "posts": raw.rows, "threads": len(threads), "pairs": len(pairs), "without_answer": lacking,
        "orphans": posts.dropped[ORPHAN], "answer_column": target, **shared,
    }  # fmt: skip
    result.notes.insert(0, f"{raw.rows} posts in {len(threads)} threads: {len(pairs)} questions with an answer.")
    if not {"accepted", "role"} & posts.named.keys():
        result.notes.append(
            "threads: the last reply is taken as the answer; --data.columns.role or .accepted says which reply it is."
        )
    return result


def after_pairing(chosen: dict[str, Any], paired: RawTable) -> dict[str, Any]:
    """The column choices that hold for the paired table: without the thread's columns, with the answer's column."""
    kept = {role: value for role, value in chosen.items() if role not in ROLES}
    found = {"id": paired.threads.get("id_column"), "created_at": paired.threads.get("created_column")}
    kept |= {role: column for role, column in found.items() if column and not kept.get(role)}
    return kept | {"answer": paired.threads["answer_column"]}


def refuse_posts(raw: RawTable, mapped: ColumnMap | None = None) -> None:
    """Raise UserError, with the columns to name, when the table plainly has one row per post; call it before pairing
    is given up. A table whose answer column is filled on most rows is no such export."""
    if mapped is not None and _filled_share(raw.columns[mapped.answer]) >= 0.5:
        return
    if mapped is None and any(answer_rank(column) is not None and _is_text(raw.columns[column]) for column in raw.columns):
        return
    parents = post_words.parent_columns(raw.columns)
    roles = post_words.role_columns(raw.columns)
    id_column = first_named(raw, names.ID, {*parents, *roles})
    ids = [cell.strip() for cell in raw.columns[id_column]] if id_column else []
    pointing = [column for column in parents if _points(raw.columns[column], ids)]
    if pointing:
        why = f"column {pointing[0]!r} points at {id_column!r} of other rows"
    elif roles and len(set(ids)) * 2 < len(ids):
        why = f"column {roles[0]!r} says who writes, and most values of {id_column!r} repeat"
    elif roles:
        why = f"column {roles[0]!r} says who writes, and no column holds an answer"
    elif ids and _most_repeat(ids):
        why = f"most values of {id_column!r} repeat, and no column holds an answer"
    else:
        return
    shared = [column for column in parents if _most_repeat(raw.columns[column])]
    suggestion = {
        "parent": (pointing or shared or ([id_column] if ids and _most_repeat(ids) and id_column else parents))[:1],
        "role": roles[:1],
        "accepted": [column for column in post_words.accepted_columns(raw.columns) if column not in (*roles, *parents)][:1],
    }
    flags = " ".join(f"--data.columns.{role}={found[0]}" for role, found in suggestion.items() if found)
    raise UserError(
        f"{raw.name}: this export has one row per post, not one per ticket: {why}. Name the column with the question's id, "
        f"who writes, and which reply is accepted (one or two of them may be enough): {flags or '--data.columns.parent=NAME'}."
    )


def _accepted(posts: Posts, threads: list[Thread]) -> list[int | None]:
    column = posts.named["accepted"]
    cells = posts.table.columns[column]
    found: list[int | None] = []
    for thread in threads:
        named = cells[thread.question].strip().removesuffix(".0")
        by_id = [row for row in thread.replies if named and posts.ids[row] == named]
        flagged = [row for row in thread.replies if flag_of(cells[row])]
        found.append(by_id[0] if by_id else flagged[-1] if flagged else None)
    if threads and not any(row is not None for row in found):
        shown = ", ".join(repr(cell[:30]) for cell in sorted({cell for cell in cells if cell.strip()})[:6])
        raise UserError(
            f"data.columns.accepted={column}: none of its values ({shown or 'all empty'}) marks a reply; it must be a flag on "
            "the answer's row (true, 1, yes, x...), or hold the id of the accepted answer on the question's row."
        )
    return found


def _last_answer(posts: Posts, thread: Thread, texts: list[str] | None = None) -> int | None:
    """The last reply of a helper; with `texts`, the last that says more than thanks or that the thread is closed."""
    replies = [row for row in thread.replies if not posts.roles or posts.roles[row] == ANSWER]
    return next((row for row in reversed(replies) if texts is None or not says_nothing(texts[row])), None)


def _thread_ids(posts: Posts, chosen: dict[str, Any], kept: list[Thread], columns: dict[str, list[str]]) -> dict[str, str]:
    """What `after_pairing` is told of the thread's id and date, where no name of a column says it."""
    found = {}
    parent = posts.named.get("parent")
    if parent and not chosen.get("id") and kept and all(item.key for item in kept):
        # The post's own id is no use to somebody who looks for the thread.
        columns[parent] = ["" if item.key.startswith("\x00") else item.key for item in kept]
        found["id_column"] = parent
    if posts.other_date and not chosen.get("created_at"):
        found["created_column"] = posts.other_date
    return found


def _answer_columns(posts: Posts, chosen: dict[str, Any], pairs: list[tuple[Thread, int]]) -> tuple[str, str]:
    """(column that holds the text of the answer posts, column of the result for it)."""
    columns, keys = posts.table.columns, {*posts.named.values(), posts.id_column}
    prompts = chosen.get("prompt") or []
    prompts = [part.strip() for part in prompts.split(",")] if isinstance(prompts, str) else list(prompts)
    named = [find_column(columns, str(part), "data.columns.prompt") for part in prompts]
    wanted = chosen.get("answer")
    wanted = wanted[0] if isinstance(wanted, list | tuple) and len(wanted) == 1 else wanted
    if wanted:
        source = find_column(columns, str(wanted), "data.columns.answer")
    else:
        source = _text_column(posts, [row for _, row in pairs], named, keys)
    shared = source in named or any(columns[source][thread.question].strip() for thread, _ in pairs)
    target = "answer" if shared or not wanted else source
    return source, target if target not in keys and (target not in columns or target == source) else "answer text"


def _text_column(posts: Posts, rows: list[int], prompts: list[str], keys: set[str | None]) -> str:
    columns = posts.table.columns
    free = {name: cells for name, cells in columns.items() if name not in keys}
    filled = [name for name in free if sum(bool(free[name][row].strip()) for row in rows[:_SAMPLED]) * 2 > len(rows[:_SAMPLED])]
    answers = [name for name in filled if answer_rank(name) is not None and _is_text([free[name][row] for row in rows])]
    described = {form: name for name in reversed(filled) for form in names.name_forms(name)}
    bodies = [described[form] for form in names.DESCRIPTION if form in described]
    longest = sorted(filled, key=lambda name: -sum(len(free[name][row]) for row in rows[:_SAMPLED]))
    candidates = [*answers, *(name for name in reversed(prompts) if name in filled), *bodies, *longest]
    if not candidates:
        raise UserError(f"{posts.table.name}: no column holds the answers' text; name it with --data.columns.answer=NAME.")
    return candidates[0]


def _is_text(cells: list[str]) -> bool:
    sample = [cell for cell in cells[:_SAMPLED] if cell.strip()]
    counts = sorted(letter_word_count(cell[:2000]) for cell in sample)
    return bool(counts) and counts[len(counts) // 2] >= 3 and len(sample) * 10 >= 3 * len(cells[:_SAMPLED])


def _filled_share(cells: list[str]) -> float:
    return sum(bool(cell.strip()) for cell in cells) / max(len(cells), 1)


def _points(cells: list[str], ids: list[str]) -> bool:
    own = set(filter(None, ids))
    filled = [(cell.strip().removesuffix(".0"), ids[row]) for row, cell in enumerate(cells) if cell.strip()] if own else []
    others = sum(parent in own and parent != own_id for parent, own_id in filled)
    return others * 2 >= len(filled) > 0 and others * 5 >= len(ids)


def _most_repeat(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return len(set(filled)) * 2 <= len(filled) and len(set(filled)) > 1
