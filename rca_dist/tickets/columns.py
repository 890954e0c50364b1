"""Which column is what: automatic mapping by name and content, overridden by `data.columns.*`."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets import column_names as names
from rca_dist.tickets.answer_column import choose_answer, is_oracle
from rca_dist.tickets.dates import parse_dates
from rca_dist.tickets.words import is_missing

ROLES = ("id", "prompt", "answer", "created_at", "group", "slices", "split")
_NOT_YET = ("parent", "role", "accepted")
Columns = dict[str, list[str]]


@dataclass
class ColumnMap:
    """Columns by role, and plain sentences on what was decided."""

    prompt: list[str]
    answer: str
    id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    split: str | None = None
    groups: list[str] = field(default_factory=list)
    slices: list[str] = field(default_factory=list)
    oracle_nll: str | None = None
    oracle_answer: str | None = None
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def map_columns(
    table: Columns, chosen: dict[str, Any] | None = None, group_columns: Sequence[str] = (), split_needed: bool = False
) -> ColumnMap:
    """Map the columns of `table` to roles; names in `chosen` win over the automatic choice.

    Raises UserError for an unknown name, for no prompt or answer column, and when two columns could be the answer.
    """
    named = _named(table, chosen or {})
    notes: list[str] = []
    prompt_named = named.get("prompt", [])
    answer = _one(named, "answer") or choose_answer(table, prompt_named, notes)
    if answer in prompt_named:
        raise UserError(f"column {answer!r} is both prompt and answer; the model would only copy it. Name another one.")
    mapped = ColumnMap(prompt_named or _choose_prompt(table, answer), answer, notes=notes)
    mapped.warnings += [
        f"prompt column {column!r} is a journal or closing field: it may hold the answer, written after the fix."
        for column in prompt_named
        if not names.NEVER_PROMPT.isdisjoint(names.name_forms(column))
    ]
    mapped.id = _one(named, "id") or _choose_id(table, notes)
    mapped.created_at = _one(named, "created_at") or _choose_dates(table, names.CREATED)
    mapped.updated_at = _best(table, names.UPDATED)
    mapped.split = _one(named, "split") or (_best(table, names.SPLIT) if split_needed else None)
    wanted_groups = [
        *named.get("group", []),
        *(find_column(table, column, "split.group_columns") for column in group_columns),
    ]
    mapped.groups = list(dict.fromkeys(wanted_groups))
    mapped.slices = named.get("slices", [])
    _find_oracle(table, mapped)
    return mapped


def find_column(table: Columns, wanted: str, flag: str) -> str:
    """The column called `wanted`, also in another spelling of it. Raises UserError that lists the columns."""
    if wanted in table:
        return wanted
    same = [column for column in table if names.normalise_name(column) == names.normalise_name(wanted)]
    if len(same) == 1:
        return same[0]
    near = difflib.get_close_matches(wanted, list(table), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(f"{flag}={wanted}: the file has no such column.{hint} Its columns: {list_columns(table)}.")


def list_columns(table: Columns, most: int = 40) -> str:
    """Column names for a message."""
    shown = [repr(column[:60]) for column in list(table)[:most]]
    return ", ".join(shown) + (f" and {len(table) - most} more" if len(table) > most else "")


def _named(table: Columns, chosen: dict[str, Any]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for role, value in chosen.items():
        if value is None or value == "" or value == []:
            continue
        if role in _NOT_YET:
            raise UserError(
                f"data.columns.{role}: exports with one row per post cannot be paired yet; export one row per ticket."
            )
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            raise UserError(
                f"data.columns.{role}: no such role"
                + (f"; did you mean {near[0]}?" if near else "")
                + f" Roles: {', '.join(ROLES)}."
            )
        parts = _parts(table, value)
        named[role] = [find_column(table, part, f"data.columns.{role}") for part in parts]
        if role not in ("prompt", "group", "slices") and len(parts) != 1:
            raise UserError(f"data.columns.{role}: takes one column, got {len(parts)}: {', '.join(parts)}.")
    return named


def _parts(table: Columns, value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value in table else [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in value]


def _one(named: dict[str, list[str]], role: str) -> str | None:
    return named[role][0] if role in named else None


def _best(table: Columns, ranked: Sequence[str], skip: Sequence[str] = ()) -> str | None:
    """The first column (in rank, then file order) whose name is in `ranked` and that is not empty throughout."""
    return next(iter(_all(table, ranked, skip)), None)


def _all(table: Columns, ranked: Sequence[str], skip: Sequence[str] = ()) -> list[str]:
    rank = {name: place for place, name in enumerate(ranked)}
    found = []
    for place, column in enumerate(table):
        places = [rank[form] for form in names.name_forms(column) if form in rank]
        if places and column not in skip and not is_oracle(column) and not all(map(is_missing, table[column])):
            found.append((min(places), place, column))
    return [column for _, _, column in sorted(found)]


def _choose_prompt(table: Columns, answer: str) -> list[str]:
    title = _best(table, names.TITLE, [answer])
    description = _best(table, names.DESCRIPTION, [answer, *([title] if title else [])])
    if title is None and description and not names.LONG_DESCRIPTION.isdisjoint(names.name_forms(description)):
        title = _best(table, ("description",), [answer, description])  # Remedy: 'Description' is the short one
    if title is None and description and names.GLPI_CONTENT in names.name_forms(description):
        title = _best(table, (names.GLPI_TITLE,), [answer, description])
    if title is None:
        title = _best(table, (names.SUMMARY,), [answer, *([description] if description else [])])  # Jira
    prompt = [column for column in (title, description) if column]
    if not prompt:
        raise UserError(
            "no column looks like the ticket's text (title, summary, description, subject...). Name one or several "
            "with "
            f"--data.columns.prompt=NAME[,NAME]. Columns: {list_columns(table)}."
        )
    return prompt


def _choose_id(table: Columns, notes: list[str]) -> str | None:
    for column in _all(table, names.ID):
        cells = [cell for cell in table[column] if cell.strip()]
        if len(cells) * 2 >= len(table[column]) and len(set(cells)) * 2 >= len(cells) and median(map(len, cells)) <= 64:
            return column
        notes.append(f"column {column!r} is not taken as the ticket id: too many of its values are empty, repeated or long.")
    notes.append("no id column: ids are made from each ticket's text. Name one with --data.columns.id=NAME.")
    return None


def _choose_dates(table: Columns, ranked: Sequence[str]) -> str | None:
    for column in _all(table, ranked):
        sample = [cell for cell in table[column] if not is_missing(cell)][:2000]
        dates = parse_dates(sample)
        # An ambiguous column is still the right one: its message comes where dates are needed.
        if dates.unreadable * 2 <= len(sample) or dates.order == "ambiguous":
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
        mapped.notes.append(f"column {numbers!r} is not numeric, so the oracle columns are not used.")
        return
    mapped.oracle_nll, mapped.oracle_answer = numbers, by_name["oracle answer"]
