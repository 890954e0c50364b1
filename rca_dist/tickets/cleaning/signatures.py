"""Mail signatures, confidentiality notices and 'external mail' banners out of a text; technical content stays."""

import re

from rca_dist.tickets.words import fold

_CLOSING = re.compile(
    r"(?:(?:best|kind|kindest|warm|warmest|many thanks and|thanks and|thanks &|with (?:best|kind)|thank you and) )?regards|"
    r"rgds|br|"
    r"(?:yours )?(?:sincerely|faithfully|truly)|cheers|best wishes|all the best|best|"
    r"thanks(?: a lot| so much| again| in advance| very much)?|many thanks|thank you(?: very much| so much| in advance)?|thx|"
    r"(?:bien )?cordialement(?: votre| vous)?|cdlt|cdt|bien a vous|(?:sinceres |meilleures |mes )?salutations(?: distinguees)?|"
    r"(?:tres )?(?:bonne|belle) (?:journee|reception|fin de journee)|respectueusement|"
    r"merci(?: beaucoup| d avance| par avance| bien)?|(?:veuillez agreer|je vous prie d agreer).{0,120}salutations.{0,40}|"
    r"mit (?:freundlichen|freundlichem|besten|herzlichen|vielen) gr(?:u|ue)(?:ss|ß)(?:en)?|mfg|"
    r"(?:viele|beste|liebe|freundliche|schone|herzliche) gr(?:u|ue)(?:ss|ß)e|lg|vg|"
    r"(?:vielen |besten )?dank(?: im voraus)?|danke(?: schon| im voraus)?|"
    r"(?:un )?(?:cordial )?saludos?(?: cordial(?:es)?)?|atentamente|(?:muchas )?gracias(?: de antemano)?|"
    r"atenciosamente|att|atte|(?:com os melhores )?cumprimentos|abracos?|obrigad[oa](?: desde ja)?|grat[oa]|"
    r"(?:cordiali |distinti )?saluti|cordialmente|(?:mille )?grazie(?: mille| in anticipo)?|"
    r"(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|mvg|groet(?:en|jes)?|(?:alvast )?bedankt|(?:bij voorbaat )?dank"
)
_CLOSING_LINE = re.compile(rf"(?:{_CLOSING.pattern})\s*(?:[,.!;:-]+\s*|$)(?P<name>.*)")
_WARM = re.compile(r"regards|sincer|cordial|salut|gru|mfg|salud|atent|atenc|cumprim|groet|mvg")
_CLOSING_STARTS = re.compile(
    r"\s*(?:best|kind|warm|many|thank|thx|with|regard|rgds|br\b|yours|sincer|faithful|cheer|all the|bien|cord|cdlt|cdt|salu|"
    r"meill|mes|"
    r"bonne|belle|tr[eè]s|respect|merci|veuil|je vous|mit|mfg|viel|beste|lieb|freund|sch[oö]n|herz|lg\b|vg\b|dank|un s|aten|"
    r"much|grac|"
    r"att|com|cump|abra|obri|grat|dist|mille|graz|met|vrien|hart|mvg|groet|alvast|bedankt|bij)",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"(?:(?:sent|envoye|gesendet|enviad[oa]|inviato|verzonden|verstuurd|envoyee) (?:from|de|depuis|a partir de|von|mit|"
    r"desde|do|da|dal|"
    r"vanaf|van|met|via|con) |von mein)[^.:;!?]{0,50}|"
    r"(?:get|download|telecharge[rz]|obtene[rz]|obtenir|obter|ottieni|scarica|hol(?:en|e) sie sich|"
    r"laden sie) outlook [^.:;!?]{0,40}|"
    r"outlook (?:fur|voor) [^.:;!?]{0,30}"
)
_SENT_STARTS = re.compile(
    r"[ *_<>-]{0,8}(?:sent|envoy|gesendet|enviad|inviato|verzonden|verstuurd|von mein|get|download|t.{1,2}l.{1,2}charg|obt|"
    r"ottieni|scarica|"
    r"hol|laden|outlook)",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"phone|ipad|android|samsung|galaxy|mobil|movil|cellul|telefo|outlook|blackberry|huawei|xiaomi|tablet|mail|yahoo"
)
_CODES = re.compile(
    r"0x[0-9a-f]+|\b[a-z]{2,}[-_]\d{3,}|\b(?:kb|inc|req|ritm|chg|prb|sr)\d{4,}|\d{1,2}:\d{2}:\d{2}|\d{4}-\d\d-\d\d|"
    r"^\s*(?:\d{1,2}[.)]|[-*•>#$])\s*\w|[a-z]:\\|(?:^|\s)/\w+/|[={}<>;\\]\S|\w\(\)|\b\d{1,3}(?:\.\d{1,3}){3}\b|"
    r"\b[a-z]?\d+\.\d+(?:\.\d+)?\b(?!\.?\d)"
)
_TECHNICAL_WORDS = re.compile(
    r"\b(?:error|err|erreur|fehler|fehlercode|errore|erro|fout|exception|code|warning|fatal|failed|failure|stack ?trace|"
    r"traceback|"
    r"version|log|logs|ps|p\.s\.|windows|linux|laptop|printer|imprimante|drucker|server|serveur|hostname|url|steps?|etapes?|"
    r"schritte?|pasos?|passos?)\b"
)
_CONTACT = re.compile(
    r"^\s*(?:tel|telephone|phone|mobile?|mob|cell|fax|e-?mail|mail|courriel|web|site|website|t|m|p|f|e|w|o|d|direct|office|"
    r"ext|handy|"
    r"telefon|telefono|telefone|movil|cel|linkedin|skype|teams)\s*\.?\s*[:.|]?\s*(?:[+(\d][\d ()./-]{3,40}|<?\S{1,60}@\S|"
    r"www\.|https?://"
    r"|[\w-]{1,60}\.[a-z]{2,6}\b|<\w{3,12}>)|^\s*(?:address|adresse|direccion|endereco|indirizzo|adres)\s*:|"
    r"<?\b[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,80}>?|^\W*<(?:email|phone|url|host|name|person)[^>]{0,12}>|"
    r"^\W*(?:https?://|www\.)[\w.-]{3,80}/?\W*$|linkedin\.com"
)
# "i. A.", "i. V.", "ppa.", "p.o.": who signs does so for somebody else.
_ON_BEHALF = re.compile(r"(?:i\. ?[av]\.?|ppa\.?|p\. ?p\.|p\. ?o\.|p/o|pour ordre|im auftrag|in vertretung|per procura)\s+")
# What the law wants below a letter: the firm's directors, register, capital and tax numbers.
_FIRM = re.compile(
    r"(?:^|[|,;:\u00b7\u2022\u2013/-]\s*)(?:(?:geschaftsfuhr\w*|geschaftsleitung|vorstand\w*|aufsichtsrat\w*|"
    r"sitz(?: der gesellschaft)?|"
    r"registergericht|amtsgericht|handelsregister|firmenbuch\w*|ust-?\s?id\S*|steuer-?nr|managing directors?|"
    r"directors?|registered "
    r"(?:office|in|address|company)|company (?:no|number|registration)|gerant|president|siege(?: social)?|"
    r"sede(?: legale| social)?|"
    r"consejero|administrador(?:es)?|amministratore|domicilio social)\b\.?\s*[:.]?\s*\S"
    r"|(?:au )?capitale? ?(?:sociale?)? ?(?:de|of|eur|chf|:)? ?(?:eur|chf|\u20ac)? ?\d[\d., ]{2,}|registro mercantil|"
    r"(?:hr ?[ab]|siret|siren|rcs|r\.c\.s\.?|tva|vat|kvk|btw|rea|cif|nif|nipc|cnpj|p\.? ?iva|partita iva|c\.? ?f\.?|"
    r"uid|che|ape|naf)"
    r"\b[ .:-]*(?:(?:no|n|nr|num|number|reg|id|intracom\w*|paris|lyon|"
    r"[a-z]{3,20})\b[ .:\u00b0-]*){0,3}(?:[a-z]{1,3})?[\d. -]{3,})"
)
_LONGEST_FIRM_LINE = 240
_PHONE = re.compile(r"^[\s+()\d./|-]{7,40}$")
_LABEL = re.compile(r"^[^\W\d][^:\n]{0,30}:\s?\S")
_SENTENCE_TEXT = """
please could cannot can is are was were has have had i we you not does doesn't don't still when after since
would je nous vous est sont pas ne il elle on veuillez ich wir ist sind nicht bitte kann habe favor está estamos
não são sono siamo ik wij niet kan heeft graag
"""
_SENTENCE_WORDS = frozenset(_SENTENCE_TEXT.split())
_SENTENCE_END = re.compile(r"[.!?] (?=[A-Z])")
_MOST_LINES, _LONGEST_LINE, _MOST_CLOSINGS = 9, 90, 100


