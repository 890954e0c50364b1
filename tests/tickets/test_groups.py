"""Near-duplicate groups: the same as by brute force, whatever the script, the size of a bucket and the order of rows."""

import random

import pytest

from rca_dist.tickets.groups import bands_for, near_duplicate_groups
from rca_dist.tickets.splitting.shingles import tokens
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


def form_letters(count: int, changes: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        text = [f"w{i}" for i in range(60)]
        for _ in range(changes):
            text[rng.randrange(60)] = f"x{rng.random()}"
        texts.append(" ".join(text))
    return texts


LETTERS = form_letters(400, 3, seed=7)
LETTER_IDS = [f"{i:03d}" for i in range(400)]


@pytest.fixture(scope="module")
def true_groups() -> set[frozenset[int]]:
    found = brute_force([LETTERS], 0.7)
    assert 300 < len(found) < 350
    return found


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Buckets of more than ten texts count as large, and of those only the fewest pairs are compared."""
    monkeypatch.setattr("rca_dist.tickets.groups._LARGE", 10)
    monkeypatch.setattr("rca_dist.tickets.groups._PAIRS_IN_ALL", 0)
    return monkeypatch


def test_a_file_of_form_letters_is_compared_whole(true_groups: set[frozenset[int]], small_buckets: pytest.MonkeyPatch) -> None:
    small_buckets.setattr("rca_dist.tickets.groups._FEWEST_NEIGHBOURS", 0)
    found = near_duplicate_groups(LETTER_IDS, [LETTERS])
    assert partition(found.labels) == true_groups
    assert found.capped_buckets == 0


def test_large_buckets_are_compared_by_neighbours_and_counted(
    true_groups: set[frozenset[int]], small_buckets: pytest.MonkeyPatch
) -> None:
    small_buckets.setattr("rca_dist.tickets.groups._ALL_PAIRS_UP_TO", 0)
    found = near_duplicate_groups(LETTER_IDS, [LETTERS])
    groups = partition(found.labels)
    assert all(any(group <= whole for whole in true_groups) for group in groups)
    assert len(groups) <= len(true_groups) + 2
    assert found.capped_buckets > 0


def test_large_buckets_do_not_depend_on_row_order(small_buckets: pytest.MonkeyPatch) -> None:
    small_buckets.setattr("rca_dist.tickets.groups._ALL_PAIRS_UP_TO", 0)
    small_buckets.setattr("rca_dist.tickets.groups._FEWEST_NEIGHBOURS", 1)
    small_buckets.setattr("rca_dist.tickets.groups._SORTED_BY", 1)
    order = random.Random(1).sample(range(400), 400)
    found = near_duplicate_groups(LETTER_IDS, [LETTERS])
    turned = near_duplicate_groups([LETTER_IDS[i] for i in order], [[LETTERS[i] for i in order]])
    assert found.capped_buckets > 0 and [found.labels[i] for i in order] == turned.labels


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("\u4eca\u671d\u304b\u3089\u30d7\u30ea\u30f3\u30bf\u30fc\u304c\u52d5\u4f5c\u3057\u307e\u305b\u3093\u3002\u78ba\u8a8d\u3057\u3066\u304f\u3060\u3055\u3044", "\u4eca\u671d\u304b\u3089\u30d7\u30ea\u30f3\u30bf\u30fc\u304c\u52d5\u4f5c\u3057\u307e\u305b\u3093\u3002\u78ba\u8a8d\u3057\u3066\u4e0b\u3055\u3044", "\u5171\u6709\u30d5\u30a9\u30eb\u30c0\u30fc\u3092\u958b\u304f\u3053\u3068\u304c\u3067\u304d\u307e\u305b\u3093"),
        ("\u6253\u5370\u673a\u4ece\u4eca\u5929\u65e9\u4e0a\u5f00\u59cb\u65e0\u6cd5\u5de5\u4f5c\u8bf7\u5c3d\u5feb\u5904\u7406", "\u6253\u5370\u673a\u4ece\u4eca\u5929\u65e9\u4e0a\u5f00\u59cb\u65e0\u6cd5\u5de5\u4f5c\u8bf7\u5c3d\u5feb\u5e2e\u5fd9", "\u6211\u65e0\u6cd5\u6253\u5f00\u5171\u4eab\u6587\u4ef6\u5939"),
        ("\u0e40\u0e04\u0e23\u0e37\u0e48\u0e2d\u0e07\u0e1e\u0e34\u0e21\u0e1e\u0e4c\u0e44\u0e21\u0e48\u0e17\u0e33\u0e07\u0e32\u0e19\u0e15\u0e31\u0e49\u0e07\u0e41\u0e15\u0e48\u0e40\u0e0a\u0e49\u0e32", "\u0e40\u0e04\u0e23\u0e37\u0e48\u0e2d\u0e07\u0e1e\u0e34\u0e21\u0e1e\u0e4c\u0e44\u0e21\u0e48\u0e17\u0e33\u0e07\u0e32\u0e19\u0e15\u0e31\u0e49\u0e07\u0e41\u0e15\u0e48\u0e40\u0e0a\u0e49\u0e32\u0e19\u0e35\u0e49", "\u0e40\u0e1b\u0e34\u0e14\u0e42\u0e1f\u0e25\u0e40\u0e14\u0e2d\u0e23\u0e4c\u0e44\u0e21\u0e48\u0e44\u0e14\u0e49"),
    ],
)  # fmt: skip
def test_scripts_without_spaces_compare_by_characters(one: str, other: str, far: str) -> None:
    assert near_duplicate_groups(["a", "b", "c"], [[one, other, far]]).labels == [0, 0, 1]


def test_tokens() -> None:
    assert tokens("VPN \u63a5\u7d9a NG-2!") == ["vpn", "\u63a5", "\u7d9a", "ng", "2"]
    assert tokens("cafe\u0301 ferm\u00e9") == ["caf\u00e9", "ferm\u00e9"]
    assert tokens("\ud504\ub9b0\ud130 \uc624\ub958") == ["\ud504\ub9b0\ud130", "\uc624\ub958"]
    assert tokens(" ??? ") == ["???"] and tokens(" \n") == []


def test_missing_values_of_a_key_join_nothing() -> None:
    texts = ["alpha one", "beta two", "gamma three", "delta four"]
    assert near_duplicate_groups(list("abcd"), [texts], keys=[["N/A", "N/A", "-", "-"]]).labels == [0, 1, 2, 3]
    assert near_duplicate_groups(list("abcd"), [texts], keys=[["P1", "P2", "", ""], ["", "Q", "", "Q"]]).labels == [0, 1, 2, 1]


def test_no_tickets_and_hostile_texts() -> None:
    assert near_duplicate_groups([], [[], []]).labels == []
    assert near_duplicate_groups(["a"], [["one"]]).labels == [0]
    texts = ["x" * 200_000, "a " * 100_000, "\u4e00" * 200_000, "\ud800 lone", "!" * 200_000, "\u0301" * 200_000]
    assert sorted(near_duplicate_groups(list("abcdef"), [texts]).labels) == [0, 1, 2, 3, 4, 5]
