"""Rules for user accounts: `DOMAIN\\user`, user ids beside their word, paths that hold a user's name, directory names."""

import re

from rca_dist.tickets.redaction.account_words import BUILT_IN, FAMILY_NAMES, ORDINARY
from rca_dist.tickets.redaction.base import (
    LOWER,
    SIGN,
    UPPER,
    Rule,
    after,
    before,
    holds,
    is_mixed,
    is_signal,
    mentions,
    one_of,
    speaks_of,
    words_of,
)

_USER_PATH = re.compile(
    r"(?<![A-Za-z])[A-Za-z]:[\\/]+(?:Users|Utilisateurs|Benutzer|Usuarios|Utenti|Documents and Settings|Profiles|Home)[\\/]+"
    r"(?:[^\\/:*?\"<>|\s]{1,40}(?: [^\\/:*?\"<>|\s]{1,40}){0,2}(?=[\\/])|[^\\/:*?\"<>|\s,;)]{1,40})"
    r"|\\\\[\w.-]+\\+(?:users|homes?|profiles|profils|perso|redirected|userdata)\$?\\+[^\\/:*?\"<>|\s]{1,40}"
    r"|(?<![\w/.])/(?:home|Users|export/home|var/(?:spool/)?mail|mnt/c/Users|c/Users)/[\w.-]{1,40}"
    r"|(?<![\w/])~[a-z][\w.-]{1,30}(?=/)",
    re.IGNORECASE,
)
_SHARED_PROFILE = re.compile(
    r"[\\/](?:public|default|all users|shared|default users?|default\.migrated|defaultapppool|\.|\.\.|%.*|\$.*)$", re.IGNORECASE
)
_DOMAIN_USER = re.compile(r"(?<![\w\\/.$%-])(?P<domain>[A-Za-z][\w.-]{1,30})\\{1,2}(?P<user>[\w][\w.$-]{1,40})(?![\w\\])")
# Registry hives, built-in authorities and folder names stand before a backslash too.
_NO_DOMAIN = words_of(
    "hklm hkcu hkcr hku hkey_local_machine hkey_current_user hkey_classes_root hkey_users authority builtin system system32 "
    "software windows microsoft service program files temp and or nt users currentcontrolset services policies apppool "
    "autorité vordefiniert nt-autorität"
)
_LINE_BREAK = re.compile(r"[nrt](?:[A-Z0-9\W_]|$)")
_DOMAIN_END = re.compile(r"\.(?:local|lan|corp|internal|intra|com|net|org|edu|gov|fr|de|es|it|nl|pt|be|ch|uk|eu)$", re.I)
_FILE_END = re.compile(
    r"\.(?:exe|dll|sys|txt|log|ini|cfg|conf|xml|json|csv|bat|cmd|ps1|sh|py|js|docx?|xlsx?|pdf|zip|msi|dat|tmp)$", re.I
)
_LOGIN_WORD = re.compile(
    r"(?<![^\W_])(?:user|account|login|logon|username|utilisateur|compte|benutzer|konto|usuario|cuenta|utente|conta|gebruiker|"
    r"as|by|runas|par|von|mit)[^\w>]{1,3}$",
    re.IGNORECASE,
)
_STRONG = one_of(
    "user_id userid user_name username login_name loginname logon_name logonname samaccountname uid userprincipalname upn "
    "login_id loginid network_id windows_id unix_id account_name accountname nt_login ntlogin ldap_id identifiant "
    "nom_d'utilisateur nom_d’utilisateur nom_utilisateur code_utilisateur benutzername benutzerkennung nutzername "
    "nutzerkennung anmeldename benutzer-id kennung nombre_de_usuario id_de_usuario nome_utente id_utente nome_de_utilizador "
    "nome_de_usuário id_do_utilizador gebruikersnaam gebruikers-id loginnaam employee_id employee_number staff_id "
    "staff_number matricule personalnummer matricola número_de_empleado personeelsnummer"
)
_WEAK = one_of(
    "user login logon account userid compte utilisateur session konto benutzer anmeldung usuario cuenta utente usuário "
    "utilizador conta gebruiker gebruikersaccount runas users logins accounts comptes utilisateurs konten usuarios cuentas "
    "utenti usuários utilizadores contas gebruikers"
)
_BEFORE_WORD = r"(?<![\w.@-])(?P<flag>[-/?&;]{0,2})"
_LOGIN = r"[\"'\u00ab\u201c\u2018]?(?P<value>[A-Za-z0-9][\w.$-]{0,38}[\w$])(?![\w@\\%/:(]|\.\w|[-'\u2019]\w)"
_CLAUSE_END = r"(?P<end>[ \t]*(?:$|[\n,;/|)\"']|\.(?:\s|$)|(?:and|et|und|but|mais|aber|y|e|en)\b))?"
_NAMED = re.compile(
    rf"{_BEFORE_WORD}{_STRONG}\b(?:[ \t]*\([\w ]{{1,20}}\))?[\"']?[ \t]*(?P<sign>{SIGN}|[ \t])[ \t]*{_LOGIN}{_CLAUSE_END}",
    re.IGNORECASE,
)
_CALLED = re.compile(
    rf"{_BEFORE_WORD}{_WEAK}\b[\"']?[ \t]*(?P<sign>:=|=|:|is|est|ist|es|[ \t])[ \t]*{_LOGIN}{_CLAUSE_END}",
    re.IGNORECASE,
)
_NEXT_NAME = re.compile(rf",?[ \t]+[{UPPER}][{LOWER}]")
_DIRECTORY_NAME = re.compile(
    r"\bCN=(?P<value>[^,=\n<>\"]{2,60}),(?=OU=|CN=Users\b)|\buid=(?P<uid>[^,=\n<>\"]{2,60}),(?=ou=)", re.I
)
_REMOTE = re.compile(
    r"\b(?:ssh|scp|sftp|rsync|mosh)\b[^\n@<>]{0,80}?[ \t](?P<value>[A-Za-z_][\w.-]{0,31})(?=@[\w<])"
    r"|\bUPN[ :=]{1,3}(?P<upn>[\w.-]{2,40})(?=@)",
    re.I,
)
# No word of the seven languages begins like this: an initial and a family name do.
_INITIAL = re.compile(
    r"(?:b[bcdfgkmnpqstvwz]|c[bcdfgkmnpqstvwx]|d[bcdfgjklmnpqstvz]|f[bcdfgkmnpqstvwz]|g[bcdfgjkmpqstvz]|h[bcdfghjklmnpqrstvw]|"
    r"j[bcdfghjklmnpqrstvwz]|k[bcdfgkmpqstz]|l[bcdfgklmnpqrstvwz]|m[bcdfghjklmnpqrstvwz]|n[bcdfgjklmnpqrstvwz]|"
    r"p[bcdfgkmqvwz]|q[a-tv-z]|r[bcdfgjklmnpqrstvwz]|s[bdgjrvxz]|t[bcdfgjkmnpqvxz]|v[bcdfghkmnpqstvwz]|w[bcdfgjkmnpqstvwz]|"
    r"x[bcdfghjklmnpqrstvwz]|y[bcdfghjklmnpqrstvwz]|z[bcdfghjklmnpqrstvx])[a-z]{2,14}$"
)
_DOTTED_NAME = re.compile(r"[a-z]{1,20}[._][a-z]{2,20}\d{0,3}$")
_FILE_OR_HOST = re.compile(r"\.(?:com|net|org|local|exe|dll|log|txt|xml|json|py|js|php|asp|aspx|html?|conf|cfg|ini)$", re.I)
_ID_FORM = re.compile(r"(?:[a-z]{1,12}[._-]?\d{1,8}[a-z]?|[a-z]\d{3,8}[a-z]{0,2}|\d{3,9})$", re.I)


