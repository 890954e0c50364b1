"""Exactness of the oracle: closed forms, brute force, and frequencies of the model run forwards."""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import lru_cache
from math import exp, inf, log, sqrt
from random import Random
from statistics import fmean, stdev

import pytest

from rca_dist.tickets.made_up.model import Latent, Outcome, TicketModel, default_model
from rca_dist.tickets.made_up.stages import draw, parse_probability
from rca_dist.tickets.made_up.tables import DEFAULT, Tables
from rca_dist.tickets.synthetic import Generated, generate_with_truth


@lru_cache(maxsize=1)
def tickets() -> list[tuple[str, str, float, str]]:
    """(prompt, answer, oracle_nll, oracle_answer) of the kept rows of a default set."""
    made: Generated = generate_with_truth(3000, 11)
    kept = [r for r, i in zip(made.rows, made.incidents, strict=True) if not i.junk]
    prompts = [f"{r['short_description']}\n{r['description']}" for r in kept]
    return [
        (prompt, r["resolution_notes"], float(r["oracle_nll"]), r["oracle_answer"])
        for prompt, r in zip(prompts, kept, strict=True)
    ]


def entropy(probabilities: list[float]) -> float:
    return -sum(p * log(p) for p in probabilities if p)


def test_every_table_sums_to_one() -> None:
    tables = [DEFAULT.languages, DEFAULT.sites, DEFAULT.minutes, DEFAULT.days, *DEFAULT.articles.values()]
    for part in DEFAULT.components.values():
        tables += [part.codes, part.symptoms, *part.causes.values()]
        assert set(part.causes) == set(part.symptoms)
    assert all(sum(table.values()) == pytest.approx(1, abs=1e-12) for table in tables)
    assert sum(part.weight for part in DEFAULT.components.values()) == pytest.approx(1, abs=1e-12)
    assert sum(weight for _, weight in default_model().latents()) == pytest.approx(1, abs=1e-12)
    for latent, _ in default_model().latents():
        assert all(sum(p for _, p in s) == pytest.approx(1, abs=1e-12) for s in default_model().ticket_stages(latent))
    for outcome in default_model().outcomes():
        assert all(sum(p for _, p in s) == pytest.approx(1, abs=1e-12) for s in default_model().answer_stages(outcome))


def test_parse_probability_adds_all_readings() -> None:
    first = (("a", 0.5), ("aa", 0.3), ("", 0.2))
    second = (("a", 0.6), ("", 0.4))
    assert parse_probability("aa", (first, second)) == pytest.approx(0.5 * 0.6 + 0.3 * 0.4)
    assert parse_probability("a", (first, second)) == pytest.approx(0.5 * 0.4 + 0.2 * 0.6)
    assert parse_probability("aab", (first, second)) == 0.0
    assert parse_probability("", (first, second)) == pytest.approx(0.08)


def test_enumerated_answers_sum_to_one_and_agree_with_the_columns() -> None:
    """The columns come from string parsing and a branch search; here every answer is written out instead."""
    model = default_model()
    rows = tickets()[:70]
    open_slots = [row for row in tickets() if len(model.posterior(row[0])) >= 9][:12]
    assert len(open_slots) == 12
    for prompt, answer, nll, best in rows + open_slots:
        outcomes = model.outcome_posterior(prompt)
        distribution = model.answers(outcomes)
        assert sum(distribution.values()) == pytest.approx(1, abs=1e-9)
        assert -log(distribution[answer]) == pytest.approx(nll, abs=1e-9)
        assert best == max(distribution, key=distribution.__getitem__)
        other = next(text for text in distribution if text != answer)
        assert exp(-model.answer_nll(outcomes, other)) == pytest.approx(distribution[other], rel=1e-9)


def test_impossible_texts() -> None:
    model = default_model()
    prompt, answer, _, _ = tickets()[0]
    assert model.answer_nll(model.outcome_posterior(prompt), answer + " More.") == inf
    with pytest.raises(ValueError, match="cannot have written"):
        model.posterior(prompt + " More.")


def test_slot_shortcut_equals_bayes_over_every_latent() -> None:
    model = default_model()
    for prompt, *_ in tickets()[:25]:
        joint = {x: prior * parse_probability(prompt, model.ticket_stages(x)) for x, prior in model.latents()}
        total = sum(joint.values())
        posterior = model.posterior(prompt)
        assert posterior == pytest.approx({x: w / total for x, w in joint.items() if w}, rel=1e-9)


