"""A file without a header: its first ticket stands where the names should, and no message shows it."""

import time

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.columns import find_column, list_columns, map_columns
from rca_dist.tickets.mapping.header_row import refuse_headerless
from rca_dist.tickets.mapping.shown_names import looks_like_name, shown

N = 30
TEXTS = [f"the mail client of desk {i} does not open since this morning" for i in range(N)]
FIXES = [f"restarted the service on node {i} and cleared the stuck queue" for i in range(N)]
SECRET = "Password: Winter#99! for kschmidt, tel +33 1 99 00 12 34"
IDS = [f"INC{i}" for i in range(1, N + 1)]
DATES = [f"2024-03-{i % 28 + 1:02d} 10:20" for i in range(N)]
STATES = ["Closed", "Open"] * (N // 2)


@pytest.mark.parametrize(
    "table",
    [
        {"INC0": IDS, "Windows Hello loses its connection again": TEXTS, SECRET: TEXTS, "Reset done for Jane": FIXES},
        {"17": [str(i) for i in range(N)], SECRET: TEXTS, "Closed": STATES, "The cable was replaced by a new one": FIXES},
        {SECRET: TEXTS, "The disk was full and was cleared then": FIXES},
        {"12.03.2024 10:20": DATES, SECRET: TEXTS, "jane.roe@example.com": ["ann@example.com"] * N},
        {"Network": ["Network", "Mail"] * (N // 2), SECRET: TEXTS, "Closed": STATES, "Closed.1": STATES},
    ],
)
def test_a_first_row_that_is_a_ticket_is_said_and_not_shown(table: dict[str, list[str]]) -> None:
    with pytest.raises(UserError, match=r"the first row looks like a ticket, not a header.*add a header row") as error:
        map_columns(table)
    assert all(part not in str(error.value) for part in ("Winter", "kschmidt", "99 00", "Jane", "jane", "Windows"))
    with pytest.raises(UserError, match="not a header"):
        map_columns(table, {"answer": "gone"})


@pytest.mark.parametrize(
    "table",
    [
        {"number": IDS, "title": TEXTS, "close notes": FIXES},
        # A form asks in sentences; a known name among the columns settles it.
        {
            "Timestamp": DATES,
            "Please describe what went wrong on your computer": TEXTS,
            "What did the technician do then": FIXES,
        },
        {"What went wrong on your computer today?": TEXTS, "How was it solved in the end, please?": FIXES},
        {"a": TEXTS, "b": FIXES, "1": IDS, "2": IDS},
        {"INC1": IDS, "code": STATES},
        {"Caller": ["Jane Roe"] * N, SECRET: TEXTS, "2024-03-01": DATES},
        {"customfield_10031": FIXES, "customfield_10032": TEXTS},
        {"the one column of a long text without a header": TEXTS},
    ],
)
def test_headers_stay_headers(table: dict[str, list[str]]) -> None:
    refuse_headerless(table)


def test_a_user_who_names_both_columns_is_not_stopped() -> None:
    table = {"INC0": IDS, "The mail does not open on desk 7": TEXTS, "The service was restarted on node 7": FIXES}
    prompt, answer = list(table)[1:]
    assert map_columns(table, {"prompt": [prompt], "answer": [answer]}).answers == [answer]


def test_names_in_messages_are_short_and_redacted() -> None:
    for name in ("Short description", "Custom field (Root Cause)", "u_root_cause.display_value", "Ouvert par", "What? (a/b)"):
        assert looks_like_name(name) and shown(name) == name
    assert len(shown("word " * 100)) <= 60
    listed = list_columns([SECRET, "mail jane.roe@example.com please"])
    assert "Winter" not in listed and "jane" not in listed and "99 00" not in listed
    with pytest.raises(UserError) as error:
        find_column({SECRET: TEXTS, "title": TEXTS}, "Pasword", "data.columns.answer")
    assert "Winter" not in str(error.value) and "'title'" in str(error.value)


def test_hostile_headers_take_no_time() -> None:
    start = time.perf_counter()
    for name in ("a " * 100_000, "1" * 200_000, "@" * 200_000, "a@" * 100_000, "." * 200_000):
        refuse_headerless({name: ["x"], "b": ["y"]})
        shown(name)
    assert time.perf_counter() - start < 3
