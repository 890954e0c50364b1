"""The shapes in which ticket systems write JSON all become one table of named columns."""

import json

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import RawTable, parse


def read(value: object, **options: bool) -> RawTable:
    return parse(json.dumps(value).encode(), "t.json", **options)


def document(text: str) -> dict[str, object]:
    return {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}]}


FIELDS = {
    "summary": "Mail down",
    "customfield_10010": document("disk full"),
    "customfield_10011": {"self": "u", "id": "1", "value": "Network", "child": {"id": "2", "value": "DNS"}},
    "components": [{"id": "1", "name": "Mail"}, {"id": "2", "name": "Calendar"}],
    "comment": {
        "total": 2,
        "comments": [
            {"created": "2024-03-12T10:50:00.000+0100", "author": {"displayName": "Agent One"}, "body": document("second")},
            {
                "created": "2024-03-12T09:41:00.000+0000",
                "author": {"displayName": "User Two"},
                "body": "first",
                "jsdPublic": False,
            },
        ],
    },
}
JIRA_NAMES = {"customfield_10010": "Root cause", "customfield_10011": "Area", "summary": "Summary"}


@pytest.mark.parametrize(
    "value",
    [
        {"names": JIRA_NAMES, "issues": [{"key": "A-1", "fields": FIELDS}]},
        {"names": JIRA_NAMES, "key": "A-1", "fields": FIELDS},
        [{"names": JIRA_NAMES, "key": "A-1", "fields": FIELDS}],
    ],
)
def test_jira_names_documents_choices_and_comments(value: object) -> None:
    columns = read(value).columns
    assert columns == {
        "key": ["A-1"],
        "fields.summary": ["Mail down"],
        "fields.Root cause": ["disk full"],
        "fields.Area": ["Network / DNS"],
        "fields.components": ["Mail, Calendar"],
        "fields.comment": [
            "2024-03-12 09:41:00 - User Two (Work notes)\nfirst\n\n2024-03-12 10:50:00 - Agent One (Comments)\nsecond"
        ],
    }


def test_comments_without_dates_keep_their_order() -> None:
    assert read([{"id": 1, "comments": [{"body": "b"}, {"body": "a"}]}]).columns["comments"] == ["b\n\na"]


ONE = {"id": ["1"], "subject": ["printer is down"]}


@pytest.mark.parametrize(
    "value",
    [
        {"ticket": {"id": 1, "subject": "printer is down"}},
        {"tickets": [{"id": 1, "subject": "printer is down"}], "users": [{"id": 4}], "count": 1},
        {"result": {"id": 1, "subject": "printer is down"}},
        {"data": {"issues": [{"id": 1, "subject": "printer is down"}]}},
        {"id": 1, "subject": "printer is down"},
        [["id", "subject"], [1, "printer is down"]],
        {"columns": ["id", "subject"], "index": [0], "data": [[1, "printer is down"]]},
        {"id": {"0": 1}, "subject": {"0": "printer is down"}},
        {"id": [1], "subject": ["printer is down"]},
        {"1": {"subject": "printer is down"}},
    ],
)
def test_every_shape_of_one_ticket(value: object) -> None:
    assert read(value).columns == ONE


def test_a_single_ticket_with_a_list_inside_stays_one_ticket() -> None:
    table = read({"id": 1, "subject": "x", "history": [{"state": "open"}, {"state": "closed"}]})
    assert (table.rows, table.columns["subject"]) == (1, ["x"])
    assert read({"id": 1, "subject": "x", "items": [{"name": "disk"}, {"name": "fan"}]}).columns["items"] == ["disk, fan"]


def test_a_cut_list_keeps_its_whole_records() -> None:
    cut = b'[{"a": "x"}, {"a": "y"}, {"a": "z'
    with pytest.raises(UserError, match=r"not valid JSON at line 1, .* The file is cut"):
        parse(cut, "t.json")
    with pytest.raises(UserError, match="the list is never closed"):
        parse(b'[{"a": "x"}', "t.json")
    table = parse(cut, "t.json", lenient=True)
    assert (table.columns, table.dropped) == ({"a": ["x", "y"]}, {"record after the file's cut": 1})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3, 4]], "the first one holds no column names"),
        ([["a"], [1, 2]], "row 2 does not fit the 1 column names"),
    ],
)
def test_lists_of_lists_without_a_header(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(value)


def test_something_after_the_list_is_an_error() -> None:
    with pytest.raises(UserError, match="something follows after the list"):
        parse(b'[{"a": "x"}] trailing', "t.json")
