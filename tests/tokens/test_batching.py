"""The plan: which examples form a step is no matter of hardware, and each is used once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_dist.tokens.batching import StepPlan, deal, pack

lengths_lists = st.lists(st.integers(2, 90), min_size=1, max_size=70)


def plans(lengths, world_size, **changes):
    options = {"global_batch_size": 8, "max_tokens": 128, "seed": 5} | changes
    counts = [n // 2 for n in lengths]
    return [StepPlan(lengths, counts, world_size=world_size, rank=rank, **options) for rank in range(world_size)]


@settings(max_examples=60, deadline=None)
@given(lengths_lists, st.integers(1, 4), st.integers(1, 12), st.integers(16, 200))
def test_each_example_once_per_epoch_whatever_the_ranks(lengths, world_size, batch, budget):
    ranks = plans(lengths, world_size, global_batch_size=batch, max_tokens=budget)
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
            seen += union.tolist()
            for part in parts:
                for micro in part.micro_batches:
                    if len(micro) > 1:
                        assert len(micro) * max(lengths[n] for n in micro) <= budget
        assert sorted(seen) == list(range(len(lengths)))


def test_order_is_a_function_of_seed_and_epoch():
    a, b, c = (plans([9] * 50, 1, seed=seed)[0] for seed in (1, 1, 2))
    assert a.order(3).tolist() == b.order(3).tolist()
    assert a.order(3).tolist() != a.order(4).tolist()
    assert a.order(3).tolist() != c.order(3).tolist()


def test_starting_in_the_middle_gives_the_same_steps():
    plan = plans(list(range(5, 55)), 2)[1]
    whole = list(plan.steps(0, 20))
    rest = list(plan.steps(9, 20))
    assert [s.examples.tolist() for s in whole[9:]] == [s.examples.tolist() for s in rest]
    assert [s.index for s in rest] == list(range(9, 20))


def test_shares_are_balanced_by_tokens():
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(4, 0.8, size=64).astype(int) + 2
    loads = [lengths[share].sum() for share in deal(np.arange(64), lengths, 4)]
    assert max(loads) / np.mean(loads) < 1.05


def test_more_ranks_than_examples_leaves_filler():
    parts = [next(plan.steps(0, 1)) for plan in plans([5, 6], 3)]
    assert sorted(len(part.micro_batches[0]) for part in parts) == [0, 1, 1]


def test_an_example_over_the_budget_runs_alone():
    assert [m.tolist() for m in pack(np.arange(3), np.array([500, 10, 10]), 64)] == [[0], [2, 1]]


def test_length_of_a_run():
    plan = plans([4] * 20, 1)[0]
    assert plan.steps_per_epoch == 3
    assert [plan.total_steps(e) for e in (1, 2, 0.1, 1.5)] == [3, 6, 1, 5]
    assert plan.total_steps(9, max_steps=2) == 2


def test_no_examples_is_refused():
    with pytest.raises(ValueError, match="no training example"):
        plans([], 1)
