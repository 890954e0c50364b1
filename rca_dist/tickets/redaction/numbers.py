"""Rules for numbers of people: bank accounts, cards, national ids, birth dates, telephones; checked where they can be."""

import re

from rca_dist.tickets.redaction.base import Rule, Sight, one_of, speaks_of
from rca_dist.tickets.redaction.checks import LETTERS, codice_fiscale_holds, luhn_holds, nino_holds, nir_holds, spanish_holds

# Length without spaces of the account numbers of each country (ISO 13616 registry).
_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
    22: "BG BH DE GB GE IE ME RS", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST",
    26: "IS TR", 27: "BI DJ FR GR IT MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU",
    31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_GAP = "[ \u00a0\u202f.-]?"
_IBAN = re.compile(
    r"(?<![\w-])(?=[A-Za-z]{2}[ .\u00a0\u202f-]?[0-9]{2})(?:"
    + "|".join(
        rf"(?:{countries.replace(' ', '|')}){_GAP}\d{{2}}(?:{_GAP}[0-9A-Z]){{{length - 4}}}"
        for length, countries in _IBAN_LENGTHS.items()
    )
    + r")(?![0-9A-Za-z])",
    re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.-])(?:4|5[0-8]|2[2-7]|3[05-9]|3[47]|6)\d{0,5}(?:[ .\u00a0\u202f-]?\d){8,17}(?![\w-]|\.\d)")
# Lengths by issuer: the identity of a telephone (IMEI) has 15 digits and a Luhn digit too.
_CARD_FORM = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|35\d{14}|3[0689]\d{12}|6\d{15}|(?:5[06-8]|6)\d{12,18}"
)
_SPACE = "[ \u00a0\u202f.-]?"
_NIR = re.compile(
    rf"(?<![\w.-])[1278]{_SPACE}\d\d{_SPACE}(?:0[1-9]|1[0-2]|[2-9]\d){_SPACE}(?:\d\d|2[ABab]){_SPACE}\d{{3}}{_SPACE}\d{{3}}"
    rf"{_SPACE}\d\d(?![\w-])"
)
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-]|\.\d)")
# British national insurance number; Spanish DNI and NIE; Italian fiscal code.
_LETTERED = re.compile(
    r"(?<![\w.-])(?:(?P<nino>(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ) ?\d\d ?\d\d ?\d\d ?[A-D])"
    rf"|(?P<spanish>(?:\d{{1,2}}\.?\d{{3}}\.?\d{{3}}|[XYZ]-?\d{{7}})-?[{LETTERS}])"
    r"|(?P<fiscale>[A-Z]{6} ?\d\d[A-EHLMPRST]\d\d ?[A-Z]\d{3}[A-Z]))(?![\w-])"
)
_SWISS = re.compile(r"(?<![\w.-])756[. ]\d{4}[. ]\d{4}[. ]\d\d(?![\w-]|\.\d)")
_BELGIAN = re.compile(r"(?<![\w.-])\d\d\.(?:0\d|1[0-2])\.[0-3]\d-\d{3}\.\d\d(?![\w-]|\.\d)")
_BRAZILIAN = re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d\d(?![\w-]|\.\d)")
_NATIONAL_WORDS = (
    "ssn social_security social_insurance sin numéro_de_sécurité_sociale numero_de_securite_sociale securite_sociale secu "
    "n°_ss n°ss no_ss num_ss numéro_ss numero_ss numéro_de_ss numero_de_ss n°_de_ss n°_sécu n°_secu nino "
    "national_insurance nhs nir sécu sécurité_sociale dni nie nif nuss steuer-id steuerid "
    "steueridentifikationsnummer steuernummer idnr sozialversicherungsnummer rentenversicherungsnummer personalausweis "
    "personalausweisnummer ausweisnummer reisepass reisepassnummer codice_fiscale carta_d'identità carta_d’identità passaporto "
    "niss cartão_de_cidadão contribuinte cpf bsn burgerservicenummer rijksregisternummer numéro_national registre_national ahv "
    "ahv-nummer avs pesel personnummer cpr cpr-nummer aadhaar passport passeport pasaporte paspoort paspoortnummer "
    "driver's_license driving_licence driver_license driving_license permis_de_conduire carte_d'identité carte_d’identité cni "
    "national_id national_identity identity_card tax_id"
)
_NATIONAL = re.compile(
    rf"(?<!\w){one_of(_NATIONAL_WORDS)}\b\.?(?:[ \t]*(?:no|n°|nr|number|card|numéro|número|numero|nummer|num|id)\b\.?)?"
    r"[ \t]*(?:[:=#]|(?:is|est(?: le)?|ist|lautet|es|è|é)\b)?[ \t]*"
    r"(?P<value>(?=[A-Z0-9 ./-]{0,5}\d)[A-Z0-9]{1,12}(?:[ ./-]?[A-Z0-9]{1,12}){0,7}?)(?=[\s,;.)]*(?:$|\n|[,;.)]|\s[^\d\s]))",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:jan|feb|fév|fev|mär|mar|apr|avr|abr|mai|may|mag|mei|maa|jun|juin|giu|jul|juil|lug|aug|aoû|ago|sep|set|oct|okt|ott|out|"
    r"nov|dec|déc|dez|dic|ene|gen)[a-zéûçä]{0,7}\.?"
)
_BIRTH_WORDS = (
    "born born_on date_of_birth birthdate birth_date birthday dob d.o.b d.o.b. né née né(e) né_le née_le né(e)_le "
    "date_de_naissance geboren geboren_am geboren_op geburtsdatum geb. geb._am geburtstag nacido nacida nacido_el nacida_el "
    "fecha_de_nacimiento nato_il nata_il data_di_nascita nascido nascida nascido_em nascida_em data_de_nascimento "
    "geboortedatum ddn"
)
_BORN = re.compile(
    rf"(?<!\w){one_of(_BIRTH_WORDS)}[ \t]*(?:[:=]|is|est(?: le)?|ist|es(?: el)?|è|é)?[ \t]*(?:(?:the|le|am|el|il|em) )?"
    r"(?P<value>\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.|º)? ?(?:de |of )?{_MONTH},?(?: de| del)? ?\d{{2,4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{8}})(?!\d)",
    re.IGNORECASE,
)
_LETTER_END = re.compile(r"[0-9][ -]{0,2}[A-Z](?![A-Za-z0-9])")


