"""What real exports carry and clean ones do not: HTML, entities, mail footers, invented personal data, more junk.

Addresses come from the ranges set aside for documentation (example.com, 192.0.2.0/24, 198.51.100.0/24,
203.0.113.0/24, French numbers 01 99 00 xx xx), so that nothing here belongs to anybody.
"""

from collections.abc import Callable, Sequence
from html import escape
from random import Random
from typing import NamedTuple


class Salt(NamedTuple):
    """One planted string: the number of its row, the column, its kind (EMAIL IP PHONE USER HOST SECRET), the string."""

    number: str
    column: str
    kind: str
    text: str


_FIRST = ("amelie", "bruno", "carla", "damien", "elise", "farid", "gaelle", "hugo", "ines", "jonas")
_LAST = ("martinon", "duverger", "lacombe", "okafor", "petersen", "rossignol", "tanaka", "vandamme")
_NETS = ("192.0.2", "198.51.100", "203.0.113")
_SENTENCES = {
    "en": {
        "EMAIL": "You can write to me at {}.",
        "IP": "My address on the network is {}.",
        "PHONE": "My phone number is {}.",
        "USER": "The log lies in C:\\Users\\{}\\AppData\\Local\\Temp.",
        "HOST": "The machine is called {}.",
        "SECRET": "password: {}",
    },
    "fr": {
        "EMAIL": "Vous pouvez m’écrire à {}.",
        "IP": "Mon adresse sur le réseau est {}.",
        "PHONE": "Mon numéro de téléphone est le {}.",
        "USER": "Le journal se trouve dans C:\\Users\\{}\\AppData\\Local\\Temp.",
        "HOST": "La machine s’appelle {}.",
        "SECRET": "mot de passe : {}",
    },
}
_FOOTERS = {
    "en": ("Best regards,", "-----Original Message-----", "From: {mail}", "Subject: RE: ticket", "> please look"),
    "fr": ("Cordialement,", "-----Message d'origine-----", "De : {mail}", "Objet : RE: ticket", "> merci de regarder"),
}
_SHARE_OF_ROWS, _SHARE_OF_ANSWERS, _SHARE_OF_HTML, _SHARE_OF_FOOTERS = 0.6, 0.15, 0.4, 0.2


def _login(rng: Random) -> str:
    return f"{rng.choice(_FIRST)[0]}{rng.choice(_LAST)}"


def _secret(rng: Random) -> str:
    return f"{rng.choice(('Hiver', 'Soleil', 'Winter', 'Castle'))}{rng.randrange(2019, 2026)}!x{rng.randrange(10, 99)}"


_MAKERS: dict[str, Callable[[Random], str]] = {
    "EMAIL": lambda rng: f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}@example.com",
    "IP": lambda rng: f"{rng.choice(_NETS)}.{rng.randrange(1, 255)}",
    "PHONE": lambda rng: f"+33 1 99 00 {rng.randrange(100):02d} {rng.randrange(100):02d}",
    "USER": _login,
    "HOST": lambda rng: f"{rng.choice(('srv', 'pc', 'nas'))}-{rng.randrange(10, 99)}.corp.example.com",
    "SECRET": _secret,
}


def salt(rows: list[dict[str, str]], rng: Random, languages: Sequence[str]) -> list[Salt]:
    """Change the rows in place and return what was planted, in row order."""
    planted: list[Salt] = []
    for row, language in zip(rows, languages, strict=True):
        if rng.random() < _SHARE_OF_ROWS:
            for kind in rng.sample(sorted(_MAKERS), k=rng.choice((1, 1, 2))):
                _plant(row, "description", kind, language, rng, planted)
        if rng.random() < _SHARE_OF_ANSWERS:
            kind = rng.choice(("EMAIL", "IP", "PHONE", "HOST"))
            _plant(row, "resolution_notes", kind, language, rng, planted)
        if rng.random() < _SHARE_OF_FOOTERS:
            mail = _MAKERS["EMAIL"](rng)
            name = mail.partition("@")[0].replace(".", " ").title()
            greeting, *quoted = _FOOTERS[language]
            row["description"] += "\n".join(["", "", greeting, name, "", *quoted]).format(mail=mail)
            planted.append(Salt(row["number"], "description", "EMAIL", mail))
        if rng.random() < _SHARE_OF_HTML:
            row["description"] = _as_html(row["description"])
    return planted


def _plant(row: dict[str, str], column: str, kind: str, language: str, rng: Random, planted: list[Salt]) -> None:
    text = _MAKERS[kind](rng)
    row[column] += " " + _SENTENCES[language][kind].format(text)
    planted.append(Salt(row["number"], column, kind, text))


def _as_html(text: str) -> str:
    """Escape and tag; the planted strings hold no character that escaping changes."""
    lines = [escape(line, quote=False).replace("’", "&rsquo;") for line in text.split("\n")]
    body = "<br>".join(lines).replace(". ", ".&nbsp;<b></b>", 1)
    return f'<div class="body"><p>{body}</p></div>'
