"""The page: complete, self-contained, escaped, and honest about what a run directory lacks."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from rca_dist.errors import UserError
from rca_dist.report import write_report
from rca_dist.report.html import context
from rca_dist.report.reading import choose_tickets, read_run

FILES = ("run.json", "config.yaml", "data.json", "metrics.jsonl", "results.json", "predictions.jsonl")
VOID = {"meta", "br", "img", "hr", "link", "input", "line", "circle", "polyline"}


class Page(HTMLParser):
    """Collects tags and text, and fails where tags do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + " "


def page_of(run_dir: Path) -> tuple[str, Page]:
    text = write_report(run_dir).read_text(encoding="utf-8")
    return text, Page(text)


def test_page_shows_everything_in_order(run_dir: Path) -> None:
    path = write_report(run_dir)
    assert path == run_dir / "report.html"
    text = " ".join(Page(path.read_text(encoding="utf-8")).text.replace("\u00a0", " ").split())
    places = [
        text.index(part)
        for part in (
            "beats copying the nearest old ticket (nearest) by 5.1 chrF points (95 % interval 3.0 to 7.2)",
            "Systems side by side",
            "41.2 39.1 to 43.3",
            "Fine-tuned model minus each other system",
            "+5.1 +3.0 to +7.2",
            "The data",
            "Column close_code repeats",
            "read 2,417",
            "empty answer 391",
            "Learning curve",
            "Lowest validation loss",
            "Tickets",
            "Rolled back KB5034441",
            "Cost",
            "18 min 18 s",
            "12.4 GiB",
            "Provenance",
            "4f2a9c1e8b7d",
            "--config",
        )
    ]
    assert places == sorted(places)
    assert "What this page lacks" not in text
    assert path.stat().st_size < 300_000
    assert [p.name for p in run_dir.iterdir() if "report" in p.name] == ["report.html"]


