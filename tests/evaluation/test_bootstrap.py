"""Bootstrap intervals: closed forms, coverage, pairing, and the refusal to give an interval."""

import numpy as np
import pytest

from rca_dist.evaluation import bootstrap as bs
from rca_dist.evaluation import text_metrics as tm


def test_mean_interval_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(size=400)
    cell = bs.interval(values, np.arange(400), samples=4000)
    half = 1.96 * values.std() / 20
    assert cell.value == pytest.approx(values.mean())
    assert cell.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert cell.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert (cell.n, cell.reason) == (400, None)


def test_copies_in_one_group_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).random(50)
    once = bs.interval(values, np.arange(50))
    copied = bs.interval(np.repeat(values, 8), np.repeat(np.arange(50), 8))
    naive = bs.interval(np.repeat(values, 8), np.arange(400))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert naive.high - naive.low < 0.5 * (once.high - once.low)


def test_ratio_is_of_sums_and_not_a_mean_of_ratios() -> None:
    loss, tokens = np.array([10.0, 1.0] * 20), np.array([100, 1] * 20)
    cell = bs.ratio_interval(loss, tokens, np.arange(40))
    assert cell.value == pytest.approx(220 / 2020)
    assert cell.low < cell.value < cell.high


def test_bleu_interval_holds_the_corpus_value() -> None:
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(["disk", "full", "node", "restart", "the"], size=12)) for _ in range(80)]
    statistics = np.stack([tm.bleu_statistics(a, b) for a, b in zip(texts[:40], texts[40:], strict=True)])
    cell = bs.statistic_interval(statistics, np.arange(40), lambda sums: np.asarray(tm.corpus_bleu(sums)))
    assert cell.value == tm.corpus_bleu(statistics.sum(axis=0))
    assert 0 < cell.low < cell.value < cell.high < 1


def test_difference_is_paired() -> None:
    hard = np.random.default_rng(3).normal(size=100)
    first, second = hard + 0.1, hard
    cell = bs.difference_interval(first, second, np.arange(100))
    assert (cell.value, cell.low, cell.high) == pytest.approx((0.1, 0.1, 0.1))
    alone = bs.interval(first, np.arange(100))
    assert alone.high - alone.low > 0.3


def test_labels_order_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(4).random(60)
    groups = np.repeat(np.arange(30), 2)
    whole = bs.interval(values, groups, seed=5)
    named = bs.interval(values, np.array([f"g{g:03d}" for g in groups]), seed=5)
    monkeypatch.setattr(bs, "_CELLS_PER_CHUNK", 70)
    chunked = bs.interval(values, groups, seed=5)
    assert whole == named
    assert (chunked.low, chunked.high) == pytest.approx((whole.low, whole.high), rel=1e-12)
    assert bs.interval(values, groups, seed=6) != whole


def test_no_interval_below_twenty_groups() -> None:
    few = bs.interval(np.arange(60.0), np.arange(60) % 19)
    assert (few.value, few.low, few.high) == (29.5, None, None)
    assert "only 19 groups" in (few.reason or "")
    assert bs.interval(np.arange(60.0), np.arange(60) % 20).low is not None


def test_no_interval_where_one_group_dominates() -> None:
    groups = np.arange(100)
    groups[:31] = 0
    cell = bs.interval(np.arange(100.0), groups)
    assert (cell.low, cell.high) == (None, None)
    assert "31 %" in (cell.reason or "")
    assert cell.as_json()["reason"] == cell.reason
    groups[30] = 30
    assert bs.interval(np.arange(100.0), groups).low is not None


def test_equal_values_give_an_interval_of_no_width() -> None:
    cell = bs.interval(np.full(40, 0.3), np.arange(40))
    assert (cell.low, cell.high) == pytest.approx((0.3, 0.3))


def test_undefined_resamples_are_refused() -> None:
    tokens = np.zeros(40)
    tokens[0] = 5
    cell = bs.ratio_interval(np.ones(40), tokens, np.arange(40))
    assert cell.value == pytest.approx(8.0)
    assert cell.low is None
    with pytest.raises(ValueError, match="no tickets"):
        bs.interval(np.array([]), np.array([]))


@pytest.mark.parametrize(("groups", "size"), [(40, 3), (80, 1)])
@pytest.mark.parametrize("shape", ["normal", "score"])
def test_coverage_of_a_mean(groups: int, size: int, shape: str) -> None:
    rng = np.random.default_rng(groups)
    index = np.repeat(np.arange(groups), size)
    hits = 0
    for repeat in range(1000):
        if shape == "normal":
            values, truth = rng.normal(size=groups)[index] + 0.5 * rng.normal(size=len(index)), 0.0
        else:
            values, truth = 0.7 * rng.beta(2, 4, size=groups)[index] + 0.3 * rng.beta(2, 4, size=len(index)), 1 / 3
        cell = bs.interval(values, index, samples=500, seed=repeat)
        hits += cell.low <= truth <= cell.high
    assert 920 <= hits <= 980


def test_large_sets_stay_quick_and_small() -> None:
    import time
    import tracemalloc

    values = np.random.default_rng(6).random(10_000)
    tracemalloc.start()
    start = time.process_time()
    bs.interval(values, np.arange(10_000))
    elapsed, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert elapsed < 5
    assert peak < 200e6


def test_ties_do_not_tilt_a_discrete_score() -> None:
    cell = bs.interval(np.repeat([0.0, 1.0], 40), np.arange(80), samples=4000)
    assert cell.low + cell.high == pytest.approx(1.0, abs=0.013)
