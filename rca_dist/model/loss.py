"""Masked negative log-likelihood with logits only where a token is supervised."""

from typing import Any

import torch
from torch.nn import functional

IGNORE = -100


def token_nll(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """One forward pass. Returns `nll` (B, K) float32 nats, 0 where not supervised, and `logits` (B, K, V).

    `batch` comes from `RCADataset.collate`: K counts the positions that any row supervises, so no logits exist for
    prompt tokens. Local to this rank.
    """
    output = model(input_ids=batch["input_ids"], logits_to_keep=batch["keep"], use_cache=False)
    logits, targets = output.logits, batch["targets"]
    if logits.shape[1] != targets.shape[1]:
        # An architecture that does not know logits_to_keep returns all positions.
        logits = logits[:, batch["keep"]]
    nll = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE, reduction="none")
    return nll.view_as(targets), logits


def causal_lm_step(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The training step function: (sum of token NLL with its graph, number of supervised tokens). Local to this rank.

    The sum over a micro-batch is taken in float64 where the device has it.
    """
    nll, _ = token_nll(model, batch)
    wide = torch.float32 if nll.device.type == "mps" else torch.float64
    return nll.sum(dtype=wide), (batch["targets"] != IGNORE).sum()


@torch.no_grad()
def ticket_nll(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Per row of a micro-batch: NLL sum (B,) float64 nats, supervised tokens (B,) int64, of which predicted by argmax (B,).

    Local to this rank, on the CPU.
    """
    nll, logits = token_nll(model, batch)
    supervised = batch["targets"] != IGNORE
    hits = (logits.argmax(dim=-1) == batch["targets"]) & supervised
    return nll.cpu().double().sum(dim=1), supervised.sum(dim=1).cpu(), hits.sum(dim=1).cpu()
