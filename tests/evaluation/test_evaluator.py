"""The evaluator on real tickets: exact whatever the batches, baselines fitted on training tickets only."""

import math
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from rca_dist.evaluation.evaluator import Evaluator
from rca_dist.evaluation.generation import MAX_ROWS, answer_limit, generate_all
from rca_dist.tokens.batching import pack


@pytest.fixture
def datasets(encode):
    return {split: encode(split) for split in ("train", "validation", "test")}


@pytest.fixture
def make(adapter, table, datasets, distributed):
    def build(**changes):
        options = {"distributed": distributed, "base": nullcontext, "max_new_tokens": 8, "bootstrap_samples": 200}
        return Evaluator(changes.pop("adapter", adapter), table, datasets, **(options | changes))

    return build


def exact(adapter, data):
    """Loss one ticket at a time in float64."""
    model, total = adapter.model.double(), 0.0
    with torch.no_grad():
        for n in range(len(data)):
            item = data[n]
            logits = model(input_ids=torch.as_tensor(item["input_ids"])[None]).logits[0].log_softmax(-1)
            answer = data.answer_ids(n)
            start = len(data.prompt_ids(n)) - 1
            total -= float(logits[range(start, start + len(answer)), answer].sum())
    model.float()
    return total


def test_loss_is_exact_for_every_batch_budget(make, adapter, datasets, table):
    data = datasets["test"]
    total = exact(adapter, data)
    size = sum(len(text.encode()) for text in table.rows("test")["answer"])
    for budget in (16, 300, 100_000):
        numbers = make(batch_tokens=budget).loss("test")
        assert numbers["eval/loss"] == pytest.approx(total / data.counts.sum(), rel=1e-6)
        assert numbers["eval/bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-6)


def test_a_split_has_every_system_each_ticket_once(make, table):
    evaluator = make()
    result = evaluator.eval_split("test")
    rows = table.rows("test")
    assert (result["n"], result["groups"]) == (len(rows), rows["group"].nunique())
    assert set(result["systems"]) == {"model", "base", "oracle", "nearest"}
    assert {"loss", "perplexity", "token_accuracy", "bits_per_byte", "chrf", "bleu", "rouge_l"} <= set(
        result["systems"]["model"]
    )
    assert "loss" not in result["systems"]["nearest"]
    assert "token_accuracy" not in result["systems"]["oracle"]
    oracle = result["systems"]["oracle"]["bits_per_byte"]["value"]
    size = rows["answer"].map(lambda text: len(text.encode())).sum()
    assert oracle == pytest.approx(rows["oracle_nll"].sum() / math.log(2) / size, rel=1e-9)
    assert oracle < result["systems"]["model"]["bits_per_byte"]["value"]
    assert "bits_per_byte" in result["paired"]["model-oracle"]
    assert result["paired"]["model-base"]["loss"]["value"] == 0.0
    records = list(evaluator.predictions("test"))
    assert [r["id"] for r in records if r["system"] == "model"] == rows["id"].tolist()
    mean = np.mean([r["scores"]["chrf"] for r in records if r["system"] == "nearest"])
    assert mean == pytest.approx(result["systems"]["nearest"]["chrf"]["value"])
    nll, tokens = (sum(r["scores"][key] for r in records if r["system"] == "model") for key in ("nll", "tokens"))
    assert nll / tokens == pytest.approx(result["systems"]["model"]["loss"]["value"], rel=1e-12)


def test_nearest_answers_come_from_training_tickets(make, table):
    texts = make().answers("nearest", "test", None).texts
    assert set(texts) <= set(table.rows("train")["answer"])


def test_a_limit_chooses_the_same_tickets_each_time(make):
    first, again = (list(make(max_tickets=5).predictions("test")) for _ in range(2))
    ids = [r["id"] for r in first if r["system"] == "nearest"]
    assert len(ids) == 5
    assert ids == [r["id"] for r in again if r["system"] == "nearest"]


def test_the_yardstick_is_the_strongest_on_validation(make, adapter):

    evaluator = make()
    assert evaluator.yardstick() == "nearest"
    answers = evaluator.tickets.rows("validation")["answer"].tolist()
    key = ("base", "validation", len(answers))
    evaluator._answers[key].texts = answers
    assert evaluator.yardstick() == "base"


def test_base_needs_the_old_weights(make):
    with pytest.raises(ValueError, match="before fine-tuning"):
        make(base=None).answers("base", "test", None)


def test_oracle_is_left_out_where_the_data_has_none(make, table):
    evaluator = make()
    assert "oracle" in evaluator.systems
    plain = type(table)(table.frame.drop(columns=["oracle_nll", "oracle_answer"]), table.facts, table.fingerprint)
    other = Evaluator(evaluator.adapter, plain, evaluator.datasets, distributed=evaluator.distributed)
    assert other.systems == ["model", "base", "nearest"]


class Echo:
    """Generates each prompt's first id as often as its second says; notes what it was given."""

    max_length = 40

    def __init__(self):
        self.calls = []

    def generate(self, model, prompts, *, max_new_tokens):
        self.calls.append((len(prompts), max(map(len, prompts)), max_new_tokens))
        return [[p[0]] * min(p[1], max_new_tokens) for p in prompts]


def test_answers_return_in_order_within_the_budget():
    rng = np.random.default_rng(0)
    prompts = [[n, int(rng.integers(0, 9)), *[7] * int(rng.integers(0, 30))] for n in range(150)]
    echo = Echo()
    out = generate_all(echo, None, prompts, max_new_tokens=10, batch_tokens=400)
    assert out == [[p[0]] * p[1] for p in prompts]
    assert all(rows <= MAX_ROWS and (rows == 1 or rows * (width + 10) <= 400) for rows, width, _ in echo.calls)
    assert sum(rows for rows, *_ in echo.calls) == 150


def test_the_context_bounds_what_is_generated():
    echo = Echo()
    generate_all(echo, None, [[1, 2] + [0] * 33], max_new_tokens=10, batch_tokens=400)
    assert echo.calls == [(1, 35, 5)]


def test_limit_follows_the_training_answers():
    assert answer_limit(np.array([3, 80, 20])) == 80
    assert answer_limit(np.array([9000])) == 512
    assert answer_limit(np.array([], dtype=int)) == 512


def test_pack_is_what_evaluation_uses(datasets):
    data = datasets["test"]
    batches = pack(np.arange(len(data)), data.lengths, 300)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(data)))
