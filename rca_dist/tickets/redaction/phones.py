"""Rules for telephone numbers: after a word that announces one, international, and national forms of many countries."""

import re

from rca_dist.tickets.redaction.base import Rule, Sight, after, before, one_of, speaks_of

_S = r"[ .\-/\u00a0\u202f\u2011\u2013]"  # what stands between the groups of a number
_END = r"(?![\w-]|\.\d)"
_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|extension|poste|durchwahl|dw|int\.)[ :]?\d{2,6}(?!\w))?"
_START = r"(?<![\w.,-])"
_PHONE = re.compile(
    r"(?=[+(0-9])(?:"
    # +33 (0)1 23 45 67 89, +1-555-123-4567; an offset behind a time ('+0100 2024') is none
    rf"(?<![\w+.])\+(?!1[0-4][034][05] (?:19|20)\d\d)(?:[1-9]\d{{7,14}}|[1-9]\d{{0,3}}(?:{_S}?\(\d{{1,4}}\))?"
    rf"(?:(?:{_S}|[ ]-[ ])?\d){{5,12}})(?!\w){_EXTENSION}"
    # 0033 1 23 45 67 89
    rf"|{_START}(?<!\d )00[ ]?[1-9]\d{{0,2}}{_S}(?:\(0\){_S}?)?(?:\d{{1,4}}{_S}?){{2,6}}\d{{2}}(?![\w-])"
    # 01 23 45 67 89
    rf"|{_START}0[1-9](?P<fr>{_S}?)\d{{2}}(?:(?P=fr)\d{{2}}){{3}}{_END}"
    # (555) 123-4567, 555-123-4567
    rf"|{_START}(?:1[-. ])?(?:\(\d{{3}}\) ?|\d{{3}}(?P<us>[-.\u2011\u2013])|\d{{3}} (?=\d{{3}}-))\d{{3}}"
    rf"(?:(?P=us)|[-. \u2011\u2013])\d{{4}}{_END}{_EXTENSION}"
    # 020 7946 0958, 06 1234 5678
    rf"|{_START}\(?0[1-9]\d{{0,3}}(?:\)|\)?{_S}| / ){_S}?\d{{3,4}}[ \u00a0-]\d{{3,4}}{_END}(?!:\d)"
    # 0171/1234567, (030) 1234567, 07700 900123
    rf"|{_START}\(?0[1-9]\d{{0,3}}(?:\) ?|[ /\u00a0-]|\)? ?/ ?)\d{{5,8}}(?:-\d{{1,4}})?{_END}"
    # 044 668 18 00, 0470 12 34 56
    rf"|{_START}0[1-9]\d{{0,2}}[ /\u00a0]\d{{2,3}}(?:[ .\u00a0]\d\d){{2,3}}{_END}(?!:\d)"
    # 612 34 56 78, 91 234 56 78
    rf"|{_START}(?:[679]\d\d(?:[ \u00a0]\d\d){{3}}|9\d[ \u00a0]\d{{3}}(?:[ \u00a0]\d\d){{2}})(?![\w-]|[.,]\d| \d)"
    # (0)89-123456; 555 123 4567 (no thousands end in four digits)
    rf"|(?<![\w)])\(0\)[ ]?[1-9]\d{{1,3}}[-/ ]\d{{4,8}}{_END}"
    rf"|{_START}(?<!\d )[2-9]\d\d \d{{3}} \d{{4}}(?![\w-]|[.,]\d| \d)"
    rf"|{_START}07\d{{9}}{_END})"
)
_NUMBER = re.compile(r"(?=[+(0-9])(?<![\w.,+/-])\+?\(?\d(?:[ .()/\-\u00a0\u202f\u2011\u2013]{0,3}\d){6,14}(?!\w)")
_PHONE_WORDS = one_of(
    "rückruf rückruf_unter durchwahl zentrale fono contact_no tel tél telephone téléphone phone ph mobile mob cell cellphone "
    "portable fax gsm handy telefon telefonnummer rufnummer mobilnummer handynummer telefono teléfono telefone telemóvel "
    "celular móvil cellulare telefoon telefoonnummer mobiel whatsapp sms voicemail hotline numero_di_telefono call dial "
    "reach reached contact contacted callback joignable appeler appelez rappeler rappelez erreichbar unter_der_nummer "
    "llámeme llamar chiamare ligar_para bereikbaar my_number mon_numéro meine_nummer mi_número il_mio_numero meu_número "
    "mijn_nummer"
)
_ANNOUNCED = re.compile(
    rf"(?<![^\W_])(?:{_PHONE_WORDS})\b\.?(?:[ -](?:me|back|him|her|us|moi|call|to))?(?: (?:at|on|au|le|unter|al|il|op))?"
    r"[ \t]*(?:#|n°|no\.?|num(?:ber|éro|mer|ero)?\b|número|nummer)?[ \t]*"
    r"(?:de (?:téléphone|portable|teléfono|telefone)|direct|pro|perso|office|work|home|mobile)?[ \t]*(?:\([\w ]{1,12}\))?[ \t]*"
    r"(?:[:=]|is|est(?: le| au)?|ist(?: die)?|es(?: el)?|è(?: il)?|é(?: o)?|au|at|on|al|unter|op)?[ \t:]*[\"']?$",
    re.IGNORECASE,
)
_REFERENCE_WORD = re.compile(
    r"(?<![^\W_])(?:ticket|incident|case|ref|reference|référence|id|no|n°|#|number|numéro|nr|order|commande|serial|s/n|"
    r"sn|invoice|facture|"
    r"rechnung|bestellung|pedido|factura|fattura|req|chg|prb|inc|task|asset|kb|error|erreur|code|imei|ean|isbn|siret|siren|"
    r"dossier|contrat|contract)\W{0,3}$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\(?\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}$|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d\b|(?:19|20)\d\d[-./ ]?\d\d[-./ ]?\d\d\b|"
    r"\d{1,2}[-./]\d{1,2}[-./]\d\d \d"
)