def strip_signature(text: str) -> str:
    """Text without closing word and the name and address lines behind it; text that follows them stays.

    A tail that holds an error code, a log line, steps, 'label: value' lines or sentences is never taken for a signature.
    """
    lines = text.split("\n")
    kept: list[str] = []
    has_text = False
    closings = number = 0
    while number < len(lines):
        line = lines[number]
        end = number + 1 if _is_sent_from(line) else number
        if end == number and closings < _MOST_CLOSINGS:
            stop = _closing_at(line)
            if stop > 0 or (stop == 0 and has_text):
                closings += 1
                end = _signature_end(lines, number)
                kept += [line[:stop]] if end > number and stop else []
        has_text = has_text or bool(line.strip())
        if end == number:
            kept.append(line)
            end += 1
        number = end
    result = "\n".join(kept)
    return text if result == text else result.strip() or text


def is_closing(line: str) -> bool:
    """True for a line that only ends a mail: 'Best regards,' also with a name behind it."""
    if len(line) > 160 or not _CLOSING_STARTS.match(line):
        return False
    folded = fold(line.strip(" *_")).replace("'", " ").replace("\u2019", " ")
    match = _CLOSING_LINE.fullmatch(folded)
    if match is None:
        return False
    names = line.split()[-len(match["name"].split()) :] if match["name"] else []
    return len(names) <= 4 and all(name[:1].isupper() and not any(char.isdigit() for char in name) for name in names)


