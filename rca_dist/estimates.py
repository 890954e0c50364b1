"""What a run will take, said before it starts: memory, time, disk, and how exact its score can be."""

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.model import capacity
from rca_dist.runtime import meters

if TYPE_CHECKING:
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tickets.table import TicketTable
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)
# A backward pass computes twice what its forward pass does.
FORWARDS_PER_STEP = 3.0
# Enough tickets to see how much scores differ from ticket to ticket.
SAMPLE, MOST_TRAINING = 100, 5_000
# Below it results.json gives no interval (evaluation.bootstrap).
MIN_GROUPS = 20
# The need is a sum from shapes: only what is clearly too little is refused.
NEARLY = 0.95
TEXT_METRICS = ("exact_match", "token_f1", "rouge_l", "chrf")
NAMES = {"chrf": "chrF", "rouge_l": "ROUGE-L", "token_f1": "token F1", "exact_match": "exact match"}


def training_bytes(config: Config, adapter: "HFModelAdapter", dist: "Distributed", *, checkpointing: bool) -> int | None:
    """Peak bytes of one process while training, without the libraries' own; None where the architecture is unknown.

    An estimate from shapes: fragmentation and temporary tensors come on top.
    """
    shape = capacity.shape_of(adapter.model.config)
    if shape is None:
        return None
    total, trainable = adapter.parameter_counts()
    half = dist.precision != "fp32"
    frozen_width = min((p.element_size() for p in adapter.model.parameters() if not p.requires_grad), default=4)
    state = capacity.state_bytes(
        total, trainable, backend=dist.backend, world_size=dist.world_size, frozen_width=frozen_width, half=half
    )
    positions = max(config.train.max_tokens_per_micro_batch, min(config.train.max_length, adapter.max_length))
    return state + capacity.activation_bytes(shape, positions, checkpointing=checkpointing, half=half)


def needs_checkpointing(config: Config, adapter: "HFModelAdapter", dist: "Distributed") -> str | None:
    """Why activations have to be computed again in the backward pass, or None. Collective: all ranks agree."""
    needed = training_bytes(config, adapter, dist, checkpointing=False)
    free = meters.available_memory_bytes(dist.device, share=dist.local_processes)
    # A fifth for what the sum leaves out.
    short = needed is not None and needed > 0.8 * free
    if not dist.any_rank(short):
        return None
    return f"about {_size(needed)} would be needed and {_size(free)} are free" if needed else "a process would run out of it"


def say_batching(config: Config, trainer: "Trainer") -> dict[str, Any]:
    """Say how steps are computed, and warn of what makes that odd. Returns the figures for run.json. Local."""
    plan, world = trainer.plan, trainer.distributed.world_size
    facts = {
        "batching": "packed" if plan.packed else "padded", "positions_per_token": round(plan.computed_positions(), 4),
        "balance": round(plan.balance(), 4),
    }  # fmt: skip
    text = f"micro-batches: {facts['batching']}, {facts['positions_per_token']:.2f} positions computed per token"
    log.info("%s%s", text, f", slowest rank {facts['balance']:.2f} x the mean" if world > 1 else "")
    train = config.train
    noise = {"train.dropout": train.dropout, "lora.dropout": config.lora.dropout,
             "train.neftune_alpha": train.neftune_alpha}  # fmt: skip
    for key, rate in noise.items():
        if rate:
            log.warning("warning: %s=%g: losses now depend on batches and processes, beyond rounding", key, rate)
    if train.label_smoothing:
        log.warning("warning: train.label_smoothing=%g: train/loss is smoothed, eval/loss is not", train.label_smoothing)
    if plan.oversized:
        log.warning(
            "warning: %d training tickets are longer than train.max_tokens_per_micro_batch=%d and run alone, with the "
            "memory that they need", plan.oversized, plan.max_tokens,
        )  # fmt: skip
    if plan.idle_ranks:
        log.warning(
            "warning: train.global_batch_size=%d gives %d of %d processes nothing to do; the numbers stay exact",
            plan.global_batch_size, plan.idle_ranks, world,
        )  # fmt: skip
    return facts


