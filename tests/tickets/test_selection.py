"""Which rows become tickets: status words of many systems, pointers to other tickets, repeated ids."""

import datetime as dt
import itertools
from collections import Counter

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.cleaning.outcomes import (
    CANCELLED,
    DUPLICATE,
    OPEN,
    POINTS_ELSEWHERE,
    answer_is_duplicate,
    status_outcomes,
)
from rca_dist.tickets.describing.advice import advice_for
from rca_dist.tickets.selection import require_tickets, select_rows, unique_ids

ANSWER = "Restarted the spooler and cleared its queue."
ABOUT = (
    "Duplicate of INC0012345: restart the spooler|Duplicate IP address on the network|duplicate entries removed from table 12|"
    "See KB0012345|See INC0012345 for the restart procedure|Duplicate DNS record deleted|doublon supprimé dans l'annuaire|"
    "Duplicate of row 12 removed|Duplicate MAC 22|See page 12|Same as yesterday, rebooted"
)
POINTERS = (
    "Duplicate of INC0012345|doublon du ticket 123|Duplicate ticket|Duplicate of #4567, thanks|This is a duplicate of INC0012345|"
    "Closed as duplicate of REQ-123|Merged into #123|Duplikat von INC001234|duplicado de INC12345|duplicato del ticket 555|"
    "See INC0012345|same as INC0012345|voir ticket 12345|Doublon|Dublette von Ticket 123|Closed as duplicate. INC0012345|"
    "dubbel van ticket 123|Duplicate of OPS-12"
)


def kept_of(statuses: list[list[str]], **options: object) -> tuple[list[int], dict[str, int]]:
    count = len(statuses)
    raw = ((str(row),) for row in range(count))
    selection = select_rows(
        ["p"] * count, [ANSWER] * count, [""] * count, raw, [None] * count, statuses=statuses, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return selection.rows, dict(selection.dropped)


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("Cancelled|Canceled|Closed - Cancelled|Annulé|Annulée|Storniert|Abgebrochen|Cancelado|Anulada|Annullato|Geannuleerd|"
         "Won't Do|Won't Fix|Withdrawn|Rejected", CANCELLED),
        ("Duplicate|Closed - Duplicate|Doublon|Duplikat|Duplicado|Duplicato|Dubbel|Merged", DUPLICATE),
        ("New|Open|In Progress|Pending|On Hold|Assigned|Waiting for customer|Awaiting User Info|Work in Progress|Reopened|To Do|"
         "Nouveau|En cours (Attribué)|En attente|Ouvert|Neu|Offen|In Bearbeitung|Wartend|Abierto|En curso|Pendiente|Aberto|"
         "Em andamento|Aguardando|Aperto|In corso|In attesa|Nieuw|In behandeling|3 - On Hold|on-hold", OPEN),
        ("Resolved|Closed|Done|Fixed|Solved|Résolu|Clos|Fermé|Gelöst|Geschlossen|Cerrado|Resuelto|Fechado|Chiuso|Opgelost|"
         "Solved (Permanently)|Escalated to nowhere|Frozen|Solution provided|User error||Open source|New York", None),
    ],
)  # fmt: skip
def test_status_words(words: str, outcome: str | None) -> None:
    for word in words.split("|"):
        assert status_outcomes([[word]]) == [outcome], word


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("state", "1 2 3 4 5 6 7 8", "OOOOO..C"),
        ("incident_state", "1 6 7", "O.."),
        ("State", "6 7", ".."),
        ("status", "2 3 4 5", "OO.."),
        ("status", "1 2 3 4 5 6", "OOOO.."),
        ("Status", "4 5", ".."),
        ("u_level", "1 2 7 8", "...."),
        (None, "1 3 7 8", "OO.C"),
        (None, "1 2 3", "..."),
    ],
)
def test_numbers_mean_what_their_column_says(name: str | None, values: str, expected: str) -> None:
    found = status_outcomes([[value] for value in values.split()], [name] if name else [])
    assert "".join({OPEN: "O", CANCELLED: "C", None: "."}[outcome] for outcome in found) == expected  # type: ignore[index]


