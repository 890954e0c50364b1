"""Splits: sizes, folds, dates, sides given by the file, and what is said about them."""

import datetime as dt
from collections import Counter

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.split import SIDES, is_templated, make_split

IDS = [f"INC{i:05d}" for i in range(1000)]
LABELS = [i // 3 for i in range(1000)]


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
    large = make_split(IDS, LABELS, kind=kind, folds=2, validation_size=0.2)
    assert 160 <= large.sides.count("validation") <= 240


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
    with pytest.raises(UserError, match="no ticket is left for test"):
        make_split(list("ab"), [0, 1], kind="file", sides=["train", "dev"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "groups"}, "split.kind='groups'"),
        ({"test_size": 0.0}, "split.test_size=0.0"),
        ({"test_size": 0.5, "validation_size": 0.5}, "nothing is left to train on"),
        ({"folds": 1}, "take 2 or more folds"),
        ({"folds": 5, "fold": 5}, "a fold from 0"),
        ({"folds": 5, "kind": "time"}, "a ticket has no date"),
    ],
)
def test_settings_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_split(IDS, LABELS, **options)  # type: ignore[arg-type]


def test_a_given_split_without_validation_takes_it_from_train_by_group() -> None:
    sides = ["test" if i % 5 == 0 else "train" for i in range(1000)]
    split = make_split(IDS, LABELS, kind="file", sides=sides)
    assert all(new == old or (old, new) == ("train", "validation") for old, new in zip(sides, split.sides, strict=True))
    assert 60 <= split.sides.count("validation") <= 140
    of_group = {
        label: {s for s, mine in zip(split.sides, LABELS, strict=True) if mine == label and s != "test"} for label in LABELS
    }
    assert all(len(found) <= 1 for found in of_group.values())
    assert "no validation side" in split.facts["notes"][-1]
    with pytest.raises(UserError, match="no ticket is left for validation"):
        make_split(list("ab"), [0, 1], kind="file", sides=["train", "test"])


def test_folds_given_in_the_file() -> None:
    words = [str(i % 4 + 1) for i in range(1000)]
    split = make_split(IDS, LABELS, kind="file", folds=4, fold=2, file_folds=words)
    assert split.folds == [i % 4 for i in range(1000)]
    assert [side == "test" for side in split.sides] == [number == 2 for number in split.folds]
    assert make_split(IDS, LABELS, kind="file", folds=4, fold=2, file_folds=[i % 4 for i in range(1000)]).sides == split.sides
    with pytest.raises(UserError, match="the folds found are 0, 1; give 0 to 3"):
        make_split(IDS, LABELS, kind="file", folds=4, file_folds=[i % 2 for i in range(1000)])
    with pytest.raises(UserError, match="ticket 1 has 'blue' as its fold"):
        make_split(IDS, LABELS, kind="file", folds=4, file_folds=["blue"] * 1000)


def test_time_folds_train_only_on_what_came_before() -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dates = [start + dt.timedelta(hours=(i * 37) % 1000) for i in range(1000)]
    tested: Counter[int] = Counter()
    for fold in range(4):
        split = make_split(IDS, LABELS, kind="time", dates=dates, folds=4, fold=fold)
        by_side = {side: [d for d, s in zip(dates, split.sides, strict=True) if s == side] for side in (*SIDES, "unused")}
        assert max(by_side["train"]) < min(by_side["validation"]) <= max(by_side["validation"]) < min(by_side["test"])
        assert all(date > max(by_side["test"]) for date in by_side["unused"])
        assert len(by_side["test"]) == 200 and split.facts.get("unused", 0) == 600 - 200 * fold
        assert [side == "test" for side in split.sides] == [number == fold for number in split.folds]
        tested.update(i for i, side in enumerate(split.sides) if side == "test")
    assert set(tested.values()) == {1}
    assert {i for i in range(1000) if i not in tested} == {i for i, date in enumerate(dates) if date in sorted(dates)[:200]}
    with pytest.raises(UserError, match="too many tickets share one date"):
        make_split(IDS, LABELS, kind="time", dates=[start] * 1000, folds=4)


