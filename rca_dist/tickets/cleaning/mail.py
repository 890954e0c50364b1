"""Mail threads inside a cell: what is quoted below new text goes, a forwarded mail loses its headers only.

Known are the forms of the usual mail programs in English, French, German, Spanish, Portuguese, Italian and Dutch.
"""

import re

from rca_dist.tickets.words import fold

_LABELS = {
    label: kind
    for kind, labels in {
        "from": "from|de|von|da|van|expediteur|absender|remitente|remetente|mittente|afzender",
        "sent": "sent|sent on|date|date d envoi|envoye|envoye le|gesendet|gesendet am|datum|enviado|enviado el|enviada em|"
        "enviado em|enviada|fecha|data|inviato|data invio|verzonden|verzonden op",
        "to": "to|a|an|para|aan|pour|destinataire|destinatario",
        "cc": "cc|cci|bcc|kopie|copie|copie a|copia|con copia|reply to|importance|importancia|prioritat|wichtigkeit|"
        "attachments|"
        "pieces jointes|anlagen|anhange|adjuntos|anexos|allegati|bijlagen",
        "subject": "subject|objet|sujet|betreff|asunto|assunto|oggetto|onderwerp",
    }.items()
    for label in labels.split("|")
}
_TECHNICAL_HEADER = re.compile(r"(?:received|message-id|return-path|mime-version|content-type|dkim-signature|x-[\w-]+):", re.I)
_MARK_WORDS = (
    r"original message|original appointment|forwarded message|forwarded by [^\n]{1,80}|reply message|"
    r"message d['’ ]origine|message original|message transf[ée]r[ée]|message r[ée]exp[ée]di[ée]|courriel original|"
    r"urspr[üu]e?ngliche nachricht|original[ -]?nachricht|weitergeleitete nachricht|"
    r"mensaje original|mensaje reenviado|mensagem original|mensagem encaminhada|"
    r"messaggio originale|messaggio inoltrato|oorspronkelijk bericht|origineel bericht|doorgestuurd bericht"
)
_MARK = re.compile(rf"(?<![-_])[-_]{{2,40}} ?(?:{_MARK_WORDS})(?: ?[-_]{{2,40}})?", re.IGNORECASE)
_BARE_MARK = re.compile(
    r"(?:begin forwarded message|d[ée]but du message (?:transf[ée]r[ée]|r[ée]exp[ée]di[ée])|"
    r"anfang der weitergeleiteten nachricht|"
    r"inicio del mensaje reenviado|in[íi]cio da mensagem (?:re)?encaminhada|inizio messaggio inoltrato|"
    r"begin doorgestuurd bericht|##-.{8,120}-##)\s?:?$",
    re.IGNORECASE,
)
_WROTE = r"(?:wrote|a ecrit|schrieb|escribio|escreveu|ha scritto|schreef)"
_ATTRIBUTION = re.compile(
    rf"(?:(?:on|le|am|el|em|no dia|a|il|il giorno|in data|op) .{{4,220}}\b{_WROTE}(?: .{{1,100}})?"
    rf"|.{{2,100}}<?\S{{1,60}}@\S{{1,60}}>? {_WROTE}|.{{2,80}} {_WROTE} (?:on|le|am|el|em|il|op) .{{4,60}}) ?:$"
)
_PERSON = re.compile(r"(?:[^\W\d_a-z][\w.'’-]+,? ?){2,4}")
_DATED = re.compile(r"\d{4}|\d{1,2}[:h.]\d{2}")
_RECEIVED = re.compile(
    r"(?:received from|re[çc]u de|empfangen von|recibido de|recebid[oa] de|ricevuto da|ontvangen van)\s?: ?(?P<who>.{0,120})$",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"(?:> ?)+")
_LOOKS_TYPED = re.compile(r"[=|\\{}$;]|\s-{1,2}\w|://|/\w+/|^>>>|\w\(")
_WORD = re.compile(r"[^\W\d_]{2,}")
# Words of a note that only points at the mail below it: 'FYI', 'Please see below and advise'.
_POINTING_TEXT = """
fyi hi hello dear team all everyone please pls see check look into at this the below can could you help handle
assist advise process create open ticket for your information forward forwarded forwarding mail email message
request thanks thank many regards best kind and with to of from my is it me us as user customer attached action
kindly need deal bonjour pour info voir ci dessous merci de traiter le la les votre svp pouvez vous regarder
prendre en charge transmis demande cordialement bien faire suivre suite hallo zur kenntnis bitte siehe unten
bearbeiten um bearbeitung danke weiterleitung weitergeleitet mit freundlichen grussen hola para su informacion
ver abajo favor atender gracias reenvio saludos ola segue abaixo veja por obrigado encaminho att ciao per
conoscenza vedi sotto grazie inoltro saluti beste zie hieronder ter bedankt graag groet doorgestuurd fwd fw re
tr wg rv
"""
_POINTING = frozenset(_POINTING_TEXT.split())
_MOST_PASSES = 6


def strip_thread(text: str) -> str:
    """The new text of a mail cell, without what it quotes below; a mail that is all forwarded keeps its body.

    Never returns an empty text for one that had words.
    """
    if ":" not in text and ">" not in text and "--" not in text and "##-" not in text:
        return text
    lines = _split_inline_mark(text).split("\n")
    lines = [line for line in lines if not _is_received_line(line)]
    above: list[str] = []
    for _ in range(_MOST_PASSES):
        found = _first_quote(lines)
        if found is None:
            break
        start, end = found
        above += lines[:start]
        if _says_something(above):
            lines = []
            break
        lines = _unquoted(lines[end:])
    result = "\n".join(_without_quoted_lines(above + lines)).strip()
    return result or text


