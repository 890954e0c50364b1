"""What is listed of the columns: one role for a column, journals as they will be used, names that are names."""

from typing import Any

from rca_dist.tickets.columns import map_columns
from rca_dist.tickets.describe import describe
from rca_dist.tickets.describing import facts
from rca_dist.tickets.reading.raw_table import RawTable

N = 20
TITLES = [f"desk {i} has no mail since this morning" for i in range(N)]
FIXES = [f"restarted the service on node {i} and cleared the queue" for i in range(N)]
JOURNAL = [
    f"2024-03-06 09:00:00 - Bob Doe (Work notes)\nfix of node {i} confirmed\n\n"
    f"2024-03-04 10:20:30 - Jane Roe (Additional comments)\nno mail on desk {i} at all"
    for i in range(N)
]


def columns_of(table: dict[str, list[str]], **chosen: str) -> dict[str, Any]:
    raw = RawTable("t.csv", "csv", table, list(range(2, N + 2)))
    return facts.columns(raw, map_columns(table, dict(chosen)))


def test_a_journal_is_shown_as_the_prompt_holds_it() -> None:
    table = {"title": TITLES, "work_notes": JOURNAL, "close_notes": FIXES, "resolved": ["2024-03-05 10:00:00"] * N}
    shown = columns_of(table, prompt="title,work_notes")["prompt"]["samples"]["work_notes"]
    assert shown == ["no mail on desk 0 at all", "no mail on desk 1 at all"]
    told = columns_of(table, prompt="title", answer="work_notes")["answer"]["samples"]["work_notes"]
    assert told[0] == "fix of node 0 confirmed"


def test_a_column_of_the_end_is_not_listed_as_the_last_change() -> None:
    table = {"title": TITLES, "close_notes": FIXES, "opened": ["2024-03-01"] * N, "resolved": ["2024-03-05"] * N}
    found = columns_of(table)
    assert found["resolved_at"]["columns"] == ["resolved"] and "updated_at" not in found
    changed = columns_of({**table, "updated": ["2024-03-06"] * N})
    assert changed["updated_at"]["columns"] == ["updated"]


def test_columns_of_persons_are_listed_and_odd_names_redacted() -> None:
    table = {"title": TITLES, "close_notes": FIXES, "Caller": ["Jane Roe", "Li Doe"] * 10, "write to ann@example.com": TITLES}
    found = columns_of(table)
    assert found["people"]["columns"] == ["Caller"] and "ann@" not in str(found["not_used"])
    page = describe({"file": "t.csv", "rows": {"in": 1, "kept": 1, "dropped": {"empty answer": 1}}, "columns": found})
    assert page.startswith("t.csv: 1 row, 1 usable ticket\n") and "Left out: 1 row\n" in page and "ann@" not in page
    assert "Jane" not in page