def marginal(posterior: dict[Latent, float], field: str) -> dict[str, float]:
    result: dict[str, float] = defaultdict(float)
    for latent, weight in posterior.items():
        result[getattr(latent, field)] += weight
    return dict(result)


TAIL = " Two colleagues near me see the same thing. {} Since Monday."


def test_posterior_of_ambiguous_wording_by_hand() -> None:
    model, no_code = default_model(), TAIL.format("I did not write down the error message.")
    # A title and a sentence that fit the whole family "network": vpn .14, wifi .11, meeting .09.
    posterior = model.posterior("Connection problem\nThe connection fails and I cannot reach my colleagues." + no_code)
    symptoms = marginal(posterior, "symptom")
    assert symptoms["vpn.drops"] == pytest.approx(0.14 * 0.42 / 0.34)
    assert symptoms["wifi.roaming"] == pytest.approx(0.11 * 0.33 / 0.34)
    assert symptoms["meeting.join"] == pytest.approx(0.09 * 0.25 / 0.34)
    assert len(symptoms) == 9
    assert marginal(posterior, "language") == pytest.approx({"en": 1.0})
    assert marginal(posterior, "site")["Lyon"] == pytest.approx(0.24)
    assert marginal(posterior, "code")["ERR-8120"] == pytest.approx(0.6 * 0.09 / 0.34)
    # p(worn toner | only "printer" is known) = .42*.70 + .33*.05
    outcomes = model.outcome_posterior("Printer problem\nThe printer on our floor is unusable." + no_code)
    causes: dict[str, float] = defaultdict(float)
    for outcome, weight in outcomes.items():
        causes[outcome.cause] += weight
    assert causes["printer.toner"] == pytest.approx(0.42 * 0.70 + 0.33 * 0.05)
    # A code settles the component, a specific sentence the symptom.
    shown = TAIL.format("The screen shows ERR-3231.")
    posterior = model.posterior("Connection problem\nThe connection fails and I cannot reach my colleagues." + shown)
    assert marginal(posterior, "symptom") == pytest.approx({"wifi.missing": 0.42, "wifi.roaming": 0.33, "wifi.rejected": 0.25})
    posterior = model.posterior("Connection problem\nThe wireless link breaks each time I leave my desk." + no_code)
    assert marginal(posterior, "symptom") == pytest.approx({"wifi.roaming": 1.0})


def test_conditional_entropy_of_a_clear_ticket_in_closed_form() -> None:
    """Chain rule: cause, three wordings, article, minutes or days; nothing else is left open."""
    model = default_model()
    outcomes = model.outcome_posterior(
        "Wireless breaks in the corridor\nThe wireless link breaks each time I leave my desk. "
        "I work at the Lyon office. The screen shows ERR-3231. Since Monday."
    )
    wordings = 3 * entropy([0.35, 0.30, 0.20, 0.15])
    expected = entropy([0.20, 0.70, 0.10]) + wordings + entropy([0.7, 0.3]) + entropy([0.5, 0.3, 0.2])
    assert entropy(list(model.answers(outcomes).values())) == pytest.approx(expected, abs=1e-9)


def test_mean_oracle_nll_is_the_conditional_entropy() -> None:
    """Sampled surprise of one set against the written-out entropy of other tickets."""
    model, rng = default_model(), Random(7)
    states, weights = zip(*model.latents(), strict=True)
    exact = []
    for latent in rng.choices(states, weights, k=250):
        prompt = "".join(draw(stage, rng) for stage in model.ticket_stages(latent))
        exact.append(entropy(list(model.answers(model.outcome_posterior(prompt)).values())))
    sampled = [nll for _, _, nll, _ in tickets()]
    spread = sqrt(stdev(exact) ** 2 / len(exact) + stdev(sampled) ** 2 / len(sampled))
    assert spread < 0.06
    assert abs(fmean(exact) - fmean(sampled)) < 4.5 * spread
    assert 6 < fmean(sampled) < 11


