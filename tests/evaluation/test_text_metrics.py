"""Text metrics against rouge-score and sacrebleu, and against cases worked out by hand."""

import random
import time
import unicodedata

import numpy as np
import pytest

from rca_dist.evaluation import text_metrics as tm

WORDS = ["server", "disk", "failed", "restart", "the", "agent", "on", "node", "and", "clear", "cache", "after", "boot"]


def sentences(n: int, seed: int, *, low: int = 1, high: int = 30) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(low, high))) for _ in range(n)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("SRV-01, KB5034441; v7.2 (ERR-4021)!", ["srv-01", "kb5034441", "v7.2", "err-4021"]),
        ("Redémarré l'imprimante.", ["redémarré", "l", "imprimante"]),
        ("Перезапустил Сервер", ["перезапустил", "сервер"]),
        ("srv-01を再起動", ["srv-01", "を", "再", "起", "動"]),
        ("ปัญหา", ["ปั", "ญ", "ห", "า"]),
        ("समस्या हल", ["समस्या", "हल"]),
        ("서버 재시작", ["서버", "재시작"]),
        ("a_b __x__ c//d - 3.5 e.", ["a_b", "x", "c", "d", "3.5", "e"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("soft\u00adhyphen", ["softhyphen"]),
        ("... !?", []),
    ],
)
def test_tokens_by_hand(text: str, tokens: list[str]) -> None:
    assert tm.tokenize(text) == tokens
    assert tm.tokenize(unicodedata.normalize("NFD", text)) == tokens


def test_rouge_l_equals_rouge_score_on_english() -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(["rougeL"], use_stemmer=False)
    pairs = list(zip(sentences(200, 1), sentences(200, 2), strict=True))
    ours = [tm.rouge_l(a, b) for a, b in pairs]
    theirs = [scorer.score(b, a)["rougeL"].fmeasure for a, b in pairs]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    assert len(set(ours)) > 50


def test_lcs_equals_the_textbook_table() -> None:
    rng = random.Random(3)
    for _ in range(100):
        a, b = (rng.choices("abcd", k=rng.randint(0, 80)) for _ in range(2))
        table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
        for i, x in enumerate(a):
            for j, y in enumerate(b):
                table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
        assert tm.lcs_length(a, b) == table[-1, -1]


def test_chrf_equals_sacrebleu() -> None:
    import sacrebleu

    pairs = [*zip(sentences(50, 4), sentences(50, 5), strict=True), ("Le disque était plein", "Le disque est plein")]
    for prediction, reference in pairs:
        assert tm.chrf(prediction, reference) == pytest.approx(
            sacrebleu.sentence_chrf(prediction, [reference]).score / 100, abs=1e-12
        )


@pytest.mark.parametrize(("n", "low", "high"), [(200, 1, 30), (5, 4, 6), (3, 1, 3), (1, 1, 1)])
def test_corpus_bleu_equals_sacrebleu(n: int, low: int, high: int) -> None:
    import sacrebleu

    for seed in range(20):
        answers = [*sentences(n, seed, low=low, high=high), "", "Restart srv-01, then wait (2 min)."]
        references = [*sentences(n, seed + 99, low=low, high=high), "no answer", "Restart srv-02, wait (2 min)."]
        statistics = np.stack([tm.bleu_statistics(a, r) for a, r in zip(answers, references, strict=True)])
        wanted = sacrebleu.corpus_bleu(answers, [references]).score / 100
        assert tm.corpus_bleu(statistics.sum(axis=0)) == pytest.approx(wanted, abs=1e-9)
        assert tm.corpus_bleu(statistics.sum(axis=0, keepdims=True))[0] == pytest.approx(wanted, abs=1e-9)


