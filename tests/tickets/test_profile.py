"""Figures of prepared tickets: each against a case counted by hand."""

import json
from typing import Any

import pandas
import pytest

from rca_dist.tickets.describe import describe
from rca_dist.tickets.profile import group_sizes, percentiles, profile, repeated, timeline
from rca_dist.tickets.redact import Redactor


def frame(prompts: list[str], answers: list[str], **columns: list[Any]) -> pandas.DataFrame:
    count = len(prompts)
    dates = columns.pop("created_at", [None] * count)
    base: dict[str, list[Any]] = {
        "id": [f"T{n}" for n in range(count)], "prompt": prompts, "answer": answers, "language": ["en"] * count,
        "group": list(range(count)), "split": ["train"] * count, "fold": [-1] * count,
    }  # fmt: skip
    return pandas.DataFrame(base | columns).assign(created_at=pandas.Series(pandas.to_datetime(dates, utc=True)))


def test_percentiles_are_nearest_ranks() -> None:
    assert percentiles(list(range(1, 101))) == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert percentiles([7]) == {"p50": 7, "p90": 7, "p99": 7, "max": 7}
    assert percentiles([]) == {}


def test_lengths_count_words_and_characters_and_fill_the_histogram() -> None:
    found = profile(frame(["one two", "one two three four five", "x " * 2000], ["a b", "a b", "a b"]))["lengths"]
    assert found["prompt"]["words"] == {"p50": 5, "p90": 2000, "p99": 2000, "max": 2000}
    assert found["answer"]["characters"]["max"] == 3
    histogram = dict(found["prompt"]["histogram"])
    assert (histogram["0-4"], histogram["5-9"], histogram["1280+"], sum(histogram.values())) == (1, 1, 1, 3)


def test_repeated_answers_ignore_case_and_spaces_and_are_redacted() -> None:
    answers = ["Call jane@example.com", "call  JANE@example.com", "Other fix", "Third fix", "third fix", "THIRD FIX"]
    found = repeated(answers, Redactor())
    assert [(entry["text"], entry["count"], entry["share"]) for entry in found] == [
        ("THIRD FIX", 3, 0.5),
        ("Call <EMAIL>", 2, 0.3333),
    ]
    assert found == repeated(answers[::-1], Redactor())


@pytest.mark.parametrize(
    ("days", "unit", "count"),
    [(["2024-01-01", "2024-01-03"], "day", 3), (["2024-01-01", "2024-03-01"], "week", 9),
     (["2023-11-30", "2024-12-01"], "month", 14), (["1999-05-01", "2024-05-01"], "year", 26)],
)  # fmt: skip
def test_the_timeline_has_a_readable_unit_and_no_gaps(days: list[str], unit: str, count: int) -> None:
    found = timeline(pandas.Series(pandas.to_datetime([*days, None], utc=True)))
    assert (found["unit"], len(found["points"]), found["undated"]) == (unit, count, 1)
    assert sum(number for _, number in found["points"]) == 2
    assert (found["first"], found["last"]) == tuple(days)


def test_slices_show_the_largest_values_and_count_the_rest() -> None:
    cells = [f"v{n}" for n in range(12)] + ["v3"] * 5 + ["mail bob@example.com"]
    found = profile(frame(["p"] * 18, ["a"] * 18, slice_team=cells))["slices"]["team"]
    assert found["values"][0] == ["v3", 6]
    assert found["values"][1] == ["mail <EMAIL>", 1]
    assert (found["distinct"], found["others"], len(found["values"])) == (13, 5, 8)


def test_group_sizes_are_counted_in_groups_and_tickets() -> None:
    found = group_sizes([0, 1, 1, 2, 2, 2, *[3] * 30])
    assert found["sizes"] == [
        {"size": "1", "groups": 1, "tickets": 1},
        {"size": "2", "groups": 1, "tickets": 2},
        {"size": "3-5", "groups": 1, "tickets": 3},
        {"size": "21-100", "groups": 1, "tickets": 30},
    ]
    assert (found["groups"], found["largest"], found["share_in_groups"]) == (4, 30, round(35 / 36, 4))


