"""The page of `rca-dist data --html`: self-contained, escaped, whole whatever the facts lack."""

import re
from html.parser import HTMLParser
from typing import Any

import pandas
import pytest

from rca_dist.report.data_page import MARK, context, render
from rca_dist.report.histograms import bar_plot, trimmed
from rca_dist.tickets.profile import profile

EVIL = "<script>alert('x')</script> & \"quotes\""


class Page(HTMLParser):
    """Tags in order, checked to be closed, and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "line", "rect", "circle", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "line", "rect", "circle", "br"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def facts() -> dict[str, Any]:
    frame = pandas.DataFrame({
        "id": [f"T{n}" for n in range(12)], "prompt": [f"printer {n} down {EVIL}" for n in range(12)],
        "answer": [EVIL] * 6 + [f"fix {n} now" for n in range(6)], "language": ["en"] * 12, "group": [0] * 3 + list(range(9)),
        "split": ["train"] * 10 + ["validation", "test"], "slice_team": [EVIL] * 12,
        "created_at": pandas.to_datetime([f"2024-{1 + n % 9:02d}-10" for n in range(12)], utc=True),
    })  # fmt: skip
    raw = [{"id": "T1", "prompt": EVIL, "answer": "fixed"}]
    cell = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 12}
    return {
        "file": EVIL, "format": "csv", "encoding": "cp1252", "accented_words": ["pi\u00e8ce"],
        "rows": {"in": 20, "kept": 12, "dropped": {"empty answer": 8}},
        "columns": {"prompt": {"columns": ["title"], "samples": {"title": [EVIL, "two", "three"]}}, "not_used": [EVIL]},
        "cleaned": {"HTML": 3}, "redaction": {"on": True, "counts": {"EMAIL": 4}}, "languages": {"en": 12},
        "split": {"kind": "group", "sizes": {"train": 10, "validation": 1, "test": 1}, "sentence": "the split sentence"},
        "warnings": [EVIL], "notes": ["a note"], "profile": profile(frame, raw, max_length=10),
        "flattery": {"random": {"chrf": cell}, "group": {"chrf": cell}, "time": {"reason": "no dates"}, "sentences": [EVIL]},
    }  # fmt: skip


def test_everything_is_there_and_escaped() -> None:
    text = render(facts())
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "12 of 20 rows are usable tickets." in page.text
    for part in (EVIL, "pi\u00e8ce", "empty answer", "export resolved tickets", "the split sentence", "a note", "EMAIL", "two", "HTML",
                 "Words in the answer", "month of opening", "T1", "chrF of the most similar", "1.3 tokens a word"):  # fmt: skip
        assert part in page.text or part in text, part
    assert "three" not in page.text
    assert MARK in text[:4096]


def test_it_needs_no_network() -> None:
    text = render(facts())
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|https?://", text)


def test_redaction_off_is_shown_in_red() -> None:
    assert 'class="notes alarm"' in render({**facts(), "redaction": {"on": False, "counts": {}}})
    assert 'class="notes alarm"' not in render(facts())


@pytest.mark.parametrize("lacking", [*facts(), "all"])
def test_any_part_may_be_missing(lacking: str) -> None:
    found = facts()
    for key in list(found) if lacking == "all" else [lacking]:
        del found[key]
    assert Page(render(found)).open == []


def test_one_ticket_without_a_split_has_a_page() -> None:
    frame = pandas.DataFrame({"id": ["A"], "prompt": ["p"], "answer": ["a b"], "language": ["und"], "group": [0]})
    found = {"file": "one.csv", "rows": {"in": 1, "kept": 1, "dropped": {}}, "profile": profile(frame)}
    found |= {
        "split": {"problem": "1 ticket cannot be split", "sizes": {}},
        "flattery": {"reason": "x", "sentences": ["Not measured."]},
    }
    text = Page(render(found)).text
    assert "No split: 1 ticket cannot be split" in text
    assert "No dates" in text
    assert "1 of 1 rows" in text


def test_a_lone_surrogate_does_not_stop_the_page() -> None:
    found = facts()
    found["warnings"] = ["broken \ud800 text"]
    assert "broken ? text" in render(found)


def test_a_text_as_read_is_shown_apart_only_where_it_differs() -> None:
    found = facts()
    same = {"id": "S", "before": {"prompt": "same", "answer": "raw"}, "after": {"prompt": "same", "answer": "used"}}
    found["profile"]["samples"] = [same]
    text = Page(render(found)).text
    assert text.count("ticket, as read and as used") == 1
    assert "answer as read" in text and "answer as used" in text


def test_bars_are_as_tall_as_their_values() -> None:
    plot = bar_plot([("a", 10), ("b", 5), ("<c>", 0)], width=400, height=200, x_label="x", y_label="y", title="t")
    heights = [float(h) for h in re.findall(r'<rect[^>]*height="([\d.]+)"', plot)]
    assert heights[0] == pytest.approx(2 * heights[1])
    assert heights[2] == 0
    assert "&lt;c&gt;" in plot and "<c>" not in plot
    assert bar_plot([("a", 0)], width=400, height=200, x_label="", y_label="", title="") == ""
    assert trimmed([("a", 0), ("b", 1), ("c", 0), ("d", 2), ("e", 0)]) == [("b", 1), ("c", 0), ("d", 2)]
    assert trimmed([("a", 0)]) == []


def test_the_context_keeps_the_largest_reason_first() -> None:
    found = {**facts(), "rows": {"in": 9, "kept": 1, "dropped": {"a": 1, "empty answer": 5, "b": 2}}}
    assert [row[0] for row in context(found)["dropped"]] == ["empty answer", "b", "a"]
