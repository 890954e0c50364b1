"""The front door: whole files to tables, the cache, and every refusal."""

import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

from rca_dist.errors import UserError
from rca_dist.tickets import TicketTable, prepare

THINGS = [
    *("mail", "vpn", "printer", "disk", "proxy", "laptop", "scanner", "badge"),
    *("phone", "portal", "router", "switch", "backup", "license", "firewall", "dns"),
]


def rows(count: int) -> list[dict[str, str]]:
    out = []
    for i in range(count):
        thing, other = THINGS[i % 16], THINGS[(i * 5 + i // 16) % 16]
        words = " ".join(f"{thing[:3]}{(i * 31 + k * k * 7) % 997}" for k in range(12))
        out.append({
            "number": f"INC{i:04d}", "short_description": f"{thing} problem {i}",
            "description": f"The {thing} cannot reach {words} from a{i}@x.com",
            "close_notes": f"Replaced {other} part {i * 17 % 1009} and {words[::-1]} for a{i}@x.com",
            "opened_at": f"2024-01-{i % 28 + 1:02d} 08:{i % 60:02d}:00", "category": thing,
        })  # fmt: skip
    return out


def write(path: Path, items: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(items[0]))
    writer.writeheader()
    writer.writerows(items)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return str(path)


@pytest.fixture
def export(tmp_path: Path) -> str:
    return write(tmp_path / "t.csv", rows(60))


def test_a_plain_export_becomes_a_redacted_split_table(export: str) -> None:
    table = prepare(export, columns={"slices": "category"})
    frame = table.frame
    assert list(frame.columns) == [
        "id",
        "prompt",
        "answer",
        "created_at",
        "language",
        "group",
        "split",
        "fold",
        "slice_category",
    ]
    assert list(frame["id"]) == [f"INC{i:04d}" for i in range(60)]
    assert frame["prompt"][3].startswith("disk problem 3\nThe disk cannot reach")
    assert frame["prompt"][3].endswith("from <EMAIL>")
    assert not frame["answer"].str.contains("@").any()
    assert frame["created_at"][0] == pandas.Timestamp("2024-01-01 08:00", tz="UTC")
    assert sum(len(table.rows(side)) for side in ("train", "validation", "test")) == 60
    facts = json.loads(json.dumps(table.facts))
    assert facts["redaction"] == {"on": True, "counts": {"EMAIL": 120}}
    assert facts["rows"] == {"in": 60, "kept": 60, "dropped": {}}
    assert facts["file"] == "t.csv"
    assert "@" not in json.dumps(facts)
    assert facts["columns"]["not_used"] == []
    with pytest.raises(ValueError, match=r"split 'tests'"):
        table.rows("tests")


def test_row_order_changes_neither_split_nor_fingerprint(tmp_path: Path) -> None:
    items = rows(60)
    for strip_ids in (False, True):
        kept = [{k: v for k, v in item.items() if not (strip_ids and k == "number")} for item in items]
        one, other = prepare(write(tmp_path / "a.csv", kept)), prepare(write(tmp_path / "b.csv", kept[::-1]))
        assert one.fingerprint == other.fingerprint
        assert dict(zip(one.frame["id"], one.frame["split"], strict=True)) == dict(
            zip(other.frame["id"], other.frame["split"], strict=True)
        )
        assert prepare(str(tmp_path / "a.csv"), seed=1).fingerprint != one.fingerprint


def test_every_dropped_row_has_its_reason(tmp_path: Path) -> None:
    items = rows(30)
    items[0]["close_notes"] = "N/A"
    items[1]["close_notes"] = "Issue resolved, thanks"
    items[2]["close_notes"] = "rebooted"
    items[3] |= {"description": "", "short_description": "-"}
    items[5] = {**items[4], "close_notes": "an older answer for the same ticket", "opened_at": "2020-01-01 00:00:00"}
    items[7] = {**items[6], "close_notes": "a newer answer for the same ticket", "opened_at": "2025-01-01 00:00:00"}
    items[9] = dict(items[8])
    table = prepare(write(tmp_path / "t.csv", items))
    dropped = table.facts["rows"]["dropped"]
    assert dropped == {
        "duplicate id": 2,
        "empty answer": 1,
        "boilerplate answer": 1,
        "answer under 2 words": 1,
        "empty prompt": 1,
        "exact duplicate row": 1,
    }
    assert table.facts["rows"]["kept"] == 30 - sum(dropped.values())
    answers = dict(zip(table.frame["id"], table.frame["answer"], strict=True))
    assert "older" not in answers["INC0004"]
    assert "newer" in answers["INC0006"]


def test_redaction_off_is_loud_and_samples_stay_redacted(export: str) -> None:
    table = prepare(export, redact=False)
    assert table.frame["prompt"].str.contains("@x.com").all()
    assert "REDACTION IS OFF" in table.facts["warnings"][0]
    assert "@" not in json.dumps(table.facts)


def test_leaks_are_warned_about(tmp_path: Path) -> None:
    items = rows(60)
    for item in items[:30]:
        item["description"] += "\nClosing mail: " + item["close_notes"].upper()
    table = prepare(write(tmp_path / "t.csv", items))
    assert table.facts["leakage"]["answer_in_prompt"] == 0.5
    assert any("50 %" in warning and "answer inside the prompt" in warning for warning in table.facts["warnings"])
    for i, item in enumerate(rows(60)):
        items[i] = {**item, "close_notes": f"the standard fix number {i % 3} was applied by the second line team"}
    table = prepare(write(tmp_path / "u.csv", items), kind="random", columns={"answer": "close_notes"})
    assert table.facts["leakage"]["test_answer_in_train"] == 1.0
    assert any("100 % of test answers stand word for word in train" in warning for warning in table.facts["warnings"])


def test_oracle_columns_come_through(tmp_path: Path) -> None:
    items = [{**item, "oracle_nll": f"{i}.5", "oracle_answer": f"best {i}"} for i, item in enumerate(rows(20))]
    frame = prepare(write(tmp_path / "t.csv", items)).frame
    assert frame["oracle_nll"].tolist() == [i + 0.5 for i in range(20)]
    assert frame["oracle_answer"][7] == "best 7"


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {"close_notes": ""},
            {"columns": {"answer": "close_notes"}},
            r"answer column 'close_notes' is empty in all 60 rows",
        ),
        (
            {"close_notes": "Done."},
            {"columns": {"answer": "close_notes"}},
            r"0 usable tickets of 60 rows \(60 boilerplate",
        ),
        ({"opened_at": "05/06/2024"}, {"kind": "time"}, "day first or month first"),
        ({"opened_at": "soon"}, {"kind": "time"}, "needs a date column"),
        (
            {"opened_at": "soon"},
            {"kind": "time", "columns": {"created_at": "opened_at"}},
            "only 0 of 60 values in 'opened_at' are dates",
        ),
        ({}, {"kind": "file"}, "nothing says on which side"),
        ({}, {"similarity": 0.0}, "split.similarity=0.0"),
        ({}, {"group_columns": ["problem"]}, "split.group_columns=problem: the file has no such column"),
    ],
)
def test_unusable_exports_are_refused_with_the_reason(
    tmp_path: Path, change: dict[str, str], options: dict[str, Any], message: str
) -> None:
    path = write(tmp_path / "t.csv", [{**item, **change} for item in rows(60)])
    with pytest.raises(UserError, match=message):
        prepare(path, **options)


