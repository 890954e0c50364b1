"""What is said before work: the numbers are of this data, model and machine; recomputing is switched on when memory asks for it."""

import re

import pytest
import torch

from rca_dist import estimates
from rca_dist.command_line import parse
from rca_dist.runtime import meters
from rca_dist.training.trainer import Trainer


@pytest.fixture
def run(adapter, encode, distributed):
    return Trainer(adapter.model, adapter.step, encode("train"), distributed=distributed, max_steps=20, progress=False)


def test_one_line_says_it_all(run, adapter, table):
    before = [p.detach().clone() for p in adapter.model.parameters()]
    line = estimates.describe(parse([]).config, run, adapter, table, checkpointing=False)
    tickets = len(table.rows("train"))
    assert re.fullmatch(
        rf"{tickets} training tickets, [\d,]+ tokens, 20 steps, about \d+ (s|min) of training here, \d+ MiB of memory beside the "
        rf"libraries, \d+ MiB on disk; expect ±[\d.]+ chrF points on {len(table.rows('test'))} test tickets",
        line,
    ), line
    # Nothing was trained and no gradient is left.
    assert all(torch.equal(a, b) for a, b in zip(before, adapter.model.parameters(), strict=True))
    assert all(p.grad is None for p in adapter.model.parameters())
    assert run.step == 0


def test_the_interval_is_the_textbook_one(table):
    config = parse([]).config
    text = estimates.expected_interval(config, table)
    few = estimates.expected_interval(parse(["eval.max_tickets=4"]).config, table)
    points = [float(re.search(r"±([\d.]+)", line)[1]) for line in (text, few)]
    groups = table.rows("test")["group"].nunique()
    assert points[1] / points[0] == pytest.approx((groups / 4) ** 0.5, rel=0.02)
    assert "on 4 test tickets" in few
    assert estimates.expected_interval(parse(["eval.primary_metric=loss"]).config, table) is None


def test_too_few_different_tickets_are_said_before_training(table):
    from types import SimpleNamespace

    few = SimpleNamespace(rows=lambda side: table.rows(side).head(3))
    text = estimates.expected_interval(parse([]).config, few)
    assert text.endswith(f"an interval needs at least {estimates.MIN_GROUPS}")


def test_disk_and_time_grow_with_what_is_asked(run, adapter, distributed):
    sizes = [
        estimates.disk_bytes(parse([text]).config, adapter, distributed)
        for text in ("checkpoint.keep_last=1", "checkpoint.keep_last=3")
    ]
    total = adapter.parameter_counts()[0]
    assert sizes == [2 * 12 * total + 4 * total, 4 * 12 * total + 4 * total]
    assert estimates.training_seconds(run, 0) is None
    assert estimates.training_seconds(run, 1000) > 0


def test_recomputing_is_switched_on_only_when_memory_asks_for_it(adapter, distributed, monkeypatch):
    config = parse([]).config
    needed = estimates.training_bytes(config, adapter, distributed, checkpointing=False)
    assert estimates.training_bytes(config, adapter, distributed, checkpointing=True) < needed
    assert estimates.needs_checkpointing(config, adapter, distributed) is None
    monkeypatch.setattr(meters, "available_memory_bytes", lambda device, share=1: int(1.2 * needed))
    reason = estimates.needs_checkpointing(config, adapter, distributed)
    assert "would be needed" in reason and "are free" in reason
    monkeypatch.setattr(meters, "available_memory_bytes", lambda device, share=1: int(1.3 * needed))
    assert estimates.needs_checkpointing(config, adapter, distributed) is None


def test_an_unknown_architecture_says_less(run, adapter, table, monkeypatch):
    monkeypatch.setattr(estimates.capacity, "shape_of", lambda config: None)
    line = estimates.describe(parse([]).config, run, adapter, table, checkpointing=False)
    assert "of memory" not in line and "on disk" in line


def test_free_memory_is_this_machine_s():
    free = meters.available_memory_bytes(torch.device("cpu"))
    assert 2**20 < free < 2**62
    assert meters.available_memory_bytes(torch.device("cpu"), share=4) == pytest.approx(free / 4, rel=0.2)


def test_sizes_and_times_in_words():
    assert [estimates._size(n) for n in (10, 5 * 2**20, 3 * 2**30)] == ["1 MiB", "5 MiB", "3.0 GiB"]
    assert [estimates._time(n) for n in (0.2, 40, 150, 9000)] == ["1 s", "40 s", "2 min", "2.5 h"]
