"""Journal columns: entries, their order, the cut at the resolution, and the answer that a journal holds."""

import datetime as dt

import pytest

from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.cleaning.journal_entries import Entry, date_order_of, entries

NEWEST_FIRST = (
    "2024-03-05 12:00:00 - Paul Doe (Work notes)\nCleared the spool folder and restarted the service.\n\n"
    "2024-03-05 11:00:00 - Jane Roe (Additional comments)\nStill the same.\nSecond line.\n\n"
    "2024-03-05 10:20:30 - Jane Roe (Additional comments)\nThe printer does not print."
)


def at(hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(2024, 3, 5, hour, minute, second, tzinfo=dt.UTC)


def test_servicenow_entries_come_oldest_first_with_all_their_parts() -> None:
    found = entries(NEWEST_FIRST)
    assert [entry.time for entry in found] == [at(10, 20, 30), at(11), at(12)]
    assert found[1] == Entry(at(11), "Jane Roe", "Additional comments", "Still the same.\nSecond line.")


@pytest.mark.parametrize(
    ("header", "author"),
    [
        ("2024-03-05 10:20:00 - Jane Roe (Work notes)\n", "Jane Roe"),
        ("2024-03-05 10:20:00 - Jane Roe (Externe) (Notes de travail)\n", "Jane Roe (Externe)"),
        ("05-03-2024 10:20:00 - Jane Roe (Arbeitsnotizen)\n", "Jane Roe"),
        ("05/03/2024 10:20:00 - Jane Roe (Commentaires supplémentaires)\n", "Jane Roe"),
        ("05.03.2024 10:20:00 - Jane Roe (Zusätzliche Kommentare)\n", "Jane Roe"),
        ("03/05/2024 10:20:00 AM - Jane Roe (Work notes)\n", "Jane Roe"),
        ("05/Mar/24 10:20 AM;jroe;", "jroe"),
        ("05/Mar/24 10:20 AM;557058:ab-12;", "557058:ab-12"),
        ("2024-03-05 10:20;jroe;", "jroe"),
        ("Jane Roe, Mar 5, 2024, 10:20\n\n", "Jane Roe"),
        ("----------------------------------------------\n\nJane Roe, Mar 05, 2024 10:20:\n\n", "Jane Roe"),
        ("[05-03-2024 10:20] Jane Roe :\n", "Jane Roe"),
        ("05-03-2024 10:20 - Jane Roe\n", "Jane Roe"),
        ("2024-03-05 10:20 par Jane Roe\n", "Jane Roe"),
        ("Jane Roe (05-03-2024 10:20) :\n", "Jane Roe"),
    ],
)
def test_headers_of_many_systems(header: str, author: str) -> None:
    order = "month first" if header.startswith("03") else "day first"
    text = f"{header}It failed.\nSecond line."
    assert entries(text, order) == [Entry(at(10, 20), author, entries(text)[0].kind, "It failed.\nSecond line.")]
    assert Cleaner().column([text], journal=True) == ["It failed.\nSecond line."]


@pytest.mark.parametrize(
    "line",
    [
        "2024-03-05 10:20:30 ERROR disk is full",
        "2024-03-05 10:20:30 - disk (C) is full (90)",
        "[2024-03-05 10:20:30] kernel: oom",
        "Note: see page 3; then 4;",
    ],
)
def test_log_lines_are_no_headers(line: str) -> None:
    text = f"2024-03-05 10:00:00 - Jane Roe (Work notes)\nThe log says\n{line}"
    assert [entry.text for entry in entries(text)] == [f"The log says\n{line}"]
    assert Cleaner().column([line]) == [line]


def test_jira_comments_of_one_cell_stay_in_time_order() -> None:
    text = "12/Mar/24 9:41 AM;jroe;It is down; again.\n12/Mar/24 9:55 AM;pdoe;Restarted it."
    assert Cleaner().column([text], journal=True) == ["It is down; again.\n\nRestarted it."]


def test_a_prompt_ends_at_the_resolution() -> None:
    cleaner = Cleaner()
    cells = [NEWEST_FIRST] * 4
    cut = [at(11, 30), at(12), None, at(9)]
    first = "The printer does not print.\n\nStill the same.\nSecond line."
    whole = f"{first}\n\nCleared the spool folder and restarted the service."
    assert cleaner.column(cells, journal=True, cut_at=cut) == [first, first, whole, ""]
    assert cleaner.counts["journal cut at resolution"] == 3
    assert cleaner.counts["journal header"] == 4
    assert "Roe" not in whole


def test_entries_with_unreadable_dates_may_be_later_and_go() -> None:
    text = "05/06/2024 10:00:00 - Jane Roe (Work notes)\nFirst.\n\n04/06/2024 10:00:00 - Paul Doe (Work notes)\nBefore."
    late = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    assert Cleaner().column([text], journal=True, cut_at=[late]) == [""]
    # Without a readable date the order of ServiceNow, newest first, is turned round.
    assert Cleaner().column([text], journal=True) == ["Before.\n\nFirst."]
    assert Cleaner().column([text], journal=True, cut_at=[late], date_order="day first") == ["Before.\n\nFirst."]


def test_the_date_order_of_a_column_settles_each_of_its_cells() -> None:
    cells = [f"{day}/06/2024 10:00:00 - Jane Roe (Work notes)\nEntry {day}." for day in ("05", "25")]
    assert date_order_of(cells) == "day first"
    cut = [dt.datetime(2024, 6, 10, tzinfo=dt.UTC)] * 2
    assert Cleaner().column(cells, journal=True, cut_at=cut) == ["Entry 05.", ""]


def test_entries_of_one_second_keep_their_direction() -> None:
    text = "2024-03-05 10:00:00 - A Roe (Work notes)\nsecond\n\n2024-03-05 10:00:00 - B Roe (Work notes)\nfirst"
    assert Cleaner().column([text], journal=True) == ["first\n\nsecond"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ("2024-03-05 13:00:00 - Paul Doe (Work notes)\nIssue resolved, closing.\n\n", "Cleared the spool folder and restarted the service."),
        ("2024-03-05 13:00:00 - Jane Roe (Additional comments)\nIt prints again since this noon.\n\n", "Cleared the spool folder and restarted the service."),
        ("2024-03-05 13:00:00 - System (Work notes)\nTicket closed automatically after five days.\n\n", "Cleared the spool folder and restarted the service."),
        ("2024-03-05 13:00:00 - Ann Poe (Work notes)\nReplaced the fuser as well.\n\nBest regards,\nAnn Poe\n\n", "Replaced the fuser as well."),
    ],
)  # fmt: skip
def test_the_answer_of_a_journal_is_the_last_word_of_the_agent(later: str, expected: str) -> None:
    assert Cleaner().column([later + NEWEST_FIRST], journal=True, answer=True) == [expected]


