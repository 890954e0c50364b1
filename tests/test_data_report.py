"""`rca-dist data FILE [--html]`: what is printed, what is written, what is left alone."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from rca_dist import cli, data_report
from rca_dist.command_line import parse
from rca_dist.errors import UserError
from rca_dist.tickets import TicketTable
from rca_dist.tickets.plural import counted


def write_export(path: Path, count: int = 60) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["number", "short_description", "description", "close_notes", "opened_at"])
        for n in range(count):
            code = f"{n * 37 % 1009} {n * 53 % 997} {n * 71 % 991}"
            answer = "Done." if n % 10 == 9 else f"Changed part {code} of it for ann{n}@example.com"
            writer.writerow([f"INC{n:04d}", f"printer {code}", f"Dark since {code}", answer, f"2024-03-{n % 28 + 1:02d}"])
    return path


def one_ticket() -> TicketTable:
    frame = pandas.DataFrame({
        "id": ["INC1"], "prompt": ["printer down"], "answer": ["write to ann@example.com"], "language": ["und"], "group": [0],
        "split": ["train"], "fold": [-1], "created_at": pandas.to_datetime(["2024-03-01"], utc=True),
    })  # fmt: skip
    facts = {
        "file": "one.csv", "rows": {"in": 1, "kept": 1, "dropped": {}}, "columns": {}, "redaction": {"on": True, "counts": {}},
        "split": {"kind": "group", "problem": "one ticket cannot be split", "sizes": {"train": 1, "validation": 0, "test": 0}},
        "warnings": [], "notes": [],
    }  # fmt: skip
    return TicketTable(frame, facts, "f" * 64)


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_export(tmp_path / "t.csv")


def test_a_page_is_printed_and_nothing_is_written(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.data(["t.csv", "--split.seed=3"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("t.csv: 60 rows, 54 usable tickets")
    assert "boilerplate answer: such as 'Done.'" in page
    assert "Copying the answer of the most similar old ticket" in page
    assert page.rstrip().endswith("Next: rca-dist train --data.path=t.csv --split.seed=3")
    assert "@" not in page
    assert {path.name for path in export.parent.iterdir()} == {"t.csv", "runs"}


@pytest.mark.parametrize(("flag", "folder"), [("--html", "."), ("--html=out/pages", "out/pages")])
def test_html_writes_facts_and_page(export: Path, capsys: pytest.CaptureFixture[str], flag: str, folder: str) -> None:
    assert cli.data(["t.csv", flag]) == 0
    place = export.parent / folder
    facts = json.loads((place / "data.json").read_text(encoding="utf-8"))
    assert facts["rows"]["kept"] == facts["profile"]["tickets"] == 54
    assert facts["flattery"]["random"]["chrf"]["n"] == 54
    assert "54 of 60 rows" in (place / "data.html").read_text(encoding="utf-8")
    assert "example.com" not in (place / "data.html").read_text() + (place / "data.json").read_text()
    assert "Written: " in capsys.readouterr().out
    assert cli.data(["t.csv", flag]) == 0  # its own files it writes again


@pytest.mark.parametrize(
    ("name", "text"), [("data.json", '{"mine": 1}'), ("data.json", "no json"), ("data.html", "<p>mine</p>")]
)
def test_files_of_somebody_else_are_left_alone(export: Path, name: str, text: str) -> None:
    (export.parent / name).write_text(text)
    with pytest.raises(UserError, match="was not written by this command"):
        cli.data(["t.csv", "--html"])
    assert (export.parent / name).read_text() == text


def test_a_folder_that_cannot_be_is_one_message(export: Path) -> None:
    with pytest.raises(UserError, match=r"the report cannot be written"):
        cli.data(["t.csv", "--html=t.csv/inside"])


def test_one_ticket_is_described_and_written(tmp_path: Path) -> None:
    config = parse(["data.path=one.csv"]).config
    page = data_report.main_page(config, one_ticket(), folder=tmp_path, arguments=["data.path=one.csv"])
    assert "1 row, 1 usable ticket" in page
    assert "No split: one ticket cannot be split" in page
    assert "Not measured: only 1 tickets" in page
    assert "training needs at least 10" in page
    assert "rca-dist train" not in page
    written = json.loads((tmp_path / "data.json").read_text())
    assert written["profile"]["tickets"] == 1
    assert "@" not in json.dumps(written)


@pytest.mark.parametrize("count", [1, 3])
def test_small_files_are_described_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    monkeypatch.chdir(tmp_path)
    write_export(tmp_path / "few.csv", count)
    assert cli.data(["few.csv", "--html"]) == 0
    page = capsys.readouterr().out
    assert f"few.csv: {counted(count, 'row')}, {counted(count, 'usable ticket')}\n" in page
    assert "training needs at least 10" in page
    written = json.loads((tmp_path / "data.json").read_text())
    assert len(written["profile"]["samples"]) == count
    assert written["profile"]["samples"][0]["before"]["prompt"].startswith("printer")
    assert "example.com" not in json.dumps(written)


def test_a_table_without_tickets_has_a_page(tmp_path: Path) -> None:
    table = one_ticket()
    table.facts["rows"] = {"in": 4, "kept": 0, "dropped": {"empty answer": 4}}
    empty = TicketTable(table.frame.iloc[:0], table.facts, table.fingerprint)
    assert "0 usable tickets" in data_report.main_page(parse(["data.path=x.csv"]).config, empty, folder=tmp_path)


def test_the_same_table_gives_the_same_facts_in_any_row_order(export: Path) -> None:
    table = data_report.table_for(parse([f"data.path={export}"]).config)
    turned = TicketTable(table.frame.iloc[::-1].reset_index(drop=True), table.facts, table.fingerprint)
    assert data_report.build(table, max_length=64) == data_report.build(turned, max_length=64)


def test_raw_samples_become_samples_of_the_page(export: Path) -> None:
    table = data_report.table_for(parse([f"data.path={export}"]).config)
    table.facts["raw_samples"] = [{"id": "INC0002", "prompt": "<p>[2 words]</p>", "answer": "x"}]
    facts = data_report.build(table)
    assert "raw_samples" not in facts
    (found,) = facts["profile"]["samples"]
    assert (found["id"], found["before"]["prompt"]) == ("INC0002", "<p>[2 words]</p>")
    assert table.facts["raw_samples"]


def test_the_next_command_can_be_copied() -> None:
    facts = {"rows": {"kept": 50}, "split": {}}
    said = data_report.next_step(facts, ["data.path=my file.csv", "--data.redact=false", "split.kind=time"])
    assert said == "rca-dist train '--data.path=my file.csv' --data.redact=false --split.kind=time"
    assert data_report.next_step({"rows": {"kept": 50}, "split": {"problem": "no dates"}}, []).startswith("mend what stands")


def test_describing_loads_no_torch(export: Path) -> None:
    code = "import sys; from rca_dist import cli; cli.data(['t.csv', '--html']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=export.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
