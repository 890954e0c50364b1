"""The parts that all redaction rules share: what a rule is, what is known of a text before rules are tried on it."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class Sight(NamedTuple):
    """One text as the rules see it: as it is, in lower case, which tables its words stand in, which numbers it holds."""

    text: str
    lowered: str
    topics: int  # one bit for each table of `speaks_of` that has a word of the text
    digits: bool
    seven_digits: bool  # a number of 7 digits or more, separators allowed
    nine_digits: bool


_TOPICS: dict[bytes, int] = {}  # word -> the bits of the tables that have it; one look-up per word serves all the rules
_tables = itertools.count()
# Words are cut in UTF-8, where it takes a tenth of the time: letters stay, and so does all that is not ASCII.
_TO_WORDS = bytes(code if code >= 128 or chr(code).isalpha() else 32 for code in range(256))
_DIGIT = re.compile(r"[0-9]")
_BETWEEN = r"[ ().\-/\u00a0\u202f\u2011\u2013]{0,3}"
_SEVEN = re.compile(rf"[0-9](?:{_BETWEEN}[0-9]){{6}}")
_NINE = re.compile(rf"[0-9](?:{_BETWEEN}[0-9]){{8}}")


def look(text: str) -> Sight:
    """What the rules need to know of a text, found once."""
    lowered = text.lower()
    digits = _DIGIT.search(text) is not None
    seven = digits and _SEVEN.search(text) is not None
    nine = seven and _NINE.search(text) is not None
    topics = 0
    spaced = lowered.replace("\u2019", " ").replace("\u00a0", " ")
    for word in spaced.encode("utf-8", "surrogatepass").translate(_TO_WORDS).split():
        topics |= _TOPICS.get(word, 0)
    return Sight(text, lowered, topics, digits, seven, nine)


def _always(match: re.Match[str]) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """A kind of placeholder, its pattern, a cheap test that a text may hold it, and a check of each match.

    The part to replace is the pattern's group `value` where `group` says so, else the whole match; `trim` returns how
    much of the front of it is meant.
    """

    kind: str
    pattern: re.Pattern[str]
    may_hold: Callable[[Sight], bool]
    accept: Callable[[re.Match[str]], bool] = _always
    group: int | str = 0
    trim: Callable[[str], str] | None = None


def holds(*marks: str) -> Callable[[Sight], bool]:
    """A test that one of the marks stands in the text as it is."""

    def test(sight: Sight) -> bool:
        for mark in marks:  # noqa: SIM110 (any() over a generator takes twice as long, and this runs for every text)
            if mark in sight.text:
                return True
        return False

    return test


def mentions(*marks: str) -> Callable[[Sight], bool]:
    """A test that one of the marks (lower case) stands in the text, whatever its case, also inside a word."""

    def test(sight: Sight) -> bool:
        for mark in marks:  # noqa: SIM110
            if mark in sight.lowered:
                return True
        return False

    return test


def speaks_of(words: str) -> Callable[[Sight], bool]:
    """A test that one of the words (lower case, letters only) stands in the text as a whole word."""
    bit = 1 << next(_tables)
    for word in (word.encode() for word in words_of(words)):
        _TOPICS[word] = _TOPICS.get(word, 0) | bit
    return lambda sight: sight.topics & bit != 0


def words_of(text: str) -> frozenset[str]:
    """The words of a table written as one string; `_` stands for a space inside a word."""
    return frozenset(word.replace("_", " ") for word in text.split())


def one_of(words: str) -> str:
    """A pattern for the words of such a table, the longest first; a space matches a space, `_` or `-`, or nothing."""
    ordered = sorted(words_of(words), key=lambda word: (-len(word), word))
    first = "".join(sorted({re.escape(char) for word in ordered for char in (word[0].lower(), word[0].upper())}))
    # The look ahead spares the alternatives at most places of a text.
    return f"(?=[{first}])(?:{'|'.join(re.escape(word).replace(chr(92) + ' ', '[ _-]?') for word in ordered)})"


def after(match: re.Match[str], most: int = 24, group: int | str = 0) -> str:
    """The characters that stand behind a match."""
    return match.string[match.end(group) : match.end(group) + most]


def before(match: re.Match[str], most: int = 24, group: int | str = 0) -> str:
    """The characters that stand before a match."""
    start = match.start(group)
    return match.string[max(0, start - most) : start]


def _ranges(chars: list[str]) -> str:
    """A run of characters for a class of a pattern, neighbours as ranges."""
    runs: list[list[str]] = []
    for char in chars:
        if runs and ord(char) == ord(runs[-1][1]) + 1:
            runs[-1][1] = char
        else:
            runs.append([char, char])
    return "".join(first if first == last else f"{first}-{last}" for first, last in runs)


# Capital and small letters of the Latin, Greek and Cyrillic scripts, Polish and Vietnamese ones too.
_LETTERS = [chr(code) for part in (range(0x41, 0x250), range(0x386, 0x530), range(0x1E00, 0x1F00)) for code in part]
UPPER = _ranges([char for char in _LETTERS if char.isupper()])
LOWER = _ranges([char for char in _LETTERS if char.islower()])

# The words between a name for something and its value: 'is', ':', '=' in seven languages.
SIGN = (
    r"(?::=|=>|=|:|\uff1a|\b(?:is(?: now)?|was|est(?: le| la)?|ist|lautet|war|es|era|to|at|é|è|luidt|"
    r"zu|auf|en|a|naar|called|appelée?|namens)\b[ \t]?:?)"
)

# What looks made up like a password or a login, and is a product, a version, a measure, an error code or a reference.
_PRODUCT = re.compile(
    r"(?:office|windows|win|exchange|outlook|sql|server|oracle|sap|sharepoint|teams|chrome|firefox|edge|ios|android|macos|"
    r"ubuntu|debian|rhel|centos|java|jdk|jre|python|excel|word|access|acrobat|adobe|vpn|wifi|bitlocker|sha|md|aes|rsa|utf|"
    r"ntlmv?|smbv?|mfa|sso|o|m|s|x|ps|ie|http|tlsv?|sslv?|ipv|oauth|base|saml|kerberos|id|v|r|p|db|php|log4j|web|"
    r"usb|hdmi|vga|rj|layer|level|step|tier|version|build|error|code|event|page|line|port|room|floor|table|field|"
    r"type|class|mode|option|phase|stage|domain|forest|vlan|wpa|wep|eap|tpm|ost|net|gpt|s4hana|f|a|b|c|q|w|kb|"
    r"vlan|ssid|sprint|patch|sp|rc|cu|ru)[-_ ]?\d{1,4}(?:[.,-]\d{1,5})*[a-z]?",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"0x[0-9a-f]+|v?\d+(?:[.,:/-]\d+)*(?:\w{0,3}|%|th|min|mins?|days?|hours?|[a-z]{1,3}/[a-z]{1,3})|\d{4}-\d\d-\d\d\S*|"
    r"\d{1,2}h\d{0,2}|\d+x\d*|\d+[-/]?(?:bits?|chars?|characters?|caract\S+|zeichen|times?|fois|jours?|ans?)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Z]{2,12}[-_]\d{1,8}(?:[-.]\d+)*|[A-Z]{2,6}\d{5,}|[A-Z]{2,12}(?:_[A-Z0-9]{2,20})+")


def is_signal(value: str) -> bool:
    """True for a product, version, measure, date, error code, KB number or ticket reference."""
    return any(form.fullmatch(value) for form in (_PRODUCT, _MEASURE, _CODE))


def is_mixed(value: str) -> bool:
    """True when letters and digits stand in one word, as in `hunter2`."""
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
