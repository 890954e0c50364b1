"""Rules for people that a comment calls: `[~jroe]`, `@jane.roe`, `@Bob Miller`; not annotations, variables, packages."""

import re

from rca_dist.tickets.redaction.accounts import is_nobody, looks_like_login
from rca_dist.tickets.redaction.base import LOWER, UPPER, Rule, before, holds, is_mixed
from rca_dist.tickets.redaction.no_names import NO_NAME

_JIRA = re.compile(r"\[~(?P<value>(?:accountid:)?[\w@.:-][\w@.:\\ '-]{1,80})\]")
_HANDLE = re.compile(r"(?<![\w@./:\"'`-])@(?P<value>[a-z][a-z0-9]*(?:[._-][a-z0-9]+){0,2})(?![\w@/({=:\[-]|\.\w|[ \t]*[=(])")
_WORD = rf"[{UPPER}](?:[{LOWER}]|['\u2019-](?=[{UPPER}{LOWER}])|(?<=['\u2019-])[{UPPER}]|(?<=Mc)[A-Z]){{1,24}}"
_FULL = re.compile(rf"(?<![\w@./:\"'`-])@(?P<value>{_WORD}(?:[ \u00a0]{_WORD}){{1,2}})(?![\w@(])")
# A handle without a dot or a number is one only where a person is spoken to, never in a statement of SQL or code.
_SPOKEN_TO = re.compile(
    r"(?:^|[\n.!?:,;][ \t]*|(?:cc|to|hi|hello|hey|by|ask|asked|from|with|ping|thanks|thx|and|bonjour|merci|à|et|hallo|"
    r"an|von|und|"
    r"danke|hola|gracias|y|a|ciao|grazie|e|olá)[ \t])$",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?:select|declare|exec|set|where|values|varchar|int|import|class|public|private|param|return)\b", re.I)


def _handle(match: re.Match[str]) -> bool:
    value = match["value"]
    parts = re.split(r"[._-]", value)
    if is_nobody(value) or any(part in NO_NAME for part in parts) or _CODE.search(before(match, 40)):
        return False
    if len(parts) > 1 and "." in value:
        return len(parts[-1]) >= 3 and looks_like_login(value)
    letters = value.rstrip("0123456789")
    if is_mixed(value):
        return len(letters) >= 4 and 1 <= len(value) - len(letters) <= 4 and looks_like_login(letters)
    return looks_like_login(value) and _SPOKEN_TO.search(before(match, 16)) is not None


def _full(match: re.Match[str]) -> bool:
    return not any(word.lower() in NO_NAME for word in match["value"].split())


RULES = (
    Rule("PERSON", _JIRA, holds("[~"), lambda match: " " in match["value"] and "\\" not in match["value"], "value"),
    Rule("USER", _JIRA, holds("[~"), lambda match: match["value"].lower() not in NO_NAME, "value"),
    Rule("PERSON", _FULL, holds("@"), _full, "value"),
    Rule("USER", _HANDLE, holds("@"), _handle, "value"),
)
