"""Exports with one row per post: who replies to whom, and which post of a thread is its question."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.columns import find_column
from rca_dist.tickets.dates import date_share, parse_dates
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.reading.post_words import ANSWER, QUESTION, role_of
from rca_dist.tickets.reading.raw_table import RawTable

ORPHAN = "post whose question is not in the export"
_SAMPLED = 500
_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass
class Posts:
    """Rows of an export as posts: the columns named for it, each row's own id, role and place in time.

    `order` sorts rows by date; rows of one date, or without dates, keep their order in the export. `roles` is empty
    without a role column. `other_date` is the date column where its name does not say so.
    """

    table: RawTable
    named: dict[str, str]
    id_column: str | None
    other_date: str | None
    ids: list[str]
    roles: list[str]
    dates: list[dt.datetime | None]
    dropped: Counter[str] = field(default_factory=Counter)

    def order(self, row: int) -> tuple[Any, ...]:
        """Sort key of a row."""
        return (self.dates[row] or _NEVER, row)


@dataclass
class Thread:
    """Rows of one thread: the question, and its other posts in order of time; `key` is the id that its posts share."""

    question: int
    replies: list[int]
    key: str = ""


def posts_of(raw: RawTable, chosen: dict[str, Any]) -> Posts:
    """Look at the rows as posts, with the columns that `chosen` names. Raises UserError for an unknown column or role."""
    named = {
        role: find_column(raw.columns, str(chosen[role]), f"data.columns.{role}")
        for role in ("parent", "role", "accepted", "id", "created_at")
        if chosen.get(role)
    }
    id_column = named.get("id") or first_named(raw, names.ID, set(named.values()))
    date_column = named.get("created_at") or first_named(raw, names.CREATED, set(named.values()))
    other_date = None if date_column else _dated(raw, id_column)
    date_column = date_column or other_date
    dates: list[dt.datetime | None] = [None] * raw.rows
    if date_column:
        dates = parse_dates(raw.columns[date_column]).values
    ids = [_key(cell) for cell in raw.columns[id_column]] if id_column else [""] * raw.rows
    return Posts(raw, named, id_column, other_date, ids, _roles(raw, named.get("role")), dates)


def threads_of(posts: Posts) -> list[Thread]:
    """The threads, in order of their question's place. Posts whose question is missing are counted as dropped."""
    keep = _newest_of_each(posts)
    parents = [_key(cell) for cell in posts.table.columns[posts.named["parent"]]] if "parent" in posts.named else None
    if parents is not None and _points_at_ids(posts.ids, parents):
        members = _by_pointer(posts, parents, keep)
    elif parents is not None:
        members = _by_key(posts, parents, keep)
    elif posts.id_column and len({posts.ids[row] for row in keep}) < len(keep):
        members = _by_key(posts, posts.ids, keep)
    else:
        raise UserError(
            f"{posts.table.name}: nothing says which posts belong together; name the column with the question's id: "
            "--data.columns.parent=NAME."
        )
    return sorted(members, key=lambda thread: thread.question)


def first_named(raw: RawTable, ranked: tuple[str, ...], skip: set[str]) -> str | None:
    """The column that carries the best of the `ranked` names."""
    rank = {name: place for place, name in enumerate(ranked)}
    found = []
    for place, column in enumerate(raw.columns):
        places = [rank[form] for form in names.name_forms(column) if form in rank]
        if places and column not in skip:
            found.append((min(places), place, column))
    return min(found)[2] if found else None


def _dated(raw: RawTable, id_column: str | None) -> str | None:
    """The only column that holds dates, whatever its name ('posted', 'ts')."""
    sampled = {name: [cell for cell in cells[:_SAMPLED] if cell.strip()] for name, cells in raw.columns.items()}
    most = 0.9 * min(raw.rows, _SAMPLED)
    found = [name for name, cells in sampled.items() if name != id_column and len(cells) >= most and date_share(cells) >= 0.9]
    return found[0] if len(found) == 1 else None