def looks_like_login(value: str) -> bool:
    """True for `jdoe42`, `u123456`, `jean.dupont`, `jdupont`: no ordinary word, product or code."""
    lowered = value.lower()
    if lowered in ORDINARY or lowered in BUILT_IN or is_signal(value) or _FILE_OR_HOST.search(value):
        return False
    if is_mixed(value):
        return _ID_FORM.match(value) is not None
    if _DOTTED_NAME.match(value) is not None:
        return True
    return value.islower() and (_INITIAL.match(value) is not None or lowered[1:] in FAMILY_NAMES)


def is_nobody(value: str) -> bool:
    """True for a built-in account, an ordinary word beside 'user', a file or a host."""
    lowered = value.lower()
    return lowered in ORDINARY or lowered in BUILT_IN or _FILE_OR_HOST.search(value) is not None


def _own_profile(match: re.Match[str]) -> bool:
    # 'C:\\Users\\All Users and': two words are one name only before a backslash.
    found = match.group(0) + (" users" if re.match(r" users?\b", after(match, 7), re.IGNORECASE) else "")
    return _SHARED_PROFILE.search(found) is None


def _domain_user(match: re.Match[str]) -> bool:
    domain, user = match["domain"], match["user"]
    # 'ERROR\\nThe' and 'done\\n2)' hold a literal line break, not a user of the domain ERROR.
    if domain.lower() in _NO_DOMAIN or _FILE_END.search(user) or _LINE_BREAK.match(user):
        return False
    sure = domain.upper() == domain or _DOMAIN_END.search(domain) is not None
    return sure or _LOGIN_WORD.search(before(match)) is not None or (user[0] not in "nrt" and looks_like_login(user))


