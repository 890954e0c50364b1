"""Dates: the forms of every ticket system, day-first from the whole column, time zones, and what cannot be read."""

import datetime as dt
import time

import pytest

from rca_dist.tickets.dates import date_notes, order_problem, parse_dates, shared_order, time_split_problem


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc, arg-type]


MARCH = utc(2024, 3, 12, 9, 41)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("12 mars 2024 \u00e0 09:41", MARCH),
        ("mar. 12 mars 2024 9h41", MARCH),
        ("12. M\u00e4rz 2024 um 09:41 Uhr", MARCH),
        ("Dienstag, 12. Maerz 2024 09:41", MARCH),
        ("12 de marzo de 2024, 9:41 a. m.", MARCH),
        ("ter\u00e7a-feira, 12 de mar\u00e7o de 2024 \u00e0s 09:41", MARCH),
        ("12 marzo 2024 alle ore 09:41", MARCH),
        ("12 mrt. 2024 om 09:41", MARCH),
        ("Tuesday, March 12, 2024 at 9:41 AM", MARCH),
        ("12/Mar/24 9:41 AM", MARCH),
        ("12-MAR-24 09.41.00.000000 AM", MARCH),
        ("2024/03/12 9:41 a.m.", MARCH),
        ("2024-03-12 09:41:00.123 +0000", MARCH),
        ("2024-03-12T02:41:00-0700", MARCH),
        ("2024-03-12T10:41+01:00[Europe/Paris]", MARCH),
        ("2024-03-12 10:41 Europe/Paris", MARCH),
        ("2024-03-12 10:41 CET", MARCH),
        ("2024-03-12 05:41 EDT", MARCH),
        ("Tue Mar 12 10:41:00 CET 2024", MARCH),
        ("Tue Mar 12 2024 10:41:00 GMT+0100 (Central European Standard Time)", MARCH),
        ("2024-03-12 03:11 PM GMT+5:30", MARCH),
        ("20240312T0941Z", MARCH),
        ("20240312094100", MARCH),
        ("1710236460", MARCH),
        ("1710236460000", MARCH),
        ("/Date(1710236460000+0100)/", MARCH),
        ("\\/Date(1710236460000)\\/", MARCH),
        ("09:41 2024-03-12", MARCH),
        ("2024-03-12 12:05 am", utc(2024, 3, 12, 0, 5)),
        ("12 Mar 2024 12:05 p.m.", utc(2024, 3, 12, 12, 5)),
        ("12.03.24", utc(2024, 3, 12)),
        ("31/12/99", utc(1999, 12, 31)),
        ("5 f\u00e9vr. 2024", utc(2024, 2, 5)),
        ("1er ao\u00fbt 2024", utc(2024, 8, 1)),
        ("3. Okt. 2024", utc(2024, 10, 3)),
        ("3 out. 2024", utc(2024, 10, 3)),
        ("3 ott 2024", utc(2024, 10, 3)),
        ("3 ene. 2024", utc(2024, 1, 3)),
        ("3 dez 2024", utc(2024, 12, 3)),
        ("3 juil. 2024", utc(2024, 7, 3)),
        ("3 gennaio 2024", utc(2024, 1, 3)),
        ("05/05/2025", utc(2025, 5, 5)),
        ("mar 12, 2024", utc(2024, 3, 12)),
        ("mar. 12/03/2024 y", None),
        ("12 marketing 2024", None),
        ("3 jui 2024", None),
        ("2024-02-30", None),
        ("31/31/2024", None),
        ("12:41", None),
        ("INC0012345", None),
        ("1899-01-01", None),
        ("2024-03-12 09:41 (" + "x" * 200 + ")", None),
    ],
)
def test_one_cell(cell: str, expected: dt.datetime | None) -> None:
    parsed = parse_dates([cell])
    assert parsed.values == [expected]
    assert parsed.unreadable == (expected is None)
    assert parsed.example == ("" if expected else cell[:200])


def test_empty_dates_are_no_errors() -> None:
    parsed = parse_dates(["", "N/A", "0000-00-00 00:00:00", "0001-01-01T00:00:00", "-"])
    assert (parsed.values, parsed.unreadable, date_notes(parsed, "opened")) == ([None] * 5, 0, [])


def test_excel_days_only_where_the_whole_column_is_such() -> None:
    assert parse_dates(["45363.25", "", "45000"]).values == [utc(2024, 3, 12, 6), None, utc(2023, 3, 15)]
    mixed = parse_dates(["45363.25", "2024-03-12"])
    assert (mixed.values, mixed.unreadable) == ([None, utc(2024, 3, 12)], 1)
    assert parse_dates(["45363,5"]).values == [utc(2024, 3, 12, 12)]
    assert parse_dates(["12", "900"]).unreadable == 2


def test_one_slip_in_many_does_not_make_a_column_ambiguous() -> None:
    cells = [f"{day:02d}/03/2024" for day in range(13, 29)] * 10
    parsed = parse_dates([*cells, "03/25/2024", "05/03/2024"])
    assert (parsed.order, parsed.unreadable, parsed.example) == ("day first", 1, "03/25/2024")
    assert parsed.values[-1] == utc(2024, 3, 5)
    assert parse_dates([*cells[:5], "03/25/2024"]).order == "ambiguous"
    assert parse_dates(["31/31/2024", "05/06/2024"]).order == "ambiguous"


def test_dots_mean_day_first_unless_the_days_say_otherwise() -> None:
    assert parse_dates(["06.02.2025"]).values == [utc(2025, 2, 6)]
    assert parse_dates(["06.02.2025", "06.22.2025"]).order == "month first"