def _key(cell: str) -> str:
    return cell.strip().removesuffix(".0")


def _roles(raw: RawTable, column: str | None) -> list[str]:
    if column is None:
        return []
    known = {value: role_of(value) for value in set(raw.columns[column])}
    if not any(known.values()):
        shown = ", ".join(repr(value[:30]) for value in sorted(known)[:6])
        raise UserError(
            f"data.columns.role={column}: its values ({shown}) do not say who writes. Values such as question/answer, "
            "requester/agent, user/assistant or 1/2 are understood."
        )
    return [known[value] for value in raw.columns[column]]


def _points_at_ids(ids: list[str], parents: list[str]) -> bool:
    own = set(filter(None, ids))
    filled = [(parent, ids[row]) for row, parent in enumerate(parents) if parent]
    return len(own) * 2 > len(ids) and sum(parent in own for parent, _ in filled) * 2 >= len(filled) > 0


def _newest_of_each(posts: Posts) -> list[int]:
    """Rows to look at: a post that stands twice (daily exports overlap) counts once, with its newest state."""
    cells = list(posts.table.columns.values())
    own = posts.ids if len(set(posts.ids)) * 2 > len(posts.ids) else None
    newest: dict[Any, int] = {}
    for row in range(posts.table.rows):
        key = own[row] if own and own[row] else tuple(column[row] for column in cells)
        if key not in newest or posts.order(row) > posts.order(newest[key]):
            newest[key] = row
    if len(newest) < posts.table.rows:
        posts.dropped["post that stands twice"] += posts.table.rows - len(newest)
    return sorted(newest.values())


def _by_pointer(posts: Posts, parents: list[str], keep: list[int]) -> list[Thread]:
    """Threads of posts that each name the question's id, or the id of the post they reply to."""
    row_of = {posts.ids[row]: row for row in keep if posts.ids[row]}
    roots: dict[int, int | None] = {}
    for row in keep:
        path: list[int] = []
        here: int | None = row
        while here is not None and here not in roots:
            roots[here] = None  # a circle of posts that reply to each other ends here, without a question
            path.append(here)
            parent = parents[here]
            if not parent or parent == posts.ids[here]:
                roots[here] = here
                break
            here = row_of.get(parent)
        found = roots[here] if here is not None else None
        roots.update(dict.fromkeys(path, found))
    replies: dict[int, list[int]] = {}
    for row in keep:
        root = roots[row]
        if root is None:
            posts.dropped[ORPHAN] += 1
        elif root == row:
            replies.setdefault(row, [])
        else:
            replies.setdefault(root, []).append(row)
    return _with_questions(posts, [Thread(root, sorted(found, key=posts.order)) for root, found in replies.items()])


def _by_key(posts: Posts, keys: list[str], keep: list[int]) -> list[Thread]:
    """Threads of posts that share a thread's id: the question is the post with that id, or the asker's first."""
    members: dict[str, list[int]] = {}
    for row in keep:
        members.setdefault(keys[row] or posts.ids[row] or f"\x00{row}", []).append(row)
    threads = []
    for key, rows in members.items():
        rows.sort(key=posts.order)
        own = [row for row in rows if keys is not posts.ids and posts.ids[row] == key]
        asked = [row for row in rows if posts.roles and posts.roles[row] == QUESTION]
        question = (own if len(own) == 1 else asked or rows)[0]
        threads.append(Thread(question, [row for row in rows if row != question], key))
    return _with_questions(posts, threads)


def _with_questions(posts: Posts, threads: list[Thread]) -> list[Thread]:
    """Without the threads that are an answer alone: their question is not in the export."""
    alone = [thread for thread in threads if posts.roles and not thread.replies and posts.roles[thread.question] == ANSWER]
    if alone:
        posts.dropped[ORPHAN] += len(alone)
    lone = {thread.question for thread in alone}
    return [thread for thread in threads if thread.question not in lone]
