"""Exact inference in the built-in ticket model: p(latents | ticket text) and p(answer | ticket text).

A ticket text is a concatenation of *stages*; each stage is a finite list of (string, probability) that depends only
on the latents (language, symptom, site, code). p(text | latents) is therefore a sum over all ways to cut the text into
one string per stage, which `parse_probability` computes by dynamic programming; nothing relies on the path that was
sampled. Bayes over all latents gives the posterior; the answer is a concatenation of three stages given
(language, cause, site, code). Everything is in natural logarithms and per whole string, its end included.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from math import log
from typing import NamedTuple

from rca_dist.tickets.made_up.stages import Stage, expand, merge, parse_probability, require_prefix_free
from rca_dist.tickets.made_up.tables import DEFAULT, SENTENCE_WEIGHTS, TITLE_WEIGHTS, Tables

TITLE, SUFFIX, BREAK, GREETING, SENTENCE, CONTEXT, DETAIL, SINCE, URGENCY, CLOSING = range(10)


class Latent(NamedTuple):
    """What decides a ticket's text. `symptom` names its component too ("vpn.drops")."""

    language: str
    symptom: str
    site: str
    code: str


class Outcome(NamedTuple):
    """What decides an answer, up to wording and the slots that stand in the answer only."""

    language: str
    cause: str
    site: str
    code: str


