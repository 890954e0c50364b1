"""How much a random split would flatter: the nearest-ticket baseline under random, grouped and time splits of one table.

Every ticket is answered once from random folds and once from folds that keep near-duplicates together, so the two scores
are paired ticket by ticket; the time split compares its test side with the random answers to those same tickets.
"""

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rca_dist.evaluation.baselines import Nearest
from rca_dist.evaluation.bootstrap import difference_interval, interval
from rca_dist.evaluation.text_metrics import chrf, normalise, rouge_l

FOLDS, LEAST, MOST = 4, 20, 1200
_MOST_CHARACTERS = 1_200_000
_LARGEST_SHARE = 0.5
# What lies beyond changes no neighbour, and chrF of a whole log would take seconds a ticket.
_PROMPT_LENGTH, _ANSWER_LENGTH = 4000, 2000
Scores = dict[str, np.ndarray]


def flattery(
    ids: Sequence[str],
    prompts: Sequence[str],
    answers: Sequence[str],
    groups: Sequence[int],
    dates: Sequence[float | None] = (),
    *,
    seed: int = 0,
    most: int = MOST,
) -> dict[str, Any]:
    """chrF and ROUGE-L (0..1, with n and 95 % interval) of the nearest old ticket's answer under each split, and the gains.

    `dates` are seconds, None where unknown. At most `most` tickets are looked at, whole groups chosen by hash. What cannot be
    measured has a `reason` in its place. Deterministic in ids and seed.
    """
    rows = _sample(ids, prompts, groups, seed, most)
    found: dict[str, Any] = {"tickets": len(rows), "of": len(ids), "folds": FOLDS}
    if len(rows) < LEAST:
        return found | {"reason": f"only {len(rows)} tickets; at least {LEAST} are needed"}
    table = _Table(rows, ids, prompts, answers, groups, seed)
    random = table.cross(table.random_folds())
    found["random"] = table.cells(random)
    largest = max(Counter(table.groups.tolist()).values()) / len(rows)
    separate = len(set(table.groups.tolist()))
    if separate < FOLDS:
        found["group"] = {"reason": f"near-duplicates form only {separate} groups"}
    elif largest > _LARGEST_SHARE:
        found["group"] = {"reason": f"one group of near-duplicates holds {100 * largest:.0f} % of the tickets"}
    else:
        grouped = table.cross(table.group_folds())
        found["group"] = table.cells(grouped) | {"flattery": table.differences(random, grouped)}
    found["time"] = _time(table, [dates[row] for row in rows] if len(dates) else [], random)
    return found


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What `flattery` found, for people; one sentence with the reason where nothing could be measured."""
    if "reason" in found:
        return [f"Not measured: {found['reason']}."]
    grouped, timed = found["group"], found["time"]
    text = (
        f"Copying the answer of the most similar old ticket scores chrF {_points(found['random']['chrf'])} under a random split"
    )
    if "reason" in grouped:
        lines = [f"{text}. With near-duplicates kept on one side it cannot be measured: {grouped['reason']}."]
    else:
        gain, known = grouped["flattery"]["chrf"], [100 * found[kind]["known"]["value"] for kind in ("random", "group")]
        lines = [
            f"{text} and {_points(grouped['chrf'])} where near-duplicates stay on one side: {_gain(gain)}.",
            f"{known[0]:.0f} % of the answers stand word for word among the old ones under a random split, {known[1]:.0f} % "
            "under the grouped one.",
        ]
    if "reason" in timed:
        lines.append(f"Against a split by time it cannot be measured: {timed['reason']}.")
    else:
        day = dt.datetime.fromtimestamp(timed["cut"], dt.UTC).date()
        lines.append(
            f"On the tickets from {day} on, with only older ones to look in, it scores {_points(timed['chrf'])}: "
            f"{_gain(timed['flattery']['chrf'])}."
        )
    part = "" if found["tickets"] == found["of"] else f" of {found['of']:,}"
    lines.append(
        f"Measured on {found['tickets']:,}{part} tickets"
        + (" (whole groups of near-duplicates, chosen by hash)." if part else ".")
        + " A fine-tuned model has to beat this number on the split that you choose."
    )
    return lines


def _points(cell: Mapping[str, Any]) -> str:
    span = "" if cell["low"] is None else f" (95 % interval {100 * cell['low']:.1f} to {100 * cell['high']:.1f})"
    return f"{100 * cell['value']:.1f}{span}"


def _gain(cell: Mapping[str, Any]) -> str:
    value, low, high = (None if part is None else 100 * part for part in (cell["value"], cell["low"], cell["high"]))
    assert value is not None
    if low is None or high is None:
        return f"a random split would change it by {value:+.1f} points (no interval: {cell['reason']})"
    if low <= 0.0:
        return f"no sign that a random split flatters ({value:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f})"
    return f"a random split would flatter by {value:.1f} points (95 % interval {low:.1f} to {high:.1f})"


def _sample(ids: Sequence[str], prompts: Sequence[str], groups: Sequence[int], seed: int, most: int) -> list[int]:
    """Rows of whole groups in hash order until there are enough; of a group too large a part, again by hash."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(groups):
        members[label].append(row)
    rank = [_rank(f"{seed}:{identifier}") for identifier in ids]
    rows: list[int] = []
    characters = 0
    # By one hash a group: the smallest of its tickets' hashes would favour large groups.
    place = {label: _rank(f"{seed}:group:{min(ids[row] for row in inside)}") for label, inside in members.items()}
    for label in sorted(members, key=lambda label: place[label]):
        inside = sorted(members[label], key=lambda row: rank[row])[: most - len(rows)]
        characters += sum(min(len(prompts[row]), _PROMPT_LENGTH) for row in inside)
        if rows and (len(rows) + len(inside) > most or characters > _MOST_CHARACTERS):
            break
        rows += inside
        if len(rows) >= most:
            break
    return sorted(rows, key=lambda row: rank[row])


