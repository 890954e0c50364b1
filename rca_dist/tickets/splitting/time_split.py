"""Splits by date: train on the past, test on what came later, once or in k steps."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from rca_dist.errors import UserError

UNUSED = "unused"
"""Side of tickets that a fold leaves out: they were created after the period it tests."""


def known_dates(dates: Sequence[dt.datetime | None]) -> list[dt.datetime]:
    """The dates themselves. Raises UserError when there are none or one is missing."""
    known = [date for date in dates if date is not None]
    if not known or len(known) != len(dates):
        raise UserError("split.kind=time: a ticket has no date; name the column with --data.columns.created_at=NAME.")
    return known


def by_time(dates: Sequence[dt.datetime], test_size: float, validation_size: float) -> tuple[list[str], dict[str, Any]]:
    """(sides, cut dates): the newest tickets are the test side, those before them validation.

    A cut is a moment: tickets of that very moment all stand after it.
    """
    ordered = sorted(dates)
    count = len(ordered)
    test_cut = ordered[count - max(1, round(test_size * count))]
    before = bisect_left(ordered, test_cut)
    validation_cut = ordered[max(0, before - max(1, round(validation_size * count)))]
    return _sides(dates, validation_cut, test_cut, None), _cut(validation_cut, test_cut)


def by_time_folds(
    dates: Sequence[dt.datetime], folds: int, fold: int, validation_size: float
) -> tuple[list[int], list[str], dict[str, Any]]:
    """(fold of each ticket, sides when `fold` is tested, cut dates): forward chaining over folds + 1 periods of equal size.

    Fold i tests period i + 1 and trains on all before it; the last `validation_size` of those are validation. The first
    period is in no fold (-1), later periods are unused. Raises UserError when there are too few moments to cut at.
    """
    ordered = sorted(dates)
    count = len(ordered)
    starts = [ordered[count * number // (folds + 1)] for number in range(1, folds + 1)]
    if any(later <= earlier for earlier, later in zip([ordered[0], *starts], starts, strict=False)):
        raise UserError(
            f"split.kind=time with split.folds={folds}: too many tickets share one date to cut them into {folds + 1} "
            "periods; take fewer folds, or a column with the time of day."
        )
    numbers = [bisect_right(starts, date) - 1 for date in dates]
    end = starts[fold + 1] if fold + 1 < folds else None
    before = bisect_left(ordered, starts[fold])
    validation_cut = ordered[before - max(1, round(validation_size * before))]
    return numbers, _sides(dates, validation_cut, starts[fold], end), _cut(validation_cut, starts[fold], end)


def _sides(
    dates: Sequence[dt.datetime], validation_cut: dt.datetime, test_cut: dt.datetime, end: dt.datetime | None
) -> list[str]:
    def side(date: dt.datetime) -> str:
        if end is not None and date >= end:
            return UNUSED
        if date >= test_cut:
            return "test"
        return "validation" if date >= validation_cut else "train"

    return [side(date) for date in dates]


def _cut(validation_cut: dt.datetime, test_cut: dt.datetime, end: dt.datetime | None = None) -> dict[str, Any]:
    found = {"validation": validation_cut.isoformat(), "test": test_cut.isoformat()}
    return found if end is None else {**found, "end": end.isoformat()}
