"""Answers without a language model: the yardsticks that a fine-tuned model has to beat.

All are fitted on the training split only; `copy` is the identity and needs no code.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from rca_dist.errors import UserError
from rca_dist.evaluation.text_metrics import fold, normalise, tokenize

_CELLS_PER_CHUNK = 1 << 23
# Similarities this close are ties: they differ only by the order in which a sparse product adds up.
_TIE_DECIMALS = 6


class Nearest:
    """The answer of the most similar training ticket: cosine of TF-IDF words (1-2) and characters (`char_wb` 3-5).

    Both halves weigh the same: the similarity is the mean of the two cosines, in 0..1.
    """

    def __init__(self, prompts: Sequence[str], answers: Sequence[str]) -> None:
        """Fit on the training `prompts` and keep their `answers`; UserError without any, ValueError unless aligned."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if len(prompts) != len(answers):
            raise ValueError(f"{len(prompts)} training prompts for {len(answers)} training answers")
        if not prompts:
            raise UserError("the training split is empty: the baseline `nearest` has no old tickets to look in")
        self.answers = list(answers)
        shared: dict[str, Any] = {"lowercase": False, "sublinear_tf": True, "dtype": np.float32}
        self._vectorizers = [
            TfidfVectorizer(tokenizer=tokenize, token_pattern=None, ngram_range=(1, 2), **shared),
            TfidfVectorizer(preprocessor=fold, analyzer="char_wb", ngram_range=(3, 5), **shared),
        ]
        self._known = [self._fit(vectorizer, list(prompts)) for vectorizer in self._vectorizers]

    @staticmethod
    def _fit(vectorizer: Any, prompts: list[str]) -> Any:
        """Training rows (features, n_train) of one vectorizer; None where no prompt has a feature."""
        try:
            return vectorizer.fit_transform(prompts).T.tocsr()
        except ValueError as error:
            if "empty vocabulary" in str(error):
                return None
            raise

    def answer(self, prompts: Sequence[str]) -> tuple[list[str], list[int], list[float]]:
        """Answers, training indices and similarities in 0..1, one per prompt; among ties the lowest index wins."""
        indices: list[int] = []
        similarities: list[float] = []
        rows = max(1, _CELLS_PER_CHUNK // len(self.answers))
        for start in range(0, len(prompts), rows):
            similarity = self._similarity(list(prompts[start : start + rows]))
            best = similarity.argmax(axis=1)
            indices += best.tolist()
            similarities += similarity[np.arange(len(best)), best].tolist()
        return [self.answers[i] for i in indices], indices, similarities

    def _similarity(self, prompts: list[str]) -> np.ndarray:
        """Similarities (len(prompts), n_train), float64, rounded so that ties are ties."""
        total = np.zeros((len(prompts), len(self.answers)))
        for vectorizer, known in zip(self._vectorizers, self._known, strict=True):
            if known is not None:
                total += (vectorizer.transform(prompts) @ known).toarray()
        return np.clip(np.round(total / len(self._known), _TIE_DECIMALS), 0.0, 1.0)


def constant_answer(train_answers: Sequence[str]) -> str:
    """The most frequent training answer, counted after normalisation, in its first spelling; ties go to the first."""
    if not train_answers:
        raise UserError("the training split is empty: the baseline `constant` has no answer to give")
    keys = [normalise(answer) for answer in train_answers]
    counts = Counter(keys)
    best = max(counts, key=lambda key: counts[key])
    return train_answers[keys.index(best)]


def random_answers(train_answers: Sequence[str], n: int, seed: int) -> list[str]:
    """`n` training answers drawn with replacement, the same for the same `seed`."""
    if not train_answers:
        raise UserError("the training split is empty: the baseline `random` has no answers to draw from")
    picks = np.random.default_rng(seed).integers(0, len(train_answers), size=n)
    return [train_answers[i] for i in picks]
