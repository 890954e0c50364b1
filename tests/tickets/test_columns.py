"""Column mapping: the names of every system, text against codes, and never a guess between two."""

from typing import Any

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.columns import ColumnMap, map_columns

N = 30
TEXT = [f"restarted service number {i} on the mail cluster and cleared its queue" for i in range(N)]
OTHER = [f"the disk of node {i} was full after a failed log rotation" for i in range(N)]
DESC = [f"user {i} cannot open the mailbox since this morning, error shown" for i in range(N)]
CODES = ["Solved Remotely by the Service Desk" if i % 2 else "Done" for i in range(N)]
IDS = [f"INC{i:04d}" for i in range(N)]
DATES = [f"2024-03-{i % 28 + 1:02d} 10:00:00" for i in range(N)]


SYSTEMS: dict[str, tuple[dict[str, list[str]], str | None, list[str], str, str | None]] = {
    "servicenow fields": (
        {"number": IDS, "short_description": DESC, "description": DESC, "close_code": CODES, "close_notes": TEXT,
         "work_notes": OTHER, "comments": OTHER, "opened_at": DATES, "closed_at": DATES},
        "number", ["short_description", "description"], "close_notes", "opened_at"),
    "servicenow labels": (
        {"Number": IDS, "Short description": DESC, "Resolution code": CODES, "Resolution notes": TEXT, "Opened": DATES},
        "Number", ["Short description"], "Resolution notes", "Opened"),
    "jira": (
        {"Summary": DESC, "Issue key": IDS, "Issue id": IDS, "Resolution": CODES, "Created": DATES, "Resolved": DATES,
         "Description": DESC, "Custom field (Root Cause)": CODES, "Custom field (Root cause (text))": TEXT,
         "Comment": OTHER, "Comment.1": OTHER},
        "Issue key", ["Summary", "Description"], "Custom field (Root cause (text))", "Created"),
    "jira json": (
        {"key": IDS, "fields.summary": DESC, "fields.description": DESC, "fields.resolution.name": CODES,
         "fields.created": DATES, "fields.customfield_1.root cause": TEXT, "fields.root_cause": TEXT},
        "key", ["fields.summary", "fields.description"], "fields.root_cause", "fields.created"),
    "zendesk": (
        {"Summation column": ["1"] * N, "Id": IDS, "Subject": DESC, "Created at": DATES, "Root cause [txt]": TEXT},
        "Id", ["Subject"], "Root cause [txt]", "Created at"),
    "glpi fr": (
        {"ID": IDS, "Titre": DESC, "Description": DESC, "Solution - Solution": TEXT, "Suivis - Description": OTHER,
         "Date d'ouverture": DATES, "Statut": CODES},
        "ID", ["Titre", "Description"], "Solution - Solution", "Date d'ouverture"),
    "glpi api": (
        {"id": IDS, "name": DESC, "content": DESC, "solution": TEXT, "date": DATES, "solvedate": DATES},
        "id", ["name", "content"], "solution", "date"),
    "freshservice": (
        {"id": IDS, "subject": DESC, "description_text": DESC, "description": DESC, "resolution_notes": TEXT,
         "resolution_notes_html": OTHER, "created_at": DATES},
        "id", ["subject", "description_text"], "resolution_notes", "created_at"),
    "remedy": (
        {"Incident Number": IDS, "Description": DESC, "Detailed Decription": DESC, "Resolution": TEXT,
         "Status_Reason": CODES, "Submit Date": DATES},
        "Incident Number", ["Description", "Detailed Decription"], "Resolution", "Submit Date"),
    "german": (
        {"Ticketnummer": IDS, "Betreff": DESC, "Beschreibung": DESC, "L\u00f6sung": TEXT, "Erstellt am": DATES},
        "Ticketnummer", ["Betreff", "Beschreibung"], "L\u00f6sung", "Erstellt am"),
    "spanish": (
        {"ID": IDS, "Asunto": DESC, "Descripci\u00f3n": DESC, "Soluci\u00f3n": TEXT, "Fecha de creaci\u00f3n": DATES},
        "ID", ["Asunto", "Descripci\u00f3n"], "Soluci\u00f3n", "Fecha de creaci\u00f3n"),
    "nested": (
        {"title": DESC, "summary": DESC, "root cause.details": TEXT, "mitigation.details": OTHER, "start_time": DATES},
        None, ["title", "summary"], "root cause.details", "start_time"),
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_systems_map_with_no_flag(system: str) -> None:
    columns, identifier, prompt, answer, created = SYSTEMS[system]
    mapped = map_columns(columns)
    assert (mapped.id, mapped.prompt, mapped.answer, mapped.created_at) == (identifier, prompt, answer, created)


def mapped_with(columns: dict[str, list[str]], **chosen: Any) -> ColumnMap:
    return map_columns(columns, chosen)


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
    with pytest.raises(UserError, match="one row per post cannot be paired"):
        mapped_with(columns, parent="a")
    with pytest.raises(UserError, match="both prompt and answer"):
        mapped_with(columns, prompt="a", answer="a")
    with pytest.raises(UserError, match="takes one column, got 2"):
        mapped_with(columns, answer="a,b")


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
