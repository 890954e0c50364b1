"""Groups and splits: exact against brute force, no group on two sides, independent of row order."""

import datetime as dt
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_dist.errors import UserError
from rca_dist.tickets.groups import bands_for, near_duplicate_groups
from rca_dist.tickets.split import SIDES, is_templated, make_split
from rca_dist.tickets.words import words


def shingles(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    size = min(3, len(found))
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}


def partition(labels: list[int]) -> set[frozenset[int]]:
    return {frozenset(i for i, other in enumerate(labels) if other == label) for label in labels}


def brute_force(columns: list[list[str]], similarity: float) -> set[frozenset[int]]:
    parent = list(range(len(columns[0])))
    for column in columns:
        sets = [shingles(text) for text in column]
        for i in range(len(sets)):
            for j in range(i):
                if len(sets[i] & sets[j]) >= similarity * len(sets[i] | sets[j]) - 1e-9:
                    old, new = parent[i], parent[j]
                    parent = [new if label == old else label for label in parent]
    return partition(parent)


def near_copies(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    bases = [[f"w{rng.randrange(400)}" for _ in range(rng.choice([2, 12, 40]))] for _ in range(count // 4)]
    texts = []
    for _ in range(count):
        text = list(rng.choice(bases))
        for _ in range(rng.randrange(4)):
            text[rng.randrange(len(text))] = f"w{rng.randrange(400)}"
        texts.append(" ".join(text))
    return texts


@pytest.mark.parametrize("similarity", [0.5, 0.7, 1.0])
def test_groups_equal_brute_force(similarity: float) -> None:
    columns = [near_copies(160, 1), near_copies(160, 2)]
    ids = [f"id{i}" for i in range(160)]
    for used in (columns[:1], columns):
        found = near_duplicate_groups(ids, used, similarity)
        assert partition(found.labels) == brute_force(used, similarity)
    assert 1 < len(brute_force(columns[:1], similarity)) < 160


def test_keys_join_and_the_shortest_texts_compare_too() -> None:
    ids = list("abcdef")
    texts = ["vpn ko", "VPN KO!", "vpn", "mail down", "", ""]
    assert near_duplicate_groups(ids, [texts]).labels == [0, 0, 1, 2, 3, 4]
    assert near_duplicate_groups(ids, [texts], keys=[["", "", "P1", "P1 ", "P2", ""]]).labels == [0, 0, 1, 1, 2, 3]


def test_bands_find_a_pair_at_the_threshold() -> None:
    for similarity in (0.3, 0.5, 0.7, 0.9, 1.0):
        bands, rows = bands_for(similarity)
        assert bands * rows <= 128
        assert 1 - (1 - similarity**rows) ** bands >= 0.99


def test_a_bucket_too_large_to_compare_is_still_joined_and_counted() -> None:
    rng = random.Random(3)
    base = [f"w{i}" for i in range(60)]
    texts = [" ".join([*base, f"x{rng.random()}"]) for _ in range(400)]
    found = near_duplicate_groups([f"{i:03d}" for i in range(400)], [texts])
    assert found.sizes() == [400]
    assert found.capped_buckets > 0


IDS = [f"INC{i:05d}" for i in range(1000)]
LABELS = [i // 3 for i in range(1000)]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=25, max_size=120),
    seed=st.integers(0, 5),
    kind=st.sampled_from(["group", "random"]),
    folds=st.sampled_from([0, 0, 3, 5]),
    data=st.data(),
)
def test_no_group_on_two_sides_and_row_order_does_not_matter(
    sizes: list[int], seed: int, kind: str, folds: int, data: st.DataObject
) -> None:
    labels = [group for group, size in enumerate(sizes) for _ in range(size)]
    ids = [f"t{(i * 7919) % 100_003}" for i in range(len(labels))]
    fold = data.draw(st.integers(0, folds - 1)) if folds else 0
    order = data.draw(st.permutations(range(len(ids))))
    split = make_split(ids, labels, kind=kind, seed=seed, folds=folds, fold=fold)
    turned = make_split([ids[i] for i in order], [labels[i] for i in order], kind=kind, seed=seed, folds=folds, fold=fold)
    assert [split.sides[i] for i in order] == turned.sides
    assert [split.folds[i] for i in order] == turned.folds
    assert set(split.sides) == set(SIDES)
    if kind == "group" and not split.facts["templated"]:
        assert all(len({split.sides[i] for i in range(len(ids)) if labels[i] == label}) == 1 for label in set(labels))


def test_adding_tickets_moves_no_old_one() -> None:
    before = make_split(IDS, LABELS, seed=4)
    more = make_split([*IDS, *(f"NEW{i}" for i in range(300))], [*LABELS, *range(1000, 1300)], seed=4)
    assert more.sides[:1000] == before.sides
    assert before.facts["notes"] == []
    counts = Counter(before.sides)
    assert 60 <= counts["test"] <= 140
    assert make_split(IDS, LABELS, seed=5).sides != before.sides


@pytest.mark.parametrize("kind", ["group", "random"])
def test_folds_cover_every_ticket_once_as_test(kind: str) -> None:
    splits = [make_split(IDS, LABELS, kind=kind, folds=4, fold=fold) for fold in range(4)]
    assert all(split.folds == splits[0].folds for split in splits)
    for row in range(1000):
        assert [split.sides[row] for split in splits].count("test") == 1
        assert splits[splits[0].folds[row]].sides[row] == "test"


def test_a_side_that_misses_its_size_is_dealt_and_said() -> None:
    ids, dealt = [f"a{i}" for i in range(24)], 0
    for seed in range(20):
        split = make_split(ids, list(range(24)), seed=seed)
        dealt += bool(split.facts["notes"])
        assert 1 <= split.sides.count("test") <= 4
        assert 1 <= split.sides.count("validation") <= 4
    assert dealt > 0


def test_templated_data_is_split_by_ticket_and_said() -> None:
    labels = [0] * 40 + list(range(1, 61))
    ids = [f"t{i}" for i in range(100)]
    assert is_templated(labels)
    assert is_templated([i % 19 for i in range(100)])
    assert not is_templated([i % 20 for i in range(100)])
    assert not is_templated(list(range(12)))
    split = make_split(ids, labels)
    assert split.sides == make_split(ids, list(range(100)), kind="random").sides
    assert split.facts["templated"] is True
    assert "no evidence" in split.warnings[0]
    assert split.facts["test_share_with_near_duplicate_in_train"] > 0


def test_time_split_trains_on_the_past() -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dates = [start + dt.timedelta(days=(i * 37) % 100) for i in range(100)]
    split = make_split([f"t{i}" for i in range(100)], list(range(100)), kind="time", dates=dates)
    latest = {side: max(d for d, s in zip(dates, split.sides, strict=True) if s == side) for side in SIDES}
    earliest = {side: min(d for d, s in zip(dates, split.sides, strict=True) if s == side) for side in SIDES}
    assert latest["train"] < earliest["validation"] <= latest["validation"] < earliest["test"]
    assert split.facts["cut"]["test"] == earliest["test"].isoformat()
    assert Counter(split.sides) == {"train": 80, "validation": 10, "test": 10}
    with pytest.raises(UserError, match="no ticket is left for train and validation"):
        make_split(["a", "b", "c"], [0, 1, 2], kind="time", dates=[start] * 3)


def test_split_given_in_the_file() -> None:
    split = make_split(list("abcd"), [0, 1, 2, 3], kind="file", sides=["Train", "dev", "TEST ", "training"])
    assert split.sides == ["train", "validation", "test", "train"]
    with pytest.raises(UserError, match="ticket 2 has 'tomorrow' as its side"):
        make_split(list("ab"), [0, 1], kind="file", sides=["train", "tomorrow"])
    with pytest.raises(UserError, match="no ticket is left for validation"):
        make_split(list("ab"), [0, 1], kind="file", sides=["train", "test"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "groups"}, "split.kind='groups'"),
        ({"test_size": 0.0}, "split.test_size=0.0"),
        ({"test_size": 0.5, "validation_size": 0.5}, "nothing is left to train on"),
        ({"folds": 1}, "take 2 or more folds"),
        ({"folds": 5, "fold": 5}, "a fold from 0"),
        ({"folds": 5, "kind": "time"}, "goes with split.kind=group or random"),
    ],
)
def test_settings_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_split(IDS, LABELS, **options)  # type: ignore[arg-type]
