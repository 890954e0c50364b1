"""The choice of the answer column: form letters, causes beside fixes, several files with names of their own."""

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.columns import ColumnMap, join_answers, map_columns
from rca_dist.tickets.mapping.answer_names import answer_rank
from rca_dist.tickets.mapping.templates import template_of

N = 40
TITLES = [f"desk {i} has no mail since this morning" for i in range(N)]
DEEDS = ["Replaced", "Cleaned", "Reseated", "Updated", "Reinstalled", "Rebooted", "Unlocked", "Migrated"]
THINGS = ["docking station firmware", "proxy setting", "network cable under floor", "outlook profile", "print spooler"]
PLACES = [
    "after a failed patch",
    "with the vendor on site",
    "as the disk was full",
    "on request",
    "since the lease had expired",
]
FIXES = [f"{DEEDS[i % 8]} {THINGS[i % 5]} {PLACES[i // 8 % 5]}" for i in range(N)]
CAUSES = [f"{PLACES[i % 5]} the {THINGS[i // 5 % 5]} kept an old {DEEDS[i % 8].lower()} state" for i in range(N)]
NAMES = ["Ann", "Bob", "Li", "Jane"]
LETTER = "Thank you {}, your request {} has been received and assigned to queue {}, we will reply soon."
LETTERS = [LETTER.format(NAMES[i % 4], i, i) for i in range(N)]
DANKE = [f"Guten Tag {NAMES[i % 4]}, Ihre Anfrage {i} ist eingegangen und wird von Team {i} bearbeitet." for i in range(N)]


@pytest.mark.parametrize("letters", [LETTERS, DANKE, [f"<p>{text}</p>" for text in LETTERS]])
@pytest.mark.parametrize("name", ["Technician comment", "Engineer notes", "Action taken", "Work done", "Fix applied",
                                  "Intervention", "Massnahmen", "Notas del tecnico", "Werkzaamheden"])  # fmt: skip
def test_an_acknowledgement_is_passed_over_for_what_the_technician_wrote(name: str, letters: list[str]) -> None:
    mapped = map_columns({"Ticket": [str(i) for i in range(N)], "Subject": TITLES, "Answer": letters, name: FIXES})
    assert mapped.answers == [name]
    (warning,) = mapped.warnings
    assert warning.startswith("column 'Answer' is not taken as the answer: 100 % of its texts are one form letter")
    assert name in warning and not any(person in warning for person in NAMES)


def test_a_form_letter_alone_is_used_and_said_with_the_other_columns_of_text() -> None:
    mapped = map_columns({"Subject": TITLES, "Answer": LETTERS, "Free field": FIXES})
    assert mapped.answers == ["Answer"]
    (warning,) = mapped.warnings
    assert "one sentence with other names and numbers" in warning and "Other columns that hold text: 'Free field'" in warning
    assert "Ann" not in warning and "Thank you \u2026, your request \u2026 has been received" in warning
    assert map_columns({"Subject": TITLES, "Answer": FIXES, "Technician comment": CAUSES}).warnings == []


def test_one_text_in_most_rows_is_not_called_a_template_as_well() -> None:
    assert map_columns({"Subject": TITLES, "Close notes": [LETTERS[0]] * 25 + LETTERS[25:]}).warnings == []


def test_what_one_sentence_is() -> None:
    assert template_of(FIXES) is None or template_of(FIXES).share < 0.5  # type: ignore[union-attr]
    assert template_of(LETTERS[:9]) is None and template_of(["the same text of many words here"] * 50) is None
    half = template_of(LETTERS + FIXES)
    assert half is None or half.share <= 0.5
    sent = template_of([f"Wrote to ann{i}@example.com and closed the request for good then" for i in range(N)])
    assert sent is not None and not sent.acknowledges and "example" not in sent.example


def test_names_of_answers() -> None:
    ranks = {"Root cause": 1, "Workaround / Fix": 1, "Cause and fix": 1, "Root cause / resolution": 1, "Technician comments": 4,
             "Tech notes": 4, "Actions taken": 2, "Reply": 3, "Cause of the fire": 5}  # fmt: skip
    assert {name: answer_rank(name) for name in ranks} == ranks
    others = ("Root cause category", "Fix version", "Fix applied on", "Resolution code", "Agent name", "Action type")
    assert [answer_rank(name) for name in others] == [None] * len(others)


