"""Reading exports: encodings, delimiters, line ends, nested records, and a message for every bad file."""

import gzip
import json
from pathlib import Path

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import RawTable, parse, read_bytes


def read(text: str | bytes, name: str = "t.csv", encoding: str = "utf-8", **options: object) -> RawTable:
    data = text if isinstance(text, bytes) else text.encode(encoding)
    return parse(data, name, **options)  # type: ignore[arg-type]


ACCENTS = "id;texte\n1;l\u2019accès réseau\n2;Problème réglé\n"


@pytest.mark.parametrize(
    ("encoding", "reported"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
    ],
)
def test_every_encoding_gives_the_same_text(encoding: str, reported: str) -> None:
    table = read(ACCENTS, encoding=encoding)
    assert table.columns == {"id": ["1", "2"], "texte": ["l\u2019accès réseau", "Problème réglé"]}
    assert table.encoding == reported
    assert table.preview[:1] == ["accès"]


def test_named_encoding_wins_and_must_fit() -> None:
    assert parse("a,b\n\u0416,x\n".encode("cp1251"), "t.csv", encoding="cp1251").columns["a"] == ["\u0416"]
    with pytest.raises(UserError, match=r"not valid utf-8 at byte 5 \(about line 2\)"):
        parse(b"a,b\nx\xe9,y\n", "t.csv", encoding="utf-8")
    with pytest.raises(UserError, match=r"data.encoding='klingon' is not a text encoding"):
        parse(b"a,b\n1,2\n", "t.csv", encoding="klingon")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(delimiter: str, end: str) -> None:
    rows = [["id", "title", "text"], ["007", "a, b; c", f"first{end}second"], ["8", 'say "hi"', "x|y\tz"]]
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    table = read(end.join(quoted) + end)
    assert table.delimiter == delimiter
    assert table.columns == {
        "id": ["007", "8"],
        "title": ["a, b; c", 'say "hi"'],
        "text": [f"first{end}second", "x|y\tz"],
    }


def test_repeated_and_empty_headers_blank_rows_and_surplus_empty_cells() -> None:
    table = read("Comment,Comment,,Comment\na,b,c,d\n,,,\n\ne,f,g,h,,\n")
    assert table.columns == {"Comment": ["a\n\nb\n\nd", "e\n\nf\n\nh"], "Unnamed: 2": ["c", "g"]}
    assert table.dropped == {"blank row": 1}


def test_excel_separator_hint_and_named_delimiter() -> None:
    assert read("sep=;\na;b\n1;2\n").columns == {"a": ["1"], "b": ["2"]}
    assert read("a b\tc\n1\t2\n", delimiter="tab").columns == {"a b": ["1"], "c": ["2"]}
    with pytest.raises(UserError, match=r"data.delimiter='ab'"):
        read("a,b\n1,2\n", delimiter="ab")


def test_wrong_field_count_names_the_row_or_is_counted() -> None:
    text = 'a,b\n1,"x\ny"\n2,y,z\n3,w\n4\n'
    with pytest.raises(UserError, match=r"t.csv: row 3 \(ends at line 4\) has 3 fields, the header has 2"):
        read(text)
    table = read(text, lenient=True)
    assert table.columns["a"] == ["1", "3"]
    assert table.dropped == {"wrong number of fields": 2}


def test_a_cut_file_names_the_row_where_the_quote_opens() -> None:
    text = 'a,b\n1,x\n2,"never closed\n3,y\n4,z\n'
    with pytest.raises(UserError, match=r"row 3 .* opens a quote that is never closed"):
        read(text)
    table = read(text, lenient=True)
    assert table.columns == {"a": ["1"], "b": ["x"]}
    assert table.dropped == {"cut inside a quoted cell": 1}


RECORDS = [
    {
        "number": "INC1",
        "root cause": {"details": "disk full"},
        "ref": {"display_value": "Mail", "link": "http://x"},
        "n": 1.50,
    },
    {"number": "INC2", "root cause": None, "tags": ["a", "b"], "ok": True},
]
FLAT = {
    "number": ["INC1", "INC2"],
    "root cause.details": ["disk full", ""],
    "ref": ["Mail", ""],
    "n": ["1.5", ""],
    "root cause": ["", ""],
    "tags": ["", "a, b"],
    "ok": ["", "true"],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", json.dumps(RECORDS)),
        ("t.json", json.dumps({"count": 2, "result": RECORDS})),
        ("t.json", json.dumps({"issues": RECORDS})),
        ("t.jsonl", "\n".join(map(json.dumps, RECORDS)) + "\n"),
        ("t.json", "\n".join(map(json.dumps, RECORDS))),
        ("export", json.dumps(RECORDS)),
    ],
)
def test_json_forms_are_flattened_alike(name: str, text: str) -> None:
    assert read(text, name).columns == FLAT


