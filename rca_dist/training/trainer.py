"""The training loop: for any module and a step function, on any number of processes.

    trainer = Trainer(model, step, data, epochs=3)
    trainer.add_callback("on_step_end", lambda trainer: print(trainer.step, trainer.row))
    trainer.fit()

`step(model, batch) -> (loss_sum, count)` calls `model(...)` once. `data` has `lengths` (N,) cost per example, `counts` (N,)
supervised items per example and `collate(indices) -> batch`; with no index, `collate([])` gives a zero-weight filler. For
`batching="packed"` it also takes `collate(indices, packed=True)`.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rca_dist.model.parameters import decay_groups
from rca_dist.runtime import heartbeat
from rca_dist.runtime.distributed import Distributed
from rca_dist.tokens.batching import Step, StepPlan
from rca_dist.training.batching import packed_agrees
from rca_dist.training.best import Best
from rca_dist.training.boundary import Boundary
from rca_dist.training.memory import Memory
from rca_dist.training.optim import adamw, rate_factor, warmup_length
from rca_dist.training.parts import Checkpointer, Evaluate, LogRow, OptimizerGroups, StepFunction, TrainingData
from rca_dist.training.progress import Progress
from rca_dist.training.rehearsal import fit_memory
from rca_dist.training.watch import LossWatch

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
Callback = Callable[["Trainer"], None]


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
        optimizer_groups: OptimizerGroups | None = None,
        seed: int = 0,
        log_steps: int = 10,
        log_row: LogRow | None = None,
        evaluate: Evaluate | None = None,
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
        self.log_row: LogRow = log_row or (lambda row: None)
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
        self.settled = False
        self.watch = LossWatch(dist, self.engine, getattr(data, "ticket_ids", None))
        self.last: tuple[Step, torch.Tensor, torch.Tensor] | None = None
        self.boundary = Boundary(self)
        self.memory = Memory(self)

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

        Raises: Stopped after saving, when any rank was asked to stop; FloatingPointError when the loss is not finite;
        UserError on all ranks when memory is too small for the longest example; OutOfMemory on one rank when memory ran out
        where ranks cannot repeat a step together.
        """
        self.settle_batching()
        self.model.train()
        if self.step < self.total_steps:
            self.fit_memory()
        self.fire("on_train_begin")
        self.progress.start(self.step)
        if self.boundary.due:
            self.boundary.pass_by()
        mark, tokens = time.perf_counter(), 0
        for step in self.plan.steps(self.step, self.total_steps):
            if self.best.exhausted:
                break
            self.fire("on_step_begin")
            heartbeat.at("training", step.index + 1)
            loss_sum, norm = self.train_step(step)
            self.last = step, loss_sum, norm
            self.step += 1
            tokens += step.tokens
            if self.step == 1 or self.step % self.log_steps == 0 or self.step == self.total_steps:
                self.boundary.log(tokens, mark)
                mark, tokens = time.perf_counter(), 0
            self.fire("on_step_end")
            before = time.perf_counter()
            self.boundary.pass_by()
            # What evaluation and saving take is no training time.
            mark += time.perf_counter() - before
        self.progress.close()
        self.boundary.end()
        self.fire("on_train_end")

    def fit_memory(self) -> None:
        """Once: halve the token budget until the largest micro-batches fit (see `rehearsal.fit_memory`). Collective."""
        if not self.memory.fitted:
            self.memory.fitted = True
            fit_memory(self)

    def release(self) -> None:
        """Free gradients and optimizer state once training is over; `fit` cannot be called again."""
        self.engine.release()

    def train_step(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer update. Returns this rank's loss sum (float64) and the gradient norm before clipping (global).

        A step without any supervised token changes nothing, on no rank.
        """
        engine = self.engine
        if not step.supervised:
            self.boundary.agree(failed=False)
            return torch.zeros((), dtype=torch.float64), torch.zeros(())
        factor = rate_factor(
            step.index, total=self.total_steps, warmup=self.warmup, kind=self.lr_scheduler, decay_ratio=self.decay_ratio
        )
        engine.set_rate(self.learning_rate * factor)
        step, losses = self.memory.accumulate(step)
        loss_sum = torch.stack(losses).sum()
        self.watch.note(step, losses)
        with self.memory.fatal(f"in the update of step {step.index + 1}"):
            return loss_sum, engine.update()

    def forward_backward(
        self, indices: Sequence[int] | np.ndarray, total: int, *, last: bool, weight: float = 1.0
    ) -> torch.Tensor:
        """One micro-batch's share of a gradient (see `Engine.backward`). Returns its loss sum, times `weight`."""
        batch = self.collate([int(n) for n in indices])
        with self.distributed.autocast():
            loss_sum, _ = self.step_function(self.engine.call, self.distributed.to_device(batch))
        if weight != 1.0:
            loss_sum = loss_sum * weight
        self.engine.backward(loss_sum, total, last=last)
        return loss_sum.detach()

    def check_finite(self) -> float:
        """The loss of the last step over all ranks, nats per token. Collective. Raises: FloatingPointError on every rank."""
        return self.watch.loss(*self.last) if self.last is not None else math.nan

    def resume(self, manifest: Mapping[str, Any]) -> None:
        """Take up the counters of a checkpoint whose state has been loaded into the engine. Collective."""
        self.boundary.take_up(manifest)
