"""Rules for secrets: tokens with a form of their own, URL credentials, passwords in settings and in prose, PINs."""

import re

from rca_dist.tickets.redaction.base import SIGN, Rule, Sight, holds, is_mixed, is_signal, mentions, one_of, speaks_of

_TOKEN = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----))*(?:-----END [A-Z ]{0,40}KEY(?: BLOCK)?-----)?"
    r"|\b(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-nistp\d{3}) +AAAA[\w+/=]{20,}(?: [\w.-]+@[\w.-]+)?"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bgl(?:pat|dt|rt|ptt|oas|cbt|ft|imt|soat|agent)-[\w-]{16,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\bxox[abeoprs]-[\w-]{10,}|\bxapp-[\w-]{20,}|\bATATT[\w=-]{30,}"
    r"|\b[rs]k_(?:live|test)_\w{10,}|\bwhsec_\w{16,}|\bAIza[\w-]{30,}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}"
    r"|\b(?:npm|dp[ou]|shp(?:at|ca|pa|ss)|dckr_pat|dop_v1|figd|rubygems|lin_api|hvs)[_.][\w-]{24,}|\bpypi-[\w-]{30,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\b(?:AC|SK)[0-9a-f]{32}\b|\bkey-[0-9a-f]{32}\b|\bdapi[0-9a-f]{32}\b"
    r"|(?<![\w.~-])[\w.~-]{3}8Q~[\w.~-]{31,34}|(?<![\w+/])[A-Za-z0-9+/]{86}==|\$(?:1|2[aby]|5|6|y)\$[./\w$=,-]{20,}"
)
# The first word of a token, where a `-`, `_`, `.` or a blank ends it; the others have marks that stand inside words.
_TOKEN_WORDS = (
    "begin ssh ecdsa ghp gho ghu ghs ghr github glpat gldt glrt glptt gloas glcbt glft glimt glsoat glagent hf xoxa xoxb "
    "xoxe xoxo xoxp xoxr xoxs xapp sk rk whsec ya gocspx npm dpo dpu shpat shpca shppa shpss dckr dop figd rubygems lin hvs "
    "pypi sg key twilio"
)
_TOKEN_MARKS = ("eyJ", "AKIA", "ASIA", "AROA", "AIDA", "ATATT", "AIza", "dapi", "8Q~", "==", "$")
_MODEL_KEY = re.compile(r"\bsk-[\w-]{20,}")
_HOOK = re.compile(
    r"(?<=/)(?P<value>(?:services/T|workflows/T|webhookb2/|api/webhooks/\d|IncomingWebhook/|bot\d{6,}:)[\w/@.:-]{16,})"
)
_GROUPED_KEY = re.compile(r"(?<![\w-])(?:\d{6}(?:-\d{6}){7}|[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4})(?![\w-])")
_BEARER = re.compile(r"\b(?:Bearer|Basic|ApiKey|Negotiate)\s+(?P<value>[\w.~+/=-]{16,})", re.IGNORECASE)
_URL_LOGIN = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:<>]{0,100}:[^\s/@<>]{1,200}@[^\s\"'<>]+", re.IGNORECASE)
_QUERY = re.compile(
    r"[?&;#](?:amp;)?(?:(?P<sure>sig|[\w-]{0,20}signature|[\w-]{0,20}token|api_?key|apikey|client_secret|secret|"
    r"passw(?:or)?d|pwd|jwt|"
    r"x-amz-(?:signature|credential|security-token)|samlre(?:sponse|quest)|ticket|assertion)|"
    r"code|key|auth|sid|session_?id|state|nonce)=(?P<value>[^\s&\"'<>;#]{4,})",
    re.IGNORECASE,
)
_COOKIE = re.compile(
    r"\b(?:JSESSIONID|PHPSESSID|ASP\.NET_SessionId|ASPSESSIONID\w{4,10}|connect\.sid|glide_session_store|FedAuth|"
    r"\.?ASPXAUTH|ESTSAUTH\w{0,12}|MRHSession)\s?=\s?(?P<value>[^\s;,\"'<>&]{6,})",
    re.IGNORECASE,
)
_FIRST = "(?=[pPmMkKzZcCsSwW])"  # spares the alternatives at most places of a text
_NAMES = (
    rf"{_FIRST}(?:pass(?:word|wd|phrase|code)|passwort|psswd|pswd|pwd|\bpw|\bpass|mots? de passe|\bmdp|kennwort|zugangscode|"
    r"contraseña|contrasena|\bclave|senha|palavra[- ]passe|wachtwoord|parola d['\u2019]ordine|\bpassw)"
)
_KEYS = (
    r"(?=[sSaApPtTcCjJ])(?:secret(?:[ _-]?(?:access[ _-]?)?key)?|api[ _-]?key|access[ _-]?key(?:[ _-]?id)?|"
    r"private[ _-]?key|(?:shared)?(?:account|access)[ _-]?key|"
    r"token|credential|jeton|psk|pre-?shared[ _-]?key|community[ _-]string|\bpin(?: code)?)"
)
_TAIL = r"(?:[_-]\w{1,10}|\d{1,3})?\\?[\"']?\s*"
_VALUE = r"(?P<value>\"[^\"\n<>]{3,80}\"|'[^'\n<>]{3,80}'|[^\s\"',;<>&]{3,})"
_ASSIGNED = re.compile(rf"{_NAMES}{_TAIL}(?P<sign>{SIGN})\s*\\?{_VALUE}", re.IGNORECASE)
_KEY_ASSIGNED = re.compile(rf"{_KEYS}{_TAIL}(?P<sign>{SIGN})\s*\\?{_VALUE}", re.IGNORECASE)
# Up to five plain words between: 'the password for the portal is ...', 'mot de passe temporaire du wifi : ...'.
_GAP = r"(?:[ \t]+[^\W\d_][\w'\u2019.@-]{0,30}){0,5}?"
_CHANGED = (
    r"(?:has been|have been|was|were|is|a été|wurde|ha sido|è stata|foi)[ \t]+"
    r"(?:re)?(?:set|changed|updated|modifi\w{1,3}|chang\w{1,3}|"
    r"initialis\w{1,3}|réinitialis\w{1,3}|cambiad\w|reimpostat\w|cambiat\w|alterad\w|gewijzigd)"
    r"(?:[ \t]+(?:to|en|à|auf|a|in|para|naar|as|back to))?[ \t]*:?"
)
_TOLD = re.compile(rf"{_NAMES}s?{_GAP}[ \t]*(?:{_CHANGED}|{SIGN})\s*{_VALUE}", re.IGNORECASE)
_QUALITY = (
    r"(?:tempora(?:ire|ry|neo)|temporal|provisoire|initiale?|default|par défaut|wi-?fi|admin|actuel|current|neues?|tijdelijk|"
    r"provvisoria|provis[óo]ri[oa]|nuov[oa]|nouveau|nuev[oa]|nov[oa])"
)
_SPOKEN = re.compile(
    rf"{_NAMES}(?:[ \t]+{_QUALITY})?[ \t]+(?:[-\u2013][ \t]+)?(?P<open>[(\"'\u00ab\u201c\u201e]?) ?"
    r"(?P<value>[^\s\"',;<>&()\u00ab\u00bb\u201c\u201d]{4,40})",
    re.IGNORECASE,
)
_OPTION = re.compile(
    r"(?<!\S)(?:--?|/)(?:user-?)?(?:password|passwd|passphrase|pwd|pass|token|secret|api-?key)[ :=]+"
    r"(?P<value>\"[^\"\n<>]{3,80}\"|'[^'\n<>]{3,80}'|(?![-/])[^\s\"'<>]{4,80})",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\b(?:mysql|mysqldump|mariadb|sshpass)\b[^\n<>]{0,60}? -p ?[\"']?(?P<value>(?!-)[^\s\"'<>]{4,60})"
    r"|\b(?:curl|wget)\b[^\n<>]{0,80}? (?:-u|--user)[ =]?(?P<pair>[^\s:\"'<>]{1,60}:[^\s\"'<>]{3,80})"
    r"|\b(?:sqlplus +|jdbc:oracle:\w{2,6}:)(?P<login>[^\s/@<>]{1,40}/[^\s/@<>]{1,60})(?=@)"
    r"|\bnet use [^\n<>]{0,80}?/user:(?P<mapped>\S{1,60} (?![/-])[^\s\"'<>]{4,60})",
    re.IGNORECASE,
)
_CODES = (
    "otp tan pin pin_code code_pin one_time_code one_time_password verification_code security_code 2fa_code mfa_code sms_code "
    "authentication_code authenticator_code code_de_vérification code_de_sécurité code_de_validation code_sms unlock_code "
    "bestätigungscode sicherheitscode codice_di_verifica pincode código_de_verificación código_de_verificação "
    "verificatiecode puk cvv cvc cvv2"
)
_PIN = re.compile(
    rf"\b{one_of(_CODES)}\b(?:[ \t]+(?:for|of|de|du|pour|von|für|del|van|my|the|card|phone|badge|sim|carte|code|number)){{0,3}}"
    rf"[ \t]*{SIGN}?\s*[\"']?(?P<value>\d{{3,8}})"
    r"(?![\w.,]?\d|[ \t]*(?:%|bits?\b|chars?\b|digits?\b|chiffres\b|times\b|pins?\b))",
    re.IGNORECASE,
)
_EMPTY = frozenset(
    {"null", "none", "true", "false", "undefined", "string", "required", "optional", "yes", "no", "empty", "on", "off"}
)


# ${DB_PASS}, $env:PW, %PW%, {{ pw }}, $(cat file), @{pw}: the name of a secret, not the secret.
_VARIABLE = re.compile(r"[\"']?(?:\$[{(]|\$env:|\$[A-Za-z_]+$|\$\w+[\"']|%\w+%|[@#]?\{|<|!\w+!$)", re.IGNORECASE)


def _option(match: re.Match[str]) -> bool:
    return _VARIABLE.match(match["value"]) is None


def _assigned(match: re.Match[str]) -> bool:
    value, sign = match["value"].strip("\"'").rstrip(".!?)"), match["sign"]
    if len(value) < 3 or value.startswith(("<", "{", "$", "%", "[", "*", "http", "\\")):
        return False
    if sign in ("=", ":=", "=>"):
        return not value.startswith(("=", ">")) and value.lower().partition("\\n")[0] not in _EMPTY
    return match["value"][0] in "\"'" or _made_up(value)


def _made_up(value: str) -> bool:
    """In prose ('password: please reset', 'le mot de passe est faux') only what looks made up is a secret."""
    if is_signal(value) or "//" in value or "<" in value:
        return value.isdigit() and 4 <= len(value) <= 12 and not re.match(r"(?:19|20)\d\d$|\d+0{2}$|4096|8192", value)
    return any(char.isdigit() for char in value) or re.search(r"[a-z][A-Z]|[!@#$%^&*_]", value) is not None


def _told(match: re.Match[str]) -> bool:
    value = match["value"].strip("\"'").rstrip(".!?)")
    if value.startswith(("{", "[", "%", "*", "http")) or len(value) < 4 or _VARIABLE.match(value):
        return False
    mixed = is_mixed(value) or re.search(r"[!@#$%^*_]", value.rstrip("!")) is not None
    return mixed and not is_signal(value) and "//" not in value


def _spoken(match: re.Match[str]) -> bool:
    value = match["value"].rstrip(".!?:)")
    if is_signal(value) or "/" in value or "=" in value or _VARIABLE.match(value):
        return False
    return (len(value) >= 5 and is_mixed(value)) or (match["open"] not in ("", "(") and _made_up(value))


def _query(match: re.Match[str]) -> bool:
    return bool(match["sure"]) or len(match["value"]) >= 16


def _pin(match: re.Match[str]) -> bool:
    short = match.group(0).lower().startswith(("cv", "tan"))
    return len(match["value"]) >= (3 if short else 4)


def _grouped_key(match: re.Match[str]) -> bool:
    found = match.group(0)
    return found.replace("-", "").isdigit() or (is_mixed(found) and len(found) == 29)


_password_marks = mentions("passw", "pwd", "contrase", "passphrase", "passcode")
_password_words = speaks_of("pass pw mdp passe kennwort zugangscode senha palavra wachtwoord psswd pswd clave parola")
_key_marks, _key_words = mentions("secret", "token", "jeton", "key", "credential", "psk"), speaks_of("community pin")
_asks_code = speaks_of(
    "pin otp tan code código codice puk cvv cvc bestätigungscode sicherheitscode pincode verificatiecode password time"
)
_cookies = mentions("sess", "sid", "aspx", "fedauth", "estsauth")
_commands = speaks_of("mysql mysqldump mariadb sshpass curl wget sqlplus jdbc net")
_may_sign = mentions("bearer", "basic", "apikey", "negotiate")


def _names_password(sight: Sight) -> bool:
    return _password_words(sight) or _password_marks(sight)


def _names_key(sight: Sight) -> bool:
    return _key_words(sight) or _key_marks(sight)


_token_words, _token_marks = speaks_of(_TOKEN_WORDS), holds(*_TOKEN_MARKS)


def _may_be_token(sight: Sight) -> bool:
    return _token_words(sight) or _token_marks(sight)


RULES = (
    Rule("SECRET", _TOKEN, _may_be_token),
    Rule("SECRET", _MODEL_KEY, holds("sk-"), lambda match: is_mixed(match.group(0))),
    Rule("URL", _URL_LOGIN, lambda sight: "://" in sight.text and "@" in sight.text),
    Rule("SECRET", _HOOK, holds("://"), group="value"),
    Rule("SECRET", _BEARER, _may_sign, group="value"),
    Rule("SECRET", _QUERY, lambda sight: "=" in sight.text and any(mark in sight.text for mark in "?&#;"), _query, "value"),
    Rule("SECRET", _COOKIE, lambda sight: "=" in sight.text and _cookies(sight), group="value"),
    Rule("SECRET", _COMMAND, _commands, group="value"),
    Rule("SECRET", _ASSIGNED, _names_password, _assigned, "value"),
    Rule("SECRET", _TOLD, _names_password, _told, "value"),
    Rule("SECRET", _SPOKEN, _names_password, _spoken, "value"),
    Rule("SECRET", _KEY_ASSIGNED, _names_key, _assigned, "value"),
    Rule("SECRET", _OPTION, holds("--", " -p", " -P", " /p", " /P"), _option, "value"),
    Rule("SECRET", _PIN, lambda sight: sight.digits and _asks_code(sight), _pin, "value"),
    Rule("SECRET", _GROUPED_KEY, lambda sight: sight.digits and sight.text.count("-") >= 4, _grouped_key),
)
