"""Rules for passwords in technical forms: XML, PowerShell, `net user`, `login / password` pairs, and near their word."""

import re

from rca_dist.tickets.redaction.accounts import is_nobody, looks_like_login
from rca_dist.tickets.redaction.base import Rule, Sight, is_mixed, is_signal, mentions, speaks_of, words_of

_TAGS = r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|(?:access|auth|security)?token|api_?key|client_?secret|private_?key|pin)"
_XML = re.compile(
    rf"<(?:[\w-]{{1,20}}:)?(?:[a-z]{{1,12}}[_-]?)?{_TAGS}(?:\s[^<>]{{0,80}})?>\s*(?P<value>[^<>\s](?:[^<>\n]{{0,120}}[^<>\s])?)\s*</",
    re.IGNORECASE,
)
_POWERSHELL = re.compile(
    r"\bConvertTo-SecureString(?:[ \t]+-(?:AsPlainText|Force|String))*[ \t:]+"
    r"(?P<value>\"[^\"\n<>]{1,80}\"|'[^'\n<>]{1,80}'|(?![-$(@])[^\s\"'<>)|;]{3,80})"
    r"|(?<!\S)-(?:New|Old|Admin|Account|SafeModeAdministrator)Password[ :=]+"
    r"(?P<new>\"[^\"\n<>]{3,80}\"|'[^'\n<>]{3,80}'|(?![-/$(@])[^\s\"'<>)|;]{4,80})",
    re.IGNORECASE,
)
_NET_USER = re.compile(
    r"\bnet1?(?:\.exe)?[ \t]+user[ \t]+[^\s/<>]{1,40}[ \t]+(?P<value>\"[^\"\n<>]{3,80}\"|(?![/<])[^\s\"'<>]{4,60})"
    r"(?P<option>[ \t]+/)?",
    re.IGNORECASE,
)
CREDENTIALS = (
    r"(?=[cClLsSuUaAiIzZkKbBdDлЛуУ])(?:credentials?|creds?|log[- ]?ins?|logons?|log(?:ged|ging)?[ -](?:in|on|into)|"
    r"sign(?:ed)?[ -]in|user(?:name)?s?|accounts?|"
    r"identifiants?|comptes?|acc[eè]s|utilisateur|zugangsdaten|anmeldedaten|zugang|konto|benutzer(?:name)?|credenciales|cuenta|"
    r"usuario|credenziali|accesso|utente|credenciais|conta|inloggegevens|dane logowania|u[čc]et|логин|учетные данные)"
)
_PAIR = re.compile(
    rf"(?<![^\W_])(?P<word>{CREDENTIALS})\b[ \t]*(?:is|are|was|sont|est|sind|ist|lauten|son|es|sono|são|zijn|with|as|"
    rf"avec|mit|con|com|met)?"
    r"[ \t]*[:=]?[ \t]*[\"'(]?(?P<login>[A-Za-z0-9][\w.@\\-]{1,60})(?P<sign>[ \t]*[/|][ \t]*|[ \t]?:[ \t]?|[ \t]+and[ \t]+)"
    r"(?P<value>[^\s\"'<>,;/|]{5,60})",
    re.IGNORECASE,
)
_BARE_PAIR = re.compile(r"(?<![\w./:@\\-])[A-Za-z][\w.-]{1,30}[ ]?[/:][ ]?(?P<value>[^\s\"'<>,;/:|\\]{8,40})(?![\w/])")
_NAMES = (
    r"(?=[pPmMkKcCsSwWzZ])(?:pass(?:word|wort|phrase|code)|p/w|\bpw|\bpwd|\bpass|mots? de passe|\bmdp|kennwort|"
    r"contrase[ñn]a|\bclave|senha|"
    r"palavra[- ]passe|wachtwoord|zugangscode|"
    r"(?:code|cl[ée]|key|schlüssel|clave|chiave|chave|codice|código)[ \t](?:du[ \t]|de la[ \t]|del[ \t]|do[ \t]|"
    r"for[ \t])?(?:wi-?fi|wlan)|"
    r"(?:wi-?fi|wlan)[ -]?(?:code|key|schlüssel|sleutel))"
)
# Up to three words between, also in brackets; a value on the next line.
_NEAR = re.compile(
    rf"{_NAMES}s?(?:[ \t]+(?!(?:and|or|et|ou|und|oder)\b)[^\W\d_][^\s\"'<>:;,.!?()]{{0,15}}|"
    rf"[ \t]*\([^\W\d_][\w .-]{{0,20}}\)){{0,3}}?[ \t]*[:=(]?"
    r"(?:[ \t]*\r?\n|"
    r"[ \t]+)[ \t]*[\"'\u00ab\u201c]?(?P<value>(?=[^\s\d]{1,40}\d)[^\s\"'<>,;:()\u00ab\u00bb\u201c\u201d]{6,40})",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"(?:pass[- ]?phrases?|phrase secrète|frase de paso)\b[ \t]*(?:is|are|was|:|=|est|es|now|[ \t]){1,4}[ \t]*[\"'\u201c]?"
    r"(?P<value>[^\W\d_]{3,14}(?:[ -][^\W\d_]{3,14}){3,7})",
    re.IGNORECASE,
)
_FUNCTION_WORDS = words_of(
    "not the and for was were are has have had been will can must should with from when after before but that this please user "
    "users you your wrong because while still its his her also only need needs required expired les des est pas dans pour avec "
    "sur une der die das und ist nicht wird mit für los las una que por"
)
_SHARED = frozenset({"admin", "administrator", "root", "sa", "guest", "user", "test", "oracle", "postgres", "sys", "system"})
_TYPICAL = re.compile(r"[^\W\d_]{3,}[-_.]?\d{1,6}|(?=.*\d).*[!@#$%^&*?+]")
_VARIABLE = re.compile(r"[$%{<\[*(@]|(?:xxx|\*\*|\.\.\.)", re.IGNORECASE)