def test_near_duplicates_across_a_time_split_are_counted() -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dates = [start + dt.timedelta(hours=i) for i in range(300)]
    labels = [0 if i in (5, 290, 295) else i + 1 for i in range(300)]
    split = make_split(IDS[:300], labels, kind="time", dates=dates)
    assert split.facts["test_share_with_near_duplicate_in_train"] == round(2 / 30, 4)
    assert split.warnings[0].startswith("2 of 30 test tickets (7 %) have a near-duplicate in train (time split)")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "set split.test_size=0.38, or read the mean over all folds (split.folds=5)"),
        ({"folds": 5}, "read the mean over all folds"),
        ({"kind": "file", "sides": ["train"] * 40 + ["validation"] * 10 + ["test"] * 10}, "give more test tickets"),
    ],
)
def test_a_small_test_side_is_said_and_not_changed(options: dict[str, object], told: str) -> None:
    split = make_split([f"t{i:03d}" for i in range(60)], list(range(60)), **options)  # type: ignore[arg-type]
    (warning,) = split.warnings
    assert warning.startswith(f"the test side holds only {split.sides.count('test')} tickets") and told in warning
    assert make_split(IDS, LABELS).warnings == []


def test_the_split_says_what_was_really_done() -> None:
    split = make_split(IDS, LABELS)
    sizes = Counter(split.sides)
    counts = f"train {sizes['train']}, validation {sizes['validation']}, test {sizes['test']}"
    assert (split.facts["used"], split.facts["sentence"]) == ("group", f"split by near-duplicate group: {counts}")
    templated = make_split(IDS, [0] * 1000)
    assert templated.facts["used"] == "random"
    assert templated.facts["sentence"].startswith("random split by ticket (templated data): train ")
    assert "group" not in templated.facts["sentence"]
    dates = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(1000)]
    later = make_split(IDS, LABELS, kind="time", dates=dates, folds=3, fold=1).facts["sentence"]
    assert "fold 1 (0 to 2) as test side" in later and "not used 250" in later and "test from 2024-01-21" in later


def test_a_group_is_named_by_its_oldest_id() -> None:
    ids = [f"NET-{i}" for i in range(600, 1000)]
    before = make_split(ids, [i // 2 for i in range(400)], seed=1)
    more = make_split([*ids, *(f"NET-{i}" for i in range(1000, 1200))], [*(i // 2 for i in range(400)), *range(200)], seed=1)
    assert more.facts["notes"] == [] and more.sides[:400] == before.sides


def test_many_tickets_on_the_date_of_the_cut_are_said() -> None:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    dates = [start + dt.timedelta(days=min(i // 10, 70)) for i in range(1000)]
    split = make_split(IDS, LABELS, kind="time", dates=dates)
    assert split.sides.count("test") == 300
    assert "the test side holds 30% of tickets" in split.facts["notes"][-1]


def test_a_small_file_is_no_templated_data() -> None:
    for labels in ([0, 1, 2], [0], [0, 0, 1, 2], [0, 0, 1]):
        assert not is_templated(labels), labels
    assert is_templated([0, 0, 0, 1, 2, 3])
    three = make_split(["a", "b", "c"], [0, 1, 2])
    assert three.facts["templated"] is False and three.facts["used"] == "group"
    assert any("holds only 1 ticket, so" in warning for warning in three.warnings)
    assert three.facts["notes"] == []


@pytest.mark.parametrize("total", [40, 47, 60, 90, 120, 190])
@pytest.mark.parametrize("kind", ["group", "random", "time"])
def test_the_advised_share_warns_no_more(total: int, kind: str) -> None:
    ids, labels = [f"t{i:03d}" for i in range(total)], [i // 2 for i in range(total)]
    dates = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i) for i in range(total)]
    for seed in range(4):
        said = [text for text in make_split(ids, labels, kind=kind, dates=dates, seed=seed).warnings if "holds only" in text]
        for text in said:
            assert "split.folds=5" in text
            if "test_size=" in text:
                share = float(text.partition("test_size=")[2].partition(",")[0])
                again = make_split(ids, labels, kind=kind, dates=dates, seed=seed, test_size=share)
                assert again.sides.count("test") >= 20 and again.sides.count("train") >= 0.25 * total
        if total >= 60 and kind == "time":
            assert all("set split.test_size=" in text for text in said)


def test_few_tickets_get_no_advice_to_give_half_of_them_away() -> None:
    for total in (12, 39, 49):
        (warning,) = make_split([f"t{i}" for i in range(total)], list(range(total))).warnings
        assert "test_size" not in warning and "split.folds=5" in warning and "export more tickets" in warning


def test_a_dealt_split_is_said_in_plain_words() -> None:
    notes = [
        note
        for seed in range(20)
        for note in make_split([f"a{i}" for i in range(24)], list(range(24)), seed=seed).facts["notes"]
    ]
    assert notes and all("hash" not in note and "some old ones may change sides" in note for note in notes)
