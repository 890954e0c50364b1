"""Which examples form a step, which rank computes them, and in which micro-batches.

The plan is a pure function of example lengths, seed, epoch and world size. Hardware decides only how a step's
examples are dealt out, never which ones they are. Every rank computes the whole plan, so no messages are needed and
the supervised tokens of a step are known before its first backward.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rca_dist.tokens.collate import FILLER_TOKENS
from rca_dist.tokens.sharing import deal, pack, shares

__all__ = ["Step", "StepPlan", "deal", "pack", "shares"]


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

    `lengths` (N,) tokens and `counts` (N,) supervised tokens per example; `costs` (N,) what an example's computation costs
    in any unit, by which ranks are balanced (default: its tokens); `max_tokens` computed tokens per micro-batch, padding
    included (an example longer than that runs alone). `packed` may be changed between steps: it moves no example to
    another step.
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
        packed: bool = False,
        costs: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.counts = np.asarray(counts, dtype=np.int64)
        self.costs = self.lengths if costs is None else np.asarray(costs)
        if len(self.lengths) == 0:
            raise ValueError("there is no training example")
        if not len(self.lengths) == len(self.counts) == len(self.costs):
            raise ValueError(f"{len(self.lengths)} lengths, {len(self.counts)} counts, {len(self.costs)} costs: must be alike")
        self.global_batch_size = global_batch_size
        self.max_tokens = max_tokens
        self.seed = seed
        self.world_size = world_size
        self.rank = rank
        self.packed = packed
        self.steps_per_epoch = math.ceil(len(self.lengths) / global_batch_size)

    @property
    def oversized(self) -> int:
        """Examples longer than `max_tokens`; each runs alone."""
        return int((self.lengths > self.max_tokens).sum())

    @property
    def idle_ranks(self) -> int:
        """Ranks that have nothing but filler in every step, since a step has fewer examples than there are ranks."""
        return max(0, self.world_size - min(self.global_batch_size, len(self.lengths)))

    def order(self, epoch: int) -> np.ndarray:
        """The epoch's permutation of all examples, a function of (seed, epoch) alone."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.lengths))

    def total_steps(self, epochs: float, max_steps: int | None = None) -> int:
        """Steps of a run of so many epochs (a fraction is rounded up to a step), unless `max_steps` is given."""
        return max_steps if max_steps is not None else max(1, math.ceil(round(epochs * self.steps_per_epoch, 6)))

    def examples_before(self, step: int) -> int:
        """Examples consumed by the first `step` steps; the last step of an epoch may be smaller than the others."""
        epochs, rest = divmod(step, self.steps_per_epoch)
        return epochs * len(self.lengths) + rest * self.global_batch_size

    def steps(self, start: int, stop: int) -> Iterator[Step]:
        """Steps `start` .. `stop - 1`, counted over the whole run."""
        for index, examples in self._examples(start, stop):
            yield Step(
                index=index,
                epoch=index // self.steps_per_epoch,
                examples=examples,
                supervised=int(self.counts[examples].sum()),
                tokens=int(self.lengths[examples].sum()),
                micro_batches=self._shares(examples)[self.rank],
            )

    def balance(self, steps: int = 200, weights: np.ndarray | None = None) -> float:
        """Slowest rank's cost / mean over ranks, the mean over the first `steps` steps of an epoch; 1.0 is perfect.

        Cost is that of the positions computed, padding included; with `weights` (N,), e.g. `counts`, the sum of those instead.
        """
        ratios = []
        for _, examples in self._examples(0, min(steps, self.steps_per_epoch)):
            loads = np.asarray([sum(self._load(b, weights) for b in share) for share in self._shares(examples)])
            ratios.append(loads.max() / loads.mean() if loads.any() else 1.0)
        return float(np.mean(ratios))

    def computed_positions(self, steps: int = 200) -> float:
        """Positions computed per real token, padding and filler of all ranks included, over an epoch's first `steps` steps."""
        computed = tokens = 0
        for _, examples in self._examples(0, min(steps, self.steps_per_epoch)):
            tokens += int(self.lengths[examples].sum())
            for batch in itertools.chain.from_iterable(self._shares(examples)):
                lengths = self.lengths[batch]
                computed += int(lengths.sum() if self.packed else lengths.max() * len(batch)) if len(batch) else FILLER_TOKENS
        return computed / max(1, tokens)

    def _examples(self, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
        epoch, order = -1, np.zeros(0, dtype=np.int64)
        for index in range(start, stop):
            if index // self.steps_per_epoch != epoch:
                epoch = index // self.steps_per_epoch
                order = self.order(epoch)
            first = (index % self.steps_per_epoch) * self.global_batch_size
            yield index, order[first : first + self.global_batch_size]

    def _shares(self, examples: np.ndarray) -> list[list[np.ndarray]]:
        return shares(
            examples, self.lengths, world_size=self.world_size, max_tokens=self.max_tokens, packed=self.packed, costs=self.costs
        )

    def _load(self, batch: np.ndarray, weights: np.ndarray | None) -> float:
        if len(batch) == 0:
            return 0.0
        values = (self.costs if weights is None else weights)[batch]
        return float(values.sum() if self.packed or weights is not None else values.max() * len(batch))
