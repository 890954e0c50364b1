"""Does time play a role? The newest tenth of the tickets beside what a tenth drawn by lot would show."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median
from typing import Any

from rca_dist.tickets.splitting.shingles import tokens

PERIODS = 10
LEAST_DATED = 200
_MOST_WORDS = 200
_SURE = 4.0
_LEAST_RISE = 0.05
_FACTOR = 2.0
_LEAST_MIX_CHANGE = 0.15


def find_drift(
    ids: Sequence[str],
    prompts: Sequence[str],
    answers: Sequence[str],
    created: Sequence[dt.datetime | None],
    slices: Mapping[str, Sequence[str]] = {},
    *,
    advise_time_split: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """(facts, warnings) about new words, new answers, number of tickets and mix of `slices` in the newest tenth.

    Tickets without a date are left out; with fewer than 200 dated ones both results are empty.
    """
    rows = [row for row, date in enumerate(created) if date is not None and date == date]  # NaT is not itself
    if len(rows) < LEAST_DATED:
        return {}, []
    # A day of many tickets is cut by the hash of their ids, not by their order in the file.
    rows.sort(key=lambda row: (created[row], stable_hash(ids[row])))
    newest = rows[len(rows) - len(rows) // PERIODS :]
    by_lot = sorted(rows, key=lambda row: stable_hash(ids[row]))[: len(newest)]
    facts: dict[str, Any] = {"tickets": len(newest), "since": created[newest[0]].isoformat()}  # type: ignore[union-attr]
    warnings = []
    for name, texts, whole in (("words", prompts, False), ("answers", answers, True)):
        found = _novelty(texts, rows, newest, whole)
        usual = _novelty(texts, rows, by_lot, whole)
        facts[f"new_{name}"] = {"newest": round(found, 4), "by_lot": round(usual, 4)}
        spread = sqrt((found * (1 - found) + usual * (1 - usual)) / len(newest))
        if found - usual > max(_LEAST_RISE, _SURE * spread):
            warnings.append(
                f"{found:.0%} of the newest tickets (since {facts['since'][:10]}) have {_NEW[name]}, {usual:.0%} would if time "
                f"played no role: the data drifts{', so judge by split.kind=time' if advise_time_split else ''}."
            )
    volume, told = _volume([created[row] for row in rows])  # type: ignore[misc]
    facts["volume"] = volume
    warnings += told
    for name, cells in slices.items():
        change, told = _mix(name, [cells[row] for row in rows], len(newest))
        if change is not None:
            facts.setdefault("mix", {})[name] = round(change, 4)
        warnings += told
    return facts, warnings


_NEW = {"words": "a word that no older ticket has", "answers": "an answer that no older ticket has word for word"}


def stable_hash(text: str) -> bytes:
    """Eight bytes to order or draw tickets by, the same in every process."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()


def _novelty(texts: Sequence[str], rows: Sequence[int], chosen: Sequence[int], whole: bool) -> float:
    """Share of the `chosen` tickets with something that none of the others has: the whole text, or one plain word.

    Words with digits are left out, for numbers and names of machines are always new.
    """
    inside = set(chosen)
    known: set[str] = set()
    for row in rows:
        if row not in inside:
            known.update(_parts(texts[row], whole))
    return sum(any(part not in known for part in _parts(texts[row], whole)) for row in chosen) / len(chosen)


def _parts(text: str, whole: bool) -> list[str]:
    if whole:
        return [" ".join(text.casefold().split())]
    return [word for word in tokens(text[:2000])[:_MOST_WORDS] if word.isalpha()]


def _volume(dates: Sequence[dt.datetime]) -> tuple[list[int], list[str]]:
    """Tickets in ten periods of equal length, and a warning when the last one has twice or half as many as is usual."""
    first, length = dates[0], (dates[-1] - dates[0]) / PERIODS
    if not length:
        return [len(dates)], []
    counts = Counter(min(PERIODS - 1, (date - first) // length) for date in dates)
    volume = [counts[period] for period in range(PERIODS)]
    usual = median(volume[:-1])
    if usual / _FACTOR <= volume[-1] <= usual * _FACTOR or abs(volume[-1] - usual) < _SURE * sqrt(max(usual, volume[-1])):
        return volume, []
    return volume, [
        f"the last tenth of the time span ({(dates[-1] - length).date()} to {dates[-1].date()}) has {volume[-1]} tickets, "
        f"{usual:.0f} are usual: check that the export is complete, and how new processes or tools changed the tickets."
    ]


def _mix(name: str, cells: Sequence[str], newest: int) -> tuple[float | None, list[str]]:
    """Share of the newest tickets that would have to change value for the mix of before (total variation distance)."""
    from scipy.special import chdtrc

    values = Counter(cells)
    if not 1 < len(values) <= len(cells) // PERIODS:
        return None, []
    old, new = Counter(cells[:-newest]), Counter(cells[-newest:])
    shares = {value: (old[value] / (len(cells) - newest), new[value] / newest) for value in values}
    change = sum(abs(before - after) for before, after in shares.values()) / 2
    chi2 = sum(
        (found - expected) ** 2 / expected
        for value, total in values.items()
        for found, size in ((old[value], len(cells) - newest), (new[value], newest))
        for expected in (total * size / len(cells),)
    )
    if change < _LEAST_MIX_CHANGE or chdtrc(len(values) - 1, chi2) > 0.001:
        return change, []
    value = max(shares, key=lambda value: (abs(shares[value][1] - shares[value][0]), value))
    before, after = shares[value]
    return change, [
        f"the mix of {name!r} has changed: {value[:40]!r} is {after:.0%} of the newest tickets and was {before:.0%} before: "
        "read the scores by slice."
    ]