def test_an_order_from_outside_counts_only_where_the_column_is_open() -> None:
    assert parse_dates(["05/06/2024"], "day first").values == [utc(2024, 6, 5)]
    assert parse_dates(["05/06/2024"], "month first").values == [utc(2024, 5, 6)]
    assert parse_dates(["05/16/2024", "05/06/2024"], "day first").order == "month first"
    assert parse_dates(["05/16/2024", "16/05/2024"], "day first").order == "ambiguous"


@pytest.mark.parametrize("order", ["month first", "month_first"])
def test_the_order_that_a_user_gives_holds_whatever_the_column_says(order: str) -> None:
    cells = ["05/06/2024", "27/01/2024", "2024-03-12", "13/02/2024"]
    assert parse_dates(cells, order).values[0] == utc(2024, 6, 5)
    forced = parse_dates(cells, order, forced=True)
    # A cell that fits one order only is never emptied.
    assert forced.values == [utc(2024, 5, 6), utc(2024, 1, 27), utc(2024, 3, 12), utc(2024, 2, 13)]
    assert (forced.order, forced.unreadable, forced.against) == ("month first", 0, 2)
    assert "2 of 4 cells in 'opened' do not fit data.date_order (month first)" in date_notes(forced, "opened")[0]
    assert parse_dates(["05/06/2024"], order, forced=True).values == [utc(2024, 5, 6)]
    assert parse_dates(["2024-05-06"], order, forced=True).order == "unambiguous"
    both = parse_dates(["05/06/2024", "05/16/2024", "16/05/2024"], order, forced=True)
    assert both.values == [utc(2024, 5, 6), utc(2024, 5, 16), utc(2024, 5, 16)]
    assert "such as '16/05/2024' (row 2)" in date_notes(both, "opened", lambda row: f"row {row}")[0]
    assert parse_dates(["05/06/2024"], None, forced=True).order == "ambiguous"


def test_two_orders_in_one_column_are_named_with_their_rows() -> None:
    cells = ["", "05/06/2024", "03/25/2024", "27/01/2024 08:00", "04/28/2024", "07/07/2024"]
    parsed = parse_dates(cells)
    expected = [None, None, utc(2024, 3, 25), utc(2024, 1, 27, 8), utc(2024, 4, 28), utc(2024, 7, 7)]
    assert (parsed.values, parsed.order, parsed.unreadable) == (expected, "ambiguous", 1)
    assert parsed.contradiction == ((3, "27/01/2024 08:00"), (2, "03/25/2024"))
    said = date_notes(parsed, "opened", lambda row: f"t.csv, row {row + 2}")[0]
    assert "'27/01/2024 08:00' (t.csv, row 5) can only be day first, '03/25/2024' (t.csv, row 4) only month first" in said
    assert "--data.date_order=day_first or month_first" in said
    assert "27/01" in order_problem(parsed, "opened")
    assert "contradict each other" in time_split_problem(parsed, "opened")
    # One slip in a hundred is no contradiction.
    assert parse_dates([*cells[3:4] * 200, "03/25/2024"]).contradiction == ()


def test_what_stands_against_a_split_by_time() -> None:
    assert "no value settles it" in time_split_problem(parse_dates(["05/06/2024"]), "opened")
    assert "--data.date_order=day_first" in time_split_problem(parse_dates(["05/06/2024"]), "opened")
    assert "none was found" in time_split_problem(None, None)
    assert "only 1 of 3 values in 'opened' are dates" in time_split_problem(parse_dates(["2024-01-01", "x", "y"]), "opened")
    assert time_split_problem(parse_dates(["2024-01-01"]), "opened") == ""


def test_columns_of_one_file_settle_each_other() -> None:
    start = [f"{i % 12 + 1:02d}/02/2024" for i in range(48)]
    assert shared_order([start, ["13/02/2024", *start[1:]]]) == "day first"
    assert shared_order([start, ["02/13/2024", *start[1:]]]) == "month first"
    assert shared_order([start, ["13/02/2024", "02/13/2024", *start[2:]]]) is None
    assert shared_order([["2024-01-01"] * 48, ["2024-01-02"] * 48]) is None
    # Day first, each ticket is resolved in the month after; month first, it would be resolved five months before.
    opened = [f"{i % 5 + 6:02d}/{i % 11 + 1:02d}/2024" for i in range(48)]
    resolved = [f"{i % 5 + 1:02d}/{i % 11 + 2:02d}/2024" for i in range(48)]
    assert shared_order([opened, resolved]) == "day first"
    assert shared_order([opened[:5], resolved[:5]]) is None
    assert shared_order([opened, opened]) is None


def test_what_cannot_be_read_is_said_with_an_example() -> None:
    cells = ["2024-03-12", "call jane.roe@example.com", "2024-03-12 10:00 QQT"]
    notes = date_notes(parse_dates(cells), "opened")
    assert notes[0].startswith("1 of 3 cells in 'opened' are no date that can be read, such as 'call <EMAIL>'")
    assert notes[1] == "time zone QQT in 'opened' is not known; taken as UTC."
    assert parse_dates(cells).values[2] == utc(2024, 3, 12, 10)
    assert "day first or month first" in date_notes(parse_dates(["05/06/2024"]), "opened")[0]


def test_hostile_cells_take_no_time() -> None:
    cells = [
        "1" * 200_000,
        " " * 200_000 + "x",
        "12/" * 30,
        "1 " * 49,
        "10:30 " * 16,
        "mar " * 24,
        "(" * 99,
        "12/03/2024 " + "- " * 40,
    ]
    start = time.perf_counter()
    parsed = parse_dates(cells * 200)
    assert time.perf_counter() - start < 3
    assert parsed.unreadable == len(cells) * 200
