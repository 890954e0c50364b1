"""results.json: metrics from sums, paired differences, and the verdict's sentence."""

import json
import math

import numpy as np
import pytest

from rca_dist.evaluation import results
from rca_dist.evaluation.results import SystemScores, split_results, strongest

N = 60


def systems(gain: float, *, seed: int = 0, n: int = N) -> list[SystemScores]:
    rng = np.random.default_rng(seed)
    base = rng.uniform(0.2, 0.6, size=n)
    tokens, size = rng.integers(5, 20, size=n), rng.integers(20, 60, size=n)
    nll = rng.uniform(1, 3, size=n) * tokens
    bleu = np.tile(np.array([8, 8, 6, 4, 3, 2, 8, 7, 6, 5]), (n, 1))
    noise = rng.normal(0, 0.02, size=n)
    return [
        SystemScores("model", {"chrf": base + gain + noise}, nll, tokens, tokens // 2, size, bleu),
        SystemScores("base", {"chrf": base - 0.1}, nll + 0.5 * tokens, tokens, tokens // 3, size, bleu),
        SystemScores("nearest", {"chrf": base}, bleu=bleu),
        SystemScores("oracle", nll=nll * 0.5, bytes=size),
    ]


def test_metrics_are_ratios_of_sums() -> None:
    parts = systems(0.1)
    model = parts[0]
    found = split_results(parts, np.arange(N))["systems"]
    loss, bits = model.nll.sum() / model.tokens.sum(), model.nll.sum() / math.log(2) / model.bytes.sum()
    cells = found["model"]
    assert cells["loss"]["value"] == pytest.approx(loss)
    assert cells["perplexity"]["value"] == pytest.approx(math.exp(loss))
    assert cells["bits_per_byte"]["value"] == pytest.approx(bits)
    assert cells["byte_perplexity"]["value"] == pytest.approx(2**bits)
    assert cells["token_accuracy"]["value"] == pytest.approx((model.tokens // 2).sum() / model.tokens.sum())
    assert cells["chrf"]["value"] == pytest.approx(model.values["chrf"].mean())
    assert cells["bleu"]["value"] == pytest.approx((0.75 * 4 / 7 * 0.5 * 0.4) ** 0.25)
    for end in ("low", "high"):
        assert cells["perplexity"][end] == pytest.approx(math.exp(cells["loss"][end]))
        assert cells["byte_perplexity"][end] == pytest.approx(2 ** cells["bits_per_byte"][end])
    assert cells["loss"]["low"] < loss < cells["loss"]["high"]
    assert cells["loss"]["n"] == N


def test_undefined_metrics_are_absent_and_pairs_share_what_both_define() -> None:
    found = split_results(systems(0.1), np.arange(N))
    assert list(found["systems"]["nearest"]) == ["chrf", "bleu"]
    assert list(found["systems"]["oracle"]) == ["bits_per_byte", "byte_perplexity"]
    assert sorted(found["paired"]) == ["model-base", "model-nearest", "model-oracle"]
    assert list(found["paired"]["model-oracle"]) == ["bits_per_byte", "byte_perplexity"]
    assert found["paired"]["model-base"]["loss"]["value"] == pytest.approx(-0.5)
    # The tokens differ from ticket to ticket, the difference per token does not: pairing leaves no spread.
    assert found["paired"]["model-base"]["loss"]["high"] == pytest.approx(-0.5)
    assert (found["n"], found["groups"]) == (N, N)
    json.dumps(found, allow_nan=False)


def test_verdict_of_a_gain_names_size_interval_and_n() -> None:
    found = split_results(systems(0.05), np.arange(N))
    cell = found["paired"]["model-nearest"]["chrf"]
    assert found["verdict"] == (
        f"The fine-tuned model beats copying the nearest old ticket (nearest) by {100 * cell['value']:.1f} chrF points "
        f"(95 % interval {100 * cell['low']:.1f} to {100 * cell['high']:.1f}) on 60 tickets it has never seen."
    )


@pytest.mark.parametrize(("gain", "words"), [(0.0, "differs from"), (-0.05, "is worse than")])
def test_no_gain_is_said(gain: float, words: str) -> None:
    verdict = split_results(systems(gain), np.arange(N))["verdict"]
    assert verdict.startswith(f"No evidence of gain: the fine-tuned model {words} copying the nearest old ticket")
    assert " by -" not in verdict or gain == 0.0


def test_yardstick_decides_and_falls_back_to_nearest() -> None:
    found = split_results(systems(0.05), np.arange(N), yardstick="base")
    assert "the base model before fine-tuning (base) by 14.8 chrF" in found["verdict"]
    fallen = split_results(systems(0.05), np.arange(N), yardstick="copy")
    assert fallen["yardstick"] == "nearest"
    assert "(nearest)" in fallen["verdict"]


def test_lower_is_better_for_losses() -> None:
    found = split_results(systems(0.05), np.arange(N), primary_metric="loss", yardstick="base")
    assert "beats the base model before fine-tuning (base) by 0.500 nats per token (95 %" in found["verdict"]
    model, base = systems(0.0)[:2]
    swapped = [
        SystemScores("model", nll=base.nll, tokens=base.tokens),
        SystemScores("base", nll=model.nll, tokens=model.tokens),
    ]
    worse = split_results(swapped, np.arange(N), primary_metric="loss", yardstick="base")["verdict"]
    assert "is worse than" in worse
    assert "by 0.500 nats per token (95 % interval 0.500 to 0.500)" in worse


def test_no_claim_without_an_interval_or_from_templates_or_training_tickets() -> None:
    few = split_results(systems(0.3), np.arange(N) % 10)
    assert few["verdict"].startswith("No evidence of gain: only 10 groups")
    assert few["systems"]["model"]["chrf"]["low"] is None
    assert "10 groups" in few["systems"]["model"]["perplexity"]["reason"]
    templated = split_results(systems(0.3), np.arange(N), templated=True)["verdict"]
    assert templated.startswith("No evidence of gain: the data is templated")
    assert "trained on" in split_results(systems(0.3), np.arange(N), split="train")["verdict"]
    assert "of the validation split" in split_results(systems(0.3), np.arange(N), split="validation")["verdict"]
    alone = split_results(systems(0.3)[2:], np.arange(N))
    assert "no fine-tuned model" in alone["verdict"]
    assert alone["paired"] == {}
    assert "not known" in split_results(systems(0.3)[:1], np.arange(N))["verdict"]


def test_a_diverged_model_is_reported_and_stays_json() -> None:
    parts = systems(0.1)
    nll = parts[0].nll.copy()
    nll[3] = np.nan
    huge = SystemScores("base", nll=parts[0].tokens * 800.0, tokens=parts[0].tokens)
    found = split_results([SystemScores("model", nll=nll, tokens=parts[0].tokens), huge], np.arange(N))
    assert found["systems"]["model"]["loss"]["value"] is None
    assert "not a finite number" in found["systems"]["model"]["loss"]["reason"]
    assert found["systems"]["base"]["loss"]["value"] == pytest.approx(800)
    assert found["systems"]["base"]["perplexity"]["value"] is None
    json.dumps(found, allow_nan=False)


def test_strongest_knows_the_direction_and_what_to_leave_out() -> None:
    found = split_results(systems(0.1), np.arange(N))
    assert strongest(found, "chrf") == "nearest"
    assert strongest(found, "loss") == "base"
    assert strongest(found, "loss", exclude=()) == "model"
    assert strongest(found, "bits_per_byte", exclude=()) == "oracle"
    assert strongest(found, "rouge_l") is None


def test_wrong_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="'nearest': 60 values of chrf for 59 tickets"):
        split_results([systems(0.1)[2]], np.arange(N - 1))


def test_null_control_claims_nothing() -> None:
    """Two systems that differ by chance alone: a gain is claimed in at most 5 of 100 repeats."""
    claims = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        pair = [SystemScores(name, {"chrf": rng.beta(2, 6, size=N)}) for name in ("model", "nearest")]
        claims += not split_results(pair, np.arange(N), samples=500)["verdict"].startswith("No evidence")
    assert claims <= 5


def test_metric_names_are_the_contract() -> None:
    assert set(results.METRICS) >= results.LOWER_IS_BETTER
    assert len(results.METRICS) == 10
