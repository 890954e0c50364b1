"""What real exports carry and clean ones do not: HTML, entities, mail footers, invented personal data, more junk."""

from collections.abc import Sequence
from html import escape
from random import Random
from typing import NamedTuple

from rca_dist.tickets.made_up.personal import MAKERS, SENTENCES


class Salt(NamedTuple):
    """One planted string: the number of its row, the column, its kind (EMAIL IP PHONE USER HOST SECRET MAC IBAN CARD
    NATIONAL_ID BIRTHDATE URL PERSON), the string."""

    number: str
    column: str
    kind: str
    text: str


_FOOTERS = {
    "en": ("Best regards,", "-----Original Message-----", "From: {mail}", "Subject: RE: ticket", "> please look"),
    "fr": ("Cordialement,", "-----Message d'origine-----", "De : {mail}", "Objet : RE: ticket", "> merci de regarder"),
}
_SHARE_OF_ROWS, _SHARE_OF_ANSWERS, _SHARE_OF_HTML, _SHARE_OF_FOOTERS = 0.6, 0.15, 0.4, 0.2


def salt(rows: list[dict[str, str]], rng: Random, languages: Sequence[str]) -> list[Salt]:
    """Change the rows in place and return what was planted, in row order."""
    planted: list[Salt] = []
    for row, language in zip(rows, languages, strict=True):
        if rng.random() < _SHARE_OF_ROWS:
            for kind in rng.sample(sorted(MAKERS), k=rng.choice((1, 1, 2))):
                _plant(row, "description", kind, language, rng, planted)
        if rng.random() < _SHARE_OF_ANSWERS:
            _plant(row, "resolution_notes", rng.choice(("EMAIL", "IP", "PHONE", "HOST")), language, rng, planted)
        if rng.random() < _SHARE_OF_FOOTERS:
            name = MAKERS["PERSON"](rng)
            mail = f"{name.lower().replace(' ', '.')}@example.com"
            greeting, *quoted = _FOOTERS[language]
            row["description"] += "\n".join(["", "", greeting, name, "", *quoted]).format(mail=mail)
            planted.append(Salt(row["number"], "description", "EMAIL", mail))
            planted.append(Salt(row["number"], "description", "PERSON", name))
        if rng.random() < _SHARE_OF_HTML:
            row["description"] = _as_html(row["description"])
    return planted


def _plant(row: dict[str, str], column: str, kind: str, language: str, rng: Random, planted: list[Salt]) -> None:
    text = MAKERS[kind](rng)
    row[column] += " " + rng.choice(SENTENCES[language][kind]).format(text)
    planted.append(Salt(row["number"], column, kind, text))


def _as_html(text: str) -> str:
    """Escape and tag; the planted strings hold no character that escaping changes."""
    lines = [escape(line, quote=False).replace("’", "&rsquo;") for line in text.split("\n")]
    body = "<br>".join(lines).replace(". ", ".&nbsp;<b></b>", 1)
    return f'<div class="body"><p>{body}</p></div>'
