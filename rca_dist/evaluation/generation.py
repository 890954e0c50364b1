"""Batched greedy answers for many prompts."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

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
    in_step: int | None = None,
) -> list[list[int]]:
    """New ids for each prompt (ids), in the order given; `max_new_tokens` of them mean that the limit was hit.

    Prompts of like length share a left-padded batch of at most `batch_tokens` positions (prompt and answer) and MAX_ROWS
    rows. Local to this rank, unless `in_step` says how many batches every rank makes: then their forward passes keep step,
    as sharded weights need, and a rank with fewer batches of its own answers a one-token filler.
    """
    out: list[list[int]] = [[] for _ in prompts]
    own = batches([len(prompt) for prompt in prompts], max_new_tokens=max_new_tokens, batch_tokens=batch_tokens)
    extra = {"synced_gpus": True} if in_step is not None else {}
    for batch in own + [[]] * ((in_step or 0) - len(own)):
        if not batch:
            generator.generate(model, [[0]], max_new_tokens=1, **extra)
            continue
        width = max(len(prompts[n]) for n in batch)
        room = max(1, min(max_new_tokens, generator.max_length - width))
        rows = generator.generate(model, [list(prompts[n]) for n in batch], max_new_tokens=room, **extra)
        for n, row in zip(batch, rows, strict=True):
            out[n] = row
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
