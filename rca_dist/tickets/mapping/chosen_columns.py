"""The columns that a user names: roles checked, names found in any spelling, and messages with the nearest name."""

import difflib
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.shown_names import list_columns, quoted

__all__ = ["ROLES", "Columns", "find_column", "list_columns", "named_columns"]

ROLES = (
    *("id", "prompt", "answer", "created_at", "updated_at", "resolved_at", "group", "slices", "split", "status"),
    *("parent", "role", "accepted"),
)
# These pair the posts of a thread before columns are mapped.
_OF_THREADS = ("parent", "role", "accepted")
_SEVERAL = ("prompt", "answer", "group", "slices")
_MOST_COMPARED = 2000
Columns = dict[str, list[str]]


def named_columns(table: Columns, chosen: dict[str, Any]) -> dict[str, list[str]]:
    """Role -> columns of the roles that are set. Raises UserError for an unknown role or column."""
    named: dict[str, list[str]] = {}
    for role, value in chosen.items():
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise UserError(f"data.columns.{role}: no such role{hint} Roles: {', '.join(ROLES)}.")
        parts = [] if value is None else _parts(table, value)
        if role in _OF_THREADS or not parts:
            continue
        named[role] = list(dict.fromkeys(find_column(table, part, f"data.columns.{role}") for part in parts))
        if role not in _SEVERAL and len(named[role]) != 1:
            raise UserError(f"data.columns.{role}: takes one column, got {len(parts)}: {', '.join(parts)}.")
    return named


def find_column(table: Columns, wanted: str, flag: str) -> str:
    """The column called `wanted`, also in another spelling of it. Raises UserError that lists the columns."""
    if wanted in table:
        return wanted
    plain = wanted.strip()
    for spelling in (str.strip, str.casefold, names.normalise_name):
        same = [column for column in table if spelling(column) == spelling(plain)]
        if len(same) == 1:
            return same[0]
        if same and not _one_name_repeated(same):
            raise UserError(f"{flag}={wanted}: {len(same)} columns have this name: {list_columns(same)}. Name one exactly.")
        if same:
            return same[0]
    forms = set(names.name_forms(plain))
    same = [column for column in table if not forms.isdisjoint(names.name_forms(column))] if plain else []
    if len(same) == 1:
        return same[0]
    raise UserError(f"{flag}={wanted}: the file has no such column.{_near(table, plain)} Its columns: {list_columns(table)}.")


def _one_name_repeated(columns: list[str]) -> bool:
    """'Comment', 'Comment.1', 'Comment.2' are one header that the file repeats."""
    return all(column.rpartition(".")[0] == columns[0] and column.rpartition(".")[2].isdecimal() for column in columns[1:])


def _near(table: Columns, wanted: str) -> str:
    plain = names.normalise_name(wanted)
    inside = [column for column in table if plain and names.normalise_name(column).startswith(f"{plain} ")]
    if inside and any(column.casefold().startswith(f"{wanted.casefold()}.") for column in inside):
        return f" It is made of {list_columns(inside, 8)}; name one of these."
    by_name = {names.normalise_name(column): column for column in list(table)[:_MOST_COMPARED]}
    near = difflib.get_close_matches(plain[:60], [name[:60] for name in by_name], n=1, cutoff=0.5)
    found = next((column for name, column in by_name.items() if near and name[:60] == near[0]), None)
    return f" Did you mean {quoted(found)}?" if found else ""


def _parts(table: Columns, value: Any) -> list[str]:
    if isinstance(value, str):
        parts = [value] if value in table else value.strip().removeprefix("[").removesuffix("]").split(",")
    else:
        parts = [str(part) for part in value]
    return [part if part in table else part.strip() for part in parts if part.strip()]
