"""The answer column by what it holds: text and short answers against codes, ids, dates, names; several at once."""

import random
import time
from typing import Any

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.columns import answer_labels, join_answers, map_columns
from rca_dist.tickets.mapping.column_kinds import kind_of, sample_of

N = 60
TITLES = [f"user {i} cannot open the mailbox since this morning" for i in range(N)]
NOTES = [f"restarted service number {i} on the mail cluster and cleared its queue" for i in range(N)]
CAUSES = [f"the disk of node {i} was full after a failed log rotation" for i in range(N)]
PARTS = ["toner cartridge", "fuser unit", "network cable", "docking station", "power supply", "memory module", "disk"]
DEEDS = ["Replaced", "Cleaned", "Ordered new", "Reseated"]
SHORT = [f"{DEEDS[i % 4]} {PARTS[i % 7]}" for i in range(N)]
TITLE_CASE = [text.title() for text in SHORT]


def mapped(cells: list[str], **chosen: Any) -> Any:
    return map_columns({"title": [f"ticket {i} about the mail client" for i in range(len(cells))], "resolution": cells}, chosen)


@pytest.mark.parametrize("cells", [SHORT, TITLE_CASE, [f"reset password {i}" for i in range(N)], SHORT[:3], ["Replaced toner"]])
def test_short_answers_that_differ_are_taken_with_a_note(cells: list[str]) -> None:
    found = mapped(cells)
    assert found.answers == ["resolution"]
    assert any("answers in 'resolution' are short" in note for note in found.notes)


def test_done_in_most_rows_does_not_spoil_the_notes_in_the_others() -> None:
    assert kind_of(["Done"] * 4 * N + NOTES).name == "text"
    assert kind_of(["Done"] * 100 * N + NOTES).name == "code"


CODES = {
    "jira": ["Done", "Fixed", "Won't Fix", "Duplicate", "Cannot Reproduce"],
    "servicenow": ["Solved (Permanently)", "Solved (Work Around)", "Resolved by caller", "Closed/Resolved by Caller"],
    "mixed": ["Fixed/Workaround", "Solved Remotely (Permanently)", "Not Solved (Not Reproducible)", "No resolution provided"],
    "one": ["Unresolved"],
    "french": ["R\u00e9solu", "Cl\u00f4tur\u00e9 par l'utilisateur", "Doublon", "Sans suite"],
    "german": ["Gel\u00f6st", "Geschlossen durch den Anwender", "Nicht reproduzierbar"],
    "spanish": ["Resuelto", "Cancelado por el usuario"],
    "causes": ["Hardware failure", "User error", "Software bug", "Configuration change", "Capacity", "Third party outage"],
    "sentences": ["Solved remotely by the second line team", "Handed over to the vendor of the product"],
}


@pytest.mark.parametrize("name", CODES)
def test_codes_are_refused_and_the_next_candidate_is_proposed(name: str) -> None:
    cells = [CODES[name][i % len(CODES[name])] for i in range(N)]
    with pytest.raises(UserError, match="'resolution' does not fit: it looks like a status or a code"):
        mapped(cells)
    columns = {"title": TITLES, "resolution": cells, "workaround": NOTES}
    found = map_columns(columns)
    assert found.answers == ["workaround"]
    assert found.outcome == ["resolution"]
    assert any("'resolution' is not taken as the answer" in note and "'workaround' is used" in note for note in found.notes)
    with pytest.raises(UserError, match="do hold text: 'what helped'"):
        map_columns({"title": TITLES, "resolution": cells, "what helped": NOTES})


