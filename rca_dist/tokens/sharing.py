"""Dealing examples to ranks and packing them into micro-batches: pure functions of lengths, alike on every rank."""

import bisect
import heapq
import itertools
import math
from collections.abc import Iterable

import numpy as np

# (size, example index), longest first: what is done depends on the set of examples, not on the order they come in.
Items = list[tuple[float, int]]


def shares(
    indices: np.ndarray,
    lengths: np.ndarray,
    *,
    world_size: int,
    max_tokens: int,
    packed: bool = False,
    costs: np.ndarray | None = None,
) -> list[list[np.ndarray]]:
    """Every rank's micro-batches of the examples at `indices`, as example indices, the costliest first.

    Each rank has the same number of them, as few as the budget `max_tokens` allows; an empty one is filler, left only
    to a rank with fewer examples than micro-batches. Ranks are balanced by `costs` (N,), by default `lengths` (N,).
    """
    costs = lengths if costs is None else costs
    share = _packed_shares if packed else _padded_shares
    return [
        [np.asarray(batch, dtype=np.int64) for batch in part] for part in share(indices, lengths, costs, world_size, max_tokens)
    ]


def deal(examples: np.ndarray, costs: np.ndarray, parts: int) -> list[np.ndarray]:
    """Split examples into `parts` shares of about equal cost: costliest first, each to the lightest share; then mended."""
    if parts == 1:
        return [examples]
    dealt = _deal(_descending(examples, costs), parts)
    # With many examples per share the last ones dealt, which are the cheapest, leave nothing to mend (measured: 0.02 %).
    if len(examples) <= 32 * parts:
        _mend(dealt, rounds=16)
    return [np.asarray([n for _, n in share], dtype=np.int64) for share in dealt]


def pack(examples: np.ndarray, lengths: np.ndarray, max_tokens: int, packed: bool = False) -> list[np.ndarray]:
    """Group examples into few micro-batches within `max_tokens`, an example longer than that alone; the heaviest first.

    Packed: the sum of lengths counts (best fit, longest first). Padded: rows x longest row, so rows are of like length.
    """
    items = _descending(examples, lengths)
    batches = _bins(items, max_tokens) if packed else _rows(items, max_tokens)
    return [np.asarray([n for _, n in batch], dtype=np.int64) for batch in batches]


def _packed_shares(
    indices: np.ndarray, lengths: np.ndarray, costs: np.ndarray, world_size: int, max_tokens: int
) -> list[list[list[int]]]:
    items = [_descending(share, lengths) for share in deal(indices, costs, world_size)]
    bins = [_bins(share, max_tokens) for share in items]
    forwards = max(map(len, bins))
    even = [_even(*part, forwards, max_tokens) for part in zip(items, bins, strict=True)]
    return [[[n for _, n in batch] for batch in part] for part in even]


def _even(items: Items, bins: list[Items], forwards: int, max_tokens: int) -> list[Items]:
    """One rank's items, known to fit `bins`, in `forwards` bins of about equal size.

    As many forwards are run anyway. Even ones need the least memory, and ranks that meet in each of them (sharded parameters
    are gathered layer by layer) wait least for each other.
    """
    out = _deal(items, forwards)
    if any(len(batch) > 1 and _total(batch) > max_tokens for batch in out):
        out = _split(bins, forwards)
    return sorted(out, key=_total, reverse=True)


def _padded_shares(
    indices: np.ndarray, lengths: np.ndarray, costs: np.ndarray, world_size: int, max_tokens: int
) -> list[list[list[int]]]:
    """Batches of like length are made of all examples first and then dealt whole: dealt one by one, each rank's few
    examples would differ so much in length that it computed up to three times as much padding."""
    items = _descending(indices, lengths)
    forwards = math.ceil(len(_rows(items, max_tokens)) / world_size)
    slots = world_size * forwards
    low, high = 1, max_tokens
    # The smallest budget that still fills no more than the forwards needed gives batches of about equal size.
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_rows(items, middle)) <= slots else (middle + 1, high)
    batches = [[n for _, n in batch] for batch in _split(_rows(items, low), slots)]
    load = [float(len(b) * costs[b].max()) if b else 0.0 for b in batches]
    heap = [(0.0, rank) for rank in range(world_size)]
    out: list[list[list[int]]] = [[] for _ in range(world_size)]
    for k in sorted(range(slots), key=lambda k: -load[k]):
        total, rank = heapq.heappop(heap)
        out[rank].append(batches[k])
        if len(out[rank]) < forwards:
            heapq.heappush(heap, (total + load[k], rank))
    return out