def test_what_max_length_cuts_is_an_estimate_that_says_so() -> None:
    found = profile(frame(["w " * 50, "w " * 5], ["a " * 40, "a " * 5]), max_length=100)["cut"]
    assert (found["tickets"], found["share"], found["tokens"]["max"]) == (1, 0.5, 117)
    assert "1.3 tokens a word" in found["approximate"]


def test_samples_pair_what_was_read_with_what_is_used_and_hold_no_personal_data() -> None:
    table = frame(["mail ann@example.com now", "q"], ["fixed for ann@example.com", "b"])
    raw = [{"id": "T0", "prompt": "<p>mail", "answer": "fixed"}, {"id": "gone", "prompt": "x", "answer": "x"}]
    found = profile(table, raw)
    assert found["samples"] == [{
        "id": "T0", "before": {"prompt": "<p>mail", "answer": "fixed"},
        "after": {"prompt": "mail <EMAIL> now", "answer": "fixed for <EMAIL>"},
    }]  # fmt: skip
    assert "@" not in json.dumps(found)
    assert [sample["id"] for sample in profile(table)["samples"]] == ["T0", "T1"]


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_ticket_and_none_have_a_profile(count: int) -> None:
    table = frame(["p q r"] * count, ["a b"] * count, created_at=["2024-01-05"] * count)
    found = json.loads(json.dumps(profile(table, max_length=1024)))
    assert found["tickets"] == count
    assert found["timeline"]["points"] == ([["2024-01-05", 1]] if count else [])


FACTS: dict[str, Any] = {
    "file": "t.csv", "encoding": "cp1252", "accented_words": ["pi\u00e8ce"],
    "rows": {"in": 30, "kept": 20, "dropped": {"answer under 2 words": 3, "empty answer": 7}},
    "columns": {"prompt": {"columns": ["title"], "samples": {"title": ["first", "second", "third"]}},
                "answer": {"columns": ["notes"], "samples": {}}, "not_used": ["x"]},
    "cleaned": {"HTML": 4}, "redaction": {"on": True, "counts": {"EMAIL": 2, "IP": 5}}, "languages": {"en": 18, "und": 2},
    "duplicates": {"similarity": 0.7, "groups": 15, "largest_group": 3, "share_in_groups": 0.4, "capped_buckets": 1},
    "split": {"kind": "group", "used": "random", "sizes": {"train": 16, "validation": 2, "test": 2}, "notes": ["a note"]},
    "warnings": ["mind this"], "notes": [],
}  # fmt: skip


def test_the_page_says_the_important_things_first_and_in_plain_words() -> None:
    page = describe(FACTS)
    order = ["20 usable tickets", "Left out: 10 rows", "empty answer", "answer under", "prompt: title", "5 IP", "mind this",
             "random", "languages"]  # fmt: skip
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "'first'" in page and "'second'" in page and "'third'" not in page
    assert "--data.columns.answer=NAME" in page
    assert "--data.min_answer_words=1 keeps them" in page
    assert "created_at: none found" in page
    assert "und: too short to tell" in page
    # One sentence on the split, never "group" beside "random"; no word from inside the program.
    assert "tickets are dealt at random: train 16, validation 2, test 2" in page
    assert "stay on one side" not in page
    assert "capped" not in page and "fingerprint" not in page
    assert max(len(line) for line in page.splitlines()) <= 110


def test_a_sentence_of_the_split_and_a_missing_split_are_shown() -> None:
    assert "the very sentence" in describe({**FACTS, "split": {**FACTS["split"], "sentence": "the very sentence"}})
    assert "No split: too few tickets" in describe({**FACTS, "split": {"problem": "too few tickets", "sizes": {}}})
    alone = {**FACTS["duplicates"], "largest_group": 1, "share_in_groups": 0.0}
    assert "no ticket has one" in describe({**FACTS, "duplicates": alone})
    off = describe({**FACTS, "redaction": {"on": False, "counts": {}}})
    assert "REDACTION IS OFF" in off
