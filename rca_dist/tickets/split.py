"""Train / validation / test sides and folds: a function of ticket ids and seed, never of row order."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.words import fold as fold_word

KINDS = ("group", "random", "time", "file")
SIDES = ("train", "validation", "test")
TEMPLATED_SHARE = 0.3
TEMPLATED_GROUPS = 20
_SIDE_WORDS = {
    **dict.fromkeys(("train", "training", "apprentissage", "entrainement"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval"), "validation"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}


@dataclass
class Split:
    """Side and fold (-1 without folds) of each ticket, and what to report about them."""

    sides: list[str]
    folds: list[int]
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def is_templated(labels: Sequence[int]) -> bool:
    """True when near-duplicates swallow the data: one group over 30 % of tickets, or fewer than 20 groups.

    With under 40 tickets the second bound is half their number, or every small file would count as templated.
    """
    sizes = Counter(labels)
    return max(sizes.values()) > TEMPLATED_SHARE * len(labels) or len(sizes) < min(TEMPLATED_GROUPS, len(labels) / 2)


def make_split(
    ids: Sequence[str],
    labels: Sequence[int],
    *,
    kind: str = "group",
    test_size: float = 0.1,
    validation_size: float = 0.1,
    seed: int = 0,
    folds: int = 0,
    fold: int = 0,
    dates: Sequence[dt.datetime | None] = (),
    sides: Sequence[str] = (),
) -> Split:
    """Split tickets with unique `ids` and near-duplicate group `labels`.

    `dates` (none missing) for kind `time`, `sides` (words of the file) for kind `file`. Raises UserError for settings
    out
    of range and when a side would stay empty.
    """
    check_settings(kind, test_size, validation_size, folds, fold)
    templated = is_templated(labels)
    result = Split([], [-1] * len(ids), {"kind": kind, "seed": seed, "templated": templated, "notes": []})
    if kind == "time":
        result.sides = _by_time(dates, test_size, validation_size, result)
    elif kind == "file":
        result.sides = _by_file(sides)
    else:
        units = list(ids) if kind == "random" or templated else _smallest_ids(ids, labels)
        if kind == "group" and templated:
            result.facts["used"] = "random"
        if folds:
            result.folds, result.sides = _by_folds(units, folds, fold, validation_size, seed, result)
        else:
            targets = {"test": test_size, "validation": validation_size}
            result.sides = _by_hash(units, targets, f"{seed}", result.facts["notes"])
    if templated:
        result.warnings.append(_templated_warning(labels, result.facts.get("used") == "random"))
    sizes = {side: result.sides.count(side) for side in SIDES}
    empty = [side for side in SIDES if not sizes[side]]
    if empty:
        raise UserError(
            f"split.kind={kind}: no ticket is left for {' and '.join(empty)} ({sizes}). "
            "Give more tickets, change split.test_size / split.validation_size, or another split.kind."
        )
    result.facts |= {"sizes": sizes, "folds": folds, "fold": fold if folds else None}
    _report_overlap(result, labels)
    return result


def check_settings(kind: str, test_size: float, validation_size: float, folds: int, fold: int) -> None:
    """Raise UserError for a split setting out of range."""
    if kind not in KINDS:
        raise UserError(f"split.kind={kind!r}: choose one of {', '.join(KINDS)}.")
    for name, size in (("test_size", test_size), ("validation_size", validation_size)):
        if not 0 < size < 1:
            raise UserError(f"split.{name}={size}: give a share between 0 and 1, such as 0.1.")
    if test_size + validation_size >= 1:
        raise UserError(
            f"split.test_size + split.validation_size = {test_size + validation_size}: nothing is left to train on."
        )
    if folds and kind in ("time", "file"):
        raise UserError(f"split.folds={folds} goes with split.kind=group or random, not with {kind}; set split.folds=0.")
    if folds and (folds < 2 or not 0 <= fold < folds):
        raise UserError(f"split.folds={folds}, split.fold={fold}: take 2 or more folds, and a fold from 0 to folds - 1.")


def _hash(text: str) -> float:
    """A stable position in [0, 1)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") / 2**64


def _smallest_ids(ids: Sequence[str], labels: Sequence[int]) -> list[str]:
    smallest: dict[int, str] = {}
    for identifier, label in zip(ids, labels, strict=True):
        smallest[label] = min(smallest.get(label, identifier), identifier)
    return [smallest[label] for label in labels]


def _by_hash(units: Sequence[str], targets: dict[str, float], salt: str, notes: list[str]) -> list[str]:
    """Sides by each unit's hash against the shares in `targets`; dealt by rank where that misses a share by half."""
    sizes = Counter(units)
    position = {unit: _hash(f"{salt}:{unit}") for unit in sizes}

    def side(value: float) -> str:
        for name, share in targets.items():
            if value < share:
                return name
            value -= share
        return "train"

    placed = {unit: side(position[unit]) for unit in sizes}
    if _misses(placed, sizes, targets):
        placed = _deal(sizes, position, targets)
        notes.append(
            f"the hash of the ids left a side empty or off its size by more than half ({len(sizes)} units): "
            "tickets were dealt by hash rank instead, so new tickets may move old ones between sides."
        )
    return [placed[unit] for unit in units]


