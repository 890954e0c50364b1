"""Numbers as text, and plots as geometry."""

import math
import re

import pytest

from rca_dist.report import facts, plots, tables
from rca_dist.report.tables import METRICS


@pytest.mark.parametrize(
    ("value", "metric", "signed", "text"),
    [
        (0.41234, "chrf", False, "41.2"),
        (-0.0512, "chrf", True, "\u22125.1"),
        (0.0512, "chrf", True, "+5.1"),
        (-0.00001, "chrf", True, "0.0"),
        (1.5324, "loss", False, "1.532"),
        (12345.678, "perplexity", False, "12,345.68"),
        (math.nan, "loss", False, "\u2013"),
        (None, "loss", False, "\u2013"),
        (True, "loss", False, "\u2013"),
        ("x", "loss", False, "\u2013"),
    ],
)
def test_scores_as_text(value: object, metric: str, signed: bool, text: str) -> None:
    assert tables.show(value, METRICS[metric], signed=signed) == text


def test_durations_and_memory() -> None:
    assert [facts.duration(x) for x in (0.25, 59, 61, 3 * 3600 + 62)] == ["0.2 s", "59 s", "1 min 01 s", "3 h 01 min"]
    assert facts.memory(13_314_398_617) == "12.4 GiB"
    assert facts.memory(300 * 2**20) == "300 MiB"


def test_paired_tones_know_the_direction() -> None:
    split = {
        "paired": {
            "model-base": {
                "chrf": {"value": 0.1, "low": 0.05, "high": 0.2},
                "loss": {"value": -1.0, "low": -1.2, "high": -0.8},
                "bits_per_byte": {"value": 0.1, "low": 0.05, "high": 0.2},
                "bleu": {"value": 0.1, "low": -0.01, "high": 0.2},
                "rouge_l": {"value": 0.1, "low": None, "high": None, "reason": "few"},
            }
        }
    }
    tones = {}
    for part in tables.TABLES:
        table = tables.paired_table(split, part)
        assert table is not None
        tones |= {h.label: c["tone"] for h, c in zip(table["heads"], table["rows"][0]["cells"], strict=True)}
    assert tones == {"chrF": "good", "ROUGE-L": "", "BLEU": "", "bits per byte": "bad", "loss (nats/token)": "good"}
    assert tables.paired_table({}, tables.TEXT_METRICS) is None


def test_long_lists_are_summed_up() -> None:
    rows = facts.counts({f"k{i:02d}": 100 - i for i in range(20)})
    assert len(rows) == 13
    assert rows[0] == ("k00", "100")
    assert rows[-1] == ("8 others", str(sum(100 - i for i in range(12, 20))))


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [(0, 10, 5, [0, 2, 4, 6, 8, 10]), (1.2, 4.9, 4, [2, 3, 4]), (-0.3, 0.3, 3, [-0.2, 0, 0.2]), (2, 2, 4, [2])],
)
def test_ticks_are_round_and_inside(low: float, high: float, count: int, expected: list[float]) -> None:
    assert plots.ticks(low, high, count) == pytest.approx(expected)


def test_line_plot_places_points_by_scale() -> None:
    series = [plots.Series("train", "rest", [(0, 4.0), (50, 2.0), (100, 0.0)])]
    svg = plots.line_plot(series, width=400, height=300, x_label="steps", y_label="loss", title="t")
    points = [tuple(map(float, p.split(","))) for p in re.search(r'points="([^"]*)"', svg).group(1).split()]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=0.11)
    assert x0 < x1 < x2
    assert y0 < y1 < y2
    assert all(0 <= x <= 400 and 0 <= y <= 300 for x, y in points)
    assert "steps" in svg
    assert "loss" in svg


def test_plots_skip_what_is_not_finite_and_escape_names() -> None:
    series = [plots.Series("<b>", "one", [(0, math.nan), (1, math.inf), (2, 3.0)])]
    svg = plots.line_plot(series, width=400, height=300, x_label="x", y_label="y", title='"<')
    assert "nan" not in svg
    assert "inf" not in svg
    assert "<b>" not in svg
    assert svg.count("<circle") == 1
    nothing = [plots.Series("a", "one", [(0, math.nan)])]
    assert plots.line_plot(nothing, width=400, height=300, x_label="x", y_label="y", title="t") == ""
    assert plots.interval_plot([], width=300, label="l", title="t") == ""


def test_thinning_keeps_the_mean_and_the_end() -> None:
    points = [(float(i), float(i % 7)) for i in range(20_000)]
    thinned = plots.thin(points)
    assert len(thinned) == 500
    assert thinned[-1] == points[-1]
    assert sum(y for _, y in thinned) / 500 == pytest.approx(3.0, abs=0.05)
    assert plots.thin(points[:500]) == points[:500]


def test_interval_plot_draws_whiskers_only_where_there_are_intervals() -> None:
    bars = [plots.Bar("model", 40.0, 30.0, 50.0, strong=True), plots.Bar("base", 20.0, None, None)]
    svg = plots.interval_plot(bars, width=400, label="chrF", title="t")
    (left, right), center = (
        re.findall(r'whisker one" x1="([\d.]+)" x2="([\d.]+)"', svg)[0],
        re.findall(r'cx="([\d.]+)"', svg),
    )
    assert (float(left) + float(right)) / 2 == pytest.approx(float(center[0]), abs=0.11)
    assert svg.count("whisker") == 1
    assert float(center[1]) < float(left)


def test_data_facts_are_flat_rows_whatever_their_shape() -> None:
    data = {
        "file": "C:\\exports\\a.csv",
        "redaction": {"on": True, "counts": {"email": 3}},
        "dates": {"column": "opened", "first": "2025-01-24T00:33:00+00:00", "last": None},
        "split": {"kind": "group", "sizes": {"train": 1600, "test": 18}, "notes": [], "test_share": 0.77},
        "leakage": {"answer_in_prompt": 0.25},
        "duplicates": {"similarity": 0.7, "share_in_groups": 0.8, "groups": 1},
        "warnings": ["w"],
    }
    blocks = {block["title"]: dict(block["rows"]) for block in facts.data_blocks(data)}
    assert blocks == {
        "Redacted": {"email": "3"},
        "Dates": {"column": "opened", "first": "2025-01-24 00:33"},
        "Split": {"kind": "group", "train": "1,600", "test": "18", "test share": "77 %"},
        "Leakage": {"answer in prompt": "25 %"},
        "Near-duplicates": {"similarity": "0.7", "share in groups": "80 %", "groups": "1"},
        "Source": {"file": "a.csv"},
    }
    off = facts.data_blocks({"redaction": {"on": False, "counts": {}}})
    assert off == [{"title": "Redacted", "rows": [("redaction", "switched off")]}]