def is_typical(value: str) -> bool:
    """True for what people choose where a password is wanted: `Winter2024!`, `Kanne77`, `Sakura#88`; no product, no code."""
    value = value.rstrip(".?)")
    if is_signal(value.rstrip("!")) or "//" in value or "\\" in value or _VARIABLE.match(value) or not is_mixed(value):
        return False
    small = any(char.islower() for char in value)
    if value.endswith("%") or not small:
        return False
    mark = re.search(r"[!@#$%^&*?+]", value) is not None
    return len(value) >= 6 and (mark or (value[0].isupper() and _TYPICAL.fullmatch(value) is not None))


def _literal(match: re.Match[str]) -> bool:
    return _VARIABLE.match(match[match.lastgroup or 0].strip("\"'")) is None


def _net_user(match: re.Match[str]) -> bool:
    value = match["value"]
    return _VARIABLE.match(value) is None and (match["option"] is not None or is_typical(value))


def _pair(match: re.Match[str]) -> bool:
    value, login = match["value"].rstrip(".?)!"), match["login"].lower()
    if is_signal(value) or _VARIABLE.match(value) or (is_nobody(login) and login not in _SHARED):
        return False
    # 'user phone: 12ab34' and 'account X / Y2' name something else.
    told = match["word"].lower().startswith(("cred", "identifiant", "zugangsdaten", "anmeldedaten", "inlog"))
    if not told and login not in _SHARED and not looks_like_login(match["login"]):
        return is_typical(value) and "/" in match["sign"]
    if "and" in match["sign"].lower() and not is_typical(value):
        return False
    return is_mixed(value) or (re.search(r"[!@#$%^&*+]", match["value"].rstrip("!.")) is not None and len(value) >= 6)


def _bare_pair(match: re.Match[str]) -> bool:
    value = match["value"].rstrip(".?)")
    kinds = (str.isupper, str.islower, str.isdigit)
    marked = re.search(r"[!#$%&*?+^]", value) is not None
    return marked and is_typical(value) and all(any(map(kind, value)) for kind in kinds)


def _near(match: re.Match[str]) -> bool:
    return is_typical(match["value"])


def _phrase(match: re.Match[str]) -> bool:
    return _FUNCTION_WORDS.isdisjoint(match["value"].lower().replace("-", " ").split())


_words = speaks_of("pass pw w mdp passe kennwort zugangscode senha palavra wachtwoord clave wifi wlan fi")
_marks = mentions("passw", "pwd", "contrase", "passphrase", "passcode")
_credential_words = speaks_of(
    "credential credentials cred creds login logins log logon logons logged logging sign signed user users username usernames "
    "account accounts identifiant identifiants compte comptes accès acces utilisateur zugangsdaten anmeldedaten zugang konto "
    "benutzer benutzername credenciales cuenta usuario credenziali accesso utente credenciais conta inloggegevens logowania "
    "účet ucet логин данные"
)


def _names_password(sight: Sight) -> bool:
    return sight.digits and (_words(sight) or _marks(sight))


RULES = (
    Rule("SECRET", _XML, lambda sight: "</" in sight.text, _literal, "value"),
    Rule("SECRET", _POWERSHELL, mentions("securestring", "password"), _literal, "value"),
    Rule("SECRET", _NET_USER, speaks_of("net"), _net_user, "value"),
    Rule("SECRET", _PAIR, _credential_words, _pair, "value"),
    Rule("SECRET", _BARE_PAIR, lambda sight: sight.digits and ("/" in sight.text or ":" in sight.text), _bare_pair, "value"),
    Rule("SECRET", _NEAR, _names_password, _near, "value"),
    Rule("SECRET", _PHRASE, mentions("phrase", "frase de paso"), _phrase, "value"),
)
