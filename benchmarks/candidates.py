"""The candidates of the speed benchmark. Each trains in a process of its own and stops after every step until told to go on."""

import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import util
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from gauges import MemoryMeter
from harness import Material

# TRL checkpoints gradients unless told otherwise; that saves memory and costs time, so it runs with and without.
TRL: dict[str, dict[str, Any]] = {
    "trl-default": {"per_device_train_batch_size": 8},
    "trl-no-checkpointing": {"per_device_train_batch_size": 8, "gradient_checkpointing": False},
    "trl-free-1": {"per_device_train_batch_size": 1, "padding_free": True, "max_length": None, "gradient_checkpointing": False},
    "trl-free-2": {"per_device_train_batch_size": 2, "padding_free": True, "max_length": None, "gradient_checkpointing": False},
}
OURS = {"ours-padded": "padded", "ours-packed": "packed", "ours-auto": "auto"}
NAMES = (*TRL, *OURS)


@dataclass(frozen=True)
class Job:
    """One candidate's work: `steps` optimizer steps over `global_batch_size` examples each, all from one plan."""

    name: str
    model: str
    material: Path
    scratch: Path
    device: str
    precision: str
    steps: int
    global_batch_size: int
    max_tokens: int
    seed: int


@dataclass
class Counts:
    """What the forward passes of one step were given. Losses stay on the device until the step is over."""

    positions: int = 0
    supervised: int = 0
    micro_batches: int = 0
    losses: list[Any] = field(default_factory=list)

    def add(self, positions: int, supervised: Any, loss: Any) -> None:
        """Count one forward pass."""
        self.positions += positions
        self.supervised = self.supervised + supervised
        self.micro_batches += 1
        self.losses.append(loss)


class Pacer:
    """Reports each step to the parent process and waits for its word, so that candidates take turns."""

    def __init__(self, link: Connection, device: str) -> None:
        self.link = link
        self.device = device
        self.counts = Counts()
        self.mark = self.cpu_mark = 0.0

    def wait(self) -> None:
        """Sleep until told to go on; the step's clock starts then."""
        self.link.recv()
        self.counts = Counts()
        self.mark, self.cpu_mark = time.perf_counter(), time.process_time()

    def step_done(self, loss: float | None = None) -> None:
        """End the step's clock and report; `loss`: mean over the step's tokens, by default the sum of what was counted."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        seconds, cpu_seconds = time.perf_counter() - self.mark, time.process_time() - self.cpu_mark
        counts = self.counts
        self.link.send({
            "seconds": seconds, "cpu_seconds": cpu_seconds, "positions": counts.positions, "supervised": int(counts.supervised),
            "micro_batches": counts.micro_batches,
            "loss": sum(float(value) for value in counts.losses) if loss is None else loss,
        })  # fmt: skip
        self.wait()


def missing(name: str) -> str | None:
    """Why a candidate cannot run here, None when it can."""
    if name in TRL and util.find_spec("trl") is None:
        return "trl is not installed: pip install -c constraints.txt -e '.[bench]'"
    return None


def work(link: Connection, job: Job) -> None:
    """Body of a candidate's process: import, build, then one step per word from the parent; at the end the peak memory."""
    try:
        run: Callable[[Job, Pacer, MemoryMeter], dict[str, Any]] = _train_trl if job.name in TRL else _train_ours
        meter = MemoryMeter(job.device)
        facts = run(job, Pacer(link, job.device), meter)
        link.send({"peak_bytes": meter.peak()} | facts)
    except EOFError:
        pass  # the parent is gone
    except BaseException as error:
        link.send({"failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})


def _train_trl(job: Job, pacer: Pacer, meter: MemoryMeter) -> dict[str, Any]:
    import datasets
    from transformers import PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Counted(SFTTrainer):
        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            positions, supervised = inputs["input_ids"].numel(), (inputs["labels"][:, 1:] != -100).sum()
            loss = super().compute_loss(model, inputs, *args, **kwargs)
            pacer.counts.add(positions, supervised, loss.detach())
            return loss

    class Pace(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            pacer.step_done()

    datasets.disable_progress_bars()
    warnings.simplefilter("ignore", FutureWarning)
    meter.start()
    material = Material(job.material)
    adapter = material.adapter(job.model, job.seed)
    given = dict(TRL[job.name])
    settings = SFTConfig(
        output_dir=str(job.scratch), max_steps=job.steps, gradient_accumulation_steps=_accumulation(job, given),
        # The order is that of our plan, a random one: both sides then train on the same examples in each step.
        train_sampling_strategy="sequential", bf16=job.precision == "bf16", use_cpu=job.device == "cpu", seed=job.seed,
        report_to="none", save_strategy="no", disable_tqdm=True, **given,
    )  # fmt: skip
    rows = _rows(material.dataset(), job)
    trainer = Counted(
        adapter.model, settings, train_dataset=datasets.Dataset.from_list(rows), processing_class=adapter.tokenizer,
        callbacks=[Pace()],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    pacer.wait()
    trainer.train()
    return {"attention": adapter.model.config._attn_implementation}


def _accumulation(job: Job, given: dict[str, Any]) -> int:
    given["per_device_train_batch_size"] = min(given["per_device_train_batch_size"], job.global_batch_size)
    micro = given["per_device_train_batch_size"]
    if job.global_batch_size % micro:
        raise ValueError(f"{job.name}: the global batch of {job.global_batch_size} is no multiple of {micro}")
    return job.global_batch_size // micro


def step_examples(job: Job, lengths: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:
    """Indices of each step's examples as our plan deals them; every candidate trains on these."""
    from rca_dist.tokens.batching import StepPlan

    plan = StepPlan(lengths, counts, global_batch_size=job.global_batch_size, max_tokens=job.max_tokens, seed=job.seed)
    return [step.examples for step in plan.steps(0, job.steps)]


def _rows(dataset: Any, job: Job) -> list[dict[str, list[int]]]:
    order = np.concatenate(step_examples(job, dataset.lengths, dataset.counts))
    items = (dataset[int(n)] for n in order)
    return [{"input_ids": item["input_ids"].tolist(), "labels": item["labels"].tolist()} for item in items]


def _train_ours(job: Job, pacer: Pacer, meter: MemoryMeter) -> dict[str, Any]:
    from rca_dist.runtime.distributed import Distributed

    distributed = Distributed(precision=job.precision)
    meter.start()
    trainer = Material(job.material).trainer(
        job.model, distributed, batching=OURS[job.name], max_steps=job.steps, global_batch_size=job.global_batch_size,
        max_tokens=job.max_tokens, seed=job.seed,
    )  # fmt: skip
    plain_step = trainer.step_function

    def counted(model: Any, batch: dict[str, Any]) -> Any:
        loss_sum, count = plain_step(model, batch)
        pacer.counts.add(batch["input_ids"].numel(), count, loss_sum.detach())
        return loss_sum, count

    trainer.step_function = counted
    trainer.add_callback("on_step_end", lambda trainer: pacer.step_done(trainer.row["train/loss"]))
    pacer.wait()
    trainer.fit()
    return {"packed": trainer.packed}
