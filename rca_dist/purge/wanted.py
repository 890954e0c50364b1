"""What is looked for: a ticket by its number, or a text, and which strings and records hold it."""

import difflib
import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError

LARGEST_FILE = 64 * 2**20
_QUOTED = 30  # characters from which a piece of text tells whose ticket it is
_MOST_COMPARED = 50_000
_SPACES = re.compile("[\\s\u200b-\u200f\u2060\ufeff]+")
_NOT_DIGIT = re.compile(r"\D+")
Holds = Callable[[str], bool]


@dataclass(frozen=True)
class Wanted:
    """Either `ticket` (its id) or `holds` (a test of a text) is set."""

    ticket: str | None = None
    holds: Holds | None = None

    def in_text(self, text: str) -> bool:
        """Whether a free text holds what is looked for; a ticket's number counts as a whole word only."""
        if self.holds is not None:
            return self.holds(text)
        return bool(self.ticket and distinctive(self.ticket) and _as_word(self.ticket)(text))

    def is_ticket(self, identifier: str) -> bool:
        """Whether this is the id asked for, case, spaces ('1 201' of GLPI) and a leading '#' aside."""
        return self.ticket is not None and plain_id(identifier) == plain_id(self.ticket)


@dataclass
class Trace:
    """What is known of the tickets in question within one data set: their ids, and their texts where those are at hand."""

    wanted: Wanted
    ids: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def in_string(self, text: str) -> bool:
        """Whether a string of a JSON file quotes one of the tickets."""
        if text in self.ids or self.wanted.is_ticket(text) or self.wanted.in_text(text):
            return True
        piece = _flat(text).rstrip(".\u2026 ")
        return len(piece) >= _QUOTED and any(piece in whole for whole in self.texts)

    def recited(self, prediction: str) -> bool:
        """Whether a model's answer repeats the whole text or answer of one of the tickets."""
        flat = _flat(prediction)
        return any(len(whole) >= _QUOTED and whole in flat for whole in self.texts)

    def add(self, identifier: str, texts: Iterable[str]) -> None:
        """Note a ticket that was found."""
        self.ids.add(identifier)
        self.texts += [_flat(text) for text in texts if len(text) >= _QUOTED]


def ticket(identifier: str) -> Wanted:
    """Look for one ticket. Raises UserError for an empty number."""
    if not identifier.strip():
        raise UserError("clean --ticket: give the ticket's number, e.g. --ticket INC0012345")
    return Wanted(ticket=identifier)


def text(pattern: str) -> Wanted:
    """Look for a text, case aside, or for a regular expression after `re:`. Raises UserError for one that is none."""
    if pattern.startswith("re:"):
        try:
            found = re.compile(pattern[3:], re.IGNORECASE)
        except re.error as error:
            raise UserError(f"clean --text: what follows re: is no regular expression ({error})") from None
        if found.search("") is not None:
            raise UserError("clean --text: this expression matches everything, even nothing; make it narrower")
        return Wanted(holds=lambda cell: found.search(cell) is not None)
    needle = _folded(pattern.strip())
    if len(needle) < 3:
        raise UserError("clean --text: give at least 3 characters; a shorter text would be found nearly everywhere")
    return Wanted(holds=lambda cell: needle in _folded(cell))


def plain_id(identifier: str) -> str:
    """A ticket's number without spaces of any kind, case and leading '#': how two spellings of it are compared."""
    return _SPACES.sub("", identifier).removeprefix("#").casefold()


def near_ids(identifier: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known ids that look most like one that was not found: of the same digits first, then of similar spelling."""
    wanted = plain_id(identifier)
    by_plain: dict[str, str] = {}
    for one in sorted(known):
        by_plain.setdefault(plain_id(one), one)
    digits = _NOT_DIGIT.sub("", wanted).lstrip("0")
    same = [one for plain, one in by_plain.items() if digits and _NOT_DIGIT.sub("", plain).lstrip("0") == digits]
    length = len(wanted)
    alike = [plain for plain in by_plain if abs(len(plain) - length) <= 2][:_MOST_COMPARED] if 3 < length <= 60 else []
    close = [by_plain[plain] for plain in difflib.get_close_matches(wanted, alike, n=most, cutoff=0.8)]
    return list(dict.fromkeys([*same, *close]))[:most]


def distinctive(identifier: str) -> bool:
    """Whether a number can be looked for in any file: '17' stands everywhere, 'INC0017' does not."""
    identifier = plain_id(identifier)
    return len(identifier) >= 7 or (len(identifier) >= 4 and not identifier.isdigit())


def in_file(path: Path, wanted: Wanted) -> bool | None:
    """Whether a file of any kind holds it as text; None where it is too large or cannot be read."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            return None
        content = path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    # JSON may spell accents as escapes, HTML spells some signs as entities.
    forms = [content]
    if "\\u" in content:
        forms.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), content))
    if "&" in content:
        forms.append(html.unescape(content))
    return any(wanted.in_text(form) for form in forms)


def scrub(value: Any, holds: Holds) -> tuple[Any, int]:
    """`value` (JSON) without what `holds` a string of it, and how many entries went.

    An entry of a list goes whole, a value of a mapping becomes "(removed)", a key goes with its value.
    """
    if isinstance(value, str):
        return ("(removed)", 1) if holds(value) else (value, 0)
    if isinstance(value, list):
        kept = [entry for entry in value if not _within(entry, holds)]
        return kept, len(value) - len(kept)
    if isinstance(value, dict):
        removed, result = 0, {}
        for key, inner in value.items():
            if holds(key):
                removed += 1
                continue
            result[key], count = scrub(inner, holds)
            removed += count
        return result, removed
    return value, 0


def _within(value: Any, holds: Holds) -> bool:
    if isinstance(value, str):
        return holds(value)
    if isinstance(value, dict):
        return any(holds(key) or _within(inner, holds) for key, inner in value.items())
    return isinstance(value, list) and any(_within(entry, holds) for entry in value)


def _as_word(identifier: str) -> Holds:
    # Digits may be written in groups: '1 234 567'.
    signs = "[ \u00a0\u202f]?".join(map(re.escape, plain_id(identifier)))
    pattern = re.compile(rf"(?<![\w-]){signs}(?![\w-])", re.IGNORECASE)
    return lambda cell: pattern.search(cell) is not None


def _folded(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).casefold()


def _flat(cell: str) -> str:
    return " ".join(cell.split())
