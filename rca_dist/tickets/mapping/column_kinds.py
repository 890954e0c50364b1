"""What a column holds, read from its cells: text, short answers, a status or code, dates, numbers, ids, names, yes/no."""

import heapq
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.dates import date_share
from rca_dist.tickets.mapping.kind_words import ENDING_WORDS, NAME_PARTICLES, REPAIR_STEMS, YES_NO_VALUES
from rca_dist.tickets.mapping.samples import shorten
from rca_dist.tickets.plural import counted
from rca_dist.tickets.words import fold, is_missing, letter_word_count, word_count

TEXT, SHORT_TEXT, CODE, DATES, NUMBERS, IDS = "text", "short text", "code", "dates", "numbers", "ids"
NAMES, YES_NO, WORDS, EMPTY = "names", "yes/no", "single words", "empty"
LEAST_MEDIAN_WORDS = 5
_LONG_MEDIAN_WORDS = 10
_FORM_WORDS = 8  # a date written in words has fewer
_SAMPLED = 2000
_READ = 2000  # characters of a cell that are looked at
_LONGEST_CODE = 160  # characters, markup included
_MOST = 0.8  # share of the values that must be of one form
_UNIT = "ms|s|sec|min|m|h|hrs?|hours?|days?|d|j"
_NUMBER = re.compile(rf"[-+]?[\d.,' \u00a0\u202f]*\d ?(?:%|{_UNIT})?(?: ?\d+ ?(?:{_UNIT}))*$", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,4}:\d{2}(?::\d{2})?(?:\.\d+)?$")
_ID = re.compile(r"(?:[A-Za-z_#-]{0,20}[-_ #]?\d[\w-]*|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\S+@\S+|https?://\S+)$", re.I)
_NAME_EDGE = re.compile(r"[\s,.'\u2019()-]+")
_REPAIR = re.compile(REPAIR_STEMS, re.IGNORECASE)
_FIRST_WORD = re.compile(r"[^\W_]+")
_NOT_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Kind:
    """What the filled cells hold: `name` is one of the constants of this module, `words` the median words of a cell."""

    name: str
    rows: int
    filled: int
    distinct: int
    words: int
    common: tuple[str, ...]

    @property
    def is_text(self) -> bool:
        """True when a model can learn to write it: text, or short answers that are many and different."""
        return self.name in (TEXT, SHORT_TEXT)

    def why_not_text(self) -> str:
        """Half a sentence for a message; the values in it are redacted."""
        if self.name == EMPTY:
            return f"it is empty in all {counted(self.rows, 'row')}"
        found = f"{counted(self.distinct, 'distinct value')} in {counted(self.filled, 'row')}"
        such = ", ".join(repr(shorten(value, 40)) for value in self.common)
        if self.name == CODE:
            return f"it looks like a status or a code ({found}, such as {such})"
        # Names of people are not redacted without a language model, so none is shown.
        if self.name == NAMES:
            return f"it looks like names of people or groups ({found})"
        what = {DATES: "dates", NUMBERS: "numbers", IDS: "ids or addresses", YES_NO: "yes/no values"}
        return f"it holds {what.get(self.name, self.name)} (such as {such})"


def kind_of(cells: Sequence[str]) -> Kind:
    """Look at a column's filled cells; the order of rows does not matter."""
    counts = _counted(cells)
    common = tuple(heapq.nsmallest(2, counts, key=lambda value: (-counts[value], value)))
    sample = _sample(counts)
    name, words = _name(counts, sample, _words(sample))
    return Kind(name, len(cells), counts.total(), _distinct(counts), words, common)


def form_of(cells: Sequence[str]) -> str | None:
    """`DATES`, `NUMBERS`, `IDS` or `YES_NO` where nearly all filled cells are such, else None; cheaper than `kind_of`."""
    sample = _sample(_counted(cells))
    return _form(sample) if sample and _words(sample) < _FORM_WORDS else None


def sample_of(values: Collection[str], most: int = _SAMPLED) -> list[str]:
    """At most `most` of different values, the same ones in whatever order they come."""
    return heapq.nsmallest(most, values, key=_hash) if len(values) > most else list(values)


def says_only_how_it_ended(value: str) -> bool:
    """True for 'Done', 'Solved (Permanently)', 'Resolved by caller', 'Fixed/Workaround'."""
    return len(value) <= 80 and ENDING_WORDS.issuperset(_NOT_WORD.sub(" ", fold(value)).split())


