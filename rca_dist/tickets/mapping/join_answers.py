"""Several answer columns as one answer: each part under a short label line."""

import re
from collections.abc import Callable, Sequence

from rca_dist.tickets.mapping import column_names as names

_CUSTOM = re.compile(r"^[^()]{3,40}\((.+)\)$")
_TYPE = re.compile(r"\[\w+\]$|\.(?:display_value|value|\d+)$")
_EDGE = re.compile(r"[\W_]+")


def answer_labels(columns: Sequence[str]) -> list[str]:
    """'u_root_cause', 'Custom field (Root Cause)' -> 'Root cause'; a name that would repeat is kept whole."""
    labels = [_label(column) for column in columns]
    return [label if labels.count(label) == 1 else column for label, column in zip(labels, columns, strict=True)]


def join_answers(
    cells_by_column: Sequence[Sequence[str]], labels: Sequence[str], skip: Callable[[str], bool] | None = None
) -> list[str]:
    """One answer a row from the (cleaned) cells of each answer column: 'Root cause: ...' and 'Close notes: ...' on lines.

    A single column comes back as it is. An empty part, one that `skip` accepts (a stock phrase) and one that repeats an
    earlier part are left out, as is an empty label; a row with no part is ''.
    """
    if len(cells_by_column) == 1:
        return list(cells_by_column[0])
    answers = []
    for cells in zip(*cells_by_column, strict=True):
        parts: dict[str, str] = {}
        for label, cell in zip(labels, cells, strict=True):
            if cell.strip() and not (skip and skip(cell)):
                parts.setdefault(" ".join(cell.split()).casefold(), f"{label}: {cell.strip()}" if label else cell.strip())
        answers.append("\n".join(parts.values()))
    return answers


def _label(column: str) -> str:
    text = _TYPE.sub("", column.strip()[:200]).strip()
    custom = _CUSTOM.match(text)
    # The inner name only where the outer one is a ticket system's word for it, as in 'Custom field (Root Cause)'.
    if custom and names.normalise_name(text) == names.normalise_name(custom.group(1)):
        text = custom.group(1)
    words = [word for word in _EDGE.split(names.split_words(text)) if word]
    short = names.name_forms(column)[0].split()
    for form in names.name_forms(column)[1:]:
        if short[-len(form.split()) :] == form.split():
            words = words[-len(form.split()) :]
    label = " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in dict.fromkeys(words))
    return label[:1].upper() + label[1:60] if label else column