def describe(
    config: Config,
    trainer: "Trainer",
    adapter: "HFModelAdapter",
    table: "TicketTable",
    *,
    checkpointing: bool,
    folder: Path | None = None,
) -> str:
    """One line: tickets, tokens, steps, time, memory, disk, expected interval. Collective."""
    dist, plan = trainer.distributed, trainer.plan
    left = trainer.total_steps - trainer.step
    parts = [f"{len(plan.lengths):,} training tickets, {int(plan.lengths.sum()):,} tokens, {trainer.total_steps:,} steps"]
    seconds = training_seconds(trainer, left)
    exactness = dist.on_main(lambda: expected_interval(config, table))
    if seconds is not None:
        parts.append(f"about {_time(seconds)} of training here")
    needed = training_bytes(config, adapter, dist, checkpointing=checkpointing)
    if needed is not None:
        parts.append(f"{_size(needed)} of memory {'per process ' if dist.world_size > 1 else ''}beside the libraries")
    free = f" of {_size(meters.free_disk_bytes(folder))} free" if folder is not None else ""
    parts.append(f"{_size(disk_bytes(config, adapter, dist))} on disk{free}")
    return "; ".join([", ".join(parts), *([exactness] if exactness else [])])


def training_seconds(trainer: "Trainer", steps: int) -> float | None:
    """Time of so many steps from a timed forward pass of this rank's first micro-batch, the slowest rank's. Collective."""
    import torch

    dist, plan = trainer.distributed, trainer.plan
    if steps <= 0:
        return None
    step = next(plan.steps(0, 1))
    indices = step.micro_batches[0].tolist()
    was_training, seconds = trainer.model.training, 0.0
    trainer.model.eval()
    with torch.no_grad(), dist.autocast():
        for _ in range(2):  # the first one warms up
            batch = dist.to_device(trainer.collate(indices))
            began = time.perf_counter()
            loss, _ = trainer.step_function(trainer.model, batch)
            float(loss)
            seconds = time.perf_counter() - began
    trainer.model.train(was_training)
    positions = int(plan.lengths[indices].sum()) if indices else 1
    # Ranks work side by side; the slowest one sets the pace.
    share = plan.lengths.sum() * plan.computed_positions() * plan.balance() / dist.world_size / plan.steps_per_epoch
    slowest = max(dist.gather(seconds / positions if indices else 0.0))
    return float(FORWARDS_PER_STEP * slowest * share * steps)


def disk_bytes(config: Config, adapter: "HFModelAdapter", dist: "Distributed") -> int:
    """Checkpoints that lie side by side (one more while it is written) and the saved model."""
    total, trainable = adapter.parameter_counts()
    kept = config.checkpoint.keep_last + 1 + (config.keeps_best() or config.checkpoint.keep_best)
    return kept * capacity.checkpoint_bytes(trainable, backend=dist.backend) + capacity.model_bytes(total, trainable)


def check_disk(config: Config, adapter: "HFModelAdapter", dist: "Distributed", folder: Path) -> None:
    """Compare what a run will write with the free space where `folder` is or will be, what lies there already counted in.

    Raises: UserError when it clearly cannot fit: better now than after hours.
    """
    needed, free = disk_bytes(config, adapter, dist), meters.free_disk_bytes(folder)
    there = [*folder.glob("checkpoints/**/*"), *folder.glob("model/**/*")]
    held = sum(path.stat().st_size for path in there if path.is_file())
    if free + held < NEARLY * needed:
        raise UserError(
            f"run.output_dir={folder}: checkpoints and model will take about {_size(needed)} and {_size(free)} are free; free "
            f"some, choose another disk with --run.output_dir, or keep fewer with --checkpoint.keep_last (now "
            f"{config.checkpoint.keep_last})"
        )


def expected_interval(config: Config, table: "TicketTable") -> str | None:
    """Half the width of the 95 % interval to expect on the test side, from how the nearest ticket's scores differ.

    1.96 standard deviations over the root of the number of near-duplicate groups; the deviation is measured on up to SAMPLE
    validation tickets. None where the metric is no mean over tickets or there is too little to measure.
    """
    from rca_dist.evaluation.baselines import Nearest
    from rca_dist.evaluation.text_metrics import score

    metric, test = config.eval.primary_metric, table.rows("test")
    if 0 < test["group"].nunique() < MIN_GROUPS:
        return f"the test side has {test['group'].nunique()} different tickets, and an interval needs at least {MIN_GROUPS}"
    train, validation = table.rows("train").head(MOST_TRAINING), table.rows("validation").head(SAMPLE)
    if metric not in TEXT_METRICS or len(validation) < 10 or len(test) == 0:
        return None
    answers = Nearest(train["prompt"].tolist(), train["answer"].tolist()).answer(validation["prompt"].tolist())[0]
    spread = float(np.std(score(answers, validation["answer"].tolist())[metric], ddof=1))
    scored = min(len(test), config.eval.max_tickets or len(test))
    points = 100 * 1.96 * spread / min(scored, test["group"].nunique()) ** 0.5
    return f"expect ±{points:.1f} {NAMES.get(metric, metric)} points on {scored} test tickets"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{max(1, round(count / 2**20))} MiB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
