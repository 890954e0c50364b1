"""Repeated headers become one column, and rows wider than the header belong to the last of them."""

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import parse
from rca_dist.tickets.reading.gather import gather_repeated


def test_values_are_joined_in_order_and_lists_with_commas() -> None:
    columns = {
        "Key": ["1", "2"],
        "Comment": ["12/Mar/24 9:41 AM;u1;first", ""],
        "Labels": ["mail", ""],
        "Comment.1": ["", "only"],
        "Labels.1": ["vpn", "lan"],
        "Comment.2": ["13/Mar/24 9:41 AM;u2;third", ""],
    }
    assert gather_repeated(columns) == {
        "Key": ["1", "2"],
        "Comment": ["12/Mar/24 9:41 AM;u1;first\n\n13/Mar/24 9:41 AM;u2;third", "only"],
        "Labels": ["mail, vpn", "lan"],
    }


def test_a_column_exported_twice_stays_as_it_is() -> None:
    assert gather_repeated({"Created": ["2024-01-01"], "Created.1": ["2024-01-01"]}) == {"Created": ["2024-01-01"]}


@pytest.mark.parametrize("names", [("Tier", "Tier.2"), ("Tier 1", "Tier.1"), ("v.1", "v.2"), ("a.01", "a")])
def test_other_numbered_names_are_left_alone(names: tuple[str, str]) -> None:
    columns = {name: ["x"] for name in names}
    assert gather_repeated(columns) == columns


def test_surplus_cells_belong_to_the_last_repeated_header() -> None:
    table = parse(b"Key,Comment,Comment\n1,a,b,c,,d\n2,e\n,,\n", "j.csv", lenient=True)
    assert table.columns == {"Key": ["1"], "Comment": ["a\n\nb\n\nc\n\nd"]}
    assert any("1 rows are wider than the header" in note for note in table.notes)
    with pytest.raises(UserError, match=r"row 2 .* has 5 fields, the header has 4"):
        parse(b"Key,Comment,Comment,Status\n1,a,b,c,d\n", "j.csv")


def test_many_repeats_are_gathered_quickly() -> None:
    data = ",".join(["Comment"] * 20_000) + "\n" + ",".join(["x", *[""] * 19_998, "y"]) + "\n"
    assert parse(data.encode(), "j.csv").columns == {"Comment": ["x\n\ny"]}
