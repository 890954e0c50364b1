"""Rules for devices with their owner's name and hosts behind a login: `LAPTOP-JROE`, `Janes-iPhone`, `ssh root@srv042`."""

import re

from rca_dist.tickets.redaction.accounts import is_nobody, looks_like_login
from rca_dist.tickets.redaction.base import LOWER, UPPER, Rule, is_mixed, mentions, speaks_of
from rca_dist.tickets.redaction.hosts import is_machine, is_own_host
from rca_dist.tickets.redaction.no_names import NO_NAME

_KIND = r"(?:LAPTOP|DESKTOP|PC|NB|NOTEBOOK|WKS|WS|MBP|MACBOOK|IMAC|SURFACE|THINKPAD|TABLET|LT|WIN)"
_OWNED = re.compile(
    rf"(?<![\w.@\\/-])(?:{_KIND}-(?P<behind>[A-Za-z]{{3,15}})|(?P<front>[A-Za-z]{{3,15}})-{_KIND})(?![\w@-]|\.\w)",
    re.IGNORECASE,
)
_APPLE = r"(?:iPhone|iPad|iPod|MacBook|MBP|iMac|Mac|Laptop|PC|Notebook|Galaxy|Pixel|Surface)"
_NAMED = re.compile(
    rf"(?<![\w.@-])(?:{_APPLE}(?:-(?:Pro|Air|mini|\d{{1,2}})){{0,2}}-(?:von|de|di|van|of|from|"
    rf"d['\u2019])-?(?P<of>[{UPPER}][{LOWER}]{{1,20}}(?:-[{UPPER}][{LOWER}]{{1,20}})?)"
    rf"|(?P<whose>[{UPPER}][{LOWER}]{{1,20}})(?:['\u2019]?s|['\u2019])-{_APPLE}(?:-(?:Pro|Air|mini|\d{{1,2}})){{0,2}})(?![\w-])"
)
_HOST = r"(?P<value>[A-Za-z][\w-]{1,62}(?:\.[\w-]{1,62}){0,4})(?![\w@-]|\.\w)"
_SSH = re.compile(rf"\b(?:ssh|scp|sftp|rsync|mosh)\b[^\n@]{{0,80}}?[\w.>-]@{_HOST}", re.IGNORECASE)
_AT = re.compile(rf"@(?<=[\w.>-]@){_HOST}")


def _owned(match: re.Match[str]) -> bool:
    name = (match["behind"] or match["front"]).lower()
    return not is_nobody(name) and name not in NO_NAME and looks_like_login(name)


def _named(match: re.Match[str]) -> bool:
    name = (match["of"] or match["whose"]).lower()
    return name not in NO_NAME and name + "s" not in NO_NAME and not is_nobody(name) and not is_nobody(name + "s")


def _at(match: re.Match[str]) -> bool:
    value = match["value"]
    if "." in value:
        return is_own_host(value)
    return is_mixed(value) and is_machine(value)


def _ssh(match: re.Match[str]) -> bool:
    value = match["value"]
    return is_own_host(value) if "." in value else len(value) >= 3 and value.lower() != "localhost"


_owned_devices = mentions(
    "iphone", "ipad", "ipod", "macbook", "mbp", "imac", "-mac", "laptop", "-pc", "pc-", "galaxy", "pixel", "surface", "notebook"
)  # fmt: skip
_remote = speaks_of("ssh scp sftp rsync mosh")
RULES = (
    Rule("HOST", _SSH, lambda sight: "@" in sight.text and _remote(sight), _ssh, "value"),
    Rule("HOST", _AT, lambda sight: "@" in sight.text, _at, "value"),
    Rule(
        "HOST", _OWNED, speaks_of("laptop desktop pc nb notebook wks ws mbp macbook imac surface thinkpad tablet lt "
        "win"), _owned
    ),
    Rule("HOST", _NAMED, _owned_devices, _named),
)  # fmt: skip
