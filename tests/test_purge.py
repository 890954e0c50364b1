"""`rca-dist clean --ticket | --text`: what is found, what is removed, what is only named."""

import contextlib
import csv
import fcntl
import io
import json
from pathlib import Path

import pandas
import pytest

from rca_dist import cli, data_report
from rca_dist.errors import UserError
from rca_dist.purge import purge
from rca_dist.purge.wanted import near_ids, ticket
from rca_dist.report import write_report
from rca_dist.runtime import places
from rca_dist.tickets import TicketTable, prepare

SECRET, NAME = "the blue cabinet key", "Zebulon"


def write_export(path: Path) -> str:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["number", "short_description", "description", "close_notes", "category"])
        for n in range(60):
            code = f"{n * 37 % 1009} {n * 53 % 997} {n * 71 % 991}"
            writer.writerow([
                f"INC{n:04d}", f"printer problem {code}", f"The device {code} stays dark for {NAME}" if n == 7 else f"Dark {code}",
                f"Replaced {SECRET} of device {code} today" if n == 7 else f"Changed part {code} of the device", "Network",
            ])  # fmt: skip
    return str(path)


def make_run(folder: Path, table: TicketTable, **run: object) -> Path:
    """A finished run as a session leaves it, of the files that matter here."""
    folder.mkdir(parents=True)
    facts = {"status": "finished", "config_hash": "abc", "data_fingerprint": table.fingerprint} | run
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "data.json").write_text(json.dumps(table.facts))
    (folder / "config.yaml").write_text("data:\n  path: t.csv\n")
    table.frame[["id", "split", "fold", "group"]].to_parquet(folder / "split.parquet", index=False)
    with (folder / "predictions.jsonl").open("w", encoding="utf-8") as handle:
        for row in table.frame.itertuples():
            for system in ("model", "nearest") if row.split != "train" or row.id == "INC0007" else ():
                texts = {"prompt": row.prompt, "reference": row.answer, "prediction": "an answer", "scores": {"chrf": 0.5}}
                handle.write(json.dumps({"split": "test", "id": row.id, "system": system, **texts}) + "\n")
    (folder / "results.json").write_text(json.dumps({"splits": {"test": {"systems": {"model": {}}, "n": 6}}}))
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / "checkpoints").mkdir()
    write_report(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """runs/.cache with two tables and a token file, runs/a trained on INC0007, runs/other of another export."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RCA_PLACES", raising=False)
    cache = tmp_path / "runs" / ".cache"
    export = write_export(tmp_path / "t.csv")
    table = next(t for seed in range(20) if side(t := prepare(export, kind="random", seed=seed, cache_dir=cache)) == "train")
    for entry in cache.iterdir():
        if TicketTable.load(entry).fingerprint != table.fingerprint:
            for file in entry.iterdir():
                file.unlink()
            entry.rmdir()
    (cache / "tokens-0123.safetensors").write_bytes(b"12")
    make_run(tmp_path / "runs" / "a", table)
    other = tmp_path / "other.csv"
    other.write_text("".join(Path(export).read_text().replace(SECRET, "it").replace(NAME, "us")))
    make_run(tmp_path / "runs" / "other", prepare(str(other), kind="random"))
    return tmp_path


def side(table: TicketTable) -> str:
    return str(table.frame.set_index("id")["split"]["INC0007"])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_without_yes_it_only_says_what_it_found(place: Path) -> None:
    before = contents(place)
    said = purge(["--text", SECRET])
    assert contents(place) == before
    assert "found; nothing is changed yet, add --yes" in said
    assert "1 ticket" in said
    assert f"{Path('runs/a/predictions.jsonl')}: 2 lines" in said
    assert f"{Path('runs/a/split.parquet')}: 1 row" in said
    assert "1 token file, all there are" in said
    assert f"{Path('runs/a/model')}" in said
    assert f"{Path('runs/a/checkpoints')}" in said
    assert "runs/other" not in said.split("training texts not stored")[0]
    assert SECRET not in said
    assert "placeholders such as <EMAIL>" in said


@pytest.mark.parametrize("how", [["--text", SECRET.upper()], ["--text", "re:blue\\s+cab"], ["--ticket", "inc0007"]])
def test_yes_removes_it_everywhere_and_nothing_else(place: Path, how: list[str]) -> None:
    rows = {name: pandas.read_parquet(place / "runs" / name / "split.parquet") for name in ("a", "other")}
    said = purge([*how, "--yes"])
    run = place / "runs" / "a"
    left = {name: text for name, text in contents(place / "runs").items() if SECRET.encode() in text}
    assert left == {}
    assert "runs/a/model" in said
    now = pandas.read_parquet(run / "split.parquet")
    assert list(now.columns) == ["id", "split", "fold", "group"]
    assert set(rows["a"]["id"]) - set(now["id"]) == {"INC0007"}
    assert list((place / "runs" / ".cache").iterdir()) == []
    lines = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    assert lines and "INC0007" not in {line["id"] for line in lines}
    assert json.loads((run / "data.json").read_text())["rows"]["kept"] == 60
    assert "INC0007" not in (run / "report.html").read_text()
    assert json.loads((run / "run.json").read_text())["purged"] | {"at": ""} == {"tickets": 1, "trained_on": 1, "at": ""}
    same_id = "--ticket" in how
    assert len(rows["other"]) - len(pandas.read_parquet(place / "runs" / "other" / "split.parquet")) == int(same_id)
    # The model still remembers, although no file tells any more what.
    again = purge([*how, "--yes"])
    assert "found in no cache and no run directory" in again
    assert "they still remember them" in again
    assert "runs/a/model" in again


def test_ids_of_the_cached_table_reach_runs_of_the_same_data_only(place: Path) -> None:
    """The run keeps no text of a training ticket; its id is known from the cached table."""
    (place / "runs" / "a" / "predictions.jsonl").unlink()
    said = purge(["--text", NAME])
    assert f"{Path('runs/a/split.parquet')}: 1 row" in said
    assert "runs/other" not in said.split("training texts not stored")[0]


def test_a_run_whose_texts_are_gone_is_said_not_to_be_searched(place: Path) -> None:
    for entry in (place / "runs" / ".cache").glob("tickets-*"):
        for file in entry.iterdir():
            file.unlink()
        entry.rmdir()
    (place / "runs" / "a" / "predictions.jsonl").unlink()
    said = purge(["--text", NAME])
    assert "training texts not stored any more, so not searched" in said
    assert "runs/a" in said.split("not searched")[1]
    assert "token files hold no readable text" in said


def test_samples_go_with_the_ticket_even_where_its_text_is_unknown(place: Path) -> None:
    run = place / "runs" / "a"
    (run / "predictions.jsonl").unlink()
    for entry in (place / "runs" / ".cache").glob("tickets-*"):
        (entry / "tickets.parquet").write_bytes(b"damaged")
    facts = json.loads((run / "data.json").read_text())
    facts["raw_samples"] = [{"id": "INC0001", "prompt": "p", "answer": "a"}]
    (run / "data.json").write_text(json.dumps(facts))
    said = purge(["--ticket", "INC0007", "--yes"])
    assert "damaged, cannot be searched" in said
    facts = json.loads((run / "data.json").read_text())
    assert facts["columns"]["answer"] == {"columns": ["close_notes"], "samples": {}}
    assert facts["raw_samples"] == []
    assert list((place / "runs" / ".cache").iterdir()) == []


def test_a_prediction_that_recites_it_goes_without_its_ticket(place: Path) -> None:
    run = place / "runs" / "other"
    record = {"split": "test", "id": "INC0003", "system": "model", "prompt": "p", "reference": "r", "prediction": f"ask {NAME}"}
    with (run / "predictions.jsonl").open("a") as handle:
        handle.write(json.dumps(record) + "\n" + '{"id": "INC0004", "prompt": "Zebulon')  # the last line is cut
    said = purge(["--text", NAME, "--yes"])
    assert f"{Path('runs/other/predictions.jsonl')}: 2 lines" in said
    assert NAME not in (run / "predictions.jsonl").read_text()
    assert "INC0003" in set(pandas.read_parquet(run / "split.parquet")["id"])


def test_answers_that_recite_a_training_ticket_go_where_its_text_is_known(place: Path) -> None:
    run = place / "runs" / "a"
    lines = (run / "predictions.jsonl").read_text().splitlines(keepends=True)
    own = [json.loads(line) for line in lines if json.loads(line)["id"] == "INC0007"]
    others = [line for line in lines if json.loads(line)["id"] != "INC0007"]
    recited = json.loads(others[0]) | {"system": "nearest", "prediction": own[0]["reference"]}
    (run / "predictions.jsonl").write_text("".join(others) + json.dumps(recited) + "\n")
    assert f"{Path('runs/a/predictions.jsonl')}: 1 line" in purge(["--ticket", "INC0007"])
    for entry in (place / "runs" / ".cache").glob("tickets-*"):
        entry.rename(place / "away")
    said = purge(["--ticket", "INC0007"])
    assert str(Path("runs/a/predictions.jsonl")) not in said
    assert "so answers that recite it were not looked for" in said


def test_other_files_are_named_and_left(place: Path) -> None:
    offline = place / "runs" / "a" / "wandb" / "offline-run-1" / "run-1.wandb"
    offline.parent.mkdir(parents=True)
    offline.write_bytes(b"\x00\x07about " + SECRET.encode() + b"\xff")
    (place / "runs" / "a" / "notes.json").write_text(json.dumps({"n": "caf\u00e9 sur le quai"}))
    assert str(Path("runs/a/wandb/offline-run-1/run-1.wandb")) in purge(["--text", SECRET, "--yes"])
    assert offline.exists()
    said = purge(["--text", "CAF\u00c9 sur"])
    assert str(Path("runs/a/notes.json")) in said
    assert "found only in files that this command leaves as they are" in said


def test_the_page_of_rca_dist_data_is_written_again(place: Path) -> None:
    table = prepare(str(place / "t.csv"), cache_dir=place / "runs" / ".cache")
    table.facts["raw_samples"] = [
        {"id": "INC0007", "prompt": "[2 words]", "answer": f"Replaced {SECRET}"},
        {"id": "INC0008", "prompt": "b", "answer": "b"},
    ]
    data_report.write(data_report.build(table), place)
    assert SECRET in (place / "data.html").read_text()
    purge(["--ticket", "INC0007", "--yes"])
    assert SECRET not in (place / "data.html").read_text() + (place / "data.json").read_text()
    assert [sample["id"] for sample in json.loads((place / "data.json").read_text())["profile"]["samples"]] == ["INC0008"]
    assert "INC0008" in (place / "data.html").read_text()


def test_caches_that_a_config_names_are_searched_too(place: Path) -> None:
    (place / "runs" / ".cache").rename(place / "elsewhere")
    assert "elsewhere" not in purge(["--ticket", "INC0007"])
    (place / "runs" / "a" / "config.yaml").write_text(f"data:\n  cache_dir: {place / 'elsewhere'}\n")
    assert "elsewhere" in purge(["--ticket", "INC0007"])
    (place / "runs" / "a" / "config.yaml").write_text("data:\n  cache_dir: [1\n")
    assert "elsewhere" in purge(["--ticket", "INC0007", "--cache", str(place / "elsewhere")])


def test_a_run_at_work_is_left_alone(place: Path) -> None:
    before = contents(place / "runs" / "a")
    with (place / "runs" / "a" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="a job is at work in this run"):
            purge(["--ticket", "INC0007", "--yes"])
    assert {k: v for k, v in contents(place / "runs" / "a").items() if k != ".lock"} == before


def test_a_common_number_is_not_taken_for_the_ticket_in_other_files(place: Path) -> None:
    (place / "runs" / "a" / "metrics.jsonl").write_text('{"step": 17, "train/loss": 1.0}\n')
    assert "metrics.jsonl" not in purge(["--ticket", "17"])
    (place / "runs" / "a" / "metrics.jsonl").write_text('{"note": "INC00071"}\n')
    assert "metrics.jsonl" not in purge(["--ticket", "INC0007"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "ab"], "at least 3 characters"),
        (["--text", "re:("], "no regular expression"),
        (["--text", "re:x*"], "matches everything"),
        (["--ticket", " "], "give the ticket's number"),
        (["--ticket", "A1", "--text", "abc"], "not allowed with"),
        (["--ticket"], "expected one argument"),
        (["--ticket", "A1", "extra"], "'extra' is not known"),
        (["--ticket", "A1", "--runs", "nowhere"], "no such directory"),
    ],
)
def test_wrong_arguments_are_refused(
    place: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=message), contextlib.redirect_stderr(io.StringIO()):
        cli.clean(arguments)


def test_the_command_prints_and_ends_well(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.clean(["--ticket", "INC9999"]) == 0
    assert "found in no cache and no run directory" in capsys.readouterr().out
    assert any((place / "runs" / ".cache").iterdir())
    assert cli.clean([]) == 0
    assert not any((place / "runs" / ".cache").iterdir())


def test_runs_and_caches_elsewhere_are_known_from_the_list_of_places(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = tmp_path_factory.mktemp("elsewhere")
    (place / "runs" / "a").rename(away / "run1")
    (place / "runs" / ".cache").rename(away / ".cache")
    said = purge(["--ticket", "INC0007"])
    assert str(away) not in said
    assert "Other folders were not searched; name them with --runs DIR and --cache DIR" in said
    assert str(place) in said
    places.remember(away / "run1", away / "gone")
    places.remember(away / "run1")
    assert places.register() == place / "home" / "rca_dist" / "places.jsonl"
    assert len((place / "home" / "rca_dist" / "places.jsonl").read_text().splitlines()) == 2
    said = purge(["--ticket", "INC0007", "--yes"])
    # The table, its token file, and of the run the predictions, the split, the data and the report; one row of the other run.
    assert "removed from " in said
    assert f"{away / 'run1' / 'split.parquet'}: 1 row" in said
    assert str(away / "run1" / "model") in said
    assert f"Not there now, though runs wrote there once: {away / 'gone'}" in said
    assert list((away / ".cache").iterdir()) == []
    assert SECRET not in "".join((away / "run1" / name).read_text() for name in ("predictions.jsonl", "report.html"))


def test_named_folders_are_searched_besides_this_one_and_a_cache_lies_beside_a_run(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    away = tmp_path_factory.mktemp("named")
    (place / "runs" / "a").rename(away / "run1")
    (place / "runs" / ".cache").rename(away / ".cache")
    said = purge(["--ticket", "INC0007", "--runs", str(away / "run1"), "--runs", str(place / "runs")])
    assert f"{away / '.cache'}: 1 token file" in said
    assert str(Path("runs/other/split.parquet")) in said
    assert "add --yes to remove it from " in said


def test_a_list_of_places_that_cannot_be_written_or_read_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("RCA_PLACES", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    places.remember(tmp_path)
    assert places.remembered() == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    places.remember(tmp_path)
    with (tmp_path / "rca_dist" / "places.jsonl").open("a") as handle:
        handle.write('[1]\n{"path": 3}\n\xff{\n')
    assert places.remembered() == [tmp_path]
    monkeypatch.setenv("RCA_PLACES", "")
    places.remember(tmp_path)
    assert (places.register(), places.remembered()) == (None, [])
    monkeypatch.setenv("RCA_PLACES", str(tmp_path / "mine.jsonl"))
    places.remember(tmp_path)
    assert (tmp_path / "mine.jsonl").is_file()


def test_folders_of_other_programs_are_left_alone(place: Path) -> None:
    foreign = place / "bench" / "x"
    foreign.mkdir(parents=True)
    (foreign / "run.json").write_text('{"name": "other program"}')
    (foreign / "data.json").write_text('["INC0007 is here"]')
    damaged = place / "bench" / ".cache" / "tickets-of-mine"
    damaged.mkdir(parents=True)
    (damaged / "notes").write_text("keep")
    before = contents(place / "bench")
    assert "bench" not in purge(["--ticket", "INC0007", "--yes"]).replace(str(place), "")
    assert contents(place / "bench") == before


def test_without_a_folder_called_runs_this_folder_is_searched(place: Path) -> None:
    (place / "runs").rename(place / "out")
    said = purge(["--ticket", "INC0007"])
    assert f"{Path('out/a/split.parquet')}: 1 row" in said
    assert f"{place / 'out' / '.cache'}: 1 token file" in said


def test_a_page_in_a_folder_of_its_own_is_found(place: Path) -> None:
    table = prepare(str(place / "t.csv"), cache_dir=place / "runs" / ".cache")
    table.facts["raw_samples"] = [{"id": "INC0007", "prompt": "[2 words]", "answer": f"Replaced {SECRET}"}]
    data_report.write(data_report.build(table), place / "pages" / "march")
    assert SECRET in (place / "pages" / "march" / "data.json").read_text()
    purge(["--ticket", "INC0007", "--yes"])
    assert SECRET not in "".join(path.read_text() for path in (place / "pages" / "march").iterdir())


@pytest.mark.parametrize("written", ["1201", "1 201", "1\u00a0201", "1\u202f201 ", "#1201"])
def test_numbers_are_compared_without_spaces(written: str) -> None:
    assert all(ticket(written).is_ticket(other) for other in ("1 201", "1\u00a0201", "1201"))
    assert not ticket(written).is_ticket("12010")


def test_a_number_that_is_not_found_comes_with_those_like_it(place: Path) -> None:
    said = purge(["--ticket", "7"])
    assert "found in no cache and no run directory of: " in said
    assert str(place) in said
    assert "Did you mean INC0007?" in said
    assert near_ids("INC0012345", {"INC0012354", "REQ1", "INC0999999"}) == ["INC0012354"]
    assert near_ids("1201", {"0001201", "7"}) == ["0001201"]
    assert near_ids("x" * 200_000, {"x" * 199_999}) == []
    assert "Did you mean" not in purge(["--ticket", "ZZZ"])