def _counted(cells: Sequence[str]) -> Counter[str]:
    counts = Counter(cell.strip() for cell in cells)
    for value in [value for value in counts if len(value) <= 16 and is_missing(value)]:
        del counts[value]
    return counts


def _name(counts: Counter[str], sample: Counter[str], words: int) -> tuple[str, int]:
    """The kind, and the median words of the cells that count."""
    if not counts:
        return EMPTY, 0
    if words < _FORM_WORDS and (form := _form(sample)):
        return form, words
    # 'Done' in most rows does not spoil the notes in the others: cleaning leaves 'Done' out.
    rest = Counter({value: count for value, count in counts.items() if not _is_ending(value)})
    filled, distinct = rest.total(), _distinct(rest)
    if filled < 0.05 * counts.total():
        return CODE, words
    if len(rest) < len(counts):
        sample = _sample(rest)
        words = _words(sample)
    if words >= LEAST_MEDIAN_WORDS and distinct >= min(20, 0.3 * filled):
        return TEXT, words
    if words >= _LONG_MEDIAN_WORDS and distinct >= min(3, filled):
        return TEXT, words  # whole paragraphs that repeat: templated, but no code
    # Codes are few however many the rows; short answers go on growing in number.
    if distinct < min(0.6 * filled, max(10, min(0.2 * filled, 300))):
        return CODE, words
    if _share(sample, lambda value: word_count(value) < 2) > _MOST:
        return WORDS, words
    if _share(sample, _is_name) > _MOST and _share(sample, _REPAIR.search) < 0.05:
        return NAMES, words
    return SHORT_TEXT, words


def _is_ending(value: str) -> bool:
    if len(value) > _LONGEST_CODE:
        return False
    if "<" in value or "&" in value:
        return says_only_how_it_ended(_plain(value))
    # Most texts are told by their first word, which is cheap to look at.
    first = _FIRST_WORD.search(value)
    return first is not None and fold(first.group()) in ENDING_WORDS and says_only_how_it_ended(value)


def _sample(counts: Counter[str]) -> Counter[str]:
    sample: Counter[str] = Counter()
    for value in sample_of(counts):
        sample[_plain(value)] += counts[value]
    return sample


def _words(sample: Counter[str]) -> int:
    return _median({value: letter_word_count(value) for value in sample}, sample)


def _distinct(counts: Counter[str]) -> int:
    return len({value if len(value) > 80 else " ".join(value.split()).casefold() for value in counts})


def _form(sample: Counter[str]) -> str | None:
    if all(value.casefold() in YES_NO_VALUES or fold(value) in YES_NO_VALUES for value in sample):
        return YES_NO
    # Digits alone may be an Excel or epoch date, but by their look they are numbers.
    dated = [value for value in sample if not value.isdecimal() and any(map(str.isdigit, value[:100]))]
    if sum(sample[value] for value in dated) > _MOST * sample.total() and date_share(dated) > _MOST:
        return DATES
    if _share(sample, lambda value: len(value) <= 40 and (_NUMBER.match(value) or _CLOCK.match(value))) > _MOST:
        return NUMBERS
    return IDS if _share(sample, lambda value: len(value) <= 200 and _ID.match(value)) > _MOST else None


def _is_name(value: str) -> bool:
    parts = [part for part in _NAME_EDGE.split(value[:60]) if part]
    if not 2 <= len(parts) <= 5 or len(value) > 60 or value.isupper():
        return False
    return all(part in NAME_PARTICLES or (part[0].isupper() and part.isalpha()) for part in parts)


def _share(sample: Counter[str], fits: Callable[[str], object]) -> float:
    return sum(count for value, count in sample.items() if fits(value)) / sample.total()


def _median(measured: Mapping[str, int], weights: Mapping[str, int]) -> int:
    total, seen = sum(weights[value] for value in measured), 0
    for value in sorted(measured, key=lambda value: measured[value]):
        seen += weights[value]
        if seen * 2 > total:
            return measured[value]
    return 0


def _plain(value: str) -> str:
    value = value[:_READ]
    return " ".join((strip_markup(value) if "<" in value or "&" in value else value).split())


def _hash(value: str) -> tuple[int, str]:
    return zlib.crc32(value[:500].encode("utf-8", "replace")), value
