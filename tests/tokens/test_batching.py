"""The plan: which examples form a step is no matter of hardware, and each is used once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_dist.tokens.batching import StepPlan

lengths_lists = st.lists(st.integers(2, 90), min_size=1, max_size=70)


def plans(lengths, world_size, **changes):
    options = {"global_batch_size": 8, "max_tokens": 128, "seed": 5} | changes
    counts = [n // 2 for n in lengths]
    return [StepPlan(lengths, counts, world_size=world_size, rank=rank, **options) for rank in range(world_size)]


@settings(max_examples=80, deadline=None)
@given(lengths_lists, st.integers(1, 5), st.integers(1, 12), st.integers(16, 200), st.booleans())
def test_each_example_once_per_epoch_whatever_the_ranks(lengths, world_size, batch, budget, packed):
    ranks = plans(lengths, world_size, global_batch_size=batch, max_tokens=budget, packed=packed)
    reference = plans(lengths, 1, global_batch_size=batch, max_tokens=10_000)[0]
    total = ranks[0].steps_per_epoch
    for epoch in (0, 1):
        seen = []
        steps = zip(*(plan.steps(epoch * total, (epoch + 1) * total) for plan in (*ranks, reference)), strict=True)
        for *parts, alone in steps:
            union = np.concatenate([m for part in parts for m in part.micro_batches])
            assert sorted(union.tolist()) == sorted(alone.examples.tolist())
            assert len({len(part.micro_batches) for part in parts}) == 1
            assert {part.supervised for part in parts} == {sum(lengths[n] // 2 for n in union)}
            assert {part.tokens for part in parts} == {sum(lengths[n] for n in union)}
            seen += union.tolist()
            for part in parts:
                for micro in part.micro_batches:
                    sizes = [lengths[n] for n in micro]
                    assert len(micro) < 2 or (sum(sizes) if packed else len(micro) * max(sizes)) <= budget
        assert sorted(seen) == list(range(len(lengths)))


def test_order_is_a_function_of_seed_and_epoch():
    a, b, c = (plans([9] * 50, 1, seed=seed)[0] for seed in (1, 1, 2))
    assert a.order(3).tolist() == b.order(3).tolist()
    assert a.order(3).tolist() != a.order(4).tolist()
    assert a.order(3).tolist() != c.order(3).tolist()


@pytest.mark.parametrize("packed", [False, True])
def test_starting_in_the_middle_gives_the_same_steps(packed):
    plan = plans(list(range(5, 55)), 2, packed=packed)[1]
    whole = list(plan.steps(0, 20))
    rest = list(plan.steps(9, 20))
    assert [s.examples.tolist() for s in whole[9:]] == [s.examples.tolist() for s in rest]
    assert [[m.tolist() for m in s.micro_batches] for s in whole[9:]] == [[m.tolist() for m in s.micro_batches] for s in rest]
    assert [s.index for s in rest] == list(range(9, 20))
    assert [s.epoch for s in rest] == [1] * 5 + [2] * 6


def test_turning_packing_off_moves_no_example_to_another_step():
    plan, other = plans(list(range(5, 55)), 2, packed=True)
    steps = plan.steps(0, 4)
    next(steps)
    plan.packed = False
    for step, packed in zip(steps, other.steps(1, 4), strict=True):
        assert step.examples.tolist() == packed.examples.tolist()
        rows = [plan.lengths[m] for m in step.micro_batches]
        assert all(len(r) < 2 or len(r) * r.max() <= 128 for r in rows)


def test_more_ranks_than_examples_leaves_filler():
    ranks = plans([5, 6], 3)
    parts = [next(plan.steps(0, 1)) for plan in ranks]
    assert sorted(len(part.micro_batches[0]) for part in parts) == [0, 1, 1]
    assert [plan.idle_ranks for plan in ranks] == [1, 1, 1]
    assert plans([5] * 20, 3, global_batch_size=2)[0].idle_ranks == 1
    assert plans([5] * 20, 3)[0].idle_ranks == 0


def test_oversized_examples_are_counted():
    assert plans([128, 129, 500, 3], 1)[0].oversized == 2


def test_balance_is_slowest_over_mean():
    # One step; two ranks with 30 | 10 tokens, so slowest / mean = 30 / 20.
    lengths = [30, 10]
    for packed in (False, True):
        plan = plans(lengths, 2, packed=packed)[0]
        assert plan.balance() == pytest.approx(1.5)
        assert plan.balance(weights=np.array([1, 7])) == pytest.approx(7 / 4)
    # 30 against 20 + 10 packed, or against two rows as wide as 20.
    assert plans([30, 20, 10], 2, packed=True)[0].balance() == 1.0
    assert plans([30, 20, 10], 2)[0].balance() == pytest.approx(40 / 35)
    assert plans([30, 20, 10], 2)[0].balance(weights=np.array([1, 2, 6])) == pytest.approx(8 / 4.5)
    assert plans([30, 10], 2, costs=[1, 1])[0].balance() == 1.0
    assert plans([30, 10], 1)[0].balance() == 1.0


def test_costs_decide_who_computes_what():
    plan = plans([10, 10, 10, 10], 2, costs=[3.0, 1.0, 1.0, 1.0], packed=True)[0]
    assert sorted(len(batch) for share in plan._shares(np.arange(4)) for batch in share) == [1, 3]


def test_computed_positions_count_padding_and_filler():
    # 12 + 8 + 4 real tokens. One rank: one batch of 3 x 12, or 24 packed. Four ranks: a row each, and a filler of 2.
    lengths = [12, 8, 4]
    assert plans(lengths, 1)[0].computed_positions() == pytest.approx(36 / 24)
    assert plans(lengths, 1, packed=True)[0].computed_positions() == 1.0
    for packed in (False, True):
        assert plans(lengths, 4, packed=packed)[0].computed_positions() == pytest.approx(26 / 24)


def test_length_of_a_run():
    plan = plans([4] * 20, 1)[0]
    assert plan.steps_per_epoch == 3
    assert [plan.total_steps(e) for e in (1, 2, 0.1, 1.5)] == [3, 6, 1, 5]
    assert plan.total_steps(9, max_steps=2) == 2


def test_no_examples_is_refused():
    with pytest.raises(ValueError, match="no training example"):
        plans([], 1)
    with pytest.raises(ValueError, match="3 lengths, 2 counts"):
        StepPlan([4, 5, 6], [1, 2], global_batch_size=2, max_tokens=64)