def test_an_answer_without_an_agent_or_without_words_is_the_last_entry() -> None:
    alone = "2024-03-05 10:00:00 - Jane Roe (Work notes)\nDone.\n\n2024-03-05 09:00:00 - Jane Roe (Work notes)\nRebooted the server."
    assert Cleaner().column([alone], journal=True, answer=True) == ["Rebooted the server."]
    assert Cleaner().column(["2024-03-05 10:00:00 - Jane Roe (Work notes)\nDone."], journal=True, answer=True) == ["Done."]
    assert Cleaner().column(["", "plain text without a header"], journal=True, answer=True) == [
        "",
        "plain text without a header",
    ]


def test_header_lines_in_other_columns_go_with_their_names() -> None:
    cleaner = Cleaner()
    cells = [
        "2024-03-05 10:20:30 - Jane Roe (Resolution notes)\nReplaced the fuser.",
        "12/Mar/24 9:41 AM;jroe;Restarted it.",
        "plain",
    ]
    assert cleaner.column(cells) == ["Replaced the fuser.", "Restarted it.", "plain"]
    assert cleaner.counts["journal header"] == 2


def test_a_cut_list_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="cut_at has 1 times for 2 cells"):
        Cleaner().column(["a", "b"], journal=True, cut_at=[None])
