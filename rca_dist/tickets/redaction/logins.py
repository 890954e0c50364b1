"""Rules for logins named in commands, lists and sentences: `Unlock-ADAccount asmith`, `assigned to bmiller`, `a, b and c`."""

import re

from rca_dist.tickets.redaction.accounts import is_nobody, looks_like_login
from rca_dist.tickets.redaction.base import LOWER, UPPER, Rule, Sight, holds, mentions, speaks_of
from rca_dist.tickets.redaction.no_names import NO_NAME
from rca_dist.tickets.redaction.shared_secrets import CREDENTIALS

_LOGIN = r"(?P<value>[A-Za-z][\w.-]{1,38}\w)(?![\w@\\%/:(]|\.\w|[-'\u2019]\w)"
_XML = re.compile(
    r"<(?:[\w-]{1,20}:)?(?:[a-z]{1,12}[_-]?)?(?:user(?:name|id)?|login(?:name|id)?|logon(?:name)?|"
    r"account(?:name)?)(?:\s[^<>]{0,80})?>"
    r"\s*(?P<value>[\w.-]{2,40})\s*</",
    re.IGNORECASE,
)
_CMDLET = re.compile(
    r"\b(?:Set|Get|Unlock|Disable|Enable|Reset|Remove|Move|New|Search|Update|Revoke|Clear|Test|Restore|Add|Connect)-"
    r"(?:AD(?:User|Account|Principal)\w*|LocalUser|Azure ?AD\w*User\w*|Msol\w*User\w*|Mg\w*User\w*|\w*Mailbox\w*|"
    r"QADUser|CsUser|CsOnlineUser)"
    r"(?P<named>[ \t]+-(?:Identity|UserPrincipalName|ObjectId|UserId|SamAccountName|Name|SearchString))?[ \t:]+"
    r"[\"']?(?P<value>[A-Za-z][\w.-]{1,38}\w)(?![\w@\\/:(=]|\.\w)",
    re.IGNORECASE,
)
_COMMAND = re.compile(
    r"\bnet1?(?:\.exe)?[ \t]+user[ \t]+[\"']?(?P<value>[A-Za-z0-9][\w.-]{1,38}\w)(?=[\"']?[ \t]+(?:/|<SECRET|\*))"
    r"|\b(?:passwd|usermod|userdel|useradd|adduser|deluser|chage|faillock --user|su -|sudo -u|id -u|lastlog -u)[ \t]+"
    r"(?:-{1,2}\w+[ \t]+){0,2}(?P<unix>[a-z_][\w.-]{2,31})(?![\w@:/(]|\.\w)",
    re.IGNORECASE,
)
_BEFORE_SECRET = re.compile(
    rf"(?<![^\W_]){CREDENTIALS}\b[^\n<>]{{0,24}}?(?P<value>[A-Za-z0-9][\w.-]{{1,38}}\w)(?=[\"']?(?:[ \t]*[/|:][ \t]*|"
    rf"[ \t]+and[ \t]+)[\"']?<SECRET)",
    re.IGNORECASE,
)
_DEED = re.compile(
    r"(?i:\b(?:assigned|reassigned|forwarded|escalated|delegated|reported|raised|opened|closed|resolved|updated|created|done|"
    r"affecté|assigné|transféré|signalé|ouvert|fermé|résolu|zugewiesen|gemeldet|erstellt|bearbeitet|asignado|assegnato|"
    r"atribuído|toegewezen)[ \t]+(?:to|by|à|par|an|von|a|por|da|ao|aan|door)[ \t]*:?[ \t]+)" + _LOGIN
)
_FOR = re.compile(
    r"(?i:\b(?=[abclmptvzku])(?:accounts?|access|log-?in|mailbox|mailboxes|passwords?|profile|vpn|mfa|token|compte|"
    r"accès|boîte|messagerie|mot de passe|"
    r"profil|zugang|zugriff|konto|postfach|passwort|kennwort|acceso|cuenta|contraseña|buzón|accesso|utenza|casella|conta|"
    r"acesso|toegang)(?:[ \t]+[^\W\d_]{1,12})?[ \t]+(?:for|of|from|de|du|pour|für|von|para|di|per|do|da|voor|van)[ \t]+)"
    + _LOGIN
)
_LIST = re.compile(rf"(?:<USER(?:_\d+)?>)(?:[ \t]?[,;/+&][ \t]?|[ \t](?:and|or|et|ou|und|oder|y|o|e|en)[ \t]){_LOGIN}")
_BEHIND_NAME = re.compile(
    rf"(?P<name>[{UPPER}][{LOWER}{UPPER}'\u2019-]{{1,30}}(?:,?[ \t][{UPPER}][{LOWER}{UPPER}'\u2019.-]{{0,30}}){{1,3}})[ \t]?"
    r"[(\[](?P<value>[A-Za-z][\w.-]{2,30})[)\]]"
)


