"""The parts of the room together, through the front door."""

import csv
import json
from pathlib import Path

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets import prepare

WORDS = ("alpha", "bravo", "delta", "gamma", "kappa", "omega", "sigma", "theta", "zebra", "yacht", "whale", "viper")


def write(path: Path, rows: list[dict[str, str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def ticket(n: int, **more: str) -> dict[str, str]:
    one, two = WORDS[n % 12], WORDS[(n * 7 + n // 12) % 12]
    return {
        "number": f"INC{n:04d}",
        "short_description": f"Printer {one} {n} shows code {two}",
        "description": f"Since {n} days the {one} tray of printer {two} makes noise number {n * n}",
        "close_notes": f"Replaced roller {n} of tray {two} and cleaned sensor {one} {n * 3}",
    } | more


def test_several_files_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [ticket(n) for n in range(30)])
    (tmp_path / "b.json").write_text(json.dumps([ticket(n) for n in range(20, 60)]))
    table = prepare(str(tmp_path))
    assert table.facts["rows"] == {"in": 70, "kept": 60, "dropped": {"exact duplicate row": 10}}
    assert [source["rows"] for source in table.facts["sources"]] == [30, 40]
    assert prepare([str(tmp_path / "b.json"), str(tmp_path / "a.csv")]).facts["rows"]["kept"] == 60


def test_the_cache_knows_every_file(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [ticket(n) for n in range(30)])
    write(tmp_path / "b.csv", [ticket(n) for n in range(30, 60)])
    cache = tmp_path / "cache"
    first = prepare(str(tmp_path / "*.csv"), cache_dir=cache)
    assert prepare(str(tmp_path / "*.csv"), cache_dir=cache).fingerprint == first.fingerprint
    assert len(list(cache.iterdir())) == 1
    write(tmp_path / "b.csv", [ticket(n) for n in range(30, 61)])
    assert len(prepare(str(tmp_path / "*.csv"), cache_dir=cache).frame) == 61


def test_states_and_outcomes_leave_tickets_out(tmp_path: Path) -> None:
    states = {0: ("Cancelled", "Solved"), 1: ("In Progress", ""), 2: ("Closed", "Duplicate")}
    rows = [
        ticket(n, state=states.get(n, ("Closed", "Solved"))[0], close_code=states.get(n, ("", "Solved"))[1]) for n in range(40)
    ]
    path = write(tmp_path / "t.csv", rows)
    dropped = prepare(path).facts["rows"]["dropped"]
    assert dropped == {"cancelled (status)": 1, "still open (status)": 1, "duplicate of another ticket": 1}
    assert "still open (status)" not in prepare(path, keep_open=True).facts["rows"]["dropped"]


def test_two_answer_columns_are_joined_under_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [ticket(n, u_root_cause=f"Worn gear {n} of type {WORDS[n % 12]}") for n in range(30)])
    with pytest.raises(UserError, match=r"2 columns could be the answer"):
        prepare(path)
    answer = prepare(path, columns={"answer": ["u_root_cause", "close_notes"]}).frame["answer"][3]
    assert answer.startswith("Root cause: Worn gear 3 of type")
    assert "\nClose notes: Replaced roller 3" in answer


def test_a_journal_in_the_prompt_ends_at_the_resolution_and_holds_no_names(tmp_path: Path) -> None:
    journal = (
        "2024-03-09 08:00:00 - Jane Roe (Work notes)\nIt was the worn gear\n\n"
        "2024-03-01 08:00:00 - Jim Poe (Work notes)\nUser hears a loud noise"
    )
    rows = [ticket(n, work_notes=journal, resolved_at="2024-03-05 10:00:00") for n in range(28)]
    rows += [ticket(n, work_notes=journal, resolved_at="") for n in range(28, 30)]
    path = write(tmp_path / "t.csv", rows)
    prompts = prepare(path, columns={"prompt": ["short_description", "work_notes"]}).frame["prompt"]
    assert prompts[0].endswith("\nUser hears a loud noise")
    assert "noise" not in prompts[29]
    assert not prompts.str.contains("Jane|Jim|worn gear").any()


def test_a_journal_as_answer_gives_its_last_word(tmp_path: Path) -> None:
    rows = [ticket(n) for n in range(30)]
    for n, row in enumerate(rows):
        row["comments"] = (
            f"2024-03-09 08:00:00 - Jane Roe (Comments)\nReplaced gear {n} of {WORDS[n % 12]}\n\n"
            f"2024-03-01 08:00:00 - Jim Poe (Comments)\nAny news about {n}?"
        )
        del row["close_notes"]
    path = write(tmp_path / "t.csv", rows)
    with pytest.raises(UserError, match="comments"):
        prepare(path)
    assert prepare(path, columns={"answer": "comments"}).frame["answer"][4] == "Replaced gear 4 of kappa"


def test_posts_are_paired_when_their_columns_are_named(tmp_path: Path) -> None:
    rows = []
    for n in range(30):
        ask = {
            "id": f"q{n}",
            "parent_id": "",
            "title": f"Noise {n} in {WORDS[n % 12]}",
            "body": f"The {n} tray is loud",
            "accepted": "",
        }
        rows += [
            ask,
            {
                "id": f"a{n}",
                "parent_id": f"q{n}",
                "title": "",
                "body": f"Replace the roller {n} of the tray",
                "accepted": "yes",
            },
        ]
    path = write(tmp_path / "t.csv", rows)
    with pytest.raises(UserError, match=r"one row per post.*data\.columns\.parent"):
        prepare(path)
    table = prepare(path, columns={"parent": "parent_id", "accepted": "accepted"})
    assert len(table.frame) == 30
    assert table.frame["answer"][2] == "Replace the roller 2 of the tray"
    assert table.facts["threads"]["posts"] == 60


def test_files_called_train_and_test_are_a_split(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [ticket(n) for n in range(40)])
    write(tmp_path / "test.csv", [ticket(n) for n in range(40, 60)])
    table = prepare(str(tmp_path), kind="file")
    assert set(table.rows("test")["id"]) == {f"INC{n:04d}" for n in range(40, 60)}
    assert len(table.rows("validation")) > 0
    with pytest.raises(UserError, match=r"nothing says on which side"):
        prepare(str(tmp_path / "train.csv"), kind="file")


def test_a_saved_split_gives_the_same_sides(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [ticket(n) for n in range(60)])
    first = prepare(path, seed=5)
    first.frame[["id", "split", "fold", "group"]].to_parquet(tmp_path / "split.parquet")
    again = prepare(path, kind="file", split_file=str(tmp_path / "split.parquet"), cache_dir=tmp_path / "cache")
    assert again.frame["split"].tolist() == first.frame["split"].tolist()
    assert again.facts["split"]["hash"] == first.facts["split"]["hash"]
    # Another content of the split file is another table, although its name is the same.
    sides = first.frame.assign(split=["test" if n < 30 else "train" for n in range(60)])
    sides[["id", "split"]].to_parquet(tmp_path / "split.parquet")
    other = prepare(path, kind="file", split_file=str(tmp_path / "split.parquet"), cache_dir=tmp_path / "cache")
    assert len(other.rows("test")) == 30


def test_time_folds_train_on_the_past_only(tmp_path: Path) -> None:
    rows = [ticket(n, opened_at=f"2024-{1 + n // 5:02d}-{1 + n % 5:02d}T08:00:00Z") for n in range(60)]
    path = write(tmp_path / "t.csv", rows)
    tested: list[str] = []
    for fold in range(3):
        table = prepare(path, kind="time", folds=3, fold=fold)
        assert table.rows("train")["created_at"].max() < table.rows("test")["created_at"].min()
        tested += table.rows("test")["id"].tolist()
    assert len(tested) == len(set(tested)) == 45


def test_rows_without_text_in_the_prompt_take_another_description(tmp_path: Path) -> None:
    rows = [ticket(n, external_description=f"Seen from outside, tray {n} is loud") for n in range(30)]
    rows[4] |= {"short_description": "", "description": "UNKNOWN"}
    table = prepare(write(tmp_path / "t.csv", rows))
    assert table.frame["prompt"][4] == "Seen from outside, tray 4 is loud"
    assert any("1 row without text" in note for note in table.facts["notes"])


def test_one_ticket_can_be_described_but_not_trained_on(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [ticket(1)])
    with pytest.raises(UserError, match="only 1 usable ticket of"):
        prepare(path)
    table = prepare(path, for_training=False)
    assert len(table.frame) == 1
    assert "no ticket is left for validation and test" in table.facts["split"]["problem"]
    empty = prepare(
        write(tmp_path / "e.csv", [ticket(1, close_notes="done")]), columns={"answer": "close_notes"}, for_training=False
    )
    assert empty.facts["rows"]["kept"] == 0


def test_samples_before_cleaning_hold_nothing_that_was_taken_out(tmp_path: Path) -> None:
    rows = [ticket(n) for n in range(30)]
    for row in rows:
        row["description"] = f"<p>{row['description']} call jane.roe@example.com</p>\n\nBest regards,\nJane Roe\nTeam Blue"
    table = prepare(write(tmp_path / "t.csv", rows))
    stored = json.dumps(table.facts)
    assert "<p>" in stored
    assert not any(word in stored for word in ("jane.roe", "Jane", "Team Blue"))


def test_category_is_kept_for_slices_without_being_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [ticket(n, category="Network" if n % 2 else "Printing") for n in range(40)])
    assert set(prepare(path).frame["slice_category"]) == {"Network", "Printing"}
    assert "slice_category" not in prepare(path, columns={"slices": []}).frame


def test_people_named_beside_a_ticket_are_replaced_in_its_text(tmp_path: Path) -> None:
    rows = [ticket(n, caller_id=("Karim Benali", "Siobhan Reilly")[n % 2], assigned_to="Service Desk") for n in range(30)]
    for row in rows:
        row["description"] += f" {row['caller_id']} saw it first."
        row["close_notes"] += f" Confirmed by {row['caller_id'].split()[0]} at the service desk."
    text = "\n".join(prepare(write(tmp_path / "t.csv", rows)).frame[["prompt", "answer"]].to_numpy().ravel())
    assert not any(name in text for name in ("Karim", "Benali", "Siobhan", "Reilly"))
    assert "at the service desk" in text
