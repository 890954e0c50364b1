"""Column mapping: the names of every system, text against codes, and never a guess between two."""

import time
from typing import Any

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.columns import ColumnMap, find_column, map_columns, samples
from rca_dist.tickets.mapping.column_names import normalise_name

N = 30
TEXT = [f"restarted service number {i} on the mail cluster and cleared its queue" for i in range(N)]
OTHER = [f"the disk of node {i} was full after a failed log rotation" for i in range(N)]
DESC = [f"user {i} cannot open the mailbox since this morning, error shown" for i in range(N)]
CODES = ["Solved Remotely by the Service Desk" if i % 2 else "Done" for i in range(N)]
IDS = [f"INC{i:04d}" for i in range(N)]
DATES = [f"2024-03-{i % 28 + 1:02d} 10:00:00" for i in range(N)]


def mapped_with(columns: dict[str, list[str]], **chosen: Any) -> ColumnMap:
    return map_columns(columns, chosen)


def test_journals_are_marked_wherever_they_stand() -> None:
    mapped = mapped_with({"title": DESC, "Comment": OTHER, "work_notes": OTHER, "solution": TEXT}, answer="comment")
    assert (mapped.answers, mapped.journal) == (["Comment"], {"Comment", "work_notes"})


def test_slices_are_chosen_by_name_and_content_and_a_user_can_have_none() -> None:
    columns = {
        **{"title": DESC, "resolution": TEXT, "Category": ["a", "b", ""] * 10, "Priority": ["1"] * N},
        **{"Assignment group": [str(i) for i in range(N)], "Language": ["en", "fr", "", ""] * 7 + ["en", "fr"]},
        **{"Channel": ["x", "y"] * 15, "Service": [f"s{i % 50}" for i in range(N)]},
    }
    mapped = map_columns(columns)
    assert mapped.slices == ["Category", "Assignment group", "Language", "Channel", "Service"]
    assert mapped.slices_auto
    many = {name: cells * 2 for name, cells in columns.items()}
    many |= {"Assignment group": [str(i) for i in range(2 * N)], "Language": ["en", "fr", "", "", ""] * 12}
    assert map_columns(many).slices == ["Category", "Channel", "Service"]
    assert (mapped_with(columns, slices=[]).slices, mapped_with(columns, slices=[]).slices_auto) == ([], False)
    assert mapped_with(columns, slices="priority").slices == ["Priority"]
    all_kinds = dict.fromkeys(["category", "priority", "group", "language", "channel", "service", "type"], ["a", "b"] * 15)
    assert len(map_columns({"title": DESC, "resolution": TEXT, **all_kinds}).slices) == 6


def test_a_state_column_full_of_titles_is_no_state() -> None:
    assert map_columns({"title": DESC, "status": OTHER, "resolution": TEXT}).status is None
    mapped = mapped_with({"title": DESC, "status": CODES, "stage": CODES, "resolution": TEXT}, status="stage")
    assert mapped.status == "stage"


def test_a_problem_id_is_proposed_for_the_split() -> None:
    columns = {"title": DESC, "resolution": TEXT, "problem_id": ["PRB1", "PRB1", "PRB2", "", "PRB3"] * 6}
    notes = map_columns(columns).notes
    assert any("24 tickets share a 'problem_id'" in note and "--split.group_columns=['problem_id']" in note for note in notes)
    assert not any("share" in note for note in map_columns(columns, None, ["problem_id"]).notes)
    assert not any("share" in note for note in map_columns({**columns, "problem_id": IDS}).notes)


def test_dates_that_another_date_column_settles() -> None:
    columns = {"title": DESC, "resolution": TEXT, "opened": ["05/06/2024"] * N, "resolved": ["05/06/2024", "25/06/2024"] * 15}
    mapped = map_columns(columns)
    assert (mapped.created_at, mapped.resolved_at, mapped.updated_at) == ("opened", "resolved", "resolved")
    assert mapped.date_order == "day first"
    assert mapped_with(columns, resolved_at="opened", updated_at="resolved").resolved_at == "opened"


def test_a_description_of_ids_is_no_ticket_text() -> None:
    mapped = map_columns({"Short description": DESC, "Problem": [f"PRB{i:05d}" for i in range(N)], "close_notes": TEXT})
    assert mapped.prompt == ["Short description"]


def test_samples_are_clean_short_and_redacted() -> None:
    cells = ["", "UNKNOWN", "<p>Call <b>jane.roe@example.com</b></p>", "<p>Call <b>jane.roe@example.com</b></p>", "x " * 200]
    assert samples(cells) == ["Call <EMAIL>", ("x " * 40).strip() + "..."]
    assert samples(cells, most=1, width=4) == ["Call..."]
    assert samples(["n/a"] * 3) == []
    start = time.perf_counter()
    assert len(samples(["<" * 200_000, "&" * 200_000, "a@" * 100_000, " " * 200_000 + "x"], most=4)) == 4
    assert time.perf_counter() - start < 2


def test_two_text_columns_stop_and_are_listed_with_samples() -> None:
    columns = {"id": IDS, "title": DESC, "Resolution": TEXT, "Root Cause": OTHER}
    with pytest.raises(UserError) as error:
        map_columns(columns)
    for part in ("'Resolution'", "'Root Cause'", "--data.columns.answer=NAME", "restarted service", "the disk of node"):
        assert part in str(error.value)
    assert mapped_with(columns, answer="Root Cause").answer == "Root Cause"
    assert map_columns({"title": DESC, "Resolution": TEXT, "Solution": TEXT}).answer == "Resolution"


