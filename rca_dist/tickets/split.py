"""Train / validation / test sides and folds: a function of ticket ids and seed, never of row order."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tickets.plural import counted
from rca_dist.tickets.splitting.dealing import beside_test, by_folds, by_hash, unit_names
from rca_dist.tickets.splitting.split_files import side_of, split_hash
from rca_dist.tickets.splitting.time_split import UNUSED, by_time, by_time_folds, known_dates

KINDS = ("group", "random", "time", "file")
SIDES = ("train", "validation", "test")
TEMPLATED_SHARE = 0.3
TEMPLATED_GROUPS = 20
TEMPLATED_LEAST = 3
FEW_TEST_TICKETS = 20
_MOST_HELD_OUT = 0.7


@dataclass
class Split:
    """Side and fold (-1 without folds) of each ticket, and what to report about them.

    A side is train, validation or test, or `unused` for tickets that a fold over time leaves out. `facts`: `kind` as asked and
    `used` as done, `sentence` that says the split in words, `sizes`, `hash`, `templated`, `notes`, `cut` dates of a time split,
    `test_share_with_near_duplicate_in_train`.
    """

    sides: list[str]
    folds: list[int]
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def is_templated(labels: Sequence[int]) -> bool:
    """True when near-duplicates swallow the data: one group over 30 % of tickets, or fewer than 20 groups.

    With under 40 tickets the second bound is half their number, or every small file would count as templated.
    """
    sizes = Counter(labels)
    largest = max(sizes.values())
    # Two tickets alike in a handful are no sign of templates.
    return (largest >= TEMPLATED_LEAST and largest > TEMPLATED_SHARE * len(labels)) or (
        largest > 1 and len(sizes) < min(TEMPLATED_GROUPS, len(labels) / 2)
    )


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
    file_folds: Sequence[str | int] = (),
) -> Split:
    """Split tickets with unique `ids` and near-duplicate group `labels`.

    `dates` (none missing) for kind `time`; for kind `file` the words of the file in `sides`, or with `folds` its fold numbers
    in `file_folds`. Raises UserError for settings out of range and when a side would stay empty.
    """
    check_settings(kind, test_size, validation_size, folds, fold)
    templated = is_templated(labels)
    used = "random" if kind == "group" and templated else kind
    facts: dict[str, Any] = {"kind": kind, "used": used, "seed": seed, "templated": templated, "notes": []}
    result = Split([], [-1] * len(ids), facts)
    notes = facts["notes"]
    units = list(ids) if used == "random" else unit_names(ids, labels)
    if kind == "time" and folds:
        result.folds, result.sides, facts["cut"] = by_time_folds(known_dates(dates), folds, fold, validation_size)
    elif kind == "time":
        result.sides, facts["cut"] = by_time(known_dates(dates), test_size, validation_size)
    elif kind == "file" and folds:
        result.folds = _file_folds(file_folds, folds)
        tested = [number == fold for number in result.folds]
        result.sides = beside_test(units, tested, validation_size, f"{seed}:validation:{fold}", notes)
    elif kind == "file":
        result.sides = _by_file(sides, units, validation_size, seed, notes)
    elif folds:
        result.folds, result.sides = by_folds(units, folds, fold, validation_size, seed, notes)
    else:
        result.sides = by_hash(units, {"test": test_size, "validation": validation_size}, f"{seed}", notes)
    _check_sides(result)
    facts |= {"folds": folds, "fold": fold if folds else None, "hash": split_hash(ids, result.sides, result.folds)}
    facts["sentence"] = _sentence(facts)
    if templated:
        result.warnings.append(_templated_warning(labels, used != kind))
    _report_overlap(result, labels)
    share_for = partial(
        _share_for, ids=ids, units=units, used=used, test_size=test_size, validation_size=validation_size, seed=seed
    )
    _report_size(result, test_size, folds, share_for)
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
    if folds and (folds < 2 or not 0 <= fold < folds):
        raise UserError(f"split.folds={folds}, split.fold={fold}: take 2 or more folds, and a fold from 0 to folds - 1.")


def _by_file(words: Sequence[str], units: Sequence[str], validation_size: float, seed: int, notes: list[str]) -> list[str]:
    found = []
    for row, word in enumerate(words):
        side = side_of(word)
        if side is None:
            raise UserError(f"split.kind=file: ticket {row + 1} has {word[:40]!r} as its side; use train, validation or test.")
        found.append(side)
    if "validation" in found or not {"train", "test"} <= set(found):
        return found
    rows = [row for row, side in enumerate(found) if side == "train"]
    share = {"validation": min(0.5, validation_size * len(found) / len(rows))}
    for row, side in zip(rows, by_hash([units[row] for row in rows], share, f"{seed}:validation", notes), strict=True):
        found[row] = side
    notes.append(
        f"the given split has no validation side: {found.count('validation')} of its {len(rows)} training tickets were taken "
        "for it, by near-duplicate group."
    )
    return found


def _file_folds(words: Sequence[str | int], folds: int) -> list[int]:
    """Fold numbers as given, from 0 to folds - 1 or from 1 to folds. Raises UserError for anything else."""
    numbers = []
    for row, word in enumerate(words):
        text = str(word).strip().removesuffix(".0")
        if not (text.isascii() and text.isdigit()):
            raise UserError(f"split.kind=file: ticket {row + 1} has {text[:40]!r} as its fold; use numbers from 0.")
        numbers.append(int(text[:9]))
    found = set(numbers)
    if found == set(range(1, folds + 1)):
        return [number - 1 for number in numbers]
    if found != set(range(folds)):
        shown = ", ".join(map(str, sorted(found)[:10])) or "none"
        raise UserError(f"split.kind=file with split.folds={folds}: the folds found are {shown}; give 0 to {folds - 1}.")
    return numbers


def _check_sides(result: Split) -> None:
    sizes = {side: result.sides.count(side) for side in SIDES}
    empty = [side for side in SIDES if not sizes[side]]
    if empty:
        raise UserError(
            f"split.kind={result.facts['kind']}: no ticket is left for {' and '.join(empty)} ({sizes}). "
            "Give more tickets, change split.test_size / split.validation_size, or another split.kind."
        )
    result.facts["sizes"] = sizes
    if UNUSED in result.sides:
        result.facts["unused"] = result.sides.count(UNUSED)


def _sentence(facts: dict[str, Any]) -> str:
    how = {
        "group": "split by near-duplicate group",
        "random": "random split by ticket" + (" (templated data)" if facts["kind"] == "group" else ""),
        "time": "split by creation date",
        "file": "split as the file gives it",
    }[facts["used"]]
    if facts["folds"]:
        how += f", fold {facts['fold']} (0 to {facts['folds'] - 1}) as test side"
    text = f"{how}: " + ", ".join(f"{side} {count}" for side, count in facts["sizes"].items())
    if facts.get("unused"):
        text += f", not used {facts['unused']}"
    if "cut" in facts:
        text += f"; validation from {facts['cut']['validation']}, test from {facts['cut']['test']}"
    return text


def _templated_warning(labels: Sequence[int], fell_back: bool) -> str:
    largest = max(Counter(labels).values()) / len(labels)
    return (
        f"templated data: near-duplicates form {counted(len(set(labels)), 'group')}, the largest holds {100 * largest:.0f} % "
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
            f"{sum(tests)} of {counted(len(tests), 'test ticket')} ({100 * share:.0f} %) have a near-duplicate in train "
            f"({result.facts['kind']} split): scores on them measure memory as well; compare with split.kind=group."
        )


def _report_size(result: Split, test_size: float, folds: int, share_for: Callable[[int], float | None]) -> None:
    facts = result.facts
    count, total = facts["sizes"]["test"], len(result.sides)
    if facts["kind"] == "time" and not folds and count > 1.5 * max(1, test_size * total):
        facts["notes"].append(f"many tickets share the date of the cut: the test side holds {count / total:.0%} of tickets.")
    if count >= FEW_TEST_TICKETS:
        return
    if facts["kind"] == "file":
        advice = "give more test tickets"
    elif folds:
        advice = "read the mean over all folds"
    elif larger := share_for(FEW_TEST_TICKETS):
        advice = f"set split.test_size={larger:g}, or read the mean over all folds (split.folds=5)"
    else:
        advice = "read the mean over all folds (split.folds=5), or export more tickets"
    result.warnings.append(f"the test side holds only {counted(count, 'ticket')}, so scores on it are rough: {advice}.")


def _share_for(
    least: int, ids: Sequence[str], units: Sequence[str], used: str, test_size: float, validation_size: float, seed: int
) -> float | None:
    """The smallest share up to two fifths, in steps of 0.02, with which the test side would hold `least` tickets or more."""
    for step in range(1, 21):
        share = round(step / 50, 2)
        if share <= test_size or share * len(ids) < least or share + validation_size >= _MOST_HELD_OUT:
            continue
        if (
            used == "time"
            or by_hash(units, {"test": share, "validation": validation_size}, f"{seed}", []).count("test") >= least
        ):
            return share
    return None