@pytest.mark.parametrize("name", ["Workaround / Fix", "Workaround", "Action taken", "Solution"])
def test_a_cause_beside_a_well_filled_fix_stops(name: str) -> None:
    with pytest.raises(UserError, match="2 columns could be the answer"):
        map_columns({"Subject": TITLES, "Root cause": CAUSES, name: FIXES})


def test_a_cause_beside_a_rare_workaround_or_a_reply_does_not_stop() -> None:
    for name, cells in (("Workaround", FIXES[:10] + [""] * (N - 10)), ("Reply", FIXES), ("Technician comment", FIXES)):
        mapped = map_columns({"Subject": TITLES, "Root cause": CAUSES, name: cells})
        assert mapped.answers == ["Root cause"]
        assert any(f"further columns of text: {name!r}" in note for note in mapped.notes)


def test_the_same_text_with_and_without_markup_is_no_choice() -> None:
    marked = [f"<div><p>{text}</p></div>" for text in FIXES]
    assert map_columns({"Subject": TITLES, "Resolution": FIXES, "Solution": marked}).answers == ["Resolution"]


@pytest.mark.parametrize("first", [20, 36])
def test_columns_that_no_row_fills_both_of_are_one_answer(first: int) -> None:
    table = {
        "Subject": TITLES,
        "Resolution notes": FIXES[:first] + ["N/A"] * (N - first),
        "Root cause": [""] * first + CAUSES[first:],
    }
    mapped = map_columns(table)
    assert (mapped.answers, mapped.one_answer, mapped.labels) == (["Resolution notes", "Root cause"], True, ["", ""])
    assert any(f"'Resolution notes' ({first} rows), 'Root cause' ({N - first} rows)" in note for note in mapped.notes)
    assert not any("filled in only" in note for note in mapped.notes)
    parts = [[*table["Resolution notes"][:1], ""], ["", table["Root cause"][-1]]]
    assert join_answers(parts, mapped.labels) == [FIXES[0], CAUSES[-1]]
    named = map_columns(table, {"answer": ["Resolution notes", "Root cause"]})
    assert not named.one_answer and named.labels == ["Resolution notes", "Root cause"]


def test_one_row_that_fills_both_makes_them_two() -> None:
    table = {"Subject": TITLES, "Resolution": [*FIXES[:20], *[""] * 20], "Root cause": [*[""] * 19, *CAUSES[19:]]}
    with pytest.raises(UserError, match="2 columns could be the answer"):
        map_columns(table)


PEOPLE = (
    "Caller|Caller ID|Opened by|opened_by.display_value|Assigned to|Resolved by|Requester|requester.name|Reporter|Assignee|Creator|"
    "fields.reporter.displayName|fields.assignee.emailAddress|author|sys_created_by|Customer contact name|Affected user|"
    "Demandeur|Demandeur - Nom|Technicien|Attribu\u00e9 \u00e0|Attribu\u00e9 \u00e0 - Technicien|Ouvert par|R\u00e9solu par|Auteur|"
    "Melder|Bearbeiter|Ge\u00f6ffnet von|Zugewiesen an|Gel\u00f6st von|Solicitante|Asignado a|Abierto por|"
    "Solicitado por|Atribu\u00eddo a|Respons\u00e1vel|Richiedente|Assegnato a|Aperto da|Aanvrager|Toegewezen aan|Behandelaar|Watchers"
)
THINGS_NOT_PEOPLE = (
    "Assignment group|Opened|Resolved|Status|Title|Name|Customer impact|Caller location|Configuration item|User impact|"
    "Attribu\u00e9 \u00e0 - Groupe de techniciens|Department|Contact type|Owner group|Root cause"
)


def test_columns_of_persons() -> None:
    cells = [f"{name} Roe" for name in NAMES] * 10
    for name in PEOPLE.split("|"):
        if name != "Customer contact name":
            assert people(name, cells).people == [name], name
    for name in THINGS_NOT_PEOPLE.split("|"):
        assert people(name, cells).people == [], name
    assert people("Caller", TITLES).people == [] == people("Author", ["true", "false"] * 20).people


def people(name: str, cells: list[str]) -> ColumnMap:
    return map_columns({"Short description": TITLES, "Close notes": FIXES, name: cells}, {"prompt": "Short description"})