class TicketModel:
    """The causal model language, symptom, site, code -> ticket; symptom -> cause; cause, site, code -> answer.

    Raises ValueError when the tables break a condition on which exactness rests (see `_check`).
    """

    def __init__(self, tables: Tables = DEFAULT) -> None:
        self.tables = tables
        self.component_of = {s: name for name, part in tables.components.items() for s in part.symptoms}
        self.symptom_prior = {s: part.weight * p for part in tables.components.values() for s, p in part.symptoms.items()}
        self._ticket_cache: dict[Latent, tuple[Stage, ...]] = {}
        self._answer_cache: dict[Outcome, tuple[Stage, Stage, Stage]] = {}
        self._best = lru_cache(maxsize=65536)(self._best_answer)
        self._check()

    def _check(self) -> None:
        """Slot values must be recognisable, and answers must have one reading only (used by `posterior`, `best`)."""
        tables = self.tables
        slots = [*tables.sites, *(code for part in tables.components.values() for code in part.codes)]
        for a, b in product(slots, slots):
            if a != b and a in b:
                raise ValueError(f"slot value {a!r} is part of slot value {b!r}")
        for language, words in tables.phrases.items():
            fixed = repr(words)
            if clash := [value for value in slots if value in fixed]:
                raise ValueError(f"slot values {clash} stand in the fixed wording of {language!r}")
            outcomes = [o for o in self.outcomes() if o.language == language]
            require_prefix_free({s for o in outcomes for s, _ in self.answer_stages(o)[0]})
            for cause in {o.cause for o in outcomes}:
                for number in (1, 2):
                    require_prefix_free({s for o in outcomes if o.cause == cause for s, _ in self.answer_stages(o)[number]})

    def causes(self, symptom: str) -> Mapping[str, float]:
        """Return p(cause | symptom)."""
        return self.tables.components[self.component_of[symptom]].causes[symptom]

    def latents(self) -> Iterator[tuple[Latent, float]]:
        """Yield every latent state with its prior probability."""
        yield from self._states(list(self.tables.sites), None)

    def _states(self, sites: Sequence[str], codes: Sequence[str] | None) -> Iterator[tuple[Latent, float]]:
        for language, p_language in self.tables.languages.items():
            for symptom, p_symptom in self.symptom_prior.items():
                part = self.tables.components[self.component_of[symptom]]
                for site in sites:
                    weight = p_language * p_symptom * self.tables.sites[site]
                    for code, p_code in part.codes.items():
                        if codes is None or code in codes:
                            yield Latent(language, symptom, site, code), weight * p_code

    def outcomes(self) -> Iterator[Outcome]:
        """Yield every (language, cause, site, code) an answer can stem from."""
        latents = [x for x, _ in self.latents()]
        yield from dict.fromkeys(Outcome(x.language, z, x.site, x.code) for x in latents for z in self.causes(x.symptom))

    def ticket_stages(self, latent: Latent) -> tuple[Stage, ...]:
        """Return the stages of `title + "\\n" + description` given the latents."""
        if (stages := self._ticket_cache.get(latent)) is None:
            stages = self._ticket_cache[latent] = self._render_ticket(latent)
        return stages

    def _render_ticket(self, latent: Latent) -> tuple[Stage, ...]:
        words = self.tables.phrases[latent.language]
        component = self.component_of[latent.symptom]
        titles = (*words.symptoms[latent.symptom][:2], words.generic[component][0])
        sentences = (*words.symptoms[latent.symptom][2:], words.generic[component][1])
        family = words.families[self.tables.components[component].family]

        def fill(rows: Sequence[tuple[float, str]]) -> Stage:
            return merge((text.format(site=latent.site, code=latent.code), p) for p, text in rows)

        return (
            merge(zip((*titles, family[0]), TITLE_WEIGHTS, strict=True)),
            fill(words.suffixes),
            (("\n", 1.0),),
            fill(words.greetings),
            merge(zip((*sentences, family[1]), SENTENCE_WEIGHTS, strict=True)),
            fill(words.contexts),
            fill(words.details),
            tuple((text, 1 / len(words.since)) for text in words.since),
            fill(words.urgency),
            fill(words.closings),
        )

    def answer_stages(self, outcome: Outcome) -> tuple[Stage, Stage, Stage]:
        """Return the three stages of the answer; slots that only the answer has are summed into them."""
        if (stages := self._answer_cache.get(outcome)) is None:
            stages = self._answer_cache[outcome] = self._render_answer(outcome)
        return stages

    def _render_answer(self, outcome: Outcome) -> tuple[Stage, Stage, Stage]:
        words = self.tables.phrases[outcome.language]
        cause, fix, check = words.causes[outcome.cause]
        fixed = {"cause": cause, "fix": fix, "check": check, "site": outcome.site, "code": outcome.code}
        hidden = {"kb": self.tables.articles[outcome.cause], "minutes": self.tables.minutes, "days": self.tables.days}

        def stage(number: int) -> Stage:
            return merge(expand(words.answers[number], fixed, hidden, end="" if number == 2 else " "))

        return stage(0), stage(1), stage(2)

    def posterior(self, prompt: str) -> dict[Latent, float]:
        """Return p(latents | prompt), prompt = title + newline + description; ValueError if the model cannot write it.

        A site or code that stands in the text excludes every other one, since no fixed wording contains any (`_check`);
        that is the only shortcut.
        """
        sites = [site for site in self.tables.sites if site in prompt] or list(self.tables.sites)
        every = [code for part in self.tables.components.values() for code in part.codes]
        codes = [code for code in every if code in prompt] or None
        joint = {}
        for latent, prior in self._states(sites, codes):
            weight = prior * parse_probability(prompt, self.ticket_stages(latent))
            if weight > 0:
                joint[latent] = weight
        total = sum(joint.values())
        if not total:
            raise ValueError(f"the ticket model cannot have written {prompt[:80]!r}")
        return {latent: weight / total for latent, weight in joint.items()}

    def outcome_posterior(self, prompt: str) -> dict[Outcome, float]:
        """Return p(language, cause, site, code | prompt)."""
        result: dict[Outcome, float] = {}
        for latent, weight in self.posterior(prompt).items():
            for cause, p in self.causes(latent.symptom).items():
                key = Outcome(latent.language, cause, latent.site, latent.code)
                result[key] = result.get(key, 0.0) + weight * p
        return result

    def answer_nll(self, outcomes: Mapping[Outcome, float], answer: str) -> float:
        """Return -ln p(answer | prompt) in nats for the posterior of that prompt; inf if it cannot occur."""
        total = sum(w * parse_probability(answer, self.answer_stages(o)) for o, w in outcomes.items())
        return -log(total) if total > 0 else float("inf")

    def answers(self, outcomes: Mapping[Outcome, float]) -> dict[str, float]:
        """Return the whole distribution over answer strings (hundreds to tens of thousands of entries)."""
        result: dict[str, float] = {}
        for outcome, weight in outcomes.items():
            for parts in product(*self.answer_stages(outcome)):
                text = "".join(part for part, _ in parts)
                result[text] = result.get(text, 0.0) + weight * parts[0][1] * parts[1][1] * parts[2][1]
        return result

    def best_answer(self, outcomes: Mapping[Outcome, float]) -> str:
        """Return the most probable answer string."""
        # Rounding makes equal posteriors share a cache entry; no two answers come that close.
        return self._best(tuple((outcome, round(weight, 12)) for outcome, weight in outcomes.items()))

    def _best_answer(self, outcomes: tuple[tuple[Outcome, float], ...]) -> str:
        groups: dict[tuple[str, str], list[tuple[Outcome, float]]] = {}
        for outcome, weight in outcomes:
            groups.setdefault((outcome.language, outcome.cause), []).append((outcome, weight))
        best = (0.0, "")
        # One reading only (`_check`): answers of two causes never coincide, nor do two triples of stage strings.
        for rows in sorted(groups.values(), key=lambda rows: -sum(weight for _, weight in rows)):
            if sum(weight for _, weight in rows) <= best[0]:
                break
            tables = [[dict(stage) for stage in self.answer_stages(outcome)] for outcome, _ in rows]
            vocabulary = [list(dict.fromkeys(s for t in tables for s in t[number])) for number in range(3)]
            for first in vocabulary[0]:
                start = [(w * t[0][first], t) for (_, w), t in zip(rows, tables, strict=True) if first in t[0]]
                for last in vocabulary[2]:
                    ends = [(w * t[2][last], t[1]) for w, t in start if last in t[2]]
                    if sum(w for w, _ in ends) <= best[0]:
                        continue
                    for middle in vocabulary[1]:
                        total = sum(w * t.get(middle, 0.0) for w, t in ends)
                        if total > best[0]:
                            best = (total, first + middle + last)
        return best[1]


@lru_cache(maxsize=1)
def default_model() -> TicketModel:
    """Return the model of the built-in tables, built once."""
    return TicketModel()