def test_json_map_of_id_to_record_keeps_the_ids() -> None:
    table = read(json.dumps({"007": {"title": "a"}, "x-1": {"title": "b"}}), "t.json")
    assert table.columns == {"id": ["007", "x-1"], "title": ["a", "b"]}


def test_atlassian_document_becomes_text_and_lone_surrogates_are_replaced() -> None:
    tree = {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": t}]} for t in "ab"]}
    assert read(json.dumps([{"description": tree, "x": "\ud800!"}]), "t.json").columns == {
        "description": ["a\nb"],
        "x": ["\ufffd!"],
    }


def test_parquet_and_gzip(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"id": [1.0, None], "text": ["a", None], "at": pandas.to_datetime(["2024-01-02", None])})
    frame.to_parquet(tmp_path / "t.parquet")
    expected = {"id": ["1"], "text": ["a"], "at": ["2024-01-02T00:00:00"]}
    table = parse(read_bytes(tmp_path / "t.parquet"), "t.parquet")
    assert table.columns == expected
    assert table.dropped == {"blank row": 1}
    assert parse(gzip.compress(b"a;b\n1;2\n"), "t.csv.gz").columns == {"a": ["1"], "b": ["2"]}
    with pytest.raises(UserError, match=r"gzip file is cut"):
        parse(gzip.compress(b"a;b\n1;2\n" * 50)[:-9], "t.csv.gz")


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "t.csv", "the file is empty"),
        (b" \r\n\n", "t.csv", "the file is empty"),
        (b"\xef\xbb\xbf", "t.csv", "the file is empty"),
        (b"a,b\n", "t.csv", "a header but no rows"),
        (b"[]", "t.json", "holds no tickets"),
        (b"PK\x03\x04....", "t.csv", r"zip or Excel \(.xlsx\)"),
        (b"\x89PNG\r\n", "t.csv", "PNG image"),
        (b"a,b\n\x00\x01\x02\x03" * 9, "t.csv", "binary file"),
        (b"a,b\n" + bytes(range(1, 9)) * 9, "t.csv", "binary file"),
        (b"\xff\xfea", "t.csv", "begins like utf-16"),
        (b"PAR1 nothing", "t.parquet", "not a readable Parquet file"),
        (b'{"a": [1,}', "t.json", "not valid JSON at line 1, column 10"),
        (b"[" * 100_000, "t.json", "nested too deep"),
        (b"17", "t.json", "the JSON is a single str"),
        (b'[{"a": "x"}, 3]', "t.json", "record 2 is a str"),
        (b'{"a": "x"}\nnope\n', "t.jsonl", "line 2 is not a JSON object"),
        (b'a,b\n"x,y\n', "t.csv", "row 2 .* never closed"),
    ],
)
def test_bad_content_has_its_own_message(data: bytes, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(data, name)


def test_bad_paths_have_their_own_message(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("a\n")
    with pytest.raises(UserError, match=r"no such file\. Did you mean tickets\.csv\?"):
        read_bytes(tmp_path / "ticket.csv")
    with pytest.raises(UserError, match=r"is a folder; name one file in it, such as tickets\.csv"):
        read_bytes(tmp_path)
    with pytest.raises(UserError, match=r"does not exist either"):
        read_bytes(tmp_path / "no" / "t.csv")
    with pytest.raises(UserError, match=r"is a web address"):
        read_bytes("https://example.com/t.csv")
    with pytest.raises(UserError, match=r"is empty"):
        read_bytes("")
    with pytest.raises(UserError, match=r"cannot be read|no such file"):
        read_bytes("a\x00b.csv")


@pytest.mark.parametrize("length", [0, 1])
def test_a_stray_nul_byte_is_named_with_its_line(length):
    # An even number of bytes decodes as UTF-16 too, into nonsense.
    rows = ["id,title,resolution", *(f"T{n},printer {n} is down,we replaced cable number {n}" for n in range(30))]
    rows[6] = rows[6].replace("is", "i\0s")
    with pytest.raises(UserError, match=r"t\.csv: damaged text: 1 NUL bytes, the first in line 7"):
        read("\n".join(rows) + "\n" * (length + 1))
