"""Is the header a header? A file without one has its first ticket there, which no message may show."""

import re
from collections.abc import Iterable, Sequence

from rca_dist.errors import UserError
from rca_dist.tickets.dates import date_share
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping import slice_names
from rca_dist.tickets.mapping.answer_names import answer_rank, is_journal, is_oracle
from rca_dist.tickets.mapping.people_names import is_person_name
from rca_dist.tickets.words import is_missing, letter_word_count

_COPY = re.compile(r"\.\d+$")
_ADDRESS = re.compile(r"\S+@\S+\.\w|https?://")
_NUMBERED = re.compile(r"[A-Za-z]{0,10}[-_#]?\d{1,12}")
_SENTENCE_WORDS = 5
_LOOKED_AT = 2000
_KNOWN = frozenset(
    name
    for found in (
        names.ID, names.TITLE, names.DESCRIPTION, names.SUMMARY, names.CREATED, names.RESOLVED, names.UPDATED, names.SPLIT,
        slice_names.STATUS, slice_names.OUTCOME, slice_names.RELATED, *slice_names.SLICES.values(),
    )
    for name in found
)  # fmt: skip
Columns = dict[str, list[str]]


def refuse_headerless(table: Columns) -> None:
    """Raise UserError when the column names are the cells of a ticket; none of them is shown.

    That is so when no name is one that ticket systems use, and dates, ids or addresses stand among sentences, or all columns
    are headed by sentences. A question of a form ('What went wrong on that day?') is a sentence, but stands beside no date.
    """
    if len(table) < 2 or any(_is_known(column, cells) for column, cells in table.items()):
        return
    values = [place for place, column in enumerate(table, 1) if _is_value(column)]
    sentences = [place for place, (column, cells) in enumerate(table.items(), 1) if _is_sentence(column, cells)]
    repeated = [place for place, (column, cells) in enumerate(table.items(), 1) if _is_own_cell(column, cells)]
    if not sentences or not (set(values) - set(sentences) or set(repeated) - set(sentences) or len(sentences) == len(table)):
        return
    signs = [f"column {sentences[0]} is headed by a sentence"]
    signs += [f"column {place} by a date, a number or an address" for place in values if place not in sentences][:1]
    raise UserError(
        f"the first row looks like a ticket, not a header ({' and '.join(signs)}): add a header row that names the "
        f"{len(table)} columns, such as number,short_description,description,close_notes."
    )


def _is_known(column: str, cells: Sequence[str]) -> bool:
    forms = names.name_forms(column)
    known = not _KNOWN.isdisjoint(forms) or answer_rank(column) is not None or is_journal(column)
    if not known and not is_oracle(column) and not is_person_name(column):
        return False
    # 'Closed' heads a column of states where the first ticket is closed; 'the fix was a restart' only has such a word.
    return len(forms[0].split()) <= _SENTENCE_WORDS and not _is_own_cell(column, cells)


def _is_own_cell(column: str, cells: Sequence[str]) -> bool:
    name = _COPY.sub("", column.strip())
    return bool(name) and any(name == cell.strip() for cell in cells[:_LOOKED_AT])


def _is_value(column: str) -> bool:
    text = _COPY.sub("", column.strip()[:300])
    if text.isdecimal() or _ADDRESS.search(text) or _NUMBERED.fullmatch(text):
        return True
    return any(map(str.isdigit, text)) and len(text) <= 40 and date_share([text]) == 1


def _is_sentence(column: str, cells: Sequence[str]) -> bool:
    text = _COPY.sub("", column.strip()[:2000])
    if letter_word_count(text) < _SENTENCE_WORDS or text.rstrip().endswith(("?", ":")):
        return False
    filled = _first_words(cells)
    return len(text) > 80 or (bool(filled) and sorted(filled)[len(filled) // 2] >= _SENTENCE_WORDS)


def _first_words(cells: Iterable[str], most: int = 50) -> list[int]:
    counts: list[int] = []
    for cell in cells:
        if not is_missing(cell):
            counts.append(letter_word_count(cell[:2000]))
        if len(counts) >= most:
            break
    return counts
