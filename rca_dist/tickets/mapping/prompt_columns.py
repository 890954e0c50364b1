"""The columns of a ticket's text: title and description by name and content."""

import re
from collections.abc import Sequence

from rca_dist.errors import UserError
from rca_dist.tickets.mapping import column_names as names
from rca_dist.tickets.mapping.answer_names import NEVER_PROMPT, answer_rank, is_oracle
from rca_dist.tickets.mapping.chosen_columns import Columns, list_columns
from rca_dist.tickets.mapping.column_kinds import TEXT, form_of, kind_of
from rca_dist.tickets.mapping.shown_names import quoted
from rca_dist.tickets.words import is_missing

# 'Titre de l'incident', 'Issue description (long)': a word of the name tells.
_TITLE_WORD = re.compile(
    r"\b(?:title|titre|titel|titulo|titolo|subject|sujet|objet|betreff|asunto|assunto|oggetto|onderwerp|headline|"
    r"kurzbeschreibung)\b"
)
_TEXT_WORD = re.compile(
    r"(?:\b(?:description|descripcion|descricao|descrizione|omschrijving|details|symptoms?|question|body|summary|message)\b|"
    r"beschreibung\b)"
)
_MOST_SPARE = 3


def ranked_columns(table: Columns, ranked: Sequence[str], skip: Sequence[str] = ()) -> list[str]:
    """Columns whose name is in `ranked` and that are not empty throughout, by rank, then in file order."""
    rank = {name: place for place, name in enumerate(ranked)}
    found = []
    for place, column in enumerate(table):
        places = [rank[form] for form in names.name_forms(column) if form in rank]
        if places and column not in skip and not is_oracle(column) and not all(map(is_missing, table[column])):
            # Of a ServiceNow reference the name that people see comes before the number behind it.
            found.append((min(places), not column.casefold().endswith("display_value"), place, column))
    return [column for *_, column in sorted(found)]


def choose_prompt(table: Columns, answers: Sequence[str], notes: list[str]) -> list[str]:
    """Title and description, or the one of them that there is. Raises UserError when no column looks like either."""

    def best(ranked: Sequence[str], *skip: str | None) -> str | None:
        taken = [*answers, *(column for column in skip if column)]
        return next((column for column in ranked_columns(table, ranked, taken) if form_of(table[column]) is None), None)

    title = best(names.TITLE)
    description = best(names.DESCRIPTION, title)
    if description and not set(names.SUMMARY).isdisjoint(names.name_forms(description)) and title is None:
        # Jira's and Remedy's 'Summary' is the title where another column holds the text.
        title, description = description, best(names.DESCRIPTION, description)
    elif title is None and description:
        forms = names.name_forms(description)
        if not names.LONG_DESCRIPTION.isdisjoint(forms):
            title = best(("description",), description)  # Remedy: 'Description' is the short one
        if title is None and names.GLPI_CONTENT in forms:
            title = best((names.GLPI_TITLE,), description)
        title = title or best(names.SUMMARY, description)
    title = title or _by_word(table, _TITLE_WORD, [*answers, description])
    description = description or _by_word(table, _TEXT_WORD, [*answers, title])
    prompt = [column for column in (title, description) if column]
    return prompt or [_only_text(table, answers, notes)]


def spare_columns(table: Columns, taken: Sequence[str]) -> list[str]:
    """Other columns of ticket text, for the rows in which the prompt's columns are empty."""
    named = ranked_columns(table, [*names.DESCRIPTION, *names.SUMMARY, *names.TITLE], taken)
    worded = [column for column in table if column not in (*taken, *named) and _TEXT_WORD.search(names.normalise_name(column))]
    return [
        column
        for column in [*named, *worded]
        if answer_rank(column) is None and NEVER_PROMPT.isdisjoint(names.name_forms(column)) and kind_of(table[column]).is_text
    ][:_MOST_SPARE]


def _by_word(table: Columns, word: re.Pattern[str], skip: Sequence[str | None]) -> str | None:
    for column in table:
        free = column not in skip and answer_rank(column) is None and not is_oracle(column)
        if free and NEVER_PROMPT.isdisjoint(names.name_forms(column)) and word.search(names.normalise_name(column)):
            kind = kind_of(table[column])
            if kind.is_text:
                return column
    return None


def _only_text(table: Columns, answers: Sequence[str], notes: list[str]) -> str:
    """The one other column that holds text, whatever its name. Raises UserError when there is none, or several."""
    texts = [
        column
        for column in table
        if column not in answers and not is_oracle(column) and answer_rank(column) is None
        and NEVER_PROMPT.isdisjoint(names.name_forms(column)) and kind_of(table[column]).name == TEXT
    ]  # fmt: skip
    if len(texts) == 1:
        notes.append(
            f"ticket text: {quoted(texts[0])}, the only other column that holds text; change it with "
            "--data.columns.prompt=NAME."
        )
        return texts[0]
    hold = f" These hold text: {list_columns(texts, 6)}." if texts else ""
    raise UserError(
        "no column looks like the ticket's text (title, summary, description, subject...)."
        f"{hold} Name one or several with --data.columns.prompt=NAME[,NAME]. Columns: {list_columns(table)}."
    )