class _Table:
    """The sampled tickets in hash order, and what is done with them under one split."""

    def __init__(
        self, rows: Sequence[int], ids: Sequence[str], prompts: Sequence[str], answers: Sequence[str],
        groups: Sequence[int], seed: int,
    ) -> None:  # fmt: skip
        self.prompts = [prompts[row][:_PROMPT_LENGTH] for row in rows]
        self.answers = [answers[row][:_ANSWER_LENGTH] for row in rows]
        self.keys = [normalise(answer) for answer in self.answers]
        self.groups = np.asarray([groups[row] for row in rows])
        self.rank = [_rank(f"{seed}:{ids[row]}") for row in rows]
        self.seed = seed

    def random_folds(self) -> np.ndarray:
        """(n,) fold numbers; the tickets stand in hash order already."""
        return np.arange(len(self.prompts)) % FOLDS

    def group_folds(self) -> np.ndarray:
        """(n,) fold numbers, whole groups, the largest first, each to the fold that holds least."""
        sizes = Counter(self.groups.tolist())
        first: dict[int, int] = {}
        for place, label in enumerate(self.groups.tolist()):
            first.setdefault(label, place)
        held, fold = [0] * FOLDS, {}
        for label in sorted(sizes, key=lambda label: (-sizes[label], first[label])):
            fold[label] = held.index(min(held))
            held[fold[label]] += sizes[label]
        return np.asarray([fold[label] for label in self.groups.tolist()])

    def cross(self, folds: np.ndarray) -> Scores:
        """Per-ticket scores (n,), each ticket answered from the other folds."""
        scores = {name: np.zeros(len(folds)) for name in ("chrf", "rouge_l", "known")}
        for fold in range(FOLDS):
            part = self.score(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
            for name, values in part.items():
                scores[name][folds == fold] = values
        return scores

    def score(self, train: np.ndarray, test: np.ndarray) -> Scores:
        """Scores of the tickets at `test` (m,) when those at `train` are known; `known`: the answer stands in train."""
        nearest = Nearest([self.prompts[n] for n in train], [self.answers[n] for n in train])
        given, _, _ = nearest.answer([self.prompts[n] for n in test])
        wanted = [self.answers[n] for n in test]
        known = {self.keys[n] for n in train}
        return {
            "chrf": np.asarray([chrf(one, other) for one, other in zip(given, wanted, strict=True)]),
            "rouge_l": np.asarray([rouge_l(one, other) for one, other in zip(given, wanted, strict=True)]),
            "known": np.asarray([float(self.keys[n] in known) for n in test]),
        }

    def cells(self, scores: Scores, at: np.ndarray | None = None) -> dict[str, Any]:
        """Mean and interval per metric, the near-duplicate groups drawn."""
        groups = self.groups if at is None else self.groups[at]
        return {name: interval(values, groups, seed=self.seed).as_json() for name, values in scores.items()}

    def differences(self, first: Scores, second: Scores, at: np.ndarray | None = None) -> dict[str, Any]:
        """Paired differences first minus second of the two text scores."""
        groups = self.groups if at is None else self.groups[at]
        pairs = {name: (first[name], second[name]) for name in ("chrf", "rouge_l")}
        return {name: difference_interval(*pair, groups, seed=self.seed).as_json() for name, pair in pairs.items()}


def _time(table: _Table, dates: Sequence[float | None], random: Scores) -> dict[str, Any]:
    """The newest quarter answered from what came before it."""
    known = [(date, place) for place, date in enumerate(dates) if date is not None]
    if len(known) < LEAST or len({date for date, _ in known}) < 2:
        return {"reason": f"only {len(known)} tickets have a date" if len(known) < LEAST else "all dates are the same"}
    known.sort()
    cut = known[len(known) - len(known) // FOLDS][0]
    test = np.asarray([place for date, place in known if date >= cut])
    train = np.asarray([place for date, place in known if date < cut])
    if not len(train):
        return {"reason": "the newest tickets all have the date of the oldest"}
    scores = table.score(train, test)
    at = {name: values[test] for name, values in random.items()}
    return table.cells(scores, test) | {"cut": cut, "flattery": table.differences(at, scores, test)}


def _rank(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
