"""Bad input through `rca-dist train`: one message that says what to do, exit code 2, nothing left behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parents[1]
GOOD = "id,title,description,resolution\n" + "".join(
    f"T{n},printer {n} down,the printer in room {n} does not print at all,replaced the cable number {n} of the printer\n"
    for n in range(30)
)


def text(content):
    return lambda path: path.write_text(content)


def repeat(header, row, count):
    return text(header + "\n" + "".join(row.format(n=n) + "\n" for n in range(count)))


CASES = {
    "no such file": (None, [], ["no such file", "tickets.csv"]),
    "empty file": (text(""), [], ["empty"]),
    "header only": (text("id,title,description,resolution\n"), [], ["no rows"]),
    "binary": (lambda path: path.write_bytes(bytes(range(256)) * 20), [], ["binary"]),
    "two answers": (repeat("id,title,Resolution,Root Cause", "T{n},printer {n} is down again,we replaced the cable of printer {n} today,"
                           "the cable {n} was damaged by a chair", 30), [], ["Resolution", "Root Cause", "--data.columns.answer="]),
    "no answer": (repeat("id,title,description", "T{n},printer {n} down,the printer in room {n} is dead", 30), [], ["--data.columns.answer"]),
    "empty answers": (repeat("id,title,resolution", "T{n},printer {n} is down,", 30), [], ["resolution", "empty"]),
    "too few": (repeat("id,title,resolution", "T{n},printer {n} is down,we replaced the cable number {n}", 7), [], ["7 usable tickets", "10"]),
    "unwritable": (text(GOOD), ["--run.output_dir=tickets.csv/run"], ["run.output_dir", "not a directory"]),
    "unknown key": (text(GOOD), ["--train.lerning_rate=1"], ["did you mean train.learning_rate"]),
    "negative length": (text(GOOD), ["--train.max_length=-5"], ["train.max_length=-5", "greater"]),
    "model folder": (text(GOOD), ["--model.name_or_path=./no/such/model"], ["model.name_or_path=./no/such/model", "no such folder"]),
    "hub model": (text(GOOD), ["--model.name_or_path=no-org/no-model"], ["no-org/no-model", "without internet"]),
    "two answers of two ranks": (repeat("id,title,close_notes,resolution", "T{n},printer {n} is down again,we replaced the cable of printer {n} today,"
                                        "the cable {n} was damaged by a chair", 30), [], ["close_notes", "resolution", "--data.columns.answer="]),
    "wandb key": (text(GOOD), ["--tracking.wandb=online"], ["wandb login"]),
}  # fmt: skip


def broken_model(path):
    """A folder that looks like a model until it is loaded."""
    path.write_text(GOOD)
    folder = path.with_name("model")
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')


LAUNCHED = {
    "damaged model": (broken_model, ["--model.name_or_path=./model"], ["./model", "cannot be loaded"]),
    "window too short": (text(GOOD), ["--train.max_length=17", "--prompt.template=" + "a long header " * 9 + "{ticket}"], ["train.max_length=17"]),
}  # fmt: skip


def attempt(tmp_path, make, arguments, program):
    if make:
        make(tmp_path / "tickets.csv")
    before = {p.name for p in tmp_path.iterdir()}
    command = [sys.executable, *program, f"--data.path={tmp_path / 'tickets.csv'}", *arguments]
    environment = os.environ | {"NETRC": str(tmp_path / "none"), "HF_HOME": str(tmp_path.parent / "hf"), "WANDB_MODE": ""}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, env=environment)
    left = {p.name for p in tmp_path.iterdir()} - before
    runs = {p.name for p in (tmp_path / "runs").iterdir()} if "runs" in left else set()
    return done, left, runs


def check(done, parts, prefix):
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count(prefix) == 1, done.stderr
    assert [part for part in parts if part.lower() not in done.stderr.lower()] == [], done.stderr


@pytest.mark.parametrize("case", CASES)
def test_one_message_before_anything_is_launched(tmp_path, case):
    make, arguments, parts = CASES[case]
    done, left, _ = attempt(tmp_path, make, arguments, ["-m", "rca_dist.cli", "train"])
    check(done, parts, "rca-dist: ")
    assert left == set()
    assert len(done.stderr.strip().splitlines()) <= 12, done.stderr


@pytest.mark.parametrize(("case", "processes"), [("damaged model", "1"), ("damaged model", "2"), ("window too short", "1")])
def test_one_message_from_a_launched_job(tmp_path, case, processes):
    make, arguments, parts = LAUNCHED[case]
    done, _, runs = attempt(tmp_path, make, arguments, ["-m", "rca_dist.cli", "train", "--num_processes", processes])
    check(done, parts, "rca-dist: ")
    assert runs <= {".cache"}


def test_the_script_alone_says_the_same(tmp_path):
    make, arguments, parts = CASES["unknown key"]
    done, left, _ = attempt(tmp_path, make, arguments, [str(ROOT / "rca_dist" / "train.py")])
    check(done, parts, "train.py: ")
    assert left == set()


@pytest.mark.parametrize(("arguments", "part"), [
    (["trian"], "did you mean train"), (["report", "nowhere"], "no run.json"), (["clean", "nowhere"], "no such directory"),
    (["data", "--generate", "x", "--output", "a.csv"], "data --generate"), (["data", "--generate", "5"], "--output"),
    (["data", "--generate", "0", "--output", "a.csv"], "from 1"), (["train", "--num_processes", "no"], "whole number"),
    (["train", "--config_file", "no.yaml"], "no such file"), (["data", "no.csv"], "no such file"),
])  # fmt: skip
def test_other_commands(tmp_path, arguments, part):
    done = subprocess.run(
        [sys.executable, "-m", "rca_dist.cli", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert part in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_end_well(tmp_path):
    for arguments, part in (
        [["--help"], "rca-dist COMMAND"],
        [["train", "--help"], "--train.max_steps"],
        [["--version"], "rca_dist "],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "rca_dist.cli", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0
        assert part in done.stdout


def test_describing_an_export_needs_only_its_path(tmp_path):
    (tmp_path / "tickets.csv").write_text(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", "rca_dist.cli", "data", "tickets.csv"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "30 rows, 30 usable tickets" in done.stdout
    assert "answer: resolution" in done.stdout
