"""Losses that are not finite: found when somebody looks, named by step and tickets, on all ranks alike."""

import math
from collections.abc import Sequence

import torch

from rca_dist.runtime.distributed import Distributed
from rca_dist.runtime.engines import Engine
from rca_dist.tokens.batching import Step


class LossWatch:
    """Keeps the losses of micro-batches that nobody has looked at: reading one makes the host wait for the device."""

    def __init__(self, distributed: Distributed, engine: Engine, names: Sequence[str] | None) -> None:
        """`names` of the examples, for messages."""
        self.distributed = distributed
        self.engine = engine
        self.names = names
        self.unread: list[tuple[Step, list[torch.Tensor]]] = []

    def note(self, step: Step, losses: list[torch.Tensor]) -> None:
        """Take this rank's losses of a step, one per micro-batch."""
        self.unread.append((step, losses))

    def loss(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor) -> float:
        """The loss of `step` over all ranks, after looking at all losses since the last call. Collective.

        Raises: FloatingPointError on every rank when a loss, or with fp32 and bf16 the gradient norm, is not finite.
        """
        bad = [(past, n) for past, losses in self.unread for n, loss in enumerate(losses) if not math.isfinite(float(loss))]
        self.unread.clear()
        loss, any_bad = self.distributed.global_sum([float(loss_sum), float(bool(bad))])
        if any_bad:
            self._stop_for(bad)
        size = float(norm) if self.engine.lost is None else self.engine.lost
        if self.engine.scale is None and not math.isfinite(size):
            raise FloatingPointError(
                f"the gradient norm is {size} at step {step.index + 1} or shortly before, the loss is finite; lower "
                "train.learning_rate or use train.precision=fp32"
            )
        return loss / max(1, step.supervised)

    def _stop_for(self, bad: list[tuple[Step, int]]) -> None:
        """Name the first step with a loss that is not finite, and its tickets. Collective."""
        names = self.names
        found = [(step.index + 1, [str(names[i]) if names else str(i) for i in step.micro_batches[n]]) for step, n in bad]
        parts = self.distributed.gather(found)
        first = min(number for part in parts for number, _ in part)
        tickets = [name for part in parts for number, part_of in part if number == first for name in part_of]
        shown = ", ".join(tickets[:20]) + (f" and {len(tickets) - 20} more" if len(tickets) > 20 else "")
        raise FloatingPointError(
            f"the training loss is not finite at step {first}, in the micro-batch with the tickets {shown}; lower "
            "train.learning_rate, use train.precision=fp32, or look at these tickets"
        )
