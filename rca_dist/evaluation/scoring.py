"""The loss of tickets, batch by batch on this rank."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from rca_dist.evaluation.pieces import Pieces
from rca_dist.model.loss import ticket_nll
from rca_dist.runtime.distributed import Distributed
from rca_dist.tokens.encode import RCADataset


@torch.no_grad()
def score_batches(
    model: Any,
    dataset: RCADataset,
    batches: Iterable[np.ndarray],
    dist: Distributed,
    *,
    packed: bool,
    pieces: Pieces,
    between: Callable[[], None],
) -> dict[int, tuple[Any, ...]]:
    """(NLL in nats, supervised tokens, right ones) per ticket index. All ranks come with equally many batches.

    `between` is called before each batch, and may be collective. Where weights are sharded the forward pass is, so that a rank
    without tickets takes part with a filler.
    """
    was_training = model.training
    model.eval()
    found: dict[int, tuple[Any, ...]] = {}

    def rows(batch: Sequence[int]) -> list[list[float]]:
        scored = ticket_nll(model, dist.to_device(dataset.collate(list(batch), packed=packed)))
        return [part.tolist() for part in scored]

    for batch in batches:
        between()
        if len(batch) == 0 and not dist.sharded:
            continue
        for part, scored in pieces.run(rows, batch.tolist(), int(dataset.lengths[batch].sum())):
            found |= dict(zip(part, zip(*scored, strict=True), strict=True)) if part else {}
    model.train(was_training)
    return found


def answer_bytes(adapter: Any, dataset: RCADataset, indices: np.ndarray, texts: Iterable[str], *, whole: bool) -> np.ndarray:
    """UTF-8 bytes (N,) of each answer as far as it is scored: of the kept part where `max_length` cut it, unless `whole`."""
    kept = [
        adapter.decode(dataset.answer_ids(n).tolist()) if dataset.encoded.cut[n, 1] and not whole else text
        for n, text in zip(indices, texts, strict=True)
    ]
    return np.asarray([len(text.encode()) for text in kept], dtype=np.int64)
