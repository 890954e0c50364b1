"""Which files a path names, the binary formats, and several files as one table."""

import datetime as dt
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import parse, read_table
from rca_dist.tickets.reading.sources import find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("Id;Titre\n1;x\n")
    (tmp_path / "b.json").write_text('[{"id": "2", "titré": "y", "extra": "z"}]')
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress("ID,titre\n3,\u00e9t\u00e9\n".encode("cp1252")))
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / "plan.png").write_bytes(b"\x89PNG")
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    (tmp_path / "notes.txt").write_text("Dear all.\nBye.\n")
    (tmp_path / ".hidden.csv").write_text("a;b\n1;2\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.csv").write_text("id;titre\n4;deep\n")
    return tmp_path


def test_folder_takes_the_exports_and_names_the_rest(folder: Path) -> None:
    table = read_table(str(folder))
    assert table.columns == {"Id": ["1", "2", "3"], "Titre": ["x", "y", "\u00e9t\u00e9"], "extra": ["", "z", ""]}
    assert table.files == ["a.csv", "b.json", "c.csv.gz"]
    assert [table.place(row) for row in range(3)] == ["a.csv, row 2", "b.json, row 1", "c.csv.gz, row 2"]
    assert [source["encoding"] for source in table.sources] == ["utf-8", "utf-8", "cp1252"]
    assert [source["delimiter"] for source in table.sources] == [";", None, ","]
    said = " ".join(table.notes)
    assert all(name in said for name in ("README.md", "plan.png", "old.xls (old Excel", "notes.txt"))
    assert ".hidden" not in said
    assert "a.csv has no column 'extra'; empty there." in table.notes
    assert table.format == "mixed"


