"""Cell cleaning, each rule counted by the cells it changed, and answers that say nothing."""

import re
import unicodedata
from collections import Counter

from rca_dist.tickets.markup import strip_markup
from rca_dist.tickets.words import fold, is_missing

_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t\x0b\x0c]")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\x00-\x08\x0e-\x1f\x7f\x80-\x9f]")
_TRAILING = re.compile(r"[ ]+(?=\n|$)")
_MANY_BLANK = re.compile(r"\n{3,}")
_EXCEL_RETURN = re.compile(r"_x000[dD]_(?:\r?\n)?")
_POWER_QUERY = re.compile(r"(?:#\(cr\))?#\(lf\)|#\(cr\)")
# Stands for a newline: \n or \r\n, except inside a Windows path or a DOMAIN\name.
_ESCAPED_BREAK = re.compile(
    r"(?P<keep>(?<![A-Za-z])[A-Za-z]:\\\S*|\\\\[\w.-]+\\\S*|\b[A-Z][A-Z0-9_-]{1,14}\\n[a-z]\w*)|(?:\\r)?\\n"
)


class Cleaner:
    """Cleans columns of text; `counts` says how many cells each rule changed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def column(self, cells: list[str]) -> list[str]:
        """Clean one column; rules that need its other cells (literal line breaks) look at all of them."""
        real_breaks = any("\n" in cell or "\r" in cell for cell in cells)
        return [self._cell(cell, real_breaks) for cell in cells]

    def _cell(self, cell: str, real_breaks: bool) -> str:
        if is_missing(cell):
            self.counts["missing-value word"] += bool(cell.strip())
            return ""
        text = self._counted("literal line breaks", cell, _line_breaks(cell, real_breaks))
        if "<" in text or "&" in text:
            text = self._counted("HTML", text, strip_markup(text))
        text = self._counted("Unicode and whitespace", text, normalise_whitespace(text))
        if is_missing(text):
            self.counts["missing-value word"] += bool(text)
            return ""
        return text

    def _counted(self, rule: str, before: str, after: str) -> str:
        self.counts[rule] += before != after
        return after


def _line_breaks(text: str, real_breaks: bool) -> str:
    if "_x000" in text:
        # With a real newline behind it the mark is only the carriage return of that line end.
        text = _EXCEL_RETURN.sub("\n", text)
    if real_breaks:
        return text
    if "#(" in text:
        text = _POWER_QUERY.sub("\n", text)
    if "\\n" in text:
        text = _ESCAPED_BREAK.sub(lambda match: match["keep"] or "\n", text)
    return text


def normalise_whitespace(text: str) -> str:
    """NFC, plain spaces and line ends, no zero-width or control characters, no trailing space, no third blank line."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _INVISIBLE.sub("", _SPACES.sub(" ", text))
    if " \n" in text or text.endswith(" "):
        text = _TRAILING.sub("", text)
    return _MANY_BLANK.sub("\n\n", text).strip()


_THING = (
    r"(?:(?:the|this|your|le|la|l|ce|cet|cette|votre|das|der|die|el|este|o|il|lo|het|de) ?)?"
    r"(?:issue|problem|incident|ticket|case|request|it|call|probleme|demande|appel|anomalie|vorfall|stoerung|anfrage|"
    r"problema|incidente|incidencia|solicitud|caso|chamado|richiesta|probleem|melding)"
)
_WAS = r"(?:is|are|was|has been|have been|had been|est|a ete|ist|wurde|fue|ha sido|esta|foi|e|e stato|is nu|werd|now)"
_DONE = (
    r"(?:(?:auto(?:matically)?|already|now|deja|bien|bereits|ya|ja) ?)?"
    r"(?:solved|resolved|closed|fixed|done|complete|completed|finished|cancelled|canceled|duplicate|ok|okay|okey|"
    r"resolue?|regle|reglee|traite|traitee|clos|close|cloture|cloturee|ferme|fermee|fait|faite|termine|terminee|"
    r"effectue|corrige|"
    r"gelost|geloest|erledigt|behoben|geschlossen|fertig|"
    r"resuelto|resuelta|solucionado|solucionada|cerrado|cerrada|hecho|listo|"
    r"resolvido|resolvida|fechado|fechada|feito|concluido|concluida|"
    r"risolto|risolta|chiuso|chiusa|fatto|completato|opgelost|gesloten|klaar|afgehandeld)"
)
_TAIL = (
    r"(?: (?:now|today|thanks|thank you|as requested|as discussed|by (?:the )?(?:user|caller|customer|agent|system|"
    r"requester)|"
    r"merci|par (?:l )?(?:utilisateur|demandeur|appelant)|danke|vom (?:benutzer|anwender)|gracias|por (?:el "
    r")?usuario|obrigado|grazie|bedankt))?"
)
_ATTACHED = (
    r"(?:please )?(?:see|find|refer to|check|cf|voir|ver|siehe|vedi|zie|veuillez trouver|vea)"
    r"(?: (?:the|a|la|le|les|en|el|l|o))*"
    r" (?:attach(?:ed|ment|ments)|pieces? jointes?|pj|anhang|anlage|adjunto|archivo adjunto|anexo|allegato|bijlage|"
    r"ci joint|above|below|comments?|commentaires?|work ?notes|notes|ci dessus|ci dessous|oben|arriba)"
    r"(?: (?:file|files|screenshot|screenshots|document|documents|email|mail|image|ci jointe?))?"
)
_PHRASES = (
    r"thanks(?: a lot| so much| very much)?(?: [a-z]+)?|thank you(?: very much| so much)?(?: [a-z]+)?|thx|ty|"
    r"merci(?: beaucoup)?|danke(?: schon| schoen)?|vielen dank|gracias|muchas gracias|obrigado|obrigada|grazie|bedankt|"
    r"(?:it |everything |all )?(?:is |s )?(?:now )?work(?:s|ing)(?: fine| well| as expected)?(?: now| again)?|all good|"
    r"(?:c est |tout est )?(?:ok|bon|en ordre)|ca (?:marche|fonctionne)|funktioniert(?: wieder| jetzt)?|funciona|"
    r"funziona|werkt(?: weer)?|"
    r"no (?:further )?action (?:required|needed|taken)|no (?:response|reply)(?: from (?:the )?(?:user|caller|"
    r"customer))?|"
    r"(?:pas de|sans) (?:reponse|retour|suite)(?: de l utilisateur)?|keine ruckmeldung|confirmed(?: by (?:the )?user)?|"
    r"user (?:confirmed|satisfied|happy)|closing(?: the)?(?: ticket| case)?|test|see above|same as above|idem|ras|"
    r"voir ci dessus"
)
_BOILERPLATE = re.compile(rf"(?:(?:{_THING} )?(?:{_WAS} )?{_DONE}{_TAIL}|{_THING} {_TAIL.strip()}|{_ATTACHED}|{_PHRASES})")
_NOT_WORD = re.compile(r"[\W_]+")


def is_boilerplate(answer: str) -> bool:
    """True when the whole answer is a stock phrase ('Issue resolved.', 'see attachment', 'voir piece jointe').

    Matched whole and never in part: 'Thanks, the fix was to restart the spooler' stays.
    """
    if len(answer) > 80:
        return False
    return _BOILERPLATE.fullmatch(_NOT_WORD.sub(" ", fold(answer)).strip()) is not None