def _descending(examples: np.ndarray, values: np.ndarray) -> Items:
    return sorted(zip(values[examples].tolist(), examples.tolist(), strict=True), reverse=True)


def _total(items: Iterable[tuple[float, int]]) -> float:
    return sum(size for size, _ in items)


def _deal(items: Items, parts: int) -> list[Items]:
    out: list[Items] = [[] for _ in range(parts)]
    heap = [(0.0, part) for part in range(parts)]
    for item in items:
        load, part = heap[0]
        out[part].append(item)
        heapq.heapreplace(heap, (load + item[0], part))
    return out


def _mend(dealt: list[Items], rounds: int) -> None:
    """Move one example from the heaviest share, or swap it for another, while that helps. In place."""
    # Beside the examples, one of no cost in each share: a swap with it is a move.
    items = [item for share in dealt for item in share] + [(0, -1)] * len(dealt)
    owner = np.asarray([p for p, share in enumerate(dealt) for _ in share] + list(range(len(dealt))))
    cost = np.asarray([size for size, _ in items])
    load = np.bincount(owner, weights=cost, minlength=len(dealt))
    for _ in range(rounds):
        worst = int(load.argmax())
        mine = np.flatnonzero((owner == worst) & (cost > 0))
        relief = cost[mine, None] - cost[None]
        after = np.where(owner == worst, np.inf, np.maximum(load[worst] - relief, load[owner] + relief))
        if len(mine) == 0 or after.min() >= load[worst]:
            break
        i, other = divmod(int(after.argmin()), len(cost))
        load[[worst, owner[other]]] += np.asarray([-1, 1]) * relief[i, other]
        owner[mine[i]] = owner[other]
        if items[other][1] >= 0:
            owner[other] = worst
    for share in dealt:
        share.clear()
    for part, item in zip(owner.tolist(), items, strict=True):
        if item[1] >= 0:
            dealt[part].append(item)


def _bins(items: Items, max_tokens: int) -> list[Items]:
    """Best fit: each into the fullest bin that has room. Heaviest bin first."""
    bins: list[Items] = []
    room: list[float] = []  # ascending, beside bins
    for item in items:
        at = bisect.bisect_left(room, item[0])
        found, left = (bins.pop(at), room.pop(at)) if at < len(room) else ([], max_tokens)
        found.append(item)
        left = max(-1, left - item[0])
        at = bisect.bisect_left(room, left)
        bins.insert(at, found)
        room.insert(at, left)
    return sorted(bins, key=_total, reverse=True)


def _rows(items: Items, max_tokens: int) -> list[Items]:
    """Runs of neighbours, each as long as rows x longest row <= `max_tokens` allows."""
    out, start = [], 0
    while start < len(items):
        rows = max(1, int(max_tokens // max(1, items[start][0])))
        out.append(items[start : start + rows])
        start += rows
    return out


def _split(batches: list[Items], parts: int) -> list[Items]:
    """Halve the heaviest until there are `parts`: forwards that are run anyway need no filler. Rest empty."""
    number = itertools.count()
    heap = [(-_total(batch), next(number), batch) for batch in batches]
    heapq.heapify(heap)
    whole: list[Items] = []
    while heap and len(heap) + len(whole) < parts:
        weight, _, batch = heapq.heappop(heap)
        if len(batch) == 1:
            whole.append(batch)
            continue
        cut, half = 1, batch[0][0]
        while cut < len(batch) - 1 and half + batch[cut][0] <= -weight / 2:
            half += batch[cut][0]
            cut += 1
        for part in (batch[:cut], batch[cut:]):
            heapq.heappush(heap, (-_total(part), next(number), part))
    out = whole + [batch for _, _, batch in heap]
    return out + [[] for _ in range(parts - len(out))]