_COUNTED = re.compile(
    r"[ \t]?(?:rows?|records?|bytes?|lines?|items?|files?|objects?|users?|entries|messages?|packets?|errors?|"
    r"sec(?:onds?)?|ms|[kmgt]i?b|"
    r"lignes?|enregistrements|octets|fichiers|zeilen|datensätze|dateien|registros|filas|líneas|archivos|righe|record|linhas|"
    r"rijen|regels|documents?|transactions?|events?|hits?|pages?|tickets?|processed|inserted|deleted)\b",
    re.IGNORECASE,
)
# 'Durchwahl -4521', 'ext. x4821': the last digits alone.
_INTERNAL = re.compile(
    r"(?<![^\W_])(?:(?:durchwahl|dw|nebenstelle|toestel|ramal|anexo)\b\.?[ \t]*(?:nr\.?|lautet|ist|"
    r"is)?[ \t]*[:=]?[ \t]*[-\u2013]?|"
    r"ext(?:n|ension)?\b\.?[ \t]*[:#]?[ \t]*x?)(?P<value>\d{3,5})(?![\w-]|[.,]\d|[ \t]*(?:%|gb|mb|kb))",
    re.IGNORECASE,
)


def _internal(match: re.Match[str]) -> bool:
    word, value = match.group(0).lower(), match["value"]
    if word.startswith("ext") and (len(value) < 4 or re.match(r"(?:19|20)\d\d$", value)):
        return False
    return _COUNTED.match(after(match, 16)) is None


def _phone(match: re.Match[str]) -> bool:
    found = match.group(0)
    digits = sum(map(str.isdigit, found))
    if not 8 <= digits <= 21 or _DATE.match(found):
        return False
    if found.startswith("+"):
        return True
    counted = not re.search(r"[^\d ]", found) and _COUNTED.match(after(match, 16)) is not None
    return not counted and not _REFERENCE_WORD.search(before(match, 16))


def _announced(match: re.Match[str]) -> bool:
    found = match.group(0)
    if _DATE.match(found) or not 7 <= sum(map(str.isdigit, found)) <= 15:
        return False
    return _ANNOUNCED.search(before(match, 48)) is not None


def _may_hold(sight: Sight) -> bool:
    return sight.nine_digits


_extensions = speaks_of("durchwahl dw nebenstelle toestel ramal anexo ext extn extension x")

RULES = (
    Rule("PHONE", _NUMBER, lambda sight: sight.seven_digits, _announced),
    Rule("PHONE", _PHONE, _may_hold, _phone),
    Rule("PHONE", _INTERNAL, lambda sight: sight.digits and _extensions(sight), _internal, "value"),
)
