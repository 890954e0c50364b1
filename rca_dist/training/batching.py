"""Whether packed rows may be used: the first examples must give the same loss packed and padded."""

import logging
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)
# Relative difference of the loss that rounding explains, by arithmetic.
TOLERANCE = {"fp32": 1e-4, "bf16": 3e-2, "fp16": 1e-2}


def packed_agrees(trainer: "Trainer") -> bool:
    """Compare the loss of up to three examples of the first step in one packed and in one padded batch. Collective.

    All ranks compute the same examples, so the numbers of forwards agree also where weights are sharded. Says why not.
    """
    dist, plan, model = trainer.distributed, trainer.plan, trainer.model
    first = next(plan.steps(0, 1)).examples
    indices = sorted(first.tolist(), key=lambda n: (int(plan.lengths[n]), n))[:3]
    was_training = model.training
    model.eval()
    problem: str | None = None
    losses = []
    try:
        with torch.no_grad(), dist.autocast():
            for packed in (False, True):
                batch = dist.to_device(trainer.data.collate(indices, packed=packed))  # type: ignore[call-arg]
                loss_sum, count = trainer.step_function(model, batch)
                losses.append(float(loss_sum) / max(1, int(count)))
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
    model.train(was_training)
    if problem is None and not abs(losses[0] - losses[1]) <= TOLERANCE[dist.precision] * max(abs(losses[0]), 1e-3):
        problem = f"the loss of the same examples is {losses[0]:.6f} padded and {losses[1]:.6f} packed"
    if not dist.any_rank(problem is not None):
        return True
    if dist.is_main:
        log.warning(
            "warning: packed rows do not work with this model here (%s); using padded ones", problem or "on another rank"
        )
    return False