OTHERS: dict[str, tuple[list[str], str]] = {
    "dates": ([f"2024-03-{i % 28 + 1:02d} 10:20" for i in range(N)], "dates"),
    "open dates": ([f"0{i % 9 + 1}/0{i % 7 + 1}/2024 09:{i:02d}" for i in range(N)], "dates"),
    "numbers": ([str(i * 7) for i in range(N)], "numbers"),
    "hours": ([f"{i}h {i}m" for i in range(N)], "numbers"),
    "clock": ([f"{i}:15:00" for i in range(N)], "numbers"),
    "ids": ([f"INC{i:07d}" for i in range(N)], "ids"),
    "spaced ids": ([f"KB {i:07d}" for i in range(N)], "ids"),
    "hex": ([f"{i:08x}-1f2e-4d3c-8b7a-0123456789ab" for i in range(N)], "ids"),
    "addresses": ([f"person{i}@example.com" for i in range(N)], "ids"),
    "links": ([f"https://example.com/kb/{i}" for i in range(N)], "ids"),
    "yes or no": (["Yes", "No", "oui"] * 20, "yes/no"),
    "flags": (["true", "false"] * 30, "yes/no"),
    "people": ([f"{a} {b}" for a in ("Jane", "Ann", "Paul", "Li") for b in ["Roe", "Doe", "Poe", "Moe", "Coe", "Loe", "Noe", "Joe", "Hoe", "Zoe", "Foe", "Boe", "Soe", "Toe", "Voe"]], "names"),
    "people, surname first": ([f"{b.upper()}{i}, Jane".replace(str(i), chr(97 + i % 26)) for i, b in enumerate(["roe", "doe"] * 30)],
                              "names"),
    "logins": ([f"jroe{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(N)], "single words"),
    "nothing": (["UNKNOWN", "", "N/A"] * 20, "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_columns_of_other_things_are_refused_with_what_they_hold(name: str) -> None:
    cells, kind = OTHERS[name]
    assert kind_of(cells).name == kind
    said = {"ids": "it holds ids or addresses", "names": "names of people", "empty": "it is empty in all 60 rows"}
    with pytest.raises(UserError) as error:
        mapped(cells)
    assert f"'resolution' does not fit: {said.get(kind, 'it holds ' + kind)}" in str(error.value).replace("it looks like ", "")
    assert "@example" not in str(error.value)
    assert "Jane" not in str(error.value)


@pytest.mark.parametrize(
    "cells",
    [
        NOTES,
        [f"<p>{text}</p>" for text in NOTES],
        ["2024-03-05 the disk was full on node 3", "2024-03-06 the queue was stuck again"] * 30,
        ["The print spooler had stopped after the update; it was started again and jobs flow.", "A paragraph of ten words "
         "or more is no code, even if it comes often.", "A third text of such a length is found in this set as well."] * 20,
        ["\u91cd\u542f\u4e86\u90ae\u4ef6\u670d\u52a1\u5668\u4e0a\u7684\u670d\u52a1" + str(i) for i in range(N)],
    ],
)  # fmt: skip
def test_texts_are_taken(cells: list[str]) -> None:
    assert kind_of(cells).is_text or len(set(cells)) == 2
    assert len(set(cells)) == 2 or mapped(cells).answers == ["resolution"]


def test_markup_does_not_make_a_code_a_text() -> None:
    cells = ["<div class='a b c d e f'>Done</div>", "<p style='x y z u v w'>Fixed</p>"] * 30
    assert kind_of(cells).name == "code"
    assert kind_of([f"<span style='font: a b c d e'>{text}</span>" for text in SHORT]).name == "short text"


def test_the_order_of_rows_plays_no_part() -> None:
    cells = [f"{text} {i}" for i in range(60) for text in SHORT] + ["Done"] * 500
    shuffled = random.Random(1).sample(cells, len(cells))
    assert kind_of(cells) == kind_of(shuffled)
    values = [f"value {i}" for i in range(500)]
    assert sample_of(values, 5) == sample_of(values[::-1], 5)


def test_two_candidates_stop_with_samples_and_both_ways_out() -> None:
    columns = {"title": TITLES, "Resolution notes": NOTES, "Root cause": CAUSES}
    with pytest.raises(UserError) as error:
        map_columns(columns)
    for part in ("restarted service number 0", "the disk of node 0", "--data.columns.answer='Resolution notes,Root cause'"):
        assert part in str(error.value)
    assert map_columns(columns, {"answer": "root cause, resolution notes"}).answers == ["Root cause", "Resolution notes"]
    assert map_columns(columns, {"answer": ["Resolution notes", "Root cause"]}).answer == "Resolution notes"
    with pytest.raises(UserError, match="'Root cause' is both prompt and answer"):
        map_columns(columns, {"answer": "Resolution notes,Root cause", "prompt": ["title", "Root cause"]})


def test_a_hardly_filled_rival_and_a_copy_are_no_rivals() -> None:
    columns = {"title": TITLES, "Resolution notes": NOTES, "Root cause": CAUSES[:6] + [""] * (N - 6)}
    found = map_columns(columns)
    assert found.answers == ["Resolution notes"]
    assert any("hardly filled and not used: 'Root cause' (6 of 60 rows)" in note for note in found.notes)
    assert map_columns({"title": TITLES, "Solution": ["", *NOTES[1:]], "Resolution": NOTES}).answers == ["Resolution"]


def test_an_answer_in_few_rows_is_said() -> None:
    assert any("filled in only 20 of 60 rows" in note for note in mapped(NOTES[:20] + [""] * 40).notes)


def test_a_named_column_is_used_whatever_it_holds_and_said() -> None:
    found = mapped(["Done", "Fixed"] * 30, answer="resolution")
    assert found.answers == ["resolution"]
    assert any("looks like a status or a code" in warning and "just that" in warning for warning in found.warnings)
    assert not mapped(NOTES, answer="resolution").warnings


def test_journals_are_proposed_and_used_on_request() -> None:
    columns = {"Summary": TITLES, "Resolution": ["Done"] * N, "Comment": NOTES, "Notes count": ["3"] * N}
    with pytest.raises(UserError) as error:
        map_columns(columns)
    assert "Journals: 'Comment'; --data.columns.answer='Comment' takes the last useful entry" in str(error.value)
    assert "do hold text" not in str(error.value)


def test_a_part_of_a_name_is_enough_when_it_is_the_only_one() -> None:
    columns = {"title": TITLES, "Describe your solution": NOTES, "Solution category": CAUSES, "Cause confirmed by": CAUSES}
    found = map_columns(columns)
    assert found.answers == ["Describe your solution"]
    assert any("by a part of its name" in note for note in found.notes)
    with pytest.raises(UserError, match="2 columns could be the answer"):
        map_columns({**columns, "Our fix in words": CAUSES})


def test_labels_are_short_and_differ() -> None:
    columns = ["u_root_cause", "Custom field (Resolution Note)", "closeNotes", "Cl\u00f4ture d\u00e9taill\u00e9e", "RCA.value"]
    assert answer_labels(columns) == ["Root cause", "Resolution note", "Close notes", "Cl\u00f4ture d\u00e9taill\u00e9e", "RCA"]
    assert answer_labels(["fix", "Fix", "---"]) == ["fix", "Fix", "---"]
    assert answer_labels(["Solution - Solution", "root cause.details"]) == ["Solution", "Root cause details"]


def test_several_answers_are_joined_under_their_labels() -> None:
    joined = join_answers(
        [["disk full", "", "done", "Same text"], ["cleared logs", "rebooted", "n", "same  text"]],
        ["Root cause", "Fix"],
        skip=lambda text: text in ("done", "n"),
    )
    assert joined == ["Root cause: disk full\nFix: cleared logs", "Fix: rebooted", "", "Root cause: Same text"]
    assert join_answers([["a", ""]], ["Fix"]) == ["a", ""]


def test_hostile_cells_take_no_time() -> None:
    start = time.perf_counter()
    for cell in ("1" * 200_000, "1 h " * 50_000, "Aa " * 70_000, "<" * 200_000, "a-" * 100_000, " " * 200_000 + "x", "A." * 99):
        kind_of([cell, cell + "y", cell[:150], cell[:39]] * 20)
    assert time.perf_counter() - start < 5
