"""Stages: finite distributions over strings, and what can be done with a concatenation of independent ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from random import Random

Stage = tuple[tuple[str, float], ...]


def parse_probability(text: str, stages: Sequence[Stage]) -> float:
    """Return the probability that independent draws, one string per stage, concatenate to `text`."""
    reached = {0: 1.0}
    for stage in stages:
        onward: dict[int, float] = {}
        for start, weight in reached.items():
            for string, probability in stage:
                if text.startswith(string, start):
                    end = start + len(string)
                    onward[end] = onward.get(end, 0.0) + weight * probability
        if not onward:
            return 0.0
        reached = onward
    return reached.get(len(text), 0.0)


def merge(pairs: Iterable[tuple[str, float]]) -> Stage:
    """Add up the probabilities of equal strings."""
    merged: dict[str, float] = {}
    for string, probability in pairs:
        merged[string] = merged.get(string, 0.0) + probability
    return tuple(merged.items())


def draw(stage: Sequence[tuple[str, float]], rng: Random) -> str:
    """Draw one string; one uniform number is consumed per call."""
    point = rng.random()
    for string, probability in stage:
        point -= probability
        if point < 0:
            return string
    return stage[-1][0]


def expand(
    rows: Sequence[tuple[float, str]], fixed: Mapping[str, str], hidden: Mapping[str, Mapping[str, float]], *, end: str
) -> Iterator[tuple[str, float]]:
    """Fill the templates with the fixed slots and with every value of the hidden slots that they use."""
    for weight, template in rows:
        used = [name for name in hidden if "{" + name + "}" in template]
        for values in product(*(hidden[name].items() for name in used)):
            text = template.format(**fixed, **{name: value for name, (value, _) in zip(used, values, strict=True)})
            probability = weight
            for _, p in values:
                probability *= p
            yield text + end, probability


def require_prefix_free(strings: Iterable[str]) -> None:
    """Raise ValueError if one string is the start of another: concatenations would have two readings."""
    ordered = sorted(set(strings))
    for a, b in pairwise(ordered):
        if b.startswith(a):
            raise ValueError(f"answer sentence {a!r} is the start of {b!r}: answers would have two readings")
