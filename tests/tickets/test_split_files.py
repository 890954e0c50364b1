"""Splits as files: saved and read back equal, hashed, told from file names, and refused with one clear message."""

import gzip
import json
import random
from pathlib import Path

import pandas
import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.split import make_split
from rca_dist.tickets.splitting.split_files import read_sides, save, side_of, sides_from_names, split_hash

IDS = [f"INC{i:04d}" for i in range(200)]
LABELS = [i // 2 for i in range(200)]


@pytest.mark.parametrize("name", ["split.parquet", "split.csv", "split.jsonl"])
def test_a_saved_split_comes_back_and_has_the_same_hash(tmp_path: Path, name: str) -> None:
    split = make_split(IDS, LABELS, folds=4, fold=1)
    save(tmp_path / "made" / name, IDS, split.sides, split.folds, LABELS)
    order = random.Random(0).sample(range(200), 200)
    ids = [IDS[row] for row in order]
    sides, folds = read_sides(tmp_path / "made" / name, ids)
    assert sides == [split.sides[row] for row in order] and folds == [split.folds[row] for row in order]
    assert split_hash(ids, sides, folds) == split.facts["hash"]
    again = make_split(ids, [LABELS[row] for row in order], kind="file", sides=sides)
    assert again.sides == sides


def test_the_hash_sees_sides_and_ids_and_not_their_order() -> None:
    assert split_hash(["a", "b"], ["train", "test"]) == split_hash(["b", "a"], ["test", "train"])
    found = {
        split_hash(["a", "b"], ["train", "test"]), split_hash(["a", "b"], ["test", "train"]), split_hash(["a", "c"], ["train", "test"]),
        split_hash(["a", "b"], ["train", "test"], [0, 1]),
    }  # fmt: skip
    assert len(found) == 4


def test_split_files_of_other_makers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Number;Set\n007;Training\nB;dev\nC;TEST\n", encoding="utf-8-sig")
    assert read_sides(tmp_path / "a.csv", ["C", "007"]) == (["test", "train"], [-1, -1])
    (tmp_path / "b.json").write_text(json.dumps({"007": "train", "B": "val", "C": "test"}))
    assert read_sides(tmp_path / "b.json", ["B"])[0] == ["validation"]
    (tmp_path / "c.json").write_text(json.dumps([{"ticket_id": 7, "split": "train", "fold": 2}]))
    assert read_sides(tmp_path / "c.json", ["7"]) == (["train"], [2])
    pandas.DataFrame({"id": [7], "split": ["test"], "fold": [1.0]}).to_parquet(tmp_path / "d.parquet")
    assert read_sides(tmp_path / "d.parquet", ["7"]) == (["test"], [1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"id,split\nA,train\n", "2 of 3 tickets are not in this split file, such as 'B'"),
        ("a.csv", b"id,split\nA,train\nB,soon\n", "row 2 has 'soon' as its side"),
        ("a.csv", b"id,split\nA,train\nA,test\n", "row 2: ticket 'A' stands twice"),
        ("a.csv", b"id,split,fold\nA,train,blue\n", "row 1 has 'blue' as its fold"),
        ("a.csv", b"id,side_of\nA,train\n", "needs the columns id and split; it has id, side_of"),
        ("a.csv", b"\xff\xfe\x00\x01", "not a readable split file"),
        ("a.csv", b"", "not a readable split file"),
        ("a.json", b"[1, 2]", "not a readable split file"),
        ("a.json", b"{", "not a readable split file"),
        ("a.jsonl", b"{}\n{", "not a readable split file"),
        ("a.parquet", b"PAR1", "not a readable split file"),
    ],
)
def test_split_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_sides(tmp_path / name, ["A", "B", "C"])


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_sides(tmp_path / "none.csv", ["A"])
    with pytest.raises(UserError, match=r"saved as \.parquet, \.csv or \.jsonl"):
        save(tmp_path / "split.txt", ["A"], ["train"], [0], [0])
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        save(tmp_path / "file" / "split.csv", ["A"], ["train"], [0], [0])
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(b"id,split\nA,train\n"))
    assert read_sides(tmp_path / "s.csv.gz", ["A"])[0] == ["train"]


def test_sides_from_file_names() -> None:
    names = ["train.csv", "tickets-test.jsonl.gz", "dev_2024.parquet", "data/validation/part-0.parquet", "Entraînement.xlsx"]
    assert sides_from_names(names) == ["train", "test", "validation", "validation", "train"]
    with pytest.raises(UserError, match=r"'latest\.csv' names no side"):
        sides_from_names(["train.csv", "latest.csv"])
    with pytest.raises(UserError, match="names test and train"):
        sides_from_names(["train_test.csv"])
    assert side_of(" Dev ") == "validation" and side_of("unused") == "unused" and side_of("tested") is None
