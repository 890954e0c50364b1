"""Repeated headers (Jira's Comment, Labels, Watchers: one column per value) gathered into one column per name."""

import re

from rca_dist.tickets.words import fold

_COPY = re.compile(r"(.+)\.([1-9]\d{0,4})")
_LIST = re.compile(
    r"(?:labels?|watchers?|components?(?:/s)?|tags?|sprints?|attachments?|etiquettes?|etikett(?:en)?|etiquetas?"
    r"|.*(?:versions?|version/s|issue link|linked issues?|participants|approvers|organi[sz]ations?|labels))(?: \([^()]*\))?"
)


def joiner(name: str) -> str:
    """What stands between the values of a repeated column: a comma for lists of short values, else a blank line."""
    return ", " if _LIST.fullmatch(fold(name[:200]).strip()) else "\n\n"


def gather_repeated(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Join `Comment`, `Comment.1`, `Comment.2`... into `Comment`: the non-empty values of each row, in order.

    A value that stands twice in a row is kept once, so that a column exported twice stays as it is. Columns are only
    copies when the plain name exists and the numbers run from 1 without a gap ('Tier 1.1' beside 'Tier 1.3' stay).
    """
    copies = _copies(columns)
    if not copies:
        return columns
    parts = {part for found in copies.values() for part in found}
    result: dict[str, list[str]] = {}
    for name, cells in columns.items():
        if name in copies:
            result[name] = _join([cells, *(columns[part] for part in copies[name])], joiner(name))
        elif name not in parts:
            result[name] = cells
    return result


def _copies(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    numbers: dict[str, list[int]] = {}
    for name in columns:
        match = _COPY.fullmatch(name)
        if match and match.group(1) in columns:
            numbers.setdefault(match.group(1), []).append(int(match.group(2)))
    return {
        name: [f"{name}.{number}" for number in sorted(found)]
        for name, found in numbers.items()
        if sorted(found) == list(range(1, len(found) + 1))
    }


def _join(parts: list[list[str]], between: str) -> list[str]:
    values: dict[int, dict[str, None]] = {}
    for cells in parts:
        for row, cell in enumerate(cells):
            if cell and not cell.isspace():
                values.setdefault(row, {})[cell.strip("\r\n")] = None
    joined = [""] * len(parts[0])
    for row, found in values.items():
        joined[row] = between.join(found)
    return joined
