"""Examples -> the tensors of one micro-batch, padded or packed. All int64 on the CPU, but for the borders of packed rows.

There is no attention mask: under causal attention no token sees what stands to its right, and kernels are faster without
one. Masks come from lengths, never from comparing ids with the pad id: EOS stays supervised when they are equal.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

IGNORE = -100
# A filler needs a position and one that follows it.
FILLER_TOKENS = 2


def collate_padded(examples: Sequence[np.ndarray], starts: Sequence[int], *, pad_id: int) -> dict[str, Any]:
    """B examples of ids (T_b,), the first `starts[b]` of each not supervised, as right-padded rows.

    Returns `input_ids` (B, T); `keep` (K,) the positions whose logits any row needs; `targets` (B, K) the token that
    follows each kept position, -100 where a row is not supervised.
    """
    import torch

    width = max(map(len, examples))
    input_ids = np.full((len(examples), width), pad_id, dtype=np.int64)
    labels = np.full((len(examples), width), IGNORE, dtype=np.int64)
    for r, (ids, start) in enumerate(zip(examples, starts, strict=True)):
        input_ids[r, : len(ids)] = ids
        labels[r, start : len(ids)] = ids[start:]
    keep = np.flatnonzero((labels[:, 1:] != IGNORE).any(axis=0))
    if len(keep) == 0:
        keep = np.zeros(1, dtype=np.int64)
    return {
        "input_ids": torch.from_numpy(input_ids),
        "keep": torch.from_numpy(keep),
        "targets": torch.from_numpy(labels[:, keep + 1]),
    }


def collate_packed(examples: Sequence[np.ndarray], starts: Sequence[int]) -> dict[str, Any]:
    """N examples of ids (T_n,), the first `starts[n]` of each not supervised, end to end in one row without padding.

    Returns `input_ids` and `position_ids` (1, T), the positions from 0 in each example; `cu_seqlens` (N + 1,) int32 borders
    of the examples, 0 and T included; `max_seqlen` the longest example (int); `keep` (K,) the supervised positions, never an
    example's last; `targets` (1, K) the token that follows each; `rows` (K,) the example (0 .. N-1) it belongs to.
    Where nothing is supervised K is 1 and the one target -100.
    """
    import torch

    lengths = np.asarray([len(ids) for ids in examples])
    borders = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.concatenate(examples).astype(np.int64, copy=False)
    rows = np.repeat(np.arange(len(examples)), lengths)
    positions = np.arange(len(flat)) - borders[rows]
    # The token at p is predicted at p - 1, which an example's first token has not.
    predicted = np.flatnonzero(positions >= np.maximum(np.asarray(starts), 1)[rows])
    keep, targets = predicted - 1, flat[predicted]
    if len(keep) == 0:
        keep, targets = np.zeros(1, dtype=np.int64), np.full(1, IGNORE, dtype=np.int64)
    return {
        "input_ids": torch.from_numpy(flat[None]),
        "position_ids": torch.from_numpy(positions[None]),
        "cu_seqlens": torch.from_numpy(borders.astype(np.int32)),
        "max_seqlen": int(lengths.max()),
        "keep": torch.from_numpy(keep),
        "targets": torch.from_numpy(targets[None]),
        "rows": torch.from_numpy(rows[keep]),
    }
