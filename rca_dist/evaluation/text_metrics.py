"""Scores of one prediction against one reference, in any language, all in 0..1.

Words keep the identifiers that tickets live by (srv-01, KB5034441, v7.2, ERR-4021); scripts written without
spaces count by character. ROUGE-L and token F1 use these words, chrF and BLEU are sacrebleu's.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

BLEU_STATISTICS = 10
"""Columns of `bleu_statistics`: prediction words, reference words, 4 matched and 4 total n-gram counts."""

# Blocks written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han (all planes), half-width kana.
_SOLO = (
    "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)


@cache
def _word_pattern() -> re.Pattern[str]:
    r"""The token pattern; `\w` alone would cut words at combining marks (Hindi vowel signs, Hebrew points)."""
    marks = "".join(c for c in map(chr, range(0x300, 0x1E944)) if unicodedata.category(c).startswith("M"))
    word = rf"(?:[^\W_{_SOLO}]++[{marks}]*+)++"
    return re.compile(rf"(?=\w)[{_SOLO}][{marks}]*+|{word}(?:(?:[-./]|_++){word})*+")


def fold(text: str) -> str:
    """`text` in NFC and casefolded, without invisible format characters (soft hyphen, zero-width joiners)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    return "".join(c for c in folded if unicodedata.category(c) != "Cf")


def tokenize(text: str) -> list[str]:
    """The words of `text`, folded; `-`, `.`, `/` and `_` stay inside a word between letters or digits.

    Han, kana, Thai, Lao, Khmer and Myanmar letters are one token each, with their combining marks.
    """
    return _word_pattern().findall(fold(text))


def normalise(text: str) -> str:
    """`text` folded, whitespace collapsed, punctuation around it dropped (kept if nothing else is there)."""
    whole = " ".join(fold(text).split())
    start, end = 0, len(whole)
    while start < end and _is_rim(whole[start]):
        start += 1
    while end > start and _is_rim(whole[end - 1]):
        end -= 1
    return whole[start:end] or whole


def _is_rim(character: str) -> bool:
    return unicodedata.category(character)[0] in "PZ"


def exact_match(prediction: str, reference: str) -> float:
    """1.0 where both are equal after `normalise`; an empty prediction scores 0."""
    answer = normalise(prediction)
    return float(bool(answer) and answer == normalise(reference))


def token_f1(prediction: str, reference: str) -> float:
    """F1 of the two bags of words (`tokenize`); 0 where either has none."""
    return _token_f1(tokenize(prediction), tokenize(reference))


def rouge_l(prediction: str, reference: str) -> float:
    """ROUGE-L F1 (Lin 2004): the longest common subsequence of words over both lengths; 0 where either has none."""
    return _rouge_l(tokenize(prediction), tokenize(reference))


def _token_f1(prediction: list[str], reference: list[str]) -> float:
    if not prediction or not reference:
        return 0.0
    left = Counter(reference)
    common = sum(min(count, left[word]) for word, count in Counter(prediction).items() if word in left)
    return 2.0 * common / (len(prediction) + len(reference))


def _rouge_l(prediction: list[str], reference: list[str]) -> float:
    if not prediction or not reference:
        return 0.0
    return 2.0 * lcs_length(prediction, reference) / (len(prediction) + len(reference))


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, bit-parallel over `first` (Hyyro 2004), one step per `second` word."""
    places: dict[str, int] = {}
    for position, word in enumerate(first):
        places[word] = places.get(word, 0) | (1 << position)
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        hits = row & places.get(word, 0)
        if hits:
            row = ((row + hits) | (row - hits)) & full
    return len(first) - row.bit_count()


def chrf(prediction: str, reference: str) -> float:
    """Sentence chrF2 (sacrebleu defaults: character 1-6-grams, beta 2) of the two texts in NFC; case counts."""
    if not prediction.strip() or not reference.strip():
        return 0.0
    pair = unicodedata.normalize("NFC", prediction), [unicodedata.normalize("NFC", reference)]
    return min(1.0, _chrf().sentence_score(*pair).score / 100.0)


def bleu_statistics(prediction: str, reference: str) -> np.ndarray:
    """int64 counts (10,) whose sum over tickets gives corpus BLEU; sacrebleu's 13a tokens of the raw texts."""
    counts = np.zeros(BLEU_STATISTICS, dtype=np.int64)
    answer, wanted = _words_13a(prediction), _words_13a(reference)
    counts[:2] = len(answer), len(wanted)
    for order in range(1, 5):
        if len(answer) < order:
            break
        counts[5 + order] = len(answer) - order + 1
        left = Counter(zip(*(wanted[i:] for i in range(order)), strict=False))
        found = Counter(zip(*(answer[i:] for i in range(order)), strict=False))
        counts[1 + order] = sum(min(count, left[gram]) for gram, count in found.items() if gram in left)
    return counts


def corpus_bleu(statistics: np.ndarray) -> float | np.ndarray:
    """Corpus BLEU in 0..1 from summed statistics (10,) or (B, 10), exp smoothing as in sacrebleu (`bleu_signature`).

    Source of the smoothing: Chen and Cherry 2014, method 3. Without any matched word the score is 0, and also
    where no text is four words long (13a does not split Japanese or Chinese: read chrF there).
    """
    sums = np.atleast_2d(np.asarray(statistics, dtype=np.float64))
    answer, wanted, correct, total = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Each order without a match halves again: the first counts 1/2, the second 1/4 of one n-gram.
        halvings = np.cumsum((correct == 0) & (total > 0), axis=1)
        precision = np.where(correct > 0, correct, 0.5**halvings) / total
        brevity = np.where(answer < wanted, np.exp(1.0 - wanted / answer), 1.0)
        score = brevity * np.exp(np.log(precision).mean(axis=1))
    defined = (total > 0).all(axis=1) & (correct > 0).any(axis=1)
    score = np.where(defined, score, 0.0)
    return score if np.ndim(statistics) == 2 else float(score[0])


def bleu_signature() -> str:
    """sacrebleu's signature of the BLEU reported here."""
    import sacrebleu

    return f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"


def chrf_signature() -> str:
    """sacrebleu's signature of the chrF reported here."""
    import sacrebleu

    return f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{sacrebleu.__version__}"


def score(predictions: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """Per-ticket scores of `predictions` against `references`, both of length n and in one order.

    Returns `exact_match`, `token_f1`, `rouge_l` and `chrf` as float64 (n,) in 0..1, and `bleu` as int64 (n, 10),
    counts to be summed for `corpus_bleu`. Raises ValueError where the lengths differ.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references: one of each per ticket")
    result = {name: np.zeros(len(predictions)) for name in ("exact_match", "token_f1", "rouge_l", "chrf")}
    bleu = np.zeros((len(predictions), BLEU_STATISTICS), dtype=np.int64)
    for i, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
        answer, wanted = tokenize(prediction), tokenize(reference)
        result["exact_match"][i] = exact_match(prediction, reference)
        result["token_f1"][i] = _token_f1(answer, wanted)
        result["rouge_l"][i] = _rouge_l(answer, wanted)
        result["chrf"][i] = chrf(prediction, reference)
        bleu[i] = bleu_statistics(prediction, reference)
    return {**result, "bleu": bleu}


@cache
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


@cache
def _tokenizer_13a() -> Callable[[str], str]:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return Tokenizer13a()


def _words_13a(text: str) -> list[str]:
    return _tokenizer_13a()(text.rstrip()).split()
