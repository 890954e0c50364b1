"""Whole files through the front door: real exports, planted personal data, and any bytes at all."""

import gzip
import io
import json
import os
from functools import cache
from pathlib import Path

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rca_dist.errors import UserError
from rca_dist.tickets import TicketTable, prepare
from rca_dist.tickets.read import parse
from rca_dist.tickets.synthetic import generate_dirty, write_csv

SHARED = Path(os.environ.get("RCA_SHARED_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared sample exports are not here")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@cache
def whole_files() -> tuple[bytes, ...]:
    import openpyxl
    import pyarrow
    import pyarrow.feather
    import pyarrow.parquet

    table = pyarrow.table({"id": [1, 2], "title": ["a", None], "tags": [["x"], []]})
    parquet, feather, stream, workbook = (io.BytesIO() for _ in range(4))
    pyarrow.parquet.write_table(table, parquet)
    pyarrow.feather.write_feather(table, feather)
    with pyarrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    book = openpyxl.Workbook()
    book.active.append(["id", "title"])
    book.active.append([1, "a"])
    book.save(workbook)
    plain = [item.getvalue() for item in (parquet, feather, stream, workbook)]
    return (*plain, *map(gzip.compress, plain), gzip.compress(b"id,title\n1,a\n" * 20))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A whole binary file with some bytes changed, or cut."""
    data = bytearray(draw(st.sampled_from(whole_files())))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=150, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300),
        damaged(),
        st.text(alphabet='ab,;|\t"\n\r\u00e9 {}[]:0\x00\ud7ff', max_size=120).map(lambda text: text.encode("utf-8")),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    ),
    suffix=st.sampled_from(["csv", "json", "jsonl", "parquet", "arrow", "feather", "xlsx", "txt", "csv.gz", "xlsx.gz"]),
    lenient=st.booleans(),
)
def test_any_bytes_end_in_a_table_or_a_user_error(tmp_path: Path, data: bytes, suffix: str, lenient: bool) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(data)
    try:
        table = parse(data, path.name, lenient=lenient)
        assert len({len(column) for column in table.columns.values()} | {table.rows}) == 1
    except UserError as error:
        assert str(error)
    try:
        prepare(str(path), lenient=lenient)
    except UserError as error:
        assert str(error)


@settings(max_examples=25, deadline=5000)
@given(cells=st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), min_size=12, max_size=12))
def test_any_cell_content_survives_the_pipeline(tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("any") / "t.json"
    path.write_text(
        json.dumps(
            [
                {"title": f"a ticket {i} {one}", "resolution": f"replaced the part {i} {two}"}
                for i, (one, two) in enumerate(cells)
            ]
        )
    )
    table = prepare(str(path), columns={"answer": "resolution"})
    table.save(path.parent / "saved")
    assert TicketTable.load(path.parent / "saved").fingerprint == table.fingerprint


def test_planted_personal_data_is_gone(tmp_path: Path) -> None:
    items, salts = generate_dirty(300, seed=3)
    write_csv(tmp_path / "dirty.csv", items)
    table = prepare(str(tmp_path / "dirty.csv"))
    text = "\n".join([*table.frame["prompt"], *table.frame["answer"]])
    assert len(salts) > 20
    assert [salt for salt in salts if salt.text in text] == []


@needs_shared
def test_both_encodings_of_the_predecessor_file_are_one_table() -> None:
    folder = SHARED / "predecessor_itsm200"
    one = prepare(str(folder / "itsm_tickets_meaningful_200.csv"))
    other = prepare(str(folder / "itsm_tickets_meaningful_200_utf8.csv"))
    pandas.testing.assert_frame_equal(one.frame, other.frame)
    assert (one.facts["encoding"], other.facts["encoding"]) == ("cp1252", "utf-8")
    assert one.facts["rows"]["kept"] == 200
    assert one.facts["languages"] == {"fr": 100, "en": 100}
    assert one.facts["split"]["templated"] is True
    assert one.facts["dates"]["order"] == "day first"
    assert one.frame["created_at"][0] == pandas.Timestamp("2025-02-06 05:58", tz="UTC")
    text = "".join(one.frame["prompt"] + one.frame["answer"])
    assert "Probl\u00e8me" in text
    assert "\u2019" in text
    assert "\u0092" not in text


@needs_shared
def test_other_shared_exports() -> None:
    snow = prepare(str(SHARED / "soba_synthetic_snow" / "tickets.csv"))
    assert snow.facts["rows"]["kept"] == 500
    assert snow.facts["columns"]["answer"]["columns"] == ["resolution"]
    assert snow.facts["duplicates"]["share_in_groups"] >= 0.98
    with pytest.raises(UserError, match=r"only 7 usable tickets of 150 rows"):
        prepare(str(SHARED / "cloud_incidents_vu" / "aws_label.csv"))
    azure = prepare(str(SHARED / "cloud_incidents_vu" / "azure_label.csv"))
    assert azure.facts["rows"]["kept"] == 92
    assert not azure.frame["prompt"].str.contains("</div>").any()
    gcp = prepare(str(SHARED / "cloud_incidents_vu" / "gcp_label.csv"))
    assert gcp.facts["rows"]["kept"] == 34
    assert not gcp.frame["answer"].str.contains("UNKNOWN").any()
    with pytest.raises(UserError, match=r"only 3 usable tickets.*'root cause'"):
        prepare(str(SHARED / "cloudir_samples" / "atlassian.json"))
