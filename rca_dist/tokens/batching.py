"""Which examples form a step, which rank computes them, and in which micro-batches.

The plan is a pure function of example lengths, seed, epoch and world size. Hardware decides only how a step's
examples are dealt out, never which ones they are. Every rank computes the whole plan, so no messages are needed and
the supervised tokens of a step are known before its first backward.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Step:
    """One optimizer update. `micro_batches` are this rank's, as example indices; an empty one is masked filler."""

    index: int
    epoch: int
    examples: np.ndarray  # (G,) indices of the step over all ranks
    supervised: int  # supervised tokens of the step over all ranks
    tokens: int  # real tokens of the step over all ranks
    micro_batches: list[np.ndarray]


class StepPlan:
    """The steps of a run. Each epoch uses every example exactly once; its last step may be smaller.

    `lengths` (N,) tokens and `counts` (N,) supervised tokens per example; `max_tokens` padded tokens per micro-batch (an
    example longer than that runs alone).
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        counts: Sequence[int] | np.ndarray,
        *,
        global_batch_size: int,
        max_tokens: int,
        seed: int = 0,
        world_size: int = 1,
        rank: int = 0,
    ) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.counts = np.asarray(counts, dtype=np.int64)
        if len(self.lengths) == 0:
            raise ValueError("there is no training example")
        self.global_batch_size = global_batch_size
        self.max_tokens = max_tokens
        self.seed = seed
        self.world_size = world_size
        self.rank = rank
        self.steps_per_epoch = math.ceil(len(self.lengths) / global_batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The epoch's permutation of all examples, a function of (seed, epoch) alone."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.lengths))

    def total_steps(self, epochs: float, max_steps: int | None = None) -> int:
        """Steps of a run of so many epochs (a fraction is rounded up to a step), unless `max_steps` is given."""
        return max_steps if max_steps is not None else max(1, math.ceil(round(epochs * self.steps_per_epoch, 6)))

    def steps(self, start: int, stop: int) -> Iterator[Step]:
        """Steps `start` .. `stop - 1`, counted over the whole run."""
        epoch, order = -1, np.zeros(0, dtype=np.int64)
        for index in range(start, stop):
            if index // self.steps_per_epoch != epoch:
                epoch = index // self.steps_per_epoch
                order = self.order(epoch)
            first = (index % self.steps_per_epoch) * self.global_batch_size
            yield self._step(index, epoch, order[first : first + self.global_batch_size])

    def _step(self, index: int, epoch: int, examples: np.ndarray) -> Step:
        per_rank = [pack(part, self.lengths, self.max_tokens) for part in deal(examples, self.lengths, self.world_size)]
        mine = per_rank[self.rank]
        most = max(len(part) for part in per_rank)
        filler = [np.zeros(0, dtype=np.int64)] * (most - len(mine))
        return Step(
            index=index,
            epoch=epoch,
            examples=examples,
            supervised=int(self.counts[examples].sum()),
            tokens=int(self.lengths[examples].sum()),
            micro_batches=mine + filler,
        )


def deal(examples: np.ndarray, lengths: np.ndarray, parts: int) -> list[np.ndarray]:
    """Split examples into `parts` shares of about equal tokens: longest first, each to the lightest share so far."""
    if parts == 1:
        return [examples]
    shares: list[list[int]] = [[] for _ in range(parts)]
    heap = [(0, part) for part in range(parts)]
    for n in _by_length(examples, lengths)[::-1]:
        load, part = heapq.heappop(heap)
        shares[part].append(int(n))
        heapq.heappush(heap, (load + int(lengths[n]), part))
    return [np.asarray(share, dtype=np.int64) for share in shares]


def pack(examples: np.ndarray, lengths: np.ndarray, max_tokens: int) -> list[np.ndarray]:
    """Group examples of like length into padded micro-batches: rows x longest row <= `max_tokens`."""
    batches: list[list[int]] = []
    width = 0
    for n in _by_length(examples, lengths)[::-1]:
        if batches and (len(batches[-1]) + 1) * width <= max_tokens:
            batches[-1].append(int(n))
        else:
            batches.append([int(n)])
            width = int(lengths[n])
    return [np.asarray(batch, dtype=np.int64) for batch in batches]


def _by_length(examples: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    # Ties by index: the deal depends on the set of examples, not on the order it is given in.
    return examples[np.lexsort((examples, lengths[examples]))]