def test_globs_lists_and_twice_the_same_file(folder: Path) -> None:
    def names(path: object) -> list[str]:
        return [source.name for source in find(path)]  # type: ignore[arg-type]

    assert names(str(folder / "*.csv*")) == ["a.csv", "c.csv.gz"]
    assert names(str(folder / "**" / "*.csv")) == ["a.csv", "more/a.csv"]
    assert names([str(folder / "b.json"), str(folder / "*.json")]) == ["b.json"]
    assert names(f"{folder}/a.csv,{folder}/b.json") == ["a.csv", "b.json"]
    (folder / "x[1].csv").write_text("a;b\n1;2\n")
    assert names(str(folder / "x[1].csv")) == ["x[1].csv"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("*.zip", "no file matches"),
        ("more/none", "no such file"),
        ("*.png", r"no ticket export in it\. Left out: plan\.png"),
        ("old.xls", r"old Excel \(\.xls\)"),
    ],
)
def test_paths_that_name_nothing(folder: Path, path: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_table(str(folder / path))


def test_empty_folder_points_at_its_subfolders(tmp_path: Path) -> None:
    (tmp_path / "march").mkdir()
    with pytest.raises(UserError, match=r"holds no files\. It has folders \(march\)"):
        find(str(tmp_path))
    with pytest.raises(UserError, match=r"data\.path is empty"):
        find([])


def test_hub_name_without_network_is_one_clear_message() -> None:
    with pytest.raises(UserError, match=r"'nobody/nothing' is no file here, and it cannot be loaded"):
        read_table("nobody/nothing")
    with pytest.raises(UserError, match=r"write hf:owner/name"):
        read_table("hf:not a name")


def test_fingerprint_follows_bytes_and_name(tmp_path: Path) -> None:
    def print_of(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return find(str(tmp_path / name))[0].fingerprint()

    assert print_of("a.csv", "x") == print_of("a.csv", "x")
    assert len({print_of("a.csv", "x"), print_of("a.csv", "y"), print_of("b.csv", "x")}) == 3


def test_saved_datasets_with_labels_and_splits(tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"id": datasets.Value("string"), "area": datasets.ClassLabel(names=["net", "mail"])})
    one = datasets.Dataset.from_dict({"id": ["007", "8"], "area": [1, 0]}, features=features)
    one.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict(train=one, test=one.select([0])).save_to_disk(str(tmp_path / "two"))
    assert read_table(str(tmp_path / "one")).columns == {"id": ["007", "8"], "area": ["mail", "net"]}
    two = read_table(str(tmp_path / "two"))
    assert two.columns["split"] == ["train", "train", "test"]
    assert two.place(2).startswith("two/test/")
    next((tmp_path / "one").glob("*.arrow")).unlink()
    with pytest.raises(UserError, match="lacks its file"):
        find(str(tmp_path / "one"))


def test_arrow_file_stream_and_feather(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.feather

    times = pyarrow.array([dt.datetime(2024, 1, 2), None])
    table = pyarrow.table({"id": [5732943, 2], "root cause": [{"details": "disk"}, None], "at": times})
    pyarrow.feather.write_feather(table, str(tmp_path / "t.feather"))
    with pyarrow.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (tmp_path / "z.arrow.gz").write_bytes(gzip.compress((tmp_path / "t.arrow").read_bytes()))
    for name in ("t.feather", "t.arrow", "z.arrow.gz"):
        columns = read_table(str(tmp_path / name)).columns
        assert columns["id"] == ["5732943", "2"]
        assert columns["root cause.details"] == ["disk", ""]
        assert columns["at"] == ["2024-01-02T00:00:00", ""]
    with pytest.raises(UserError, match="not a readable Arrow file"):
        parse((tmp_path / "t.feather").read_bytes()[:-40], "t.feather")


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


TICKETS: list[list[object]] = [
    ["Incidents of March"],
    [],
    ["Number", "Opened", "Short description", "Close notes", "Hours"],
    [5732943, dt.datetime(2024, 3, 12, 9, 41), "printer", "replaced the\ncable", 1.5],
    [2.0, dt.date(2024, 3, 13), "mail", None, 0.1 + 0.2],
]


def test_workbook_finds_the_sheet_and_the_header() -> None:
    data = workbook(("Cover", [["Report", "Incidents"], ["By", "me"]]), ("Data", TICKETS))
    table = parse(data, "t.xlsx")
    assert table.columns == {
        "Number": ["5732943", "2"],
        "Opened": ["2024-03-12T09:41:00", "2024-03-13"],
        "Short description": ["printer", "mail"],
        "Close notes": ["replaced the\ncable", ""],
        "Hours": ["1.5", "0.3"],
    }
    assert table.numbers == [4, 5]
    assert any("sheet 'Data' is read" in note for note in table.notes)
    assert parse(data, "t.xlsx", sheet="cover").columns == {"Report": ["By"], "Incidents": ["me"]}
    assert parse(data, "t.xlsx", sheet="2").rows == 2
    assert parse(gzip.compress(data), "t.xlsx.gz").rows == 2
    with pytest.raises(UserError, match=r"data\.sheet=None2: t\.xlsx has no such sheet\. Its sheets: 'Cover', 'Data'"):
        parse(data, "t.xlsx", sheet="None2")


def month(first: int, *more: list[object]) -> list[list[object]]:
    head: list[object] = ["Number", "Short description", "Close notes"]
    rows: list[list[object]] = [[f"INC{first + n}", f"printer {n}", "replaced the fuser"] for n in range(3)]
    return [head, *rows, *more]


def test_sheets_of_one_header_are_read_together() -> None:
    turned: list[list[object]] = [["close_notes", "number", "short_description"], ["cleaned the glass", "INC30", "scanner"]]
    other: list[list[object]] = [["Owner", "Team", "Phone list"], ["x", "y", "z"]]
    data = workbook(("Cover", [["Report"]]), ("Jan", month(1)), ("Feb", month(11)), ("People", other), ("Mar", turned))
    table = parse(data, "t.xlsx")
    assert table.columns["Number"] == ["INC1", "INC2", "INC3", "INC11", "INC12", "INC13", "INC30"]
    assert table.columns["Close notes"][-1] == "cleaned the glass"
    assert (table.name, table.rows, len(table.sources), table.sources[0]["rows"]) == ("t.xlsx", 7, 1, 7)
    assert table.place(4) == "t.xlsx, sheet 'Feb', row 3"
    assert table.notes[0] == (
        "t.xlsx: 3 sheets of one header are read ('Jan', 'Feb', 'Mar'), not 'Cover', 'People'; name one with --data.sheet=NAME."
    )
    assert parse(data, "t.xlsx", sheet="Feb").columns["Number"] == ["INC11", "INC12", "INC13"]


def test_sheets_and_files_keep_their_places(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Number,Short description,Close notes\nINC9,mail,restarted it\n")
    (tmp_path / "b.xlsx").write_bytes(workbook(("Jan", month(1)), ("Feb", month(11))))
    (tmp_path / "c.csv").write_text("Number,Short description,Close notes\nINC8,mail,restarted it\n")
    table = read_table(str(tmp_path))
    places = [table.place(row) for row in (0, 1, 4, 7)]
    assert places == ["a.csv, row 2", "b.xlsx, sheet 'Jan', row 2", "b.xlsx, sheet 'Feb', row 2", "c.csv, row 2"]
    assert [source["name"] for source in table.sources] == ["a.csv", "b.xlsx", "c.csv"]


def test_a_line_below_the_table_of_a_sheet_is_left_out() -> None:
    table = parse(workbook(("S", month(1, [], ["Total", 3], ["Exported on 2024-03-01 by jane.roe@example.com"]))), "t.xlsx")
    assert (table.rows, table.dropped["line below the table"]) == (3, 2)
    assert "t.xlsx: 2 lines below the table are no ticket and left out ('Total 3')." in table.notes
    # With a row below it, it is one of the rows.
    assert parse(workbook(("S", month(1, ["Total", 3], ["INC9", "a", "b"]))), "t.xlsx").rows == 5


def test_workbook_messages() -> None:
    data = workbook(("Data", TICKETS))
    with pytest.raises(UserError, match="damaged or cut"):
        parse(data[:-200], "t.xlsx")
    with pytest.raises(UserError, match="no sheet holds a table"):
        parse(workbook(("Empty", [])), "t.xlsx")
    with pytest.raises(UserError, match=r"row 2: a value stands in column 3, and the header \(row 1\) has 2"):
        parse(workbook(("S", [["id", "title"], ["1", "x", "y"]])), "t.xlsx")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("tickets.csv", "a,b\n1,2\n")
    with pytest.raises(UserError, match="zip archive, not an Excel"):
        parse(archive.getvalue(), "t.zip")


def test_workbooks_that_claim_absurd_sizes_end_soon() -> None:
    def with_sheet(xml: str) -> bytes:
        source, target = zipfile.ZipFile(io.BytesIO(workbook(("S", [["id", "title"], ["1", "x"]])))), io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
            for part in source.namelist():
                file.writestr(part, xml if part.endswith("sheet1.xml") else source.read(part))
        return target.getvalue()

    start = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/><sheetData>'
    cell = '<c r="{0}{1}" t="inlineStr"><is><t>title</t></is></c>'
    row = '<row r="{1}">' + cell.format("A", "{1}") + cell.format("B", "{1}") + "</row>"
    end = "</sheetData></worksheet>"
    assert parse(with_sheet(start + row.format("", 1) + row.format("", 2) + end), "t.xlsx").rows == 1
    many = "".join(row.format("", number) for number in range(1, 12_502))
    assert parse(with_sheet(start + many + end), "t.xlsx").rows == 12_500
    for far in (999_999_999_999, 1_048_576):
        with pytest.raises(UserError, match="no sheet holds a table"):
            parse(with_sheet(start + row.format("", 1) + row.format("", far) + end), "t.xlsx")
    with pytest.raises(UserError, match="unpacks to a size that no table of tickets has"):
        parse(with_sheet(start + " " * 70_000_000 + row.format("", 1) + end), "t.xlsx")


def test_gzip_and_parquet_bombs_are_refused() -> None:
    import pandas

    with pytest.raises(UserError, match="unpacks to more than 400 times its size"):
        parse(gzip.compress(b"\0" * 70_000_000), "t.csv.gz")
    stream = io.BytesIO()
    pandas.DataFrame({"a": pandas.Series([None] * 600_000, dtype="string")}).to_parquet(stream)
    with pytest.raises(UserError, match="claims 600,000 rows"):
        parse(stream.getvalue(), "t.parquet")


def test_a_list_in_json_keeps_numbers_as_written(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps([["id", "version"]])[:-1] + ', ["007", 1.10]]')
    assert read_table(str(tmp_path / "t.json")).columns == {"id": ["007"], "version": ["1.10"]}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("nope.csv", r"no such file\. The folder .* has"),
        ("tikcets.csv", r"Did you mean tickets\.csv\?"),
        ("Tickets.xlsx", r"Did you mean tickets\.csv\?"),
        ("incident_export_march.csv", r"Did you mean incident_export_mars\.csv\?"),
    ],
)
def test_only_names_that_are_near_are_suggested(tmp_path: Path, wanted: str, said: str) -> None:
    for name in ("tickets.csv", "noid.csv", "over.csv", "cr.csv", "incident_export_mars.csv"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=said):
        read_table(str(tmp_path / wanted))