def small_model() -> TicketModel:
    """Three symptoms in two components whose wording overlaps unevenly, so that one text has many readings."""
    parts = {
        "vpn": replace(DEFAULT.components["vpn"], weight=0.6, codes={"ERR-4021": 0.8, "ERR-4057": 0.2}),
        "meeting": replace(DEFAULT.components["meeting"], weight=0.4, codes={"ERR-8120": 1.0}),
    }
    parts["vpn"] = replace(parts["vpn"], symptoms={"vpn.drops": 0.7, "vpn.slow": 0.3})
    parts["meeting"] = replace(parts["meeting"], symptoms={"meeting.video": 1.0})
    words = replace(
        DEFAULT.phrases["en"],
        symptoms={
            "vpn.drops": ("Slow", "Cut", "All is slow.", "All is cut."),
            "vpn.slow": ("Cut", "Slow", "All is slow.", "All is late."),
            "meeting.video": ("Slow", "Image", "All is cut.", "All is slow."),
        },
        suffixes=((1.0, ""),),
        greetings=((0.5, ""), (0.5, "Hello. ")),
        contexts=((0.3, " In {site}."), (0.7, " Here.")),
        details=((0.5, " {code}."), (0.5, " No code.")),
        since=(" Now.",),
        urgency=((0.8, ""), (0.2, " Now.")),
        closings=((0.6, ""), (0.4, " Now.")),
    )
    tables: Tables = replace(
        DEFAULT, languages={"en": 1.0}, sites={"Lyon": 0.6, "Lille": 0.4}, components=parts, phrases={"en": words}
    )
    return TicketModel(tables)


def test_frequencies_of_the_model_run_forwards() -> None:
    """Rejection: draw latents, ticket, cause and answer, keep the draws that give one fixed text.

    " Now. Now." has two readings, the title four, site and code stay open. Bound: 4.5 standard errors per frequency.
    """
    model, rng = small_model(), Random(5)
    evidence = "Slow\nAll is slow. Here. No code. Now. Now."
    states, weights = zip(*model.latents(), strict=True)
    latents: Counter[Latent] = Counter()
    outcomes: Counter[Outcome] = Counter()
    answers: Counter[str] = Counter()
    for latent in rng.choices(states, weights, k=150_000):
        if "".join(draw(stage, rng) for stage in model.ticket_stages(latent)) == evidence:
            cause = draw(tuple(model.causes(latent.symptom).items()), rng)
            outcome = Outcome("en", cause, latent.site, latent.code)
            latents[latent] += 1
            outcomes[outcome] += 1
            answers["".join(draw(stage, rng) for stage in model.answer_stages(outcome))] += 1
    n = sum(latents.values())
    assert n > 1500
    known = model.outcome_posterior(evidence)
    pairs = [(latents[x], p) for x, p in model.posterior(evidence).items()]
    pairs += [(outcomes[x], p) for x, p in known.items()]
    distribution = model.answers(known)
    pairs += [(answers[x], p) for x, p in distribution.items() if p > 0.002]
    assert len(pairs) > 40
    for count, p in pairs:
        assert abs(count / n - p) < 4.5 * sqrt(p * (1 - p) / n) + 1 / n
    assert set(latents) <= set(model.posterior(evidence)) and set(answers) <= set(distribution)
    # by hand: p(title "Slow") p(sentence "All is slow.") = .40*.45, .30*.45, .40*.30
    by_symptom = marginal(model.posterior(evidence), "symptom")
    joint = {
        "vpn.drops": 0.42 * 0.40 * 0.45, "vpn.slow": 0.18 * 0.30 * 0.45, "meeting.video": 0.40 * 0.40 * 0.30,
    }  # fmt: skip
    assert by_symptom == pytest.approx({s: w / sum(joint.values()) for s, w in joint.items()})


def test_best_answer_where_readings_compete() -> None:
    model, rng = small_model(), Random(9)
    states, weights = zip(*model.latents(), strict=True)
    found = set()
    for latent in rng.choices(states, weights, k=60):
        outcomes = model.outcome_posterior("".join(draw(stage, rng) for stage in model.ticket_stages(latent)))
        distribution = model.answers(outcomes)
        best = model.best_answer(outcomes)
        assert distribution[best] == max(distribution.values())
        found.add(best)
    assert len(found) > 4


def test_tables_with_two_readings_of_an_answer_are_refused() -> None:
    words = DEFAULT.phrases["en"]
    with pytest.raises(ValueError, match="two readings"):
        fix = ((0.5, "We {fix}."), (0.5, "We {fix}. Done."))
        broken = replace(words, answers=(words.answers[0], fix, ((1.0, "Done. {check}"),)))
        TicketModel(replace(DEFAULT, phrases={"en": broken}, languages={"en": 1.0}))
    with pytest.raises(ValueError, match="stand in the fixed wording"):
        TicketModel(replace(DEFAULT, sites={"Lyon": 0.5, "Monday": 0.5}))
