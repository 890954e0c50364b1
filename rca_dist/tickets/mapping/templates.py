"""Columns in which nearly every cell is one sentence with other names and numbers: a form letter, no solution."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.mapping.column_kinds import sample_of
from rca_dist.tickets.words import fold, is_missing

LEAST_ROWS = 10
_COMMON, _SHARED = 0.8, 0.75  # share of the cells that hold a common word; share of a cell's words that are common
_LEAST_WORDS = 6
_READ = 1000  # characters of a cell that are looked at
_SAMPLED = 1000
_WORD = re.compile(r"[^\W\d_]{2,40}")
# What machines and service desks send before anybody has looked, folded.
_ACKNOWLEDGES = re.compile(
    r"\b(?:thank you for (?:contacting|your|calling|reporting|writing|reaching)|thanks for (?:contacting|your|reporting)|"
    r"has been (?:received|registered|logged|assigned|forwarded|escalated|created|recorded)|we (?:have )?received|was received|"
    r"will (?:be (?:in touch|contacted|processed|handled)|contact you|get back|reply|respond|look into|review)|"
    r"get back to you|do not hesitate|don t hesitate|automatic (?:reply|response)|auto ?reply|"
    r"a (?:bien )?ete (?:recue?|enregistree?|transmise?|affectee?|prise en compte)|avons bien recu|"
    r"merci de (?:nous avoir|votre)|vous (?:recontacterons|contactera|tiendrons)|n hesitez pas|"
    r"(?:anfrage|ticket|meldung|anliegen) (?:ist|wurde) (?:eingegangen|erfasst|weitergeleitet|aufgenommen)|eingegangen|"
    r"vielen dank fur (?:ihre|die)|melden uns|setzen uns mit ihnen|zogern sie nicht|"
    r"(?:ha sido|fue) (?:recibid[oa]|registrad[oa]|asignad[oa])|hemos recibido|gracias por (?:contactar|su|escribir)|"
    r"no dude en|foi (?:recebid[oa]|registrad[oa]|encaminhad[oa])|recebemos|obrigado por|entraremos em contato|nao hesite|"
    r"e stat[oa] (?:ricevut[oa]|registrat[oa]|assegnat[oa]|presa in carico)|abbiamo ricevuto|grazie per|non esiti|"
    r"ricontatteremo|is (?:ontvangen|geregistreerd|doorgestuurd)|hebben (?:uw|je) .{0,40}ontvangen|bedankt voor|"
    r"nemen contact met u op|aarzel niet)\b"
)
_TOKEN = re.compile(r"\S+")
_END = re.compile(r"[,.;:!?]?$")
_MANY_LEFT_OUT = re.compile("\u2026(?:[^\\w\u2026]{0,3}\u2026)+")
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Template:
    """`share` of the different cells that are one sentence, that sentence, and whether it only acknowledges.

    In `example` the words that differ are left out, as they may be names.
    """

    share: float
    example: str
    acknowledges: bool


def template_of(cells: Sequence[str]) -> Template | None:
    """The one sentence that most different cells consist of, names and numbers aside; None where there is none."""
    values = {cell.strip()[:_READ] for cell in cells if not is_missing(cell)}
    sample = sorted(sample_of(values, _SAMPLED))
    if len(sample) < LEAST_ROWS:
        return None
    plain = [fold(_unmarked(value)) for value in sample]
    words = [_WORD.findall(text) for text in plain]
    held = Counter(word for found in words for word in set(found))
    common = {word for word, count in held.items() if count >= _COMMON * len(sample)}
    like = [len(found) >= _LEAST_WORDS and sum(word in common for word in found) >= _SHARED * len(found) for found in words]
    if not any(like):
        return None
    first = like.index(True)
    shown = _TOKEN.sub(lambda match: _known(match[0], common), _unmarked(sample[first]))
    told = _NOT_WORD.sub(" ", plain[first])
    return Template(sum(like) / len(sample), _MANY_LEFT_OUT.sub("\u2026", shown), _ACKNOWLEDGES.search(told) is not None)


def _known(token: str, common: set[str]) -> str:
    """A word with the marks around it, or '\u2026' where a part of it differs from ticket to ticket."""
    end = _END.search(token)
    return token if common.issuperset(_NOT_WORD.sub(" ", fold(token)).split()) else "\u2026" + (end[0] if end else "")


def _unmarked(value: str) -> str:
    return strip_markup(value) if "<" in value or "&" in value else value
