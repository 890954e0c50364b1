"""Which side or fold a unit (a ticket or a group) falls on: by the hash of its name, or dealt by hash rank."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from rca_dist.errors import UserError

_WORTH_SAYING = 10  # groups of tickets; fewer are described, but not trained on


def unit_names(ids: Sequence[str], labels: Sequence[int]) -> list[str]:
    """For each ticket the oldest-looking id of its group, which is what the group's side is drawn from.

    Shorter ids come first: INC999 before INC1000. Ids mostly count up, so that a newer ticket in a group seldom renames it.
    """
    oldest: dict[int, tuple[int, str]] = {}
    for identifier, label in zip(ids, labels, strict=True):
        rank = (len(identifier), identifier)
        if label not in oldest or rank < oldest[label]:
            oldest[label] = rank
    return [oldest[label][1] for label in labels]


def by_hash(units: Sequence[str], targets: Mapping[str, float], salt: str, notes: list[str]) -> list[str]:
    """Sides by each unit's hash against the shares in `targets`, `train` for the rest; dealt by rank (with a note) where that
    misses a share by half."""
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
        if len(sizes) >= _WORTH_SAYING:
            notes.append(
                f"chance alone would have left a side far from its size, so the {len(sizes)} separate groups of tickets were "
                "dealt out evenly: if you add tickets later, some old ones may change sides."
            )
    return [placed[unit] for unit in units]


def by_folds(
    units: Sequence[str], folds: int, fold: int, validation_size: float, seed: int, notes: list[str]
) -> tuple[list[int], list[str]]:
    """(fold of each ticket, side of each ticket when `fold` is tested). Raises UserError with fewer units than folds + 1."""
    distinct = len(set(units))
    if distinct < folds + 1:
        raise UserError(f"split.folds={folds}: only {distinct} separate groups of tickets; take fewer folds.")
    shares = {str(number): 1 / folds for number in range(folds - 1)}
    names = by_hash(units, shares, f"{seed}:folds", notes)
    numbers = [folds - 1 if name == "train" else int(name) for name in names]
    return numbers, beside_test(
        units, [number == fold for number in numbers], validation_size, f"{seed}:validation:{fold}", notes
    )


def beside_test(units: Sequence[str], tested: Sequence[bool], validation_size: float, salt: str, notes: list[str]) -> list[str]:
    """`test` where `tested`; of the other tickets a share is taken for validation that makes `validation_size` of all."""
    rest = [unit for unit, test in zip(units, tested, strict=True) if not test]
    share = min(0.5, validation_size * len(units) / max(1, len(rest)))
    inner = dict(zip(rest, by_hash(rest, {"validation": share}, salt, notes), strict=True))
    return ["test" if test else inner[unit] for unit, test in zip(units, tested, strict=True)]


def _hash(text: str) -> float:
    """A stable position in [0, 1)."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") / 2**64


def _misses(placed: Mapping[str, str], sizes: Mapping[str, int], targets: Mapping[str, float]) -> bool:
    held: Counter[str] = Counter()
    for unit, side in placed.items():
        held[side] += sizes[unit]
    total = sum(held.values())
    shares = {**targets, "train": 1 - sum(targets.values())}
    return any(not held[name] or abs(held[name] - share * total) > 0.5 * share * total for name, share in shares.items())


def _deal(sizes: Mapping[str, int], position: Mapping[str, float], targets: Mapping[str, float]) -> dict[str, str]:
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
