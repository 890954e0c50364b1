"""The training loop: for any module and a step function, on any number of processes.

    trainer = Trainer(model, step, data, epochs=3)
    trainer.add_callback("on_step_end", lambda trainer: print(trainer.step, trainer.row))
    trainer.fit()

`step(model, batch) -> (loss_sum, count)` calls `model(...)` once. `data` has `lengths` (N,) cost per example, `counts` (N,)
supervised items per example and `collate(indices) -> batch`; with no index, `collate([])` gives a zero-weight filler. For
`batching="packed"` it also takes `collate(indices, packed=True)`.
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
from rca_dist.training.batching import packed_agrees
from rca_dist.training.best import Best
from rca_dist.training.optim import adamw, rate_factor, warmup_length
from rca_dist.training.progress import Progress
from rca_dist.training.watch import LossWatch

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

    def save(self, step: int, engine: Any, facts: dict[str, Any], *, keep: int | None = None) -> Any: ...
    def is_whole(self, step: int) -> bool: ...
    def load_step(self, step: int, engine: Any) -> Any: ...


class Trainer:
    """Trains `model` so that each step is the gradient of the token mean over that step's examples, on any hardware.

    Attributes for callbacks: `step` (optimizer steps done), `total_steps`, `epoch` (fractional), `row` (the last logged
    numbers), `model` (plain module), `engine` (its `call` is what the step function gets), `optimizer`, `batch_loss` (sum of
    the last micro-batch, this rank), `packed` (whether micro-batches are packed rows), `tokens` and `seconds` (real tokens of
    all ranks trained by this process group, and the time it took without evaluation and saving), `best` (the lowest validation
    loss), `weights_step` (the step whose weights `fit` left behind, if not the last).
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
        batching: str = "padded",
        learning_rate: float = 1e-3,
        lr_scheduler: str = "cosine",
        decay_ratio: float = 0.2,
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
        early_stopping_patience: int | None = None,
        keep_best: bool = False,
        stop_requested: Callable[[], bool] = lambda: False,
        progress: bool = True,
    ) -> None:
        self.distributed = dist = distributed or Distributed()
        self.model = model
        self.step_function = step
        self.data = data
        self.plan = StepPlan(
            data.lengths, data.counts, global_batch_size=global_batch_size, max_tokens=max_tokens_per_micro_batch,
            seed=seed, world_size=dist.world_size, rank=dist.rank, packed=batching == "packed",
        )  # fmt: skip
        self.total_steps = self.plan.total_steps(epochs, max_steps)
        self.warmup = warmup_length(self.total_steps, warmup_steps, warmup_ratio)
        self.lr_scheduler, self.decay_ratio = lr_scheduler, decay_ratio
        self.learning_rate = learning_rate
        groups = optimizer_groups(weight_decay) if optimizer_groups else decay_groups(model, weight_decay)
        optimizer = adamw(groups, learning_rate=learning_rate, betas=betas, device=dist.device)
        self.engine = dist.prepare(model, optimizer, max_grad_norm=max_grad_norm)
        self.optimizer: torch.optim.Optimizer = self.engine.optimizer or optimizer
        self.parameters = self.engine.parameters
        self.log_steps = log_steps
        self.log_row = log_row or (lambda row: None)
        self.evaluate = evaluate
        self.eval_steps = eval_steps or max(1, math.ceil(self.total_steps / 10))
        self.checkpoints = checkpoints
        self.save_steps = save_steps or self.eval_steps
        self.best = Best(early_stopping_patience)
        self.keep_best = keep_best
        self.stop_requested = stop_requested
        self.progress = Progress(self.total_steps, shown=progress and dist.is_main)
        self.callbacks: dict[str, list[Callback]] = defaultdict(list)
        self.step = 0
        self.weights_step: int | None = None
        self.row: dict[str, Any] = {}
        self.batch_loss: torch.Tensor | None = None
        self.tokens = 0
        self.seconds = 0.0
        self.guarded = self.settled = False
        self.watch = LossWatch(dist, self.engine, getattr(data, "ticket_ids", None))

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

    @property
    def packed(self) -> bool:
        """Whether micro-batches are packed rows; settled when `settle_batching` has run."""
        return self.plan.packed

    def collate(self, indices: Sequence[int]) -> dict[str, Any]:
        """The micro-batch of some examples; a filler for none."""
        return self.data.collate(indices, packed=True) if self.plan.packed else self.data.collate(indices)  # type: ignore[call-arg]

    def settle_batching(self) -> None:
        """Once: fall back to padded rows where packed ones would change the loss. Collective."""
        if not self.settled:
            self.settled = True
            all_packed = not self.distributed.any_rank(not self.plan.packed)
            self.plan.packed = all_packed and packed_agrees(self)

    def fit(self) -> None:
        """Run from step `self.step` to the end. Collective.

        Raises: Stopped after saving, when any rank was asked to stop; FloatingPointError when the loss is not finite.
        """
        self.settle_batching()
        self.model.train()
        self.fire("on_train_begin")
        self.progress.start(self.step)
        mark, tokens = time.perf_counter(), 0
        for step in self.plan.steps(self.step, self.total_steps):
            if self.best.exhausted:
                break
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
        self._end_with_the_best()
        self.fire("on_train_end")

    def _end_with_the_best(self) -> None:
        """Say why training ended early, and put the best weights back where these are to be kept. Collective."""
        best, talks = self.best, self.distributed.is_main
        if best.exhausted and talks:
            log.info("stopped early after step %d: %d validation losses in a row were not the best", self.step, best.worse)
        if self.keep_best and best.step is not None and best.step != self.step and self.checkpoints:
            self.checkpoints.load_step(best.step, self.engine)
            self.weights_step = best.step
        if self.keep_best and best.step is not None and talks:
            log.info("the weights are those after step %d, validation loss %.4f", best.step, best.loss)

    def release(self) -> None:
        """Free gradients and optimizer state once training is over; `fit` cannot be called again."""
        self.engine.release()

    def train_step(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer update. Returns this rank's loss sum (float64) and the gradient norm before clipping (global).

        A step without any supervised token changes nothing, on no rank.
        """
        dist, engine = self.distributed, self.engine
        if not step.supervised:
            return torch.zeros((), dtype=torch.float64), torch.zeros(())
        factor = rate_factor(
            step.index, total=self.total_steps, warmup=self.warmup, kind=self.lr_scheduler, decay_ratio=self.decay_ratio
        )
        engine.set_rate(self.learning_rate * factor)
        losses: list[torch.Tensor] = []
        for n, indices in enumerate(step.micro_batches, start=1):
            batch = self.collate(indices.tolist())
            with dist.autocast():
                micro_sum, _ = self.step_function(engine.call, dist.to_device(batch))
            engine.backward(micro_sum, step.supervised, last=n == len(step.micro_batches))
            self.batch_loss = micro_sum.detach()
            losses.append(self.batch_loss)
            self.fire("on_batch_end")
        loss_sum = torch.stack(losses).sum()
        self.watch.note(step, losses)
        return loss_sum, engine.update()

    def _log(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor, tokens: int, mark: float) -> None:
        loss = self.watch.loss(step, loss_sum, norm)
        self.guard()
        # Reading the loss waited for the device, so the clock is honest from here on.
        seconds = time.perf_counter() - mark
        self.tokens += tokens
        self.seconds += seconds
        self.row = {
            "step": self.step,
            "epoch": round(self.epoch, 6),
            "train/loss": loss,
            "train/lr": self.optimizer.param_groups[0]["lr"],
            "train/grad_norm": float(norm),
            "train/tokens_per_second": round(tokens / seconds, 1),
        }
        if self.engine.scale:
            self.row |= {"train/loss_scale": self.engine.scale.value, "train/skipped_steps": self.engine.scale.skipped}
        self.log_row(self.row)
        self.progress.update(self.step, self.row)
        self.fire("on_log")

    def guard(self) -> None:
        """Once, after the first step: do all ranks train one model? Collective. Raises: RuntimeError."""
        if not self.guarded:
            self.guarded = True
            # Lone processes that believe they are a group differ from here on, without any other sign.
            self.distributed.same_everywhere(self.engine.checksum(), "the sum of all parameters after a step")

    def _between_steps(self, step: Step, loss_sum: torch.Tensor, norm: torch.Tensor) -> None:
        done, improved = self.step == self.total_steps, False
        if self.evaluate and (self.step % self.eval_steps == 0 or done):
            self.model.eval()
            numbers = self.evaluate()
            self.model.train()
            # One decision for all: a callback may have numbers on rank 0 only.
            loss = self.distributed.on_main(lambda: float(numbers.get("eval/loss", math.inf)))
            improved = self.best.see(self.step, loss)
            self.row = {"step": self.step, "epoch": round(self.epoch, 6), **numbers}
            self.log_row(self.row)
            self.progress.note(self.step, numbers)
            self.fire("on_evaluate")
        done = done or self.best.exhausted
        stop = not done and self.distributed.any_rank(self.stop_requested())
        best = improved and self.keep_best
        if self.checkpoints and (self.step % self.save_steps == 0 or done or stop or best):
            # Weights that are not finite must never become the state to go on from.
            self.watch.loss(step, loss_sum, norm)
            keep = self.best.step if self.keep_best else None
            self.checkpoints.save(self.step, self.engine, {"epoch": self.epoch, "best": self.best.state()}, keep=keep)
            self.fire("on_save")
        if stop:
            self.progress.close()
            why = getattr(self.stop_requested, "reason", "on request")
            raise Stopped(f"stopped {why} after step {self.step} of {self.total_steps}")

    def resume(self, manifest: Mapping[str, Any]) -> None:
        """Take up the counters of a checkpoint whose state has been loaded into the engine. Collective."""
        self.step = int(manifest["step"])
        if "best" in manifest:
            self.best.restore(manifest["best"])
        best = self.best.step
        if self.keep_best and best is not None and self.checkpoints and not self.checkpoints.is_whole(best):
            # Better now than after hours of training.
            self.best = Best(self.best.patience)
            if self.distributed.is_main:
                log.warning(
                    "warning: the weights of the best step so far, %d, are lost: the best is looked for from here on", best
                )