def test_cancelled_duplicate_and_open_tickets_go_each_with_its_reason() -> None:
    statuses = [["Closed"], ["Cancelled"], ["Duplicate"], ["In Progress"], ["whatever"], []]
    assert kept_of(statuses) == ([0, 4, 5], {CANCELLED: 1, DUPLICATE: 1, OPEN: 1})
    assert kept_of(statuses, keep_open=True) == ([0, 3, 4, 5], {CANCELLED: 1, DUPLICATE: 1})
    assert kept_of([["7"], ["8"], ["2"]], status_names=["state"]) == ([0], {CANCELLED: 1, OPEN: 1})


def test_outcomes_say_cancelled_and_duplicate_but_never_open() -> None:
    outcomes = [["Done"], ["Duplicate"], ["Won't Do"], ["Assigned"], ["2"]]
    assert kept_of([[]] * 5, outcomes=outcomes) == ([0, 3, 4], {DUPLICATE: 1, CANCELLED: 1})
    # A closed status does not save a duplicate.
    assert kept_of([["Closed"]], outcomes=[["Duplicate"]]) == ([], {DUPLICATE: 1})


@pytest.mark.parametrize("answer", POINTERS.split("|"))
def test_answers_that_only_point_at_another_ticket_go(answer: str) -> None:
    assert answer_is_duplicate(answer)
    selection = select_rows(["p"], [answer], [""], [("x",)], [None])
    assert (selection.rows, dict(selection.dropped)) == ([], {POINTS_ELSEWHERE: 1})
    closed = select_rows(["p"], [ANSWER], [""], [("x",)], [None], outcomes=[["Duplicate"]])
    assert dict(closed.dropped) == {DUPLICATE: 1} and advice_for(DUPLICATE) != advice_for(POINTS_ELSEWHERE)


@pytest.mark.parametrize("answer", ABOUT.split("|"))
def test_answers_about_duplicates_stay(answer: str) -> None:
    assert not answer_is_duplicate(answer)


def utc(day: int) -> dt.datetime:
    return dt.datetime(2024, 3, day, tzinfo=dt.UTC)


def test_the_same_id_keeps_the_newest_whatever_the_row_order() -> None:
    rows = [
        ("first answer text", utc(1)),
        ("newest answer text", utc(3)),
        ("undated answer text", None),
        ("same day text", utc(3)),
    ]
    kept = set()
    for order in itertools.permutations(rows):
        answers, dates = [row[0] for row in order], [row[1] for row in order]
        selection = select_rows(["p"] * 4, answers, ["T1"] * 4, [(text,) for text in answers], dates)
        assert dict(selection.dropped) == {"duplicate id": 3}
        kept |= {answers[row] for row in selection.rows}
    assert kept == {"same day text"}
    undated = select_rows(["p"] * 2, ["one answer", "another answer"], ["T1"] * 2, [("a",), ("b",)], [None, None])
    assert undated.rows == [1]


def test_missing_words_are_no_ids() -> None:
    assert select_rows(["p"] * 2, ["one answer", "another answer"], ["N/A", "N/A"], [("a",), ("b",)], [None, None]).rows == [
        0,
        1,
    ]
    made = unique_ids(["N/A", "unknown", "INC1", ""], ["a", "b", "c", "d"])
    assert made[2] == "INC1"
    assert len(set(made)) == 4
    assert all(identifier.startswith("t-") for identifier in (made[0], made[1], made[3]))


def test_a_repeated_row_counts_once_and_lengths_must_agree() -> None:
    selection = select_rows(["p"] * 3, [ANSWER] * 3, ["", "", ""], iter([("a", "b"), ("a", "b"), ("ab", "")]), [None] * 3)
    assert (selection.rows, dict(selection.dropped)) == ([0, 2], {"exact duplicate row": 1})
    with pytest.raises(ValueError, match="statuses has 1 rows for 2 prompts"):
        select_rows(["p"] * 2, [ANSWER] * 2, [""] * 2, [("a",), ("b",)], [None] * 2, statuses=[["Closed"]])


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        ({OPEN: 40, "empty answer": 5}, r"5 usable tickets of 50 rows \(40 still open.*data.keep_open=true"),
        ({"boilerplate answer": 45}, "stock phrases"),
        ({"answer under 2 words": 45}, "min_answer_words"),
        ({"duplicate id": 45}, "data.columns.id=NAME"),
        ({CANCELLED: 45}, "are cancelled"),
    ],
)
def test_too_few_tickets_are_refused_with_advice_on_the_largest_loss(dropped: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        require_tickets(5, 50, Counter(dropped), "t.csv", "close_notes")
    require_tickets(10, 50, Counter(dropped), "t.csv", "close_notes")
