"""Dealing and packing: nothing lost, within the budget, even over ranks, few forwards."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_dist.tokens.sharing import _bins, _even, _split, deal, pack, shares


def ticket_lengths(count, seed=0):
    return np.clip(np.random.default_rng(seed).lognormal(5.3, 0.8, count), 20, 1500).astype(np.int64)


def positions(batch, lengths, packed):
    return int(lengths[batch].sum() if packed else len(batch) * lengths[batch].max()) if len(batch) else 0


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 90), max_size=60), st.integers(1, 9), st.integers(16, 200), st.booleans())
def test_shares_hold_each_example_once_within_the_budget(sizes, world_size, budget, packed):
    lengths = np.array([999, *sizes], dtype=np.int64)
    indices = np.arange(1, len(lengths))
    ranks = shares(indices, lengths, world_size=world_size, max_tokens=budget, packed=packed)
    assert len(ranks) == world_size
    assert len({len(rank) for rank in ranks}) == 1
    batches = [batch for rank in ranks for batch in rank]
    assert sorted(n for batch in batches for n in batch.tolist()) == indices.tolist()
    assert all(len(batch) < 2 or positions(batch, lengths, packed) <= budget for batch in batches)
    for rank in ranks:
        loads = [positions(batch, lengths, packed) for batch in rank]
        assert loads == sorted(loads, reverse=True)
        if packed and 0 in loads:
            assert all(len(batch) < 2 for batch in rank)
    if not packed and any(len(batch) == 0 for batch in batches):
        assert all(len(batch) < 2 for batch in batches)
    assert all(batch.dtype == np.int64 for batch in batches)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(1, 5), st.booleans(), st.randoms())
def test_shares_depend_on_the_set_not_on_its_order(sizes, world_size, packed, random):
    lengths = np.array(sizes)
    order = list(range(len(sizes)))
    random.shuffle(order)
    one, two = (
        [
            [b.tolist() for b in rank]
            for rank in shares(np.array(o), lengths, world_size=world_size, max_tokens=99, packed=packed)
        ]
        for o in (sorted(order), order)
    )
    assert [[sorted(b) for b in rank] for rank in one] == [[sorted(b) for b in rank] for rank in two]


def test_no_examples_give_no_forwards():
    for packed in (False, True):
        none = shares(np.zeros(0, dtype=np.int64), np.array([5]), world_size=2, max_tokens=64, packed=packed)
        assert none == [[], []]
    assert pack(np.zeros(0, dtype=np.int64), np.array([5]), 64) == []


def test_an_example_over_the_budget_runs_alone():
    lengths = np.array([500, 10, 10])
    assert [m.tolist() for m in pack(np.arange(3), lengths, 64)] == [[0], [2, 1]]
    assert [m.tolist() for m in pack(np.arange(3), lengths, 64, packed=True)] == [[0], [2, 1]]


def test_packing_fills_bins_where_first_come_would_not():
    # 6 + 4, 5 + 5, 7 + 3 fill three bins of 10 exactly; taken in the order given they need four.
    lengths = np.array([6, 5, 7, 3, 4, 5])
    bins = pack(np.arange(6), lengths, 10, packed=True)
    assert sorted(sorted(b.tolist()) for b in bins) == [[0, 4], [1, 5], [2, 3]]


@pytest.mark.parametrize("count", [64, 512])
def test_packing_needs_hardly_more_bins_than_the_tokens_do(count):
    for seed in range(5):
        lengths = ticket_lengths(count, seed)
        assert len(pack(np.arange(count), lengths, 4096, packed=True)) <= math.ceil(lengths.sum() / 4096) + 1


def test_deal_balances_cost():
    lengths = ticket_lengths(64)
    for parts, bound in ((2, 1.001), (4, 1.002), (8, 1.01)):
        loads = [lengths[share].sum() for share in deal(np.arange(64), lengths, parts)]
        assert max(loads) / np.mean(loads) < bound


def test_deal_mends_what_longest_first_gets_wrong():
    # Longest first gives 3 + 2 + 2 against 3 + 2; the best is 3 + 3 against 2 + 2 + 2.
    costs = np.array([3, 3, 2, 2, 2])
    assert sorted(costs[share].sum() for share in deal(np.arange(5), costs, 2)) == [6, 6]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 9))
def test_deal_loses_nothing_and_never_exceeds_longest_first(costs, parts):
    costs = np.array(costs, dtype=np.int64)
    dealt = deal(np.arange(len(costs)), costs, parts)
    assert len(dealt) == parts
    assert sorted(n for share in dealt for n in share.tolist()) == list(range(len(costs)))
    loads = [0] * parts
    for cost in sorted(costs.tolist(), reverse=True):
        loads[loads.index(min(loads))] += cost
    assert max(costs[share].sum() for share in dealt) <= max(loads)


@pytest.mark.parametrize(("world_size", "bound"), [(2, 1.005), (8, 1.02), (16, 1.02)])
def test_packed_ranks_take_equally_long_in_every_forward(world_size, bound):
    lengths = ticket_lengths(256, 1)
    ranks = shares(np.arange(256), lengths, world_size=world_size, max_tokens=4096, packed=True)
    loads = np.array([[positions(b, lengths, True) for b in rank] for rank in ranks])
    assert loads.max(axis=0).sum() / loads.sum(axis=1).mean() < bound
    # Within a rank too: the last micro-batch is no remainder.
    assert (loads.max(axis=1) / loads.min(axis=1)).max() < 1.2


def test_padded_ranks_share_whole_batches_of_like_length():
    lengths = ticket_lengths(256, 1)
    for world_size, bound in ((1, 1.1), (2, 1.1), (8, 1.08), (32, 1.06)):
        ranks = shares(np.arange(256), lengths, world_size=world_size, max_tokens=4096)
        computed = sum(positions(b, lengths, False) for rank in ranks for b in rank)
        assert computed / lengths.sum() < bound
        if world_size < 32:
            loads = [sum(positions(b, lengths, False) for b in rank) for rank in ranks]
            assert max(loads) / np.mean(loads) < 1.05


def test_forwards_run_anyway_are_filled_by_splitting():
    # Rank 0 has the oversized example and needs one forward, rank 1 two of its own.
    lengths = np.array([90, 20, 20, 20, 20])
    for packed in (True, False):
        ranks = shares(np.arange(5), lengths, world_size=2, max_tokens=50, packed=packed)
        batches = [b for rank in ranks for b in rank]
        empty = sum(len(b) == 0 for b in batches)
        assert [len(rank) for rank in ranks] == [2, 2]
        assert empty == (1 if packed else 0)


def test_where_even_bins_do_not_fit_the_full_ones_are_split():
    # Ten bins of 12 hold these; the lightest of eleven first, one of them reaches 13.
    sizes = [1, 2, *[3] * 4, *[4] * 3, *[5] * 6, 6, *[7] * 5, 10, 12]
    items = [(size, n) for n, size in reversed(list(enumerate(sizes)))]
    bins = _bins(items, 12)
    assert len(bins) == 10
    loads = [sum(size for size, _ in batch) for batch in _even(items, bins, 11, 12)]
    assert len(loads) == 11
    assert sum(loads) == sum(sizes)
    assert max(loads) <= 12
    assert min(loads) > 0


def test_a_batch_is_split_at_half_its_tokens():
    batch = [(size, n) for n, size in enumerate([40, 10, 10, 10, 10])]
    assert sorted(_split([batch], 2), reverse=True) == [batch[:1], batch[1:]]
    assert sorted(map(len, _split([[(10, n) for n in range(4)]], 2))) == [2, 2]
    assert sorted(map(len, _split([batch], 7))) == [0, 0, 1, 1, 1, 1, 1]


def test_costs_balance_ranks_where_they_differ_from_tokens():
    lengths, costs = np.full(4, 10), np.array([30.0, 10.0, 10.0, 10.0])
    ranks = shares(np.arange(4), lengths, world_size=2, max_tokens=100, packed=True, costs=costs)
    assert sorted(sorted(b.tolist()) for rank in ranks for b in rank) == [[0], [1, 2, 3]]
    # Padded, a row per batch: 40 + 10 and 30 + 20 tokens would be even, but 9 + 1 and 4 + 4 are by cost.
    lengths, costs = np.array([40, 30, 20, 10]), np.array([4.0, 9.0, 4.0, 1.0])
    ranks = shares(np.arange(4), lengths, world_size=2, max_tokens=39, costs=costs)
    assert sorted(sorted(n for b in rank for n in b.tolist()) for rank in ranks) == [[0, 2], [1, 3]]