def test_a_code_column_is_passed_over_with_the_reason() -> None:
    mapped = map_columns({"title": DESC, "Resolution": CODES, "Workaround": TEXT})
    assert mapped.answer == "Workaround"
    assert any("'Resolution' is not taken" in note and "2 distinct values in 30 rows" in note for note in mapped.notes)


def test_only_a_code_column_is_an_error_that_proposes_a_text_column() -> None:
    with pytest.raises(UserError, match=r"'Resolution' does not fit: it looks like a status.*do hold text: 'What helped'"):
        map_columns({"title": DESC, "Resolution": CODES, "What helped": TEXT, "Stamp": DATES})
    assert mapped_with({"title": DESC, "Resolution": CODES}, answer="resolution").answer == "Resolution"


def test_no_answer_or_prompt_column_lists_what_there_is() -> None:
    with pytest.raises(UserError, match=r"--data.columns.answer=NAME.*'title', 'colour'"):
        map_columns({"title": DESC, "colour": CODES})
    with pytest.raises(UserError, match=r"--data.columns.prompt=NAME.*'work_notes', 'comments', 'close_notes'"):
        map_columns({"work_notes": OTHER, "comments": OTHER, "close_notes": TEXT})


def test_overrides_take_lists_and_commas_and_suggest_near_names() -> None:
    columns = {"a": DESC, "b": DESC, "c, d": TEXT, "close_notes": TEXT, "cat": CODES, "problem id": IDS}
    assert mapped_with(columns, prompt="b,a").prompt == ["b", "a"]
    assert mapped_with(columns, prompt=["a"], answer="c, d").answer == "c, d"
    mapped = map_columns(columns, {"prompt": "a", "slices": "cat", "group": "problem id"}, ["cat"])
    assert (mapped.slices, mapped.groups) == (["cat"], ["problem id", "cat"])
    with pytest.raises(UserError, match=r"answer=close_note: the file has no such column. Did you mean 'close_notes'\?"):
        mapped_with(columns, answer="close_note")
    with pytest.raises(UserError, match=r"data.columns.anwser: no such role; did you mean answer\?"):
        mapped_with(columns, anwser="a")
    with pytest.raises(UserError, match="both prompt and answer"):
        mapped_with(columns, prompt="a", answer="a")
    with pytest.raises(UserError, match="id: takes one column, got 2"):
        mapped_with(columns, prompt="a", id="cat,problem id")


def test_thread_roles_are_left_to_whoever_pairs_the_posts() -> None:
    columns = {"title": DESC, "answer": TEXT}
    assert mapped_with(columns, parent="gone", role="gone too", accepted="also gone").answer == "answer"


def test_named_columns_are_found_in_any_spelling_and_doubt_is_an_error() -> None:
    columns = {
        **{"Titre": DESC, "root cause.details": TEXT, "root cause.labels": CODES, "Cl\u00f4ture": OTHER},
        **{"Custom field (What we did)": OTHER, "incident.group": CODES, "Comment": OTHER, "Comment.1": OTHER},
        **{"my-id": IDS, "my id": IDS},
    }
    for wanted, found in (
        ('"root cause.details"', "root cause.details"),
        ("ROOT_CAUSE/details", "root cause.details"),
        ("cloture", "Cl\u00f4ture"),
        ("what we did", "Custom field (What we did)"),
        ("group", "incident.group"),
        ("comment", "Comment"),
    ):
        assert find_column(columns, wanted, "data.columns.x") == found
    with pytest.raises(UserError, match=r"It is made of 'root cause.details', 'root cause.labels'; name one"):
        find_column(columns, "root cause", "data.columns.answer")
    with pytest.raises(UserError, match="x=MY_ID: 2 columns have this name: 'my-id', 'my id'"):
        find_column(columns, "MY_ID", "x")


def test_a_hostile_header_takes_no_time() -> None:
    long = "a" + " " * 200_000 + "b[" + "x" * 200_000
    columns = {long: CODES, "(" * 200_000: CODES, **{f"c{i}": ["x"] for i in range(3000)}, "title": DESC, "resolution": TEXT}
    start = time.perf_counter()
    assert len(normalise_name(long)) <= 200
    with pytest.raises(UserError, match="no such column"):
        mapped_with(columns, id="z" * 200_000)
    assert time.perf_counter() - start < 5


def test_journals_in_the_prompt_only_on_request_and_with_a_warning() -> None:
    mapped = mapped_with({"title": DESC, "work_notes": OTHER, "close_notes": TEXT}, prompt="title,work_notes")
    assert any("'work_notes' is a journal" in warning for warning in mapped.warnings)


def test_oracle_columns_are_recognised_and_never_the_answer() -> None:
    columns = {"title": DESC, "oracle_answer": TEXT, "oracle_nll": ["1.5"] * N}
    with pytest.raises(UserError, match="no column looks like the answer"):
        map_columns(columns)
    mapped = map_columns({**columns, "resolution": OTHER})
    assert (mapped.answer, mapped.oracle_nll, mapped.oracle_answer) == ("resolution", "oracle_nll", "oracle_answer")
    assert map_columns({**columns, "resolution": OTHER, "oracle_nll": ["x"] * N}).oracle_nll is None


def test_an_id_column_that_repeats_is_not_taken() -> None:
    mapped = map_columns({"id": ["1"] * N, "title": DESC, "resolution": TEXT})
    assert mapped.id is None
    assert any("'id' is not taken" in note for note in mapped.notes)
