"""Batched greedy answers for many prompts."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from rca_dist.evaluation.pieces import Pieces

# Wider batches were slower on a CPU: rows that have ended are still computed until the last one ends.
MAX_ROWS = 32


class Generator(Protocol):
    """What is asked of a model adapter."""

    max_length: int

    def generate(
        self, model: Any, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, synced_gpus: bool = False
    ) -> list[list[int]]: ...


def generate_all(
    generator: Generator,
    model: Any,
    prompts: Sequence[Sequence[int] | np.ndarray],
    *,
    max_new_tokens: int,
    batch_tokens: int,
    rounds: int = 0,
    in_step: bool = False,
    pieces: Pieces | None = None,
    between: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """New ids for each prompt (ids), in the order given; `max_new_tokens` of them mean that the limit was hit.

    Prompts of like length share a left-padded batch of at most `batch_tokens` positions (prompt and answer) and MAX_ROWS
    rows. Local to this rank but for `between`, which is called before each batch, and in all of `rounds` where other ranks have
    more batches. `in_step`: the forward passes keep step, as sharded weights need, and a rank with fewer batches of its own
    answers a one-token filler. `pieces` takes a batch apart that does not fit into memory.
    """
    out: list[list[int]] = [[] for _ in prompts]
    own = batches([len(prompt) for prompt in prompts], max_new_tokens=max_new_tokens, batch_tokens=batch_tokens)
    extra = {"synced_gpus": True} if in_step else {}
    pieces = pieces or Pieces()

    def answer(batch: Sequence[int]) -> list[list[int]]:
        width = max(len(prompts[n]) for n in batch)
        room = max(1, min(max_new_tokens, generator.max_length - width))
        return generator.generate(model, [list(prompts[n]) for n in batch], max_new_tokens=room, **extra)

    for batch in own + [[]] * (rounds - len(own)):
        between()
        if batch:
            size = (len(prompts[batch[0]]) + max_new_tokens) * len(batch)
            for part, rows in pieces.run(answer, batch, size):
                for n, row in zip(part, rows, strict=True):
                    out[n] = row
        elif in_step:
            generator.generate(model, [[0]], max_new_tokens=1, **extra)
    return out


def batches(lengths: Sequence[int], *, max_new_tokens: int, batch_tokens: int) -> list[list[int]]:
    """Positions of prompts that share a batch, by their `lengths`; the longest first."""
    out: list[list[int]] = []
    for n in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        width = lengths[out[-1][0]] + max_new_tokens if out else 0
        if out and len(out[-1]) < MAX_ROWS and (len(out[-1]) + 1) * width <= batch_tokens:
            out[-1].append(n)
        else:
            out.append([n])
    return out


def answer_limit(supervised: np.ndarray, ceiling: int = 512) -> int:
    """Limit of new tokens from the training answers' token counts (EOS included): 99 % of them fit, at most `ceiling`."""
    return int(min(ceiling, max(1, np.percentile(supervised, 99, method="higher")))) if len(supervised) else ceiling
