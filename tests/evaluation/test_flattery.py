"""How much a random split flatters: on data where the true answer is known."""

import random
import time

import numpy as np
import pytest

from rca_dist.evaluation.flattery import FOLDS, flattery, sentences

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("ka", "lo", "mi", "nu", "re", "sta")]


def tickets(count: int, copies: int, seed: int = 0) -> tuple[list[str], list[str], list[str], list[int]]:
    """`count` different tickets with made-up words, each `copies` times with one word changed."""
    rng = random.Random(seed)
    prompts, answers, groups = [], [], []
    for group in range(count):
        prompt, answer = rng.choices(WORDS, k=12), rng.choices(WORDS, k=12)
        for _ in range(copies):
            prompts.append(" ".join([*prompt, rng.choice(WORDS)]))
            answers.append(" ".join(answer))
            groups.append(group)
    return [f"T{n}" for n in range(len(prompts))], prompts, answers, groups


def test_near_duplicates_flatter_a_random_split_and_the_grouped_one_does_not_see_them() -> None:
    found = flattery(*tickets(40, 3))
    assert found["random"]["chrf"]["value"] > 0.9
    assert found["group"]["chrf"]["value"] < 0.4
    gain = found["group"]["flattery"]["chrf"]
    assert gain["value"] == pytest.approx(found["random"]["chrf"]["value"] - found["group"]["chrf"]["value"])
    assert gain["low"] > 0.4
    assert found["random"]["known"]["value"] > 0.9
    assert found["group"]["known"]["value"] == 0.0
    assert found["random"]["chrf"]["n"] == 120
    text = " ".join(sentences(found))
    assert "a random split would flatter by" in text
    assert "Measured on 120 tickets" in text


def test_different_tickets_give_no_sign_of_flattery() -> None:
    found = flattery(*tickets(120, 1))
    gain = found["group"]["flattery"]["chrf"]
    assert gain["low"] <= 0 <= gain["high"]
    assert "no sign that a random split flatters" in " ".join(sentences(found))


def test_the_time_split_looks_only_at_older_tickets() -> None:
    ids, prompts, answers, groups = tickets(30, 4)
    # Copies lie side by side in time, so the newest quarter has none of its own before it.
    dates = [86400.0 * group + 1.6e9 for group in groups]
    found = flattery(ids, prompts, answers, groups, dates)["time"]
    assert found["known"]["value"] == 0.0
    assert found["chrf"]["n"] == 32  # whole days after the cut
    assert found["flattery"]["chrf"]["value"] > 0.4
    shuffled = [dates[n * 37 % 120] for n in range(120)]
    assert flattery(ids, prompts, answers, groups, shuffled)["time"]["known"]["value"] > 0.8


def test_row_order_changes_nothing() -> None:
    ids, prompts, answers, groups = tickets(30, 2)
    order = np.random.default_rng(0).permutation(60)
    dates = [1e9 + 1000.0 * n for n in range(60)]
    moved = [[column[n] for n in order] for column in (ids, prompts, answers, groups, dates)]
    assert flattery(ids, prompts, answers, groups, dates) == flattery(*moved)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ((tickets(3, 2), ()), "only 6 tickets"),
        ((tickets(2, 20), ()), "near-duplicates form only 2 groups"),
        (([*tickets(60, 1)[:3], [0] * 40 + list(range(1, 21))], ()), "one group of near-duplicates holds 67 %"),
        ((tickets(30, 1), [None] * 30), "only 0 tickets have a date"),
        ((tickets(30, 1), [1e9] * 30), "all dates are the same"),
    ],
)
def test_what_cannot_be_measured_says_why(case, reason) -> None:  # type: ignore[no-untyped-def]
    columns, dates = case
    found = flattery(*columns, dates)
    assert reason in " ".join(sentences(found))
    assert reason in str(found)


def test_large_tables_are_sampled_by_whole_groups() -> None:
    ids, prompts, answers, groups = tickets(100, 3)
    found = flattery(ids, prompts, answers, groups, most=90)
    assert (found["tickets"], found["of"]) == (90, 300)
    # Copies stay together, so a random split still finds them.
    assert found["random"]["known"]["value"] > 0.8
    assert "Measured on 90 of 300 tickets" in " ".join(sentences(found))


def test_one_ticket_and_huge_ones_are_quick() -> None:
    assert "reason" in flattery(["a"], ["p"], ["q"], [0])
    began = time.perf_counter()
    long = ["x " * 100_000] * 24
    flattery([str(n) for n in range(24)], long, long, list(range(24)))
    assert time.perf_counter() - began < 20
    assert FOLDS == 4