def _cmdlet(match: re.Match[str]) -> bool:
    value = match["value"]
    named = match["named"] is not None
    ends = re.match(r"[\"']?(?:[ \t]*(?:$|[\n|;,.)]|-\w)|[ \t]+-)", match.string[match.end("value") : match.end("value") + 8])
    return not is_nobody(value) and (named or looks_like_login(value) or (ends is not None and value.islower()))


def _command(match: re.Match[str]) -> bool:
    value = match[match.lastgroup or 0]
    return not is_nobody(value) and (match["value"] is not None or looks_like_login(value))


def _somebody(match: re.Match[str]) -> bool:
    return not is_nobody(match["value"]) and match["value"].lower() not in NO_NAME


def _looks(match: re.Match[str]) -> bool:
    return looks_like_login(match["value"]) and match["value"].lower() not in NO_NAME


def _behind_name(match: re.Match[str]) -> bool:
    """'Jane Roe (jroe)': a login, or a word with a part of the name in it."""
    value, names = match["value"].lower(), re.findall(r"[^\W\d_]{3,}", match["name"].lower())
    if is_nobody(value) or value in NO_NAME or any(name in NO_NAME for name in names):
        return False
    if any(name[:5] in value for name in names):
        return not ("-" in value and value[-1].isdigit())  # South America (southamerica-east1)
    own = value[0] in {name[0] for name in names} or re.fullmatch(r"[a-z]\d{4,8}", value) is not None
    return own and "-" not in value and looks_like_login(match["value"])


_credentials = mentions(
    "credential", "cred", "login", "logon", "log", "sign", "user", "account", "identifiant", "compte", "zugang", "anmelde"
)
_cmdlets = mentions("-ad", "user", "mailbox")
_deeds = speaks_of(
    "assigned reassigned forwarded escalated delegated reported raised opened closed resolved updated created done affecté "
    "assigné transféré signalé ouvert fermé résolu zugewiesen gemeldet erstellt bearbeitet asignado assegnato "
    "atribuído toegewezen"
)
_owned = speaks_of(
    "account accounts access login log mailbox mailboxes password passwords profile vpn mfa token compte accès boîte "
    "messagerie "
    "passe profil zugang zugriff konto postfach passwort kennwort acceso cuenta contraseña buzón accesso utenza casella conta "
    "acesso toegang"
)
_commands = speaks_of("net passwd usermod userdel useradd adduser deluser chage faillock su sudo id lastlog")


def _may_hold_pair(sight: Sight) -> bool:
    return _credentials(sight) and ("/" in sight.text or ":" in sight.text or " and " in sight.text or "|" in sight.text)


FIRST = (
    Rule("USER", _XML, holds("</"), _somebody, "value"),
    Rule("USER", _COMMAND, _commands, _command, "value"),
    Rule("USER", _CMDLET, lambda sight: "-" in sight.text and _cmdlets(sight), _cmdlet, "value"),
    Rule("USER", _BEFORE_SECRET, _may_hold_pair, _somebody, "value"),
    Rule("USER", _BEHIND_NAME, lambda sight: "(" in sight.text or "[" in sight.text, _behind_name, "value"),
    Rule("USER", _DEED, _deeds, _looks, "value"),
    Rule("USER", _FOR, _owned, _looks, "value"),
)
# Each pass finds one more login of a list.
LISTS = (Rule("USER", _LIST, lambda sight: True, _looks, "value"),) * 3
