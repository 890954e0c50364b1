"""When memory runs out: the tokens of a micro-batch are halved on all ranks, and the same examples are computed again.

Before step 1 every rank runs the largest micro-batch that the plan can make (`rehearsal`). Later, ranks that hold all weights
work through their micro-batches without meeting each other, so one that ran out waits for the rest at the reduction that each
step makes anyway, all hear of it there, and the step is computed again from the same random state. Where weights or gradients
are sharded a rank that failed has left the others in the middle of a collective: the job ends, to be started again with less.
"""

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from rca_dist.errors import OutOfMemory, UserError
from rca_dist.runtime import faults
from rca_dist.runtime.outofmemory import give_back, ran_out
from rca_dist.tokens.batching import Step

if TYPE_CHECKING:
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)
# Environment variable by which `rca-dist train` hands a smaller budget to another start.
VARIABLE = "RCA_MAX_TOKENS"
ADVICE = (
    "lower train.max_length, set train.gradient_checkpointing=true, train with lora.r, take a smaller model, or shard over "
    "more GPUs with configs/accelerate/fsdp2.yaml"
)


class Memory:
    """The token budget of a trainer's micro-batches.

    Attributes: `asked` tokens per micro-batch as configured, `repeatable` whether ranks can compute a step again together.
    """

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer = trainer
        self.asked = trainer.plan.max_tokens
        self.longest = int(trainer.plan.lengths.max())
        self.fitted = False
        self.repeatable = trainer.distributed.backend in ("no", "ddp")

    @property
    def budget(self) -> int:
        """Tokens per micro-batch now."""
        return self.trainer.plan.max_tokens

    def limit(self, tokens: int) -> None:
        """Take a smaller budget than asked, as another start found it."""
        if tokens < self.budget:
            self.trainer.plan.max_tokens = tokens
            if self.trainer.distributed.is_main:
                log.warning("micro-batches of at most %d tokens instead of %d: memory ran out before", tokens, self.asked)

    def limit_from_environment(self) -> None:
        """Take the budget with which `rca-dist train` has started the job again."""
        if VARIABLE in os.environ:
            self.limit(int(os.environ[VARIABLE]))

    def state(self) -> list[int]:
        """For a checkpoint's manifest: tokens asked for, and those in use."""
        return [self.asked, self.budget]

    def restore(self, state: list[int] | None) -> None:
        """Undo of `state`, unless something else is asked for now."""
        if state is not None and state[0] == self.asked:
            self.limit(int(state[1]))

    def halve(self, where: str) -> None:
        """Half the budget, down to the longest example. The same on all ranks. Raises: UserError when that is no help."""
        tokens, plan = self.budget, self.trainer.plan
        if tokens <= self.longest:
            raise UserError(
                f"memory ran out {where}, with micro-batches of no more than the longest example's {self.longest} tokens, so a "
                f"smaller train.max_tokens_per_micro_batch cannot help: {ADVICE}"
            )
        plan.max_tokens = max(tokens // 2, self.longest)
        if self.trainer.distributed.is_main:
            log.warning(
                "warning: memory ran out %s with micro-batches of up to %d tokens; going on with %d on every process (the "
                "steps stay the same; --train.max_tokens_per_micro_batch=%d spares the attempt)",
                where, tokens, plan.max_tokens, plan.max_tokens,
            )  # fmt: skip

    @contextlib.contextmanager
    def fatal(self, where: str) -> Iterator[None]:
        """Around what cannot be repeated: an error that means no memory becomes OutOfMemory, with a smaller budget in it."""
        try:
            yield
        except Exception as error:
            if not ran_out(error):
                raise
            if self.budget <= self.longest:
                raise OutOfMemory(
                    f"memory ran out {where}, with micro-batches of no more than the longest example's {self.longest} tokens: "
                    f"{ADVICE}"
                ) from error
            less = max(self.budget // 2, self.longest)
            raise OutOfMemory(
                f"memory ran out {where} with micro-batches of up to {self.budget} tokens; start it again with "
                f"--train.max_tokens_per_micro_batch={less} to go on from the last checkpoint",
                {VARIABLE: str(less)},
            ) from error

    def accumulate(self, step: Step) -> tuple[Step, list[torch.Tensor]]:
        """Forward and backward of this rank's micro-batches of a step: the step as computed at last (its micro-batches may
        have become smaller) and their loss sums. Collective once, at the end.

        When any rank runs out of memory all compute the step again, with half the budget, from the same random state.
        Raises: as `halve`, or OutOfMemory on the rank that ran out where that is not possible.
        """
        before, losses = RandomState(self.trainer.distributed.device), self._attempt(step)
        while losses is None:
            assert self.trainer.engine.optimizer is not None
            self.trainer.engine.optimizer.zero_grad(set_to_none=True)
            give_back(self.trainer.distributed.device)
            self.halve(f"in step {step.index + 1}")
            before.restore()
            step = next(self.trainer.plan.steps(step.index, step.index + 1))
            losses = self._attempt(step)
        return step, losses

    def _attempt(self, step: Step) -> list[torch.Tensor] | None:
        """None on all ranks when any ran out of memory."""
        trainer, failed = self.trainer, False
        losses: list[torch.Tensor] = []
        try:
            for n, indices in enumerate(step.micro_batches, start=1):
                poisoned = faults.at("step", step.index + 1, size=int(trainer.plan.lengths[indices].sum()))
                trainer.batch_loss = trainer.forward_backward(
                    indices, step.supervised, last=n == len(step.micro_batches), weight=math.nan if poisoned else 1.0
                )
                losses.append(trainer.batch_loss)
                trainer.fire("on_batch_end")
        except Exception as error:
            if not ran_out(error):
                raise
            if not self.repeatable:
                with self.fatal(f"in step {step.index + 1}"):
                    raise
            failed = True
        return None if trainer.boundary.agree(failed=failed) else losses


class RandomState:
    """The random generators that a forward pass draws from, as they are now."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu = torch.get_rng_state()
        self.gpu: Any = torch.cuda.get_rng_state() if device.type == "cuda" else None

    def restore(self) -> None:
        """Set them back."""
        torch.set_rng_state(self.cpu)
        if self.gpu is not None:
            torch.cuda.set_rng_state(self.gpu)
