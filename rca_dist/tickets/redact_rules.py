"""What counts as personal data or a secret: one rule per form, in the order in which they are applied."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A kind of placeholder, its pattern, a cheap test that a text may hold it, and a check of each match.

    The part to replace is the pattern's group `value` where it has one, else the whole match. `accept` gets the match.
    """

    kind: str
    pattern: re.Pattern[str]
    may_hold: Callable[[str], bool]
    accept: Callable[[re.Match[str]], bool] = lambda match: True
    group: int | str = 0


def _holds(*marks: str) -> Callable[[str], bool]:
    return lambda text: any(mark in text for mark in marks)


_LONG_NUMBER = re.compile(r"\d(?:[ ().\-/]{0,2}\d){6}")
_SECRET_MARKS = (
    *("passw", "pwd", "pw", "passphrase", "passcode", "mot de passe", "mdp", "kennwort", "contrase", "senha", "wachtwoord"),
    *("secret", "token", "api", "access", "accountkey", "credential", "pin"),
)
_TOKEN_MARKS = (
    *(
        "-----BEGIN",
        "eyJ",
        "AKIA",
        "ASIA",
        "AROA",
        "AIDA",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
    ),
    *("hf_", "xox", "sk-", "sk_", "rk_", "AIza", "npm_"),
)
_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bhf_[A-Za-z0-9]{20,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bsk-[\w-]{20,}|\b[rs]k_(?:live|test)_\w{10,}|\bAIza[\w-]{30,}|\bnpm_[A-Za-z0-9]{30,}",
    re.DOTALL,
)
_BEARER = re.compile(r"\b(?:Bearer|Basic)\s+(?P<value>[\w.~+/=-]{16,})", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"(?:pass(?:word|wd|phrase|code)|passwort|pwd|\bpw|mot de passe|\bmdp|kennwort|contrase\u00f1a|senha|wachtwoord|"
    r"secret(?:[ _-]?key)?|"
    r"api[ _-]?key|access[ _-]?key(?:[ _-]?id)?|accountkey|token|credential|\bpin(?: code)?)(?:[_-]\w{1,10}|\d{1,3})?"
    r"[\"']?\s*(?P<sign>:=|=>|=|:|\b(?:is|est|ist|es|to|\u00e9|\u00e8)\b\s?:?)\s*"
    r"(?P<value>\"[^\"\n]{3,80}\"|'[^'\n]{3,80}'|[^\s\"',;<>&]{4,})",
    re.IGNORECASE,
)
_URL_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,100}:[^\s/@]{1,200}@[^\s\"'<>]+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?![\w-])")
_USER_PATH = re.compile(
    r"(?<![A-Za-z])[A-Za-z]:[\\/]+(?:Users|Utilisateurs|Benutzer|Documents and Settings)[\\/]+"
    r"(?:[^\\/:*?\"<>|\s]{1,40}(?: [^\\/:*?\"<>|\s]{1,40}){0,2}(?=[\\/])|[^\\/:*?\"<>|\s]{1,40})"
    r"|\\\\[\w.-]+\\(?:users|home|homes|profiles|perso)\$?\\[^\\/:*?\"<>|\s]{1,40}"
    r"|(?<![\w/.])/(?:home|Users)/[\w.-]{1,40}",
    re.IGNORECASE,
)
_SHARED_PROFILE = re.compile(r"[\\/](?:public|default|all users|shared)$", re.IGNORECASE)
_DOMAIN_USER = re.compile(r"(?<![\w\\/:.$%-])(?P<domain>[A-Za-z][\w.-]{1,30})\\(?P<user>[\w][\w.$-]{1,40})(?![\w\\])")
# Registry hives, built-in authorities and folder names stand before a backslash too.
_NO_DOMAIN = frozenset(
    {
        *("hklm", "hkcu", "hkcr", "hku", "hkey_local_machine", "hkey_current_user", "hkey_classes_root", "hkey_users"),
        *("authority", "builtin", "system", "system32", "software", "windows", "microsoft", "service", "program"),
        *("files", "temp", "and", "or"),
    }
)
_DOMAIN_END = re.compile(r"\.(?:local|lan|corp|internal|intra|com|net|org|edu|gov|fr|de|es|it|nl|pt|be|ch|uk|eu)$", re.I)
_FILE_END = re.compile(
    r"\.(?:exe|dll|sys|txt|log|ini|cfg|conf|xml|json|csv|bat|cmd|ps1|sh|py|js|docx?|xlsx?|pdf|zip|msi|dat|tmp)$", re.I
)
_LOGIN_WORD = re.compile(
    r"(?:user|account|login|logon|username|utilisateur|compte|benutzer|konto|usuario|cuenta|as)\W{1,3}$", re.IGNORECASE
)
_MAC = re.compile(
    r"(?<![0-9A-Za-z])(?<!\b[0-9A-Fa-f]{2}[:-])(?:[0-9A-Fa-f]{2}(?P<sign>[:-])(?:[0-9A-Fa-f]{2}(?P=sign)){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![0-9A-Za-z]|[:-][0-9A-Fa-f])"
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\w.-])(?:4|5[1-5]|2[2-7]|3[47]|6)\d{0,5}(?:[ -]?\d){8,17}(?![\w-])")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})(?![\w:])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)")
_VERSION_WORD = re.compile(r"(?:version|ver|release|build|firmware|driver|update|upgrade|patch|rev|v)\W{0,3}$", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w+.])\+(?:[1-9]\d{7,14}|(?!1[0-4][034][05] (?:19|20)\d\d)[1-9]\d{0,3}(?:[ .-]?\(\d{1,4}\))?(?:[ "
    r"./-]?\d){5,12})(?!\w)"
    r"|(?<![\w.,-])00[1-9]\d?[ .-](?:\d{1,4}[ .-]?){2,6}\d{2}(?![\w-])"
    r"|(?<![\w.,-])0[1-9](?P<fr>[ .-]?)\d{2}(?:(?P=fr)\d{2}){3}(?![\w-]|\.\d)"
    r"|(?<![\w.,-])(?:\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}(?P<us>[-.])\d{3}(?P=us)\d{4})(?![\w-]|\.\d)"
    r"|(?<![\w.,-])\(?0\d{2,4}\)?[ /-]\d{3,4}[ -]\d{3,4}(?![\w-]|\.\d)"
    r"|(?<![\w.,-])0\d{2,4}[ /]\d{5,8}(?![\w-]|\.\d)"
)
_CALLED = re.compile(
    r"\b(?:tel|t\u00e9l|telephone|t\u00e9l\u00e9phone|phone|mobile|cell|portable|fax|gsm|handy|telefon|rufnummer|"
    r"telefono|tel\u00e9fono|"
    r"telefone|call(?: me| back)?(?: at| on)?|appeler(?: au)?|rappeler(?: au)?)\b\.?\s*(?:n\u00b0|no\.?|num(?:ber|"
    r"\u00e9ro|mer)?)?\s*(?::|=|is|au|at|on)?\s*"
    r"(?P<value>\+?\(?\d(?:[ .()/-]{0,2}\d){6,14})(?!\w)",
    re.IGNORECASE,
)
_REFERENCE_WORD = re.compile(
    r"(?:ticket|incident|case|ref|reference|r\u00e9f\u00e9rence|id|no|n\u00b0|#|number|num\u00e9ro|nr|order|"
    r"commande|serial|s/n|sn|invoice|facture|"
    r"req|chg|prb|inc|task|asset|kb|error|erreur|code)\W{0,3}$",
    re.IGNORECASE,
)
# What the numbers of `_PHONE` begin with.
_PHONE_START = re.compile(r"[+(]\d|\b0\d|\b\d{3}[-.]\d{3}[-.]")
_DATE = re.compile(r"\(?\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}$")


def _before(match: re.Match[str], most: int = 16) -> str:
    return match.string[max(0, match.start() - most) : match.start()]


def _secret_value(match: re.Match[str]) -> bool:
    value, sign = match["value"].strip("\"'").rstrip(".!?)"), match["sign"]
    if len(value) < 3 or value.startswith(("<", "{", "$", "%")):
        return False
    if sign in ("=", ":=", "=>"):
        return not value.startswith(("=", ">")) and value.lower() not in {"null", "none", "true", "false"}
    # In prose ('password: please reset', 'le mot de passe est faux') only what looks made up is a secret.
    mixed = any(char.isdigit() for char in value) or re.search(r"[a-z][A-Z]|[!@#$%^&*_]", value)
    return bool(mixed) or match["value"][0] in "\"'"


def _domain_user(match: re.Match[str]) -> bool:
    domain, user = match["domain"], match["user"]
    # 'ERROR\\nThe' is a literal line break, not a user of the domain ERROR.
    if domain.lower() in _NO_DOMAIN or _FILE_END.search(user) or re.match(r"[nrt][A-Z]", user):
        return False
    return domain.upper() == domain or _DOMAIN_END.search(domain) is not None or _LOGIN_WORD.search(_before(match)) is not None


def _luhn(match: re.Match[str]) -> bool:
    digits = [int(char) for char in match.group(0) if char.isdigit()]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _iban(match: re.Match[str]) -> bool:
    compact = match.group(0).replace(" ", "")
    return 15 <= len(compact) <= 34 and int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _ipv4(match: re.Match[str]) -> bool:
    parts = [int(part) for part in match.group(0).split(".")]
    # Loopback, wildcard and netmasks name nobody and are signal; a version number is no address.
    return max(parts) <= 255 and parts[0] not in (0, 127, 255) and not _VERSION_WORD.search(_before(match))


def _ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match.group(0))
    except ValueError:
        return False
    return len(match.group(0)) >= 6 and not address.is_loopback


def _phone(match: re.Match[str]) -> bool:
    found = match.group(0)
    if not 8 <= sum(map(str.isdigit, found)) <= 15 or _DATE.match(found):
        return False
    return found.startswith("+") or not _REFERENCE_WORD.search(_before(match))


def _called_number(match: re.Match[str]) -> bool:
    return not _DATE.match(match["value"]) and 7 <= sum(map(str.isdigit, match["value"])) <= 15


def _names_secret(text: str) -> bool:
    lowered = text.lower()
    return any(mark in lowered for mark in _SECRET_MARKS)


def _many_digits(text: str) -> bool:
    return _LONG_NUMBER.search(text) is not None


def _phone_like(text: str) -> bool:
    return _LONG_NUMBER.search(text) is not None and _PHONE_START.search(text) is not None


RULES = (
    Rule("SECRET", _TOKEN, _holds(*_TOKEN_MARKS)),
    Rule("URL", _URL_LOGIN, lambda text: "://" in text and "@" in text),
    Rule("SECRET", _BEARER, lambda text: "earer" in text or "asic " in text, group="value"),
    Rule("SECRET", _ASSIGNED, _names_secret, _secret_value, "value"),
    Rule("EMAIL", _EMAIL, _holds("@")),
    Rule("PATH", _USER_PATH, _holds("\\", "/"), lambda match: _SHARED_PROFILE.search(match.group(0)) is None),
    Rule("USER", _DOMAIN_USER, _holds("\\"), _domain_user),
    Rule("MAC", _MAC, lambda text: text.count(":") + text.count("-") >= 5 or text.count(".") >= 2),
    Rule("IBAN", _IBAN, _many_digits, _iban),
    Rule("CARD", _CARD, _many_digits, _luhn),
    Rule("IP", _IPV6, lambda text: text.count(":") >= 2, _ipv6),
    Rule("IP", _IPV4, lambda text: text.count(".") >= 3, _ipv4),
    Rule("PHONE", _CALLED, _many_digits, _called_number, "value"),
    Rule("PHONE", _PHONE, _phone_like, _phone),
)
