"""Masked negative log-likelihood, computed only where a token is supervised.

Two paths with one result. A prepared head (`head.prepare_head`) gives the NLL itself, a block of positions at a time. Any
other model gives logits at the kept positions.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from rca_dist.model.head import IGNORE, Request, asking, is_prepared
from rca_dist.model.packing import model_inputs, packed_rows

Batch = dict[str, Any]


class Scores(NamedTuple):
    """One forward pass over S positions: `total` (float64 sum with graph), `nll` (S,), `hits` (S,) or (0,), `chosen` (S,)."""

    total: Tensor
    nll: Tensor
    hits: Tensor
    chosen: Tensor | None  # positions in `targets.flatten()`; None = all of them


def causal_lm_step(model: Any, batch: Batch, *, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """The training step function: (sum of token NLL with its graph, number of supervised tokens). Local to this rank.

    The sum over a micro-batch is taken in float64 where the device has it. `batch` comes from `RCADataset.collate`.
    `label_smoothing` e trains on (1 - e) NLL + e times the mean of -log p over the vocabulary.
    """
    return token_scores(model, batch, smoothing=label_smoothing).total, (batch["targets"] != IGNORE).sum()


@torch.no_grad()
def ticket_nll(model: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Per example of a micro-batch: NLL sum (N,) float64 nats, supervised tokens (N,) int64, of which predicted by argmax (N,).

    N counts the rows of a padded batch, the examples of a packed one. Local to this rank, on the CPU.
    """
    scores = token_scores(model, batch)
    targets = batch["targets"].cpu()
    if "cu_seqlens" in batch:
        examples, rows = len(batch["cu_seqlens"]) - 1, batch["rows"].cpu()
    else:
        examples, rows = len(targets), torch.arange(len(targets)).repeat_interleave(targets.shape[1])
    supervised = targets.flatten() != IGNORE
    if scores.chosen is not None:
        chosen = scores.chosen.cpu()
        rows, supervised = rows[chosen], supervised[chosen]
    nll = torch.zeros(examples, dtype=torch.float64).index_add_(0, rows, scores.nll.cpu().double())
    tokens, hits = (
        torch.zeros(examples, dtype=torch.int64).index_add_(0, rows, flags.cpu().long()) for flags in (supervised, scores.hits)
    )
    return nll, tokens, hits


def token_scores(model: Any, batch: Batch, *, smoothing: float = 0.0) -> Scores:
    """One forward pass. Hits are counted only where no gradient is recorded. Local to this rank."""
    targets = batch["targets"]
    # A packed row keeps supervised positions only; looking them up would make a GPU wait.
    chosen = None if "cu_seqlens" in batch else (targets.flatten() != IGNORE).nonzero()[:, 0]
    inputs = model_inputs(batch) | {"logits_to_keep": batch["keep"], "use_cache": False}
    with packed_rows(inputs):
        if is_prepared(model):
            with asking(Request(targets, batch["keep"], chosen, smoothing)):
                total, nll, hits = model(**inputs).logits
            return Scores(total, nll, hits, chosen)
        logits = model(**inputs).logits
    if logits.shape[1] != targets.shape[1]:
        # An architecture that does not know logits_to_keep returns all positions.
        logits = logits[:, batch["keep"]]
    logits, wanted = logits.flatten(0, 1), targets.flatten()
    if chosen is not None:
        logits, wanted = logits[chosen], wanted[chosen]
    wide = torch.promote_types(logits.dtype, torch.float32)
    nll = functional.cross_entropy(logits.to(wide), wanted, ignore_index=IGNORE, reduction="none", label_smoothing=smoothing)
    hits = wanted[:0] != IGNORE if torch.is_grad_enabled() else (logits.argmax(dim=-1) == wanted)
    return Scores(nll.sum(dtype=torch.float32 if nll.device.type == "mps" else torch.float64), nll.detach(), hits, chosen)
