"""Rules for addresses: e-mail, IPv4 and IPv6, MAC."""

import ipaddress
import re

from rca_dist.tickets.redaction.base import Rule, Sight, after, before, mentions, speaks_of

_AT_DOMAIN = r"(?:@|%40)(?:(?:[\w-]{1,63}\.)+(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,40})(?![\w-])|\[\d{1,3}(?:\.\d{1,3}){3}\])"
_EMAIL = re.compile(rf"(?<![\w.+%-])[\w.+%!#*^~-]{{1,256}}{_AT_DOMAIN}", re.IGNORECASE)
# mary.o'brien@example.com, but not l'adresse@example.com; and a name in quotes.
_EMAIL_RARE = re.compile(
    rf"(?<![\w.+%-])(?:[\w.+-]{{0,40}}o['\u2019][\w.+-]{{1,64}}|\"[^\"@\n<>]{{1,64}}\"){_AT_DOMAIN}", re.IGNORECASE
)
_EMAIL_SPELT = re.compile(
    r"(?<![\w.+%-])[\w.+-]{1,64} ?[\[({] ?(?:at|arobase) ?[\])}] ?[\w-]{1,63}"
    r"(?:(?: ?[\[({] ?(?:dot|point|\.|punkt|punto|ponto) ?[\])}] ?|\.)[\w-]{2,63}){1,4}",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![0-9A-Za-z])(?<!\b[0-9A-Fa-f]{2}[:-])(?:[0-9A-Fa-f]{2}(?P<sign>[:-])(?:[0-9A-Fa-f]{2}(?P=sign)){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}(?P<dot>[.-])[0-9A-Fa-f]{4}(?P=dot)[0-9A-Fa-f]{4})(?![0-9A-Za-z]|[:-][0-9A-Fa-f])"
)
_MAC_NAMED = re.compile(
    r"\b(?:mac|ethernet|physical|physische|hardware|wlan|wifi|wi-fi|bssid)(?:[ _-]?(?:address|addr|adresse|adr|dirección|"
    r"indirizzo))?\b[\"']?\s*(?::|=|is|est|ist)?\s*[\"']?"
    r"(?P<value>[0-9A-Fa-f]{12}|(?:[0-9A-Fa-f]{2} ){5}[0-9A-Fa-f]{2})(?![\w-])",
    re.IGNORECASE,
)
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4})(?![\w:])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.|\[\.\]|\(\.\))){3}\d{1,3}(?!\w|\.\d)")
_VERSION_WORD = re.compile(
    r"(?<![^\W_])(?:version|versions|ver|release|build|firmware|driver|update|upgrade|patch|rev|v|versión|versão|versione|"
    r"micrologiciel|pilote|treiber|client|agent|java|jre|jdk|chrome|edge|oid|section|chapter|plugin)\W{0,3}$",
    re.IGNORECASE,
)


# 'Firmware upgraded from 9.1.2.3 to 9.1.2.4', '1.2.3.4 or 1.2.3.5': the word stands further before.
_VERSION_CHAIN = re.compile(
    r"(?<![^\W_])(?:versions?|ver|release|builds?|firmware|driver|patch|rev|versión|versiones|versão|versione|"
    r"micrologiciel|pilote|"
    r"treiber|bios|agent|client|update|upgrade[ds]?|downgrade[ds]?|updated|hotfix|java|mise à (?:jour|niveau)|"
    r"aktualisiert)\W{1,3}"
    r"(?:(?:was|is|has been|upgraded|updated|downgraded|rolled back|changed|went|goes|mis[e]? à jour|aktualisiert|"
    r"wurde|and|or|et|ou|und|"
    r"oder|from|to|von|auf|de|vers|à|a|y|o|->|=>|v?\d+(?:\.\d+){1,3}|<IP(?:_\d+)?>)\W{1,3}){1,6}$",
    re.IGNORECASE,
)
_VERSION_BEHIND = re.compile(r"[ \t]+(?:release|version|build|firmware|patch|hotfix|update|driver)\b", re.IGNORECASE)


def _ipv4(match: re.Match[str]) -> bool:
    parts = [int(part) for part in re.findall(r"\d+", match.group(0))]
    # Loopback, wildcard and netmasks name nobody and are signal; a version number is no address.
    if max(parts) > 255 or parts[0] in (0, 127, 255) or _VERSION_WORD.search(before(match, 16)):
        return False
    if parts[0] == 10 or parts[:2] == [192, 168] or (parts[0] == 172 and 16 <= parts[1] <= 31):
        return True
    return not _VERSION_BEHIND.match(after(match)) and not _VERSION_CHAIN.search(before(match, 72))


def _ipv6(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.IPv6Address(match.group(0))
    except ValueError:
        return False
    return len(match.group(0)) >= 6 and not address.is_loopback


def _mac_dotted(match: re.Match[str]) -> bool:
    # Three groups of four digits are a date-like reference more often than an address.
    return match["dot"] is None or re.search(r"[A-Fa-f]", match.group(0)) is not None


_spelt = speaks_of("at arobase")
_mac_word = speaks_of("mac ethernet physical physische hardware wlan wifi wi bssid")


_rare = mentions("o'", "o\u2019", '"@')
_DOTTED = re.compile(r"\.[\])]?[0-9]{1,3}[.\[(]")
_MAC_PART = re.compile(r"[.:-][0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}[:-]|[0-9A-Fa-f]{2}[.-][0-9A-Fa-f]{4})")


def _may_be_mac(sight: Sight) -> bool:
    return _MAC_PART.search(sight.text) is not None


RULES = (
    Rule("EMAIL", _EMAIL_RARE, lambda sight: "@" in sight.text and _rare(sight)),
    Rule("EMAIL", _EMAIL, lambda sight: "@" in sight.text or "%40" in sight.text),
    Rule(
        "EMAIL", _EMAIL_SPELT,
        lambda sight: any(mark in sight.text for mark in "([{") and _spelt(sight), lambda match: _spells(match),
    ),
    Rule("MAC", _MAC, _may_be_mac, _mac_dotted),
    Rule("MAC", _MAC_NAMED, _mac_word, group="value"),
    Rule("IP", _IPV6, lambda sight: sight.text.count(":") >= 2, _ipv6),
    Rule("IP", _IPV4, lambda sight: sight.digits and _DOTTED.search(sight.text) is not None, _ipv4),
)  # fmt: skip


def _spells(match: re.Match[str]) -> bool:
    """'john (at) example (dot) com', not 'look (a) file.txt' nor 'array[a].b'."""
    found = match.group(0).lower()
    sure = re.search(r"[\[({] ?(?:at|arobase) ?[\])}]", found) is not None
    ends = re.search(
        r"(?:dot|point|punkt|punto|ponto) ?[\])}] ?[a-z]{2,15}$|\.(?:com|net|org|fr|de|es|it|nl|pt|be|ch|eu|uk)$", found
    )
    return sure and ends is not None