def has_code(line: str) -> bool:
    """True for a line with an error code, a log line, a step of a list, a path, a version or a command."""
    return _CODES.search(fold(line)) is not None


def _closing_at(line: str) -> int:
    """Where a closing begins: 0 for a line that is one, the end of the sentence before it, -1 without one.

    Behind a sentence ('... since Monday. Regards, Jane Roe') a word of thanks counts only with a name.
    """
    if line.rstrip() in ("--", "__", "\u2014") or is_closing(line):
        return 0
    start = max(0, len(line) - _LONGEST_LINE)
    for match in _SENTENCE_END.finditer(line, start):
        tail = line[match.end() :]
        if is_closing(tail) and ("," in tail or _WARM.search(fold(tail))):
            return match.start() + 1
    return -1


def _signature_end(lines: list[str], closing: int) -> int:
    """First line behind the signature that `closing` opens; `closing` itself where there is none."""
    found = 0
    paragraph_end = closing
    for number in range(closing + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            if found and paragraph_end == closing:
                paragraph_end = number
        elif found < _MOST_LINES and _is_signature_line(line):
            found += 1
        else:
            return paragraph_end
    return len(lines)


def _is_signature_line(line: str) -> bool:
    stripped = line.strip(" *_|")
    if not stripped or set(stripped) <= set("-_=*~. "):
        return True
    if len(stripped) > _LONGEST_FIRM_LINE:
        return False
    folded = fold(stripped)
    if _FIRM.search(folded) and not _TECHNICAL_WORDS.search(folded) and not _is_sentence(stripped):
        return True
    if len(stripped) > _LONGEST_LINE:
        return False
    if signs_for := _ON_BEHALF.match(folded):
        stripped, folded = stripped[signs_for.end() :], folded[signs_for.end() :]
    if _PHONE.match(stripped) or _CONTACT.search(folded) or _is_sent_from(stripped):
        return True
    if _CODES.search(folded) or _TECHNICAL_WORDS.search(folded):
        return False
    words = stripped.split()
    if _LABEL.match(stripped) or len(words) > _MOST_LINES or (len(words) > 3 and stripped[-1] in ".?!"):
        return False
    if _is_sentence(stripped):
        return False
    return stripped[0].isupper() or stripped[0].isdigit() or stripped[0] in "+(<[\"'" or len(words) <= 3


def _is_sentence(line: str) -> bool:
    return any(word.lower().strip(",.!?") in _SENTENCE_WORDS for word in line.split())


def _is_sent_from(line: str) -> bool:
    if not 8 < len(line) < 90 or not _SENT_STARTS.match(line):
        return False
    folded = fold(line.strip(" *_<>-.")).replace("\u2019", "'")
    return _SENT_FROM.fullmatch(folded) is not None and _DEVICE.search(folded) is not None and not _CODES.search(folded)