def _digits(found: str) -> list[int]:
    return [int(char) for char in found if char.isdigit()]


def _iban(match: re.Match[str]) -> bool:
    compact = re.sub(r"[\W_]", "", match.group(0))
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _card(match: re.Match[str]) -> bool:
    digits = _digits(match.group(0))
    number = "".join(map(str, digits))
    return _CARD_FORM.fullmatch(number) is not None and len(set(digits)) > 1 and luhn_holds(digits)


def _swiss(match: re.Match[str]) -> bool:
    digits = _digits(match.group(0))
    return (10 - sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits[:12]))) % 10 == digits[12]


def _belgian(match: re.Match[str]) -> bool:
    number = re.sub(r"\D", "", match.group(0))
    return int(number[9:]) in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def _brazilian(match: re.Match[str]) -> bool:
    digits = _digits(match.group(0))
    for length in (9, 10):
        total = sum(digit * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != digits[length]:
            return False
    return True


def _national(match: re.Match[str]) -> bool:
    if match.group(0)[:3].lower() == "sin" and not match.group(0).startswith("SIN"):
        return False  # Spanish for 'without'
    return 7 <= sum(map(str.isalnum, match["value"])) <= 18 and sum(map(str.isdigit, match["value"])) >= 5


def _lettered(match: re.Match[str]) -> bool:
    checks = {"nino": nino_holds, "spanish": spanish_holds, "fiscale": codice_fiscale_holds}
    return checks[match.lastgroup or ""](match)


def _nine(sight: Sight) -> bool:
    return sight.nine_digits


def _ends_in_letter(sight: Sight) -> bool:
    return sight.digits and _LETTER_END.search(sight.text) is not None


_national_word = speaks_of(
    "ssn social sin securite secu ss n°ss nino insurance nhs nir sécu sécurité dni nie nif nuss steuer steuerid "
    "steueridentifikationsnummer "
    "steuernummer idnr sozialversicherungsnummer rentenversicherungsnummer personalausweis personalausweisnummer "
    "ausweisnummer reisepass reisepassnummer fiscale identità passaporto niss cidadão contribuinte cpf bsn "
    "burgerservicenummer rijksregisternummer national registre ahv avs pesel personnummer cpr aadhaar passport passeport "
    "pasaporte paspoort paspoortnummer license licence permis identité cni identity tax"
)
_birth_word = speaks_of(
    "born birth birthdate birthday dob né née naissance geboren geburtsdatum geb geburtstag nacido nacida nacimiento nato "
    "nata nascita nascido nascida nascimento geboortedatum ddn"
)

RULES = (
    Rule("IBAN", _IBAN, _nine, _iban),
    Rule("NATIONAL_ID", _NIR, _nine, nir_holds),
    Rule("CARD", _CARD, _nine, _card),
    Rule("BIRTHDATE", _BORN, lambda sight: sight.digits and (_birth_word(sight) or "d.o.b" in sight.lowered), group="value"),
    Rule("NATIONAL_ID", _SSN, _nine),
    Rule("NATIONAL_ID", _LETTERED, _ends_in_letter, _lettered),
    Rule("NATIONAL_ID", _SWISS, _nine, _swiss),
    Rule("NATIONAL_ID", _BELGIAN, _nine, _belgian),
    Rule("NATIONAL_ID", _BRAZILIAN, _nine, _brazilian),
    Rule("NATIONAL_ID", _NATIONAL, lambda sight: sight.digits and _national_word(sight), _national, "value"),
)
