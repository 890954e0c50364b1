"""The heaviest forward and backward of a run, without running it."""

import time

import numpy as np

from rca_dist.runtime.meters import peak_memory_bytes
from rca_dist.tokens.batching import pack
from rca_dist.training.trainer import Trainer


def rehearse(trainer: Trainer) -> dict[str, float]:
    """Forward and backward of the longest example's micro-batch; no update. Collective. Returns sizes, loss, time."""
    longest = np.argsort(trainer.plan.lengths)[::-1][: trainer.plan.global_batch_size]
    trainer.settle_batching()
    lengths = trainer.plan.lengths
    indices = pack(longest, lengths, trainer.plan.max_tokens, packed=trainer.packed)[0]
    positions = lengths[indices].sum() if trainer.packed else lengths[indices].max() * len(indices)
    batch = trainer.distributed.to_device(trainer.collate(indices.tolist()))
    trainer.model.train()
    began = time.perf_counter()
    with trainer.distributed.autocast():
        loss_sum, count = trainer.step_function(trainer.engine.call, batch)
    trainer.engine.backward(loss_sum, int(count), last=True)
    trainer.model.zero_grad(set_to_none=True)
    return {
        "examples": len(indices), "positions": int(positions), "loss": float(loss_sum.detach()) / int(count),
        "seconds": time.perf_counter() - began, "peak_memory_bytes": peak_memory_bytes(),
        "optimizer_bytes": sum(2 * p.numel() * p.element_size() for p in trainer.parameters),
    }  # fmt: skip