def test_ambiguous_dates_are_left_empty_and_noted_without_a_time_split(tmp_path: Path) -> None:
    table = prepare(write(tmp_path / "t.csv", [{**item, "opened_at": "05/06/2024"} for item in rows(20)]))
    assert table.frame["created_at"].isna().all()
    assert any("day first or month first" in note for note in table.facts["notes"])


def test_save_and_load_give_the_same_table(export: str, tmp_path: Path) -> None:
    table = prepare(export)
    table.save(tmp_path / "saved")
    again = TicketTable.load(tmp_path / "saved")
    pandas.testing.assert_frame_equal(again.frame, table.frame)
    assert (again.facts, again.fingerprint) == (table.facts, table.fingerprint)
    assert sorted(item.name for item in (tmp_path / "saved").iterdir()) == ["facts.json", "tickets.parquet"]
    with pytest.raises(UserError, match=r"not a readable ticket table"):
        TicketTable.load(tmp_path / "nowhere")
    table.frame.assign(split="train").to_parquet(tmp_path / "saved" / "tickets.parquet", index=False)
    with pytest.raises(UserError, match=r"does not match its fingerprint"):
        TicketTable.load(tmp_path / "saved")


def test_the_cache_is_reused_private_and_rebuilt_when_damaged(
    export: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = prepare(export, cache_dir=cache)
    (entry,) = cache.iterdir()
    assert entry.name.startswith("tickets-")
    assert stat.S_IMODE(entry.stat().st_mode) == 0o700
    monkeypatch.setattr("rca_dist.tickets.table.read_sources", None)  # a second reading would now fail
    assert prepare(export, cache_dir=cache).frame.equals(first.frame)
    monkeypatch.undo()
    for name, damage in (
        ("tickets.parquet", b"PAR1"),
        ("facts.json", b"{}"),
        ("facts.json", b"[]"),
        ("tickets.parquet", None),
    ):
        if damage is None:
            (entry / name).unlink()
        else:
            (entry / name).write_bytes(damage)
        assert prepare(export, cache_dir=cache).fingerprint == first.fingerprint
        assert TicketTable.load(entry).fingerprint == first.fingerprint
    prepare(export, cache_dir=cache, seed=1)
    prepare(export, cache_dir=cache, redact=False)
    assert len(list(cache.iterdir())) == 3


def test_a_failed_write_leaves_nothing_in_the_cache(export: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: pandas.DataFrame, path: Path, **options: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pandas.DataFrame, "to_parquet", full)
    with pytest.raises(UserError, match=r"cannot be written.*No space left"):
        prepare(export, cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_importing_the_room_is_cheap() -> None:
    heavy = "('torch', 'pandas', 'datasketch', 'pyarrow')"
    code = f"import sys, rca_dist.tickets, rca_dist.tickets.table; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
