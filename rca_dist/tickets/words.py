"""Small text helpers that several parts of the room share: folding, word counts, missing-value words."""

import re
import unicodedata

_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MISSING = frozenset(
    {
        *(
            "unknown",
            "n/a",
            "n\\a",
            "#n/a",
            "na",
            "n.a.",
            "n.a",
            "nan",
            "none",
            "null",
            "nil",
            "(empty)",
            "empty",
            "blank",
        ),
        *(
            "not available",
            "not applicable",
            "not specified",
            "not set",
            "no value",
            "tbd",
            "tba",
            "undefined",
            "[]",
            "{}",
        ),
        *("s/o", "sans objet", "non renseigne", "non applicable", "inconnu", "inconnue", "aucun", "aucune", "neant"),
        *("k.a.", "k. a.", "unbekannt", "keine angabe", "keine", "leer", "desconocido", "ninguno", "ninguna"),
        *(
            "desconhecido",
            "nenhum",
            "nenhuma",
            "sconosciuto",
            "nessuno",
            "nessuna",
            "onbekend",
            "geen",
            "nvt",
            "n.v.t.",
        ),
    }
)


def fold(text: str) -> str:
    """Lower-case without accents: 'Résolution' and 'resolution' are one word."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def words(text: str) -> list[str]:
    """Words of a text, case-folded, punctuation left out."""
    return _WORD.findall(text.casefold())


def word_count(text: str) -> int:
    """Number of words; two CJK characters count as one word, since those scripts write no spaces."""
    count = len(_WORD.findall(text))
    return count if text.isascii() else max(count, len(_CJK.findall(text)) // 2)


def letter_word_count(text: str) -> int:
    """Like `word_count`, of words with two letters or more: a date or a code has none."""
    return len(_LETTERS.findall(text)) if text.isascii() else max(len(_LETTERS.findall(text)), word_count(text) // 2)


def is_missing(cell: str) -> bool:
    """True for an empty cell and for one that only holds a missing-value word (UNKNOWN, N/A, -, aucun...)."""
    stripped = cell.strip()
    if len(stripped) > 16:
        return False
    return not stripped.strip("-_.?*\u2013\u2014/ ") or fold(stripped) in _MISSING


def join_counts(counts: dict[str, int]) -> str:
    """'3 empty answer, 1 duplicate id', the largest first."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
