"""Column names for people to read: as they are where they look like names, else shortened and redacted."""

import re
from collections.abc import Iterable

from rca_dist.tickets.mapping.column_names import split_words

LONGEST_NAME = 60
_MOST_WORDS = 8
_NAME = re.compile(r"[\w\s./()\[\]&',?:+-]{1,60}")
_SECRET_LIKE = re.compile(r"\d{4}|:\s*\S")


def looks_like_name(column: str) -> bool:
    """False for a long text, an address, a line with a number in it: such a 'name' is a cell of a ticket."""
    text = column.strip()
    if len(text) > LONGEST_NAME or not _NAME.fullmatch(text):
        return False
    words = split_words(text).split()
    return len(words) <= _MOST_WORDS and (len(text.split()) < 2 or not _SECRET_LIKE.search(text))


def shown(column: str) -> str:
    """The name for a message: at most 60 characters; redacted when it does not look like a name."""
    if looks_like_name(column):
        return column
    from rca_dist.tickets.mapping.samples import shorten

    return shorten(column, LONGEST_NAME - 3)


def quoted(column: str) -> str:
    """`shown` in quotes."""
    return repr(shown(column))


def list_columns(table: Iterable[str], most: int = 40) -> str:
    """Column names for a message."""
    columns = list(table)
    text = ", ".join(quoted(column) for column in columns[:most])
    return text + (f" and {len(columns) - most} more" if len(columns) > most else "")