def _misses(placed: dict[str, str], sizes: dict[str, int], targets: dict[str, float]) -> bool:
    total = sum(sizes.values())
    for name, share in {**targets, "train": 1 - sum(targets.values())}.items():
        size = sum(sizes[unit] for unit, side in placed.items() if side == name)
        if not size or abs(size - share * total) > 0.5 * share * total:
            return True
    return False


def _deal(sizes: dict[str, int], position: dict[str, float], targets: dict[str, float]) -> dict[str, str]:
    """Deal units in hash order, each to the side that lacks most; a unit too large for a small side goes to train."""
    total = sum(sizes.values())
    wanted = {"train": (1 - sum(targets.values())) * total, **{name: share * total for name, share in targets.items()}}
    lacking = dict(wanted)
    placed: dict[str, str] = {}
    for unit in sorted(sizes, key=lambda unit: (position[unit], unit)):
        fitting = [name for name in wanted if name == "train" or sizes[unit] <= max(1.0, 1.5 * lacking[name])]
        placed[unit] = max(fitting, key=lambda name: lacking[name])
        lacking[placed[unit]] -= sizes[unit]
    for name in targets:
        held = [unit for unit in placed if placed[unit] == "train"]
        if name not in placed.values() and len(held) > 1:
            placed[min(held, key=lambda unit: (sizes[unit], position[unit], unit))] = name
    return placed


def _by_folds(
    units: Sequence[str], folds: int, fold: int, validation_size: float, seed: int, result: Split
) -> tuple[list[int], list[str]]:
    distinct = len(set(units))
    if distinct < folds + 1:
        raise UserError(f"split.folds={folds}: only {distinct} separate groups of tickets; take fewer folds.")
    shares = {str(number): 1 / folds for number in range(folds - 1)}
    names = _by_hash(units, shares, f"{seed}:folds", result.facts["notes"])
    numbers = [folds - 1 if name == "train" else int(name) for name in names]
    rest = [unit for unit, number in zip(units, numbers, strict=True) if number != fold]
    share = min(0.5, validation_size / (1 - 1 / folds))
    inner = dict(
        zip(rest, _by_hash(rest, {"validation": share}, f"{seed}:validation:{fold}", result.facts["notes"]), strict=True)
    )
    return numbers, ["test" if number == fold else inner[unit] for unit, number in zip(units, numbers, strict=True)]


def _by_time(dates: Sequence[dt.datetime | None], test_size: float, validation_size: float, result: Split) -> list[str]:
    known = [date for date in dates if date is not None]
    if not known or len(known) != len(dates):
        raise UserError("split.kind=time: a ticket has no date; name the column with --data.columns.created_at=NAME.")
    ordered = sorted(known)
    count = len(ordered)
    # A cut is a moment: tickets of that very moment all stand after it.
    test_cut = ordered[count - max(1, round(test_size * count))]
    validation_cut = ordered[max(0, count - max(1, round(test_size * count)) - max(1, round(validation_size * count)))]
    result.facts["cut"] = {"validation": validation_cut.isoformat(), "test": test_cut.isoformat()}
    return ["test" if date >= test_cut else "validation" if date >= validation_cut else "train" for date in known]


def _by_file(sides: Sequence[str]) -> list[str]:
    found = []
    for row, word in enumerate(sides):
        side = _SIDE_WORDS.get(fold_word(word.strip()))
        if side is None:
            raise UserError(f"split.kind=file: ticket {row + 1} has {word[:40]!r} as its side; use train, validation or test.")
        found.append(side)
    return found


def _templated_warning(labels: Sequence[int], fell_back: bool) -> str:
    largest = max(Counter(labels).values()) / len(labels)
    return (
        f"templated data: near-duplicates form {len(set(labels))} groups, the largest holds {100 * largest:.0f} % "
        "of tickets; "
        + ("the split is random by ticket id, and " if fell_back else "")
        + "scores on it are no evidence of what a model learns."
    )


def _report_overlap(result: Split, labels: Sequence[int]) -> None:
    train = {label for label, side in zip(labels, result.sides, strict=True) if side == "train"}
    tests = [label in train for label, side in zip(labels, result.sides, strict=True) if side == "test"]
    share = sum(tests) / len(tests)
    result.facts["test_share_with_near_duplicate_in_train"] = round(share, 4)
    if share and not result.facts["templated"]:
        result.warnings.append(
            f"{100 * share:.0f} % of test tickets have a near-duplicate in train ({result.facts['kind']} split): "
            "scores on them measure memory as well."
        )
