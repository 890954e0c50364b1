"""What mail gateways add to a message: confidentiality notices, 'external sender' banners, 'think before you print'."""

import re

from rca_dist.tickets.cleaning.signatures import has_code

_TAG = re.compile(
    r"\s*[\[(<*]{1,3}\s?(?:ext|extern|external|externe|externo|esterno|external e?-?mail|external sender|"
    r"(?:e-?mail|message|courriel) (?:external|externe)|caution:? external[^\])>*\n]{0,40})\s?[\])>*]{1,3}[ :-]*",
    re.IGNORECASE,
)
_WARNING_WORD = re.compile(
    r"\W{0,4}(?:caution|warning|attention|achtung|vorsicht|warnung|atenci[óo]n|precauci[óo]n|aten[çc][ãa]o|cuidado|attenzione|"
    r"avviso|let op|waarschuwing|external e-?mail|externe e-?mail|avertissement|prudence|notice|security notice)\b",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(r"\b(?:external|outside|ext[ée]rieure?|externe?r?|externo|externa|fuera|fora|estern[oa]|buiten)\b", re.I)
_MAIL = re.compile(
    r"mail|message|mensa|nachricht|messaggio|bericht|correo|communication|courriel|sender|exp[ée]diteur", re.IGNORECASE
)
_BANNER_ADVICE = re.compile(
    r"\W{0,4}(?:please )?(?:do not|don't|never|ne (?:cliquez|pas)|n['’]ouvrez|klicken sie|[öo]ffnen sie|no (?:haga|abra|"
    r"pinche)|"
    r"n[ãa]o (?:clique|abra)|non (?:cliccare|aprire|fare)|klik niet|open geen)\b.{0,80}\b(?:links?|liens?|attachments?|"
    r"pi[èe]ces?|anh[äa]nge|enlaces?|adjuntos?|anexos?|link|allegati|bijlagen?)\b",
    re.IGNORECASE,
)
_PRINT = re.compile(
    r"(?:please )?(?:consider|think of|think about|save) the (?:environment|trees?|planet)|before printing (?:this|"
    r"the) (?:e-?)?mail|"
    r"pensez? (?:[àa] l['’]environnement|avant d['’]imprimer)|n['’]imprime[rz] ce (?:message|mail|courriel)|"
    r"bitte (?:pr[üu]fen|denken) sie .{0,60}(?:druck|umwelt)|antes de imprimir|prima di stampare|denk aan het milieu|"
    r"scanned for viruses|(?:virus|avast|avg)[- ]?(?:free|frei)\b.{0,20}(?:www|avast|avg)",
    re.IGNORECASE,
)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


# Stems by meaning; a notice speaks of a mail, of secrecy or its addressee, and of three such things in all.
_SECRECY = _stems("confiden|vertraulich|vertrouwelijk|riservat|privileged")
_ADDRESSEE = _stems("intended|addressee|destinat|destiné|bestimmt|dirigid|bestemd|geadresseerde|empfänger")
_OTHERS = (
    _stems(
        "in error|by mistake|par erreur|irrtümlich|por error|por engano|por erro|per errore|abusievelijk|ten onrechte|notify|"
        "avertir|informer|informieren sie|notifi|avvis|sender|expéditeur|absender|remitente|remetente|mittente|afzender"
    ),
    _stems("delete|destroy|supprimer|détrui|vernicht|löschen|elimin|apag|cancell|distrugg|verwijder"),
    _stems(
        "unauthori|prohibit|disclos|disseminat|interdit|divulg|unbefugt|nicht gestattet|prohib|proib|vietat|diffus|verboden|"
        "openbaar|copying|weitergabe"
    ),
    _stems("attachment|pièces jointes|anhänge|anlagen|adjuntos|anexos|allegat|bijlagen|legally|liab|responsab|virus"),
)
_PRINT_WORDS = _stems("environ|imprim|the tree|planet|printing this|drucken|stampare|milieu|viruses|avast")
_THIS_MAIL = re.compile(
    r"\W{0,4}(?:this e?-?mail|this message|ce message|cet e-?mail|diese e-?mail|este correo|este e-?mail)", re.I
)
_SENTENCE_END = re.compile(r"[.!?:\n]\s{1,3}")


def strip_notices(text: str) -> str:
    """Text without banners of mail gateways and confidentiality notices; never empty where there was other text."""
    lowered = text.lower()
    result = text
    if _WARNING_WORD.match(text) or _TAG.match(text) or ("\n" in text and any(mark in lowered for mark in ("ext", "caution"))):
        result = _without_banners(result)
    if any(stem in lowered for stem in _SECRECY) or any(stem in lowered for stem in _ADDRESSEE):
        result = "\n\n".join(filter(None, map(_without_notice, result.split("\n\n"))))
    if any(word in lowered for word in _PRINT_WORDS):
        result = "\n".join(line for line in result.split("\n") if len(line) > 250 or not _PRINT.search(line))
    result = result.strip() if result is not text else text
    return result or text


def _without_banners(text: str) -> str:
    """Looked for in the first lines only: a banner stands at the top."""
    kept: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number > 8 or len("".join(kept)) > 400:
            return "\n".join(kept + lines[number:])
        tag = _TAG.match(line)
        rest = line[tag.end() :] if tag else line
        rest = _after_banner(rest) if len(rest) < 4000 else rest
        if rest or not line:
            kept.append(rest)
    return "\n".join(kept)


def _after_banner(line: str) -> str:
    """The line without leading banner sentences."""
    begun = False
    while line:
        end = _SENTENCE_END.search(line, 12 if not begun else 0)
        sentence = line[: end.end()] if end else line
        warned = _WARNING_WORD.match(sentence) or _THIS_MAIL.match(sentence)
        is_banner = len(sentence) < 260 and (
            (warned and _OUTSIDE.search(sentence) and _MAIL.search(sentence)) or _BANNER_ADVICE.match(sentence)
        )
        if not is_banner or has_code(sentence):
            return line
        begun = True
        line = line[len(sentence) :].lstrip()
    return line


def _without_notice(paragraph: str) -> str:
    """The paragraph up to the first sentence of a notice; unchanged where the rest is no notice or is technical."""
    start = 0
    while start < len(paragraph):
        end = _SENTENCE_END.search(paragraph, start)
        stop = end.end() if end else len(paragraph)
        sentence = paragraph[start:stop].lower()
        if any(stem in sentence for stem in _SECRECY + _ADDRESSEE):
            tail = paragraph[start:]
            if _is_notice(tail) and not any(map(has_code, tail[:6000].split("\n"))):
                return paragraph[:start].rstrip()
            return paragraph
        start = stop
    return paragraph


def _is_notice(text: str) -> bool:
    lowered = text[:6000].lower()
    if len(lowered) < 60 or not _MAIL.search(lowered):
        return False
    groups = [_SECRECY, _ADDRESSEE, *_OTHERS]
    return sum(any(stem in lowered for stem in group) for group in groups) >= 3