def _begins_name(match: re.Match[str]) -> bool:
    """'Jane' of 'user = Jane Roe': the whole of it is a person's name."""
    value = match["value"]
    return value[0].isupper() and value.isalpha() and _NEXT_NAME.match(match.string, match.end("value")) is not None


def _alone(match: re.Match[str]) -> bool:
    """A bare lower-case word at the end of its clause, as in 'login: asmith,'."""
    value = match["value"]
    return match["end"] is not None and value.islower() and value.isalpha() and len(value) >= 4


def _named(match: re.Match[str]) -> bool:
    """A user id beside a word that means one: any value after a sign, only what looks like a login after a space."""
    value, sign = match["value"], match["sign"]
    if is_nobody(value) or _begins_name(match):
        return False
    if sign in ("=", ":=", ":") or (not sign.isspace() and not value.isalpha()):
        return not re.fullmatch(r"0x\w+|\d{1,2}", value)
    return looks_like_login(value) or (value.isdigit() and len(value) >= 4) or (not sign.isspace() and _alone(match))


def _called(match: re.Match[str]) -> bool:
    """A value beside 'user', 'account', 'compte'...: everything after '=', else only what looks like a login."""
    value, sign = match["value"], match["sign"]
    if is_nobody(value) or _begins_name(match):
        return False
    if sign in ("=", ":="):
        return not re.fullmatch(r"\d{1,2}", value)
    if looks_like_login(value):
        return True
    if not _alone(match) or not _NAMES_USER.match(match.group(0)):
        return False
    return sign == ":" or (sign.isalpha() and _MINE.search(before(match)) is not None)


_MINE = re.compile(r"(?<![^\W_])(?:my|his|her|the|mon|son|mein|sein|ihr|mi|su|mio|suo|meu|seu|mijn|zijn)[ \t]$", re.IGNORECASE)
_NAMES_USER = re.compile(
    r"\W*(?:user|login|logon|utilisateur|benutzer|usuario|utente|utilizador|usuário|gebruiker)", re.IGNORECASE
)


def _directory_name(match: re.Match[str]) -> bool:
    value = match[match.lastgroup or 0]
    return not is_nobody(value)


_mentions_user = speaks_of(
    "user userid username users login loginname loginid logon logonname account accountname samaccountname uid "
    "userprincipalname upn id ldap identifiant utilisateur compte session benutzer benutzername benutzerkennung nutzername "
    "nutzerkennung nutzername nutzerkennung anmeldename kennung konto anmeldung usuario cuenta utente utilizador usuário "
    "conta gebruiker gebruikersnaam gebruikers gebruikersaccount loginnaam employee staff matricule matricola personalnummer "
    "personeelsnummer empleado runas ntlogin logins accounts comptes utilisateurs konten usuarios cuentas utenti usuários "
    "utilizadores contas"
)
_remote = speaks_of("ssh scp sftp rsync mosh upn")
_path_marks = mentions(
    "users",
    "utilis",
    "benutzer",
    "usuarios",
    "utenti",
    "documents and",
    "profil",
    "home",
    "/var/",
    "/c/",
    "~",
    "perso",
    "redirected",
    "userdata",
)
RULES = (
    Rule(
        "PATH",
        _USER_PATH,
        lambda sight: ("/" in sight.text or "\\" in sight.text) and _path_marks(sight),
        _own_profile,
    ),
    Rule("USER", _DOMAIN_USER, holds("\\"), _domain_user),
    Rule("USER", _DIRECTORY_NAME, mentions("cn=", "uid="), _directory_name, "value"),
    Rule("USER", _REMOTE, _remote, lambda match: not is_nobody(match[match.lastgroup or 0]), "value"),
    Rule("USER", _NAMED, _mentions_user, _named, "value"),
    Rule("USER", _CALLED, _mentions_user, _called, "value"),
)