def test_bleu_smooths_orders_without_a_match_and_is_zero_without_any() -> None:
    import sacrebleu

    pairs = [("a b c d e", "a c b e d"), ("a b x c d", "a b y c d"), ("q r s t", "a b c d"), ("a", "a")]
    for answer, reference in pairs:
        wanted = sacrebleu.corpus_bleu([answer], [[reference]]).score / 100
        assert tm.corpus_bleu(tm.bleu_statistics(answer, reference)) == pytest.approx(wanted, abs=1e-9)


def test_signatures_are_those_of_sacrebleu() -> None:
    from sacrebleu.metrics import BLEU, CHRF

    for metric, ours in [(BLEU(), tm.bleu_signature()), (CHRF(), tm.chrf_signature())]:
        metric.corpus_score(["a b c d"], [["a b c d"]])
        assert ours == metric.get_signature().format()


@pytest.mark.parametrize("text", ["Le problème a été réglé", "Проблема решена", "サーバーを再起動した", "Restart srv-01."])
def test_identical_texts_score_one_in_every_language(text: str) -> None:
    for reference in (text, unicodedata.normalize("NFD", text)):
        scores = tm.score([text], [reference])
        assert all(scores[name][0] == pytest.approx(1.0) for name in ("exact_match", "token_f1", "rouge_l", "chrf"))


def test_nonsense_in_french_scores_low() -> None:
    pair = "le problàme a oto ragla", "le problème a été réglé"
    # Two of five words, "le" and "a", in order.
    assert tm.rouge_l(*pair) == pytest.approx(0.4)
    assert tm.token_f1(*pair) == pytest.approx(0.4)
    assert tm.exact_match(*pair) == 0.0
    assert tm.chrf(*pair) < 0.5


def test_order_counts_for_rouge_but_not_for_token_f1() -> None:
    pair = "disk the replaced", "replaced the disk"
    assert tm.token_f1(*pair) == 1.0
    assert tm.rouge_l(*pair) == pytest.approx(1 / 3)
    assert tm.token_f1("the the the", "the disk") == pytest.approx(2 / 5)


def test_exact_match_ignores_case_spaces_and_outer_punctuation() -> None:
    assert tm.exact_match("  «Restarted\n srv-01.» ", "restarted SRV-01") == 1.0
    assert tm.exact_match("restarted srv01", "restarted srv-01") == 0.0
    assert tm.exact_match("--", "--") == 1.0


@pytest.mark.parametrize("empty", ["", "  \n", "\u200b"])
def test_an_empty_prediction_scores_zero(empty: str) -> None:
    for reference in ("restart", empty):
        scores = tm.score([empty], [reference])
        assert all(scores[name][0] == 0.0 for name in ("exact_match", "token_f1", "rouge_l"))
    assert tm.score([empty], ["restart"])["chrf"][0] == 0.0
    assert tm.corpus_bleu(tm.score([empty], ["restart"])["bleu"].sum(axis=0)) == 0.0


def test_score_keeps_order_and_types() -> None:
    answers, references = sentences(30, 7), sentences(30, 8)
    scores = tm.score(answers, references)
    assert list(scores) == ["exact_match", "token_f1", "rouge_l", "chrf", "bleu"]
    assert scores["bleu"].shape == (30, 10)
    assert scores["bleu"].dtype == np.int64
    for i in (0, 17):
        assert scores["token_f1"][i] == tm.token_f1(answers[i], references[i])
        assert scores["rouge_l"][i] == tm.rouge_l(answers[i], references[i])
    with pytest.raises(ValueError, match="30 predictions for 29 references"):
        tm.score(answers, references[:-1])
    assert tm.score([], [])["bleu"].shape == (0, 10)


def test_rouge_l_is_fast() -> None:
    pairs = list(zip(sentences(1000, 9, low=60, high=60), sentences(1000, 10, low=60, high=60), strict=True))
    start = time.process_time()
    for a, b in pairs:
        tm.rouge_l(a, b)
    # 10,000 pairs in a few seconds: about 0.3 s for these 1,000 on a slow core; the table method takes 3 s.
    assert time.process_time() - start < 1.5
