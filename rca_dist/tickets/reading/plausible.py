"""Is text that decodes as cp1252 really cp1252? That code page accepts nearly any bytes, so its letters are the evidence."""

import re
from collections import Counter

# Runs of high bytes: in Western text accented letters stand alone between plain ones, in Cyrillic, Greek, Hebrew or
# East Asian code pages they stand side by side. Left out: quotes, dashes, dots, euro, degree, no-break space, guillemets.
_RUN = re.compile(rb"[\x81-\x84\x86-\x90\x98-\x9f\xa1-\xaa\xac-\xaf\xb1-\xba\xbc-\xff]+")
# Signs that no Western language writes inside a word; they are letters in central European code pages.
_SIGN_IN_WORD = re.compile(
    "(?<=[^\\W\\d_])[\u201a\u201e\u2020\u2021\u02c6\u2030\u2039\u203a\u02dc\u00a1-\u00b1\u00b3-\u00b6\u00b8-\u00bf]+(?=[^\\W\\d_])"
)
_LETTER = re.compile("[\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0161\u017e\u0153]")
# Letters that meet in no Western language but are what another code page's letters look like when read as cp1252:
# (all of these, none of these, the code page).
_MEETINGS = (
    ("\u00b3\u00ea", "", "cp1250"),  # Polish: l with stroke, e with ogonek
    ("\u00ec\u00f8", "\u00e5", "cp1250"),  # Czech: e and r with caron
    ("\u00fe\u00e3", "\u00f0", "cp1250"),  # Romanian: t with cedilla, a with breve
    ("\u00f5\u00f6\u00e1", "\u00e3\u00e4", "cp1250"),  # Hungarian: o with double acute
    ("\u00fe\u00fd", "\u00e1", "cp1254"),  # Turkish: s with cedilla, dotless i
)
# Inside words, these bytes are letters (a, s, z, t, l with accents) of ISO 8859-2; cp1250 has most of them elsewhere.
_ISO_LETTERS = re.compile("[\u00b1\u00b6\u00b9\u00bb\u00bc\u00be]")
_WINDOWS_LETTERS = re.compile(rb"[\x8a\x8c-\x8f\x9a\x9c-\x9f]")
_SHARE = 0.02
_LEAST = 8


def side_by_side(sample: bytes) -> bool:
    """True when most bytes above 127 of `sample` stand next to each other: no Western text has that."""
    runs = [len(run) for run in _RUN.findall(sample)]
    together = sum(length for length in runs if length > 1)
    return together >= 6 and together * 2 > sum(runs)


def signs_in_words(sample: bytes) -> bool:
    """True when `sample` read as cp1252 has signs such as a cubed sign or a pilcrow inside words."""
    signs = len(_SIGN_IN_WORD.findall(sample.decode("cp1252", "replace")))
    return signs >= 3 and signs * 20 > sum(byte > 127 for byte in sample)


def by_letters(sample: bytes) -> str | None:
    """The code page that explains letters which never meet in a Western language; None when nothing is odd."""
    text = sample.decode("cp1252", "replace").lower()
    signs = "".join(_SIGN_IN_WORD.findall(text))
    counts = Counter(_LETTER.findall(text)) + Counter(signs)
    total = counts.total()
    if total < _LEAST:
        return None

    def common(letter: str) -> bool:
        return counts[letter] > _SHARE * total

    for together, never, encoding in _MEETINGS:
        if all(map(common, together)) and not any(map(common, never)):
            iso = encoding == "cp1250" and _ISO_LETTERS.search(signs) and not _WINDOWS_LETTERS.search(sample)
            return "iso8859_2" if iso else encoding
    return None
