"""The heaviest forward and backward of a run, without running it: for `--dry_run`, and to fit the token budget into memory."""

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from rca_dist.runtime import faults
from rca_dist.runtime.meters import peak_memory_bytes
from rca_dist.runtime.outofmemory import give_back, ran_out
from rca_dist.tokens.batching import pack
from rca_dist.training.memory import RandomState

if TYPE_CHECKING:
    from rca_dist.training.trainer import Trainer


def rehearse(trainer: "Trainer") -> dict[str, float]:
    """Forward and backward of the longest example's micro-batch; no update. Collective. Returns sizes, loss, time."""
    trainer.settle_batching()
    indices, plan = heaviest(trainer)[0], trainer.plan
    trainer.model.train()
    began, supervised = time.perf_counter(), int(plan.counts[indices].sum())
    loss_sum = trainer.forward_backward(indices, supervised, last=True)
    trainer.model.zero_grad(set_to_none=True)
    return {
        "examples": len(indices), "positions": positions(plan.lengths[indices], packed=trainer.packed),
        "loss": float(loss_sum) / supervised, "seconds": time.perf_counter() - began,
        "peak_memory_bytes": peak_memory_bytes(),
        "optimizer_bytes": sum(2 * p.numel() * p.element_size() for p in trainer.parameters),
    }  # fmt: skip


def fit_memory(trainer: "Trainer") -> None:
    """Halve the budget until the largest micro-batches fit. Collective; leaves weights, gradients and generators alone.

    Only where memory errors come as exceptions: on GPUs, and where such a fault is armed.
    Raises: UserError on every rank; OutOfMemory on the rank that ran out where the forward pass is collective.
    """
    dist, memory = trainer.distributed, trainer.memory
    if dist.device.type == "cpu" and not faults.expects("oom", "start"):
        return
    while not _fits(trainer):
        give_back(dist.device)
        memory.halve("before the first step of this start")
    if dist.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    trainer.model.train()


def _fits(trainer: "Trainer") -> bool:
    """Whether forward and backward of the heaviest micro-batches go through on every rank."""
    engine, fits = trainer.engine, True
    before = RandomState(trainer.distributed.device)
    buffers = [(buffer, buffer.detach().clone()) for buffer in engine.model.buffers()]
    engine.model.train()
    try:
        ballast = _ballast(trainer)
        for indices in heaviest(trainer):
            faults.at("start", trainer.step, size=int(trainer.plan.lengths[indices].sum()))
            # A weight of zero: what DeepSpeed adds up in buffers of its own stays nothing.
            trainer.forward_backward(indices, 1, last=False, weight=0.0)
        del ballast
    except Exception as error:
        if not ran_out(error):
            raise
        if not trainer.memory.repeatable:
            with trainer.memory.fatal("before the first step of this start"):
                raise
        fits = False
    if not trainer.distributed.backend.startswith("zero") and engine.optimizer is not None:
        engine.optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    before.restore()
    return not trainer.distributed.any_rank(not fits)


def _ballast(trainer: "Trainer") -> list[torch.Tensor]:
    """Memory that the first update will take: AdamW's two moments, where they are not there yet."""
    engine = trainer.engine
    if engine.optimizer is None or engine.optimizer.state or trainer.distributed.backend.startswith("zero"):
        return []
    return [torch.empty_like(p.to_local() if hasattr(p, "to_local") else p) for p in engine.parameters for _ in range(2)]


def heaviest(trainer: "Trainer") -> list[np.ndarray]:
    """The micro-batch with the longest example, and the one with the most positions, as indices; one where they are the same.

    Taken from the longest examples that one step could hold, so that no micro-batch of the run is larger.
    """
    plan = trainer.plan
    longest = np.argsort(plan.lengths, kind="stable")[::-1][: plan.global_batch_size]
    batches = pack(longest, plan.lengths, plan.max_tokens, packed=plan.packed)
    if not plan.packed:
        # Rows are as long as the longest: more short examples can take more positions than few long ones.
        shorter = plan.lengths[longest].astype(np.int64)
        rows = np.minimum(plan.max_tokens // np.maximum(shorter, 1), np.arange(len(longest), 0, -1))
        start = int((rows * shorter).argmax())
        batches.append(longest[start : start + max(1, int(rows[start]))])
    most = max(batches, key=lambda batch: positions(plan.lengths[batch], packed=plan.packed))
    return [batches[0]] if most is batches[0] else [batches[0], most]


def positions(lengths: np.ndarray, *, packed: bool) -> int:
    """Positions that a micro-batch of such examples computes."""
    return int(lengths.sum() if packed else lengths.max() * len(lengths))
