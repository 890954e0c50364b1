"""The training loop: for any module and a step function, on any number of processes.

    trainer = Trainer(model, step, data, epochs=3)
    trainer.add_callback("on_step_end", lambda trainer: print(trainer.step, trainer.row))
    trainer.fit()

`step(model, batch) -> (loss_sum, count)` calls `model(...)` once. `data` has `lengths` (N,) cost per example, `counts` (N,)
supervised items per example and `collate(indices) -> batch`; with no index, `collate([])` gives a zero-weight filler.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from rca_dist.errors import Stopped
from rca_dist.model.parameters import decay_groups
from rca_dist.runtime.distributed import Distributed
from rca_dist.tokens.batching import Step, StepPlan
from rca_dist.training.optim import adamw, gradient_norm, rate_factor, warmup_length
from rca_dist.training.progress import Progress

log = logging.getLogger(__name__)

EVENTS = (
    "on_train_begin",
    "on_step_begin",
    "on_batch_end",
    "on_step_end",
    "on_log",
    "on_evaluate",
    "on_save",
    "on_train_end",
)
StepFunction = Callable[[Any, dict[str, Any]], tuple[torch.Tensor, torch.Tensor]]
Callback = Callable[["Trainer"], None]


class TrainingData(Protocol):
    """What the trainer asks of its examples."""

    lengths: np.ndarray
    counts: np.ndarray

    def collate(self, indices: Sequence[int]) -> dict[str, Any]: ...


class Checkpointer(Protocol):
    """What the trainer asks of a store of resumable state."""

    def save(self, step: int, model: Any, optimizer: Any, facts: dict[str, Any]) -> Any: ...


class Trainer:
    """Trains `model` so that each step is the gradient of the token mean over that step's examples, on any hardware.

    Attributes for callbacks: `step` (optimizer steps done), `total_steps`, `epoch` (fractional), `row` (the last logged
    numbers), `model` (plain module), `optimizer`, `batch_loss` (sum of the last micro-batch, this rank), `tokens` and
    `seconds` (real tokens of all ranks trained by this process group, and the time it took without evaluation and saving).
    """

    def __init__(
        self,
        model: torch.nn.Module,
        step: StepFunction,
        data: TrainingData,
        *,
        distributed: Distributed | None = None,
        epochs: float = 1.0,
        max_steps: int | None = None,
        global_batch_size: int = 16,
        max_tokens_per_micro_batch: int = 4096,
        learning_rate: float = 1e-3,
        lr_scheduler: str = "cosine",
        warmup_ratio: float = 0.05,
        warmup_steps: int | None = None,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.95),
        max_grad_norm: float = 1.0,
        optimizer_groups: Callable[[float], list[dict[str, Any]]] | None = None,
        seed: int = 0,
        log_steps: int = 10,
        log_row: Callable[[Mapping[str, Any]], None] | None = None,
        evaluate: Callable[[], Mapping[str, float]] | None = None,
        eval_steps: int | None = None,
        checkpoints: Checkpointer | None = None,
        save_steps: int | None = None,
        stop_requested: Callable[[], bool] = lambda: False,
        progress: bool = True,
    ) -> None:
        self.distributed = dist = distributed or Distributed()
        self.model = model
        self.step_function = step
        self.data = data
        self.plan = StepPlan(
            data.lengths, data.counts, global_batch_size=global_batch_size, max_tokens=max_tokens_per_micro_batch,
            seed=seed, world_size=dist.world_size, rank=dist.rank,
        )  # fmt: skip
        self.total_steps = self.plan.total_steps(epochs, max_steps)
        self.warmup = warmup_length(self.total_steps, warmup_steps, warmup_ratio)
        self.lr_scheduler = lr_scheduler
        self.learning_rate = learning_rate
        self.max_grad_norm = max_grad_norm
        dist.prepare(model)
        groups = optimizer_groups(weight_decay) if optimizer_groups else decay_groups(model, weight_decay)
        self.optimizer = adamw(groups, learning_rate=learning_rate, betas=betas, device=dist.device)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.log_steps = log_steps
        self.log_row = log_row or (lambda row: None)
        self.evaluate = evaluate
        self.eval_steps = eval_steps or max(1, math.ceil(self.total_steps / 10))
        self.checkpoints = checkpoints
        self.save_steps = save_steps or self.eval_steps
        self.stop_requested = stop_requested
        self.progress = Progress(self.total_steps, shown=progress and dist.is_main)
        self.callbacks: dict[str, list[Callback]] = defaultdict(list)
        self.step = 0
        self.row: dict[str, Any] = {}
        self.batch_loss: torch.Tensor | None = None
        self.tokens = 0
        self.seconds = 0.0
        self.guarded = False

    def add_callback(self, event: str, function: Callback) -> None:
        """Call `function(trainer)` at each `event`, one of EVENTS, after those added before."""
        if event not in EVENTS:
            raise ValueError(f"no event {event!r}; events are {', '.join(EVENTS)}")
        self.callbacks[event].append(function)

    def set_callback(self, event: str, function: Callback) -> None:
        """Like `add_callback`, in place of all callbacks of this event."""
        self.callbacks.pop(event, None)
        self.add_callback(event, function)

    def fire(self, event: str) -> None:
        """Call the callbacks of an event."""
        for function in self.callbacks[event]:
            function(self)

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.step / self.plan.steps_per_epoch

    def fit(self) -> None:
        """Run from step `self.step` to the end. Collective.

        Raises: Stopped after saving, when any rank was asked to stop; FloatingPointError when the loss is not finite.
        """
        self.model.train()
        self.fire("on_train_begin")
        self.progress.start(self.step)
        mark, tokens = time.perf_counter(), 0
        for step in self.plan.steps(self.step, self.total_steps):
            self.fire("on_step_begin")
            loss_sum, norm = self.train_step(step)
            self.step += 1
            tokens += step.tokens
            if self.step == 1 or self.step % self.log_steps == 0 or self.step == self.total_steps:
                self._log(step, loss_sum, norm, tokens, mark)
                mark, tokens = time.perf_counter(), 0
            self.fire("on_step_end")
            before = time.perf_counter()
            self._between_steps(step, loss_sum, norm)
            # What evaluation and saving take is no training time.
            mark += time.perf_counter() - before
        self.progress.close()
        self.fire("on_train_end")

    def release(self) -> None:
        """Free gradients and optimizer state once training is over; `fit` cannot be called again."""
        self.optimizer.zero_grad(set_to_none=True)
        self.optimizer.state.clear()

    def train_step(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer update. Returns this rank's loss sum (float64) and the gradient norm before clipping (global)."""
        dist = self.distributed
        batches = [self.data.collate(indices.tolist()) for indices in step.micro_batches]
        loss_sum = torch.zeros((), dtype=torch.float64)
        for batch in batches:
            with dist.autocast():
                micro_sum, _ = self.step_function(self.model, dist.to_device(batch))
            dist.backward(micro_sum, max(1, step.supervised))
            self.batch_loss = micro_sum.detach()
            loss_sum = loss_sum.to(self.batch_loss.device, self.batch_loss.dtype) + self.batch_loss
            self.fire("on_batch_end")
        dist.exchange(self.parameters)
        norm = gradient_norm(self.parameters, self.max_grad_norm)
        factor = rate_factor(step.index, total=self.total_steps, warmup=self.warmup, kind=self.lr_scheduler)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        if step.supervised:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss_sum, norm

    def _log(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor, tokens: int, mark: float) -> None:
        loss = self._finite_loss(step, loss_sum, norm)
        # Reading the loss waited for the device, so the clock is honest from here on.
        seconds = time.perf_counter() - mark
        self.tokens += tokens
        self.seconds += seconds
        if not self.guarded:
            self._guard()
        self.row = {
            "step": self.step,
            "epoch": round(self.epoch, 6),
            "train/loss": loss,
            "train/lr": self.optimizer.param_groups[0]["lr"],
            "train/grad_norm": float(norm),
            "train/tokens_per_second": round(tokens / seconds, 1),
        }
        self.log_row(self.row)
        self.progress.update(self.step, self.row)
        self.fire("on_log")

    def _finite_loss(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor) -> float:
        """The step's loss over all ranks. Raises: FloatingPointError on every rank when it or the gradient is not finite."""
        loss = self.distributed.global_sum([float(loss_sum)])[0] / max(1, step.supervised)
        for name, value in (("training loss", loss), ("gradient norm", float(norm))):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the {name} is {value} at step {self.step}; lower train.learning_rate or use train.precision=fp32"
                )
        return loss

    def _guard(self) -> None:
        self.guarded = True
        # Lone processes that believe they are a group differ from here on, without any other sign.
        weight = sum(float(p.detach().double().sum() if p.device.type != "mps" else p.detach().sum()) for p in self.parameters)
        self.distributed.same_everywhere(weight, "the sum of all parameters after a step")

    def _between_steps(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor) -> None:
        done = self.step == self.total_steps
        if self.evaluate and (self.step % self.eval_steps == 0 or done):
            self.model.eval()
            numbers = self.evaluate()
            self.model.train()
            self.row = {"step": self.step, "epoch": round(self.epoch, 6), **numbers}
            self.log_row(self.row)
            self.progress.note(self.step, numbers)
            self.fire("on_evaluate")
        stop = not done and self.distributed.any_rank(self.stop_requested())
        if self.checkpoints and (self.step % self.save_steps == 0 or done or stop):
            # Weights that are not finite must never become the state to go on from.
            self._finite_loss(step, loss_sum, norm)
            self.checkpoints.save(self.step, self.model, self.optimizer, {"epoch": self.epoch})
            self.fire("on_save")
        if stop:
            self.progress.close()
            raise Stopped(f"stopped on request after step {self.step} of {self.total_steps}")