def test_page_is_self_contained_and_runs_nothing(run_dir: Path) -> None:
    text, page = page_of(run_dir)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "style")}
    assert not re.search(r"https?://|url\(|@import", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text


def test_ticket_text_is_escaped_everywhere(run_dir: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\ud800"
    results = json.loads((run_dir / "results.json").read_text())
    split = results["splits"]["test"]
    split["systems"] = {f"s{evil}": {"chrf": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "reason": evil}}}
    split["verdict"] = evil
    line = {"split": "test", "id": evil, "system": evil, "prompt": evil, "reference": evil, "prediction": evil}
    (run_dir / "results.json").write_text(json.dumps(results))
    (run_dir / "run.json").write_text(json.dumps({"model": evil, "status": evil, evil: evil, "versions": {evil: evil}}))
    (run_dir / "data.json").write_text(json.dumps({"warnings": [evil], evil: {evil: evil}, "languages": {evil: 1}}))
    (run_dir / "predictions.jsonl").write_text(json.dumps({**line, "scores": {"chrf": 1}}) + "\n")
    (run_dir / "config.yaml").write_text("a: '</code></pre><script>alert(3)</script>'\n")
    text, page = page_of(run_dir)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 10
    assert "alert(3)" in page.text


@pytest.mark.parametrize("missing", FILES)
def test_each_missing_file_is_named(run_dir: Path, missing: str) -> None:
    (run_dir / missing).unlink()
    _, page = page_of(run_dir)
    assert f"{missing} is missing" in page.text
    assert "What this page lacks" in page.text


@pytest.mark.parametrize("damage", [b"", b'{"a": [1, 2', b"\xff\xfe\x00[", b"[1, 2]", b"null", b"{}", b'"x"'])
def test_damaged_files_do_not_stop_the_page(run_dir: Path, damage: bytes) -> None:
    for name in FILES:
        (run_dir / name).write_bytes(damage)
    _, page = page_of(run_dir)
    assert "No verdict" in page.text
    assert "No losses were logged" in page.text


def test_odd_shapes_inside_the_files_do_not_stop_the_page(run_dir: Path) -> None:
    odd: dict[str, Any]
    for odd in (
        {"splits": []},
        {"splits": {"test": None}},
        {"splits": {"test": {"systems": {"model": {"chrf": 0.3, "loss": {"value": "x"}}}, "paired": [1], "n": "many"}}},
        {"splits": {"test": {"systems": {"model": {"chrf": {"value": None}}}, "primary_metric": ["chrf"]}}},
    ):
        (run_dir / "results.json").write_text(json.dumps(odd))
        page_of(run_dir)
    (run_dir / "data.json").write_text(json.dumps({"rows": 7, "warnings": "one", "columns": [], "split": {"k": {"a": 1}}}))
    (run_dir / "run.json").write_text(
        '{"status": "failed", "wall_seconds": NaN, "seed": NaN, "versions": 3, "peak_memory_bytes": [1]}'
    )
    (run_dir / "metrics.jsonl").write_text('{"step": 1, "train/loss": NaN}\n{"step": "x", "eval/loss": 2}\n{"step": 2}\n')
    text, page = page_of(run_dir)
    assert "one" in page.text
    assert not re.search(r"\bnan\b", text.lower())


def test_an_empty_directory_and_none(tmp_path: Path) -> None:
    _, page = page_of(tmp_path)
    assert page.text.count("is missing") == 6
    with pytest.raises(UserError, match="no such run directory"):
        write_report(tmp_path / "nothing")
    (tmp_path / "taken" / "report.html").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be written"):
        write_report(tmp_path / "taken")
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["report.html"]


def test_cut_lines_are_counted_and_the_rest_shown(run_dir: Path) -> None:
    whole = (run_dir / "predictions.jsonl").read_bytes()
    (run_dir / "predictions.jsonl").write_bytes(whole[:-20])
    found = context(run_dir)
    assert found["notes"] == ["predictions.jsonl: 1 of 480 lines could not be read and were left out."]
    assert len(found["tickets"]) == 10


def test_an_unfinished_run_says_so(run_dir: Path) -> None:
    (run_dir / "run.json").write_text('{"status": "interrupted"}')
    (run_dir / "results.json").unlink()
    _, page = page_of(run_dir)
    assert "No verdict yet: the run is interrupted" in page.text


def test_no_gain_is_not_painted_as_one(run_dir: Path) -> None:
    assert 'class="verdict gain"' in page_of(run_dir)[0]
    results = json.loads((run_dir / "results.json").read_text())
    results["splits"]["test"]["verdict"] = "No evidence of gain: only 10 groups."
    (run_dir / "results.json").write_text(json.dumps(results))
    text, page = page_of(run_dir)
    assert 'class="verdict gain"' not in text
    assert "No evidence of gain" in page.text


def test_tickets_are_the_best_the_worst_and_a_fixed_draw(run_dir: Path) -> None:
    tickets = choose_tickets(read_run(run_dir), "chrf", split="test")
    assert [t.choice for t in tickets] == ["best"] * 3 + ["worst"] * 3 + ["random"] * 4
    assert len({t.id for t in tickets}) == 10
    lines = [json.loads(line) for line in (run_dir / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = {o["id"]: o["scores"]["chrf"] for o in lines if o["system"] == "model" and o["split"] == "test"}
    ranked = sorted(scores.values())
    assert [scores[t.id] for t in tickets[:6]] == ranked[:-4:-1] + ranked[:3]
    assert [name for name, _, _ in tickets[0].answers] == ["model", "base", "nearest", "constant", "random", "copy"]
    shuffled = lines[::-1]
    (run_dir / "predictions.jsonl").write_text("".join(json.dumps(o) + "\n" for o in shuffled))
    again = choose_tickets(read_run(run_dir), "chrf", split="test")
    assert {t.id for t in again[6:]} == {t.id for t in tickets[6:]}


def test_few_tickets_are_all_shown_once(run_dir: Path) -> None:
    lines = (run_dir / "predictions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (run_dir / "predictions.jsonl").write_text("".join(lines[: 12 * 4]), encoding="utf-8")
    tickets = choose_tickets(read_run(run_dir), "chrf", split="test")
    assert sorted(t.id for t in tickets) == ["INC00000", "INC00001", "INC00002", "INC00003"]


def test_long_texts_are_cut_and_say_so(run_dir: Path) -> None:
    line = {"split": "test", "id": 7, "system": "model", "prompt": "a" * 9000, "reference": "b", "prediction": ""}
    (run_dir / "predictions.jsonl").write_text(json.dumps(line) + "\n")
    _, page = page_of(run_dir)
    assert "a" * 1500 + " \u2026 [7,500 more characters in predictions.jsonl]" in page.text
    assert "(empty answer)" in page.text


def test_paths_of_the_machine_stay_out(run_dir: Path) -> None:
    text, page = page_of(run_dir)
    assert "/home/somebody" not in text
    assert str(run_dir.parent.parent) not in text
    assert "rca-dist train --config runs/incidents-small-1a2b3c/config.yaml" in page.text