def _split_inline_mark(text: str) -> str:
    """A separator in the middle of a line, where an export lost its line breaks, begins a line of its own."""
    return _MARK.sub(lambda match: f"\n{match[0]}\n", text) if "--" in text or "__" in text else text


def _is_received_line(line: str) -> bool:
    match = _RECEIVED.match(line) if len(line) < 160 and ":" in line[:20] else None
    return match is not None and ("@" in match["who"] or "<" in match["who"] or _PERSON.fullmatch(match["who"]) is not None)


def _first_quote(lines: list[str]) -> tuple[int, int] | None:
    """Lines [start, end) of the first separator with its headers; None when the text quotes no mail."""
    at_top, looked_at = True, 0
    for number, line in enumerate(lines):
        stripped = line.strip(" >*_\t") if line[:1] in " >*_\t" else line
        if not stripped and "_" not in line:
            continue
        if _is_mark(line.strip("> ")):
            end, _ = _header_block(lines, number + 1)
            return number, max(end, number + 1)
        if ":" in stripped:
            if number >= looked_at and _label(stripped):
                end, kinds = _header_block(lines, number)
                if _is_mail_header(kinds, at_top):
                    return (number - 1 if number and set(lines[number - 1].strip()) == {"_"} else number), end
                looked_at = end
            elif stripped.endswith(":") and _is_attribution(lines, number):
                return number, number + 1
        if _begins_attribution(stripped) and number + 1 < len(lines) and _is_attribution(lines, number, joined=True):
            return number, number + 2
        at_top = False
    return None


def _is_mark(line: str) -> bool:
    if len(line) > 200:
        return False
    return (line[:2] in ("--", "__") and _MARK.match(line) is not None) or _BARE_MARK.match(line) is not None


def _label(line: str) -> str | None:
    label, colon, _ = line.partition(":")
    if not colon or len(label) > 24:
        return None
    return _LABELS.get(fold(label.strip(" >*_\t\u00a0")).replace("'", " ").replace("-", " "))


def _header_block(lines: list[str], start: int) -> tuple[int, set[str]]:
    """First line behind a run of header lines from `start` on, and the kinds of header found (set of label kinds)."""
    kinds: set[str] = set()
    end = number = start
    while number < min(len(lines), start + 24):
        line = lines[number].strip(" >*_\t")
        kind = _label(line) if line else None
        if kind:
            kinds.add(kind)
            end = number + 1
        elif line and _TECHNICAL_HEADER.match(line):
            kinds.add("technical")
        elif line and not (end == number and ("@" in line or ";" in line) and len(line) < 400 and kinds):
            break  # an address list may run over several lines; anything else ends the block
        number += 1
    return end, kinds


def _is_mail_header(kinds: set[str], at_top: bool) -> bool:
    """Senders and dates together, or at the top of the cell a sender and a subject: 'From: 10.0.0.1 / To: 10.0.0.2' is none."""
    if "technical" in kinds or "from" not in kinds:
        return False
    if at_top:
        return "subject" in kinds or {"sent", "to"} <= kinds
    return "sent" in kinds and bool(kinds & {"subject", "to"})


def _begins_attribution(line: str) -> bool:
    return len(line) < 200 and line.split(" ", 1)[0].lower() in {"on", "le", "am", "el", "em", "no", "il", "in", "op"}


def _is_attribution(lines: list[str], number: int, joined: bool = False) -> bool:
    line = lines[number].strip(" >")
    if joined:
        line = f"{line} {lines[number + 1].strip(' >')}"
        number += 1
    if len(line) > 320 or not line.endswith(":"):
        return False
    if not _ATTRIBUTION.fullmatch(fold(line)):
        return False
    following = next((part for part in lines[number + 1 : number + 4] if part.strip()), "")
    named = "@" in line or "<" in line or following.startswith(">")
    return named or (_DATED.search(line) is not None and _PERSON.search(line) is not None)


def _says_something(lines: list[str]) -> bool:
    """False for text that only greets, thanks or points at the mail below it."""
    found = {word for line in lines for word in _WORD.findall(fold(line[:2000]))}
    # A greeting and a signature bring names: two unknown words are no message yet.
    return len(found - _POINTING) > 2


def _unquoted(lines: list[str]) -> list[str]:
    filled = [line for line in lines if line.strip()]
    if filled and all(line.startswith(">") for line in filled):
        return [_QUOTE.sub("", line, count=1) for line in lines]
    return lines


def _without_quoted_lines(lines: list[str]) -> list[str]:
    """Drop runs of '> ' lines that are prose; commands after a prompt and lists that a colon introduces stay."""
    if not any(line.startswith(">") for line in lines):
        return lines
    kept: list[str] = []
    number = 0
    while number < len(lines):
        end = number
        while end < len(lines) and lines[end].startswith(">"):
            end += 1
        if end == number:
            kept.append(lines[number])
            number += 1
            continue
        before = next((line for line in reversed(kept[-3:]) if line.strip()), "")
        if before.rstrip().endswith(":") or not _is_prose(lines[number:end]):
            kept += lines[number:end]
        number = end
    return kept if any(line.strip() for line in kept) else [_QUOTE.sub("", line, count=1) for line in lines]


def _is_prose(run: list[str]) -> bool:
    bodies = [body[:500] for line in run if (body := _QUOTE.sub("", line, count=1)).strip()]
    typed = sum(_LOOKS_TYPED.search(body) is not None for body in bodies)
    spoken = sum(len(_WORD.findall(body)) >= 3 and (body[:1].isupper() or body[-1:] in ".?!,") for body in bodies)
    return typed * 3 <= len(bodies) and spoken * 2 >= len(bodies)
