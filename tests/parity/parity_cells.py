"""The cells of the parity matrix, and the function that runs a group of them on every rank of one process group."""

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from parity_models import BUDGETS, LORA, MODELS, SCENARIOS, STEPS, dataset
from parity_reference import BETAS, DECAY, RATE, WARMUP

HERE = Path(__file__)
CLIP = 2.0  # below most gradient norms here, so that it acts
BACKENDS = ("no", "ddp", "fsdp2", "zero1", "zero2", "zero3", "zero3_offload")
# (back end, processes). One process of DDP is the plain loop; offloading changes nothing between processes.
GROUPS = (
    ("no", 1),
    ("ddp", 2),
    ("ddp", 3),
    *((name, world) for name in BACKENDS[2:6] for world in (1, 2, 3)),
    ("zero3_offload", 2),
)


@dataclass(frozen=True)
class Cell:
    """One run of ten steps: what is trained, on which examples, and how they are put into micro-batches."""

    model: str
    lora: bool
    scenario: str
    packed: bool
    budget: str
    clip: float = 0.0
    recompute: bool = False  # gradient checkpointing

    @property
    def name(self) -> str:
        """A name for messages and files."""
        parts = [self.model, "lora" if self.lora else "full", self.scenario, "packed" if self.packed else "padded", self.budget]
        return "-".join([*parts, *(["clipped"] if self.clip else []), *(["recompute"] if self.recompute else [])])

    @property
    def reference(self) -> tuple[str, bool, str, float]:
        """What the exact numbers depend on: the arguments of `parity_reference.run`."""
        return self.model, self.lora, self.scenario, self.clip


# Each dimension takes every value at least once, full and LoRA both packed and padded. GPT-2 is packed, since only its learned
# positions show whether positions restart in each example.
CORE = (
    Cell("llama", False, "uneven", False, "small"),
    Cell("gpt2", False, "idle", True, "small", CLIP),
    Cell("qwen2", True, "long", True, "large", recompute=True),
    Cell("llama_untied", True, "idle", False, "small"),
)


def matrix(backend: str, world: int) -> list[Cell]:
    """The cells of a group: {full, LoRA} x {packed, padded} x budgets x scenarios, models and clipping in turn.

    Three processes, one process of a sharding back end and offloading get a third of them. The turn starts elsewhere in each
    group, so that all groups together meet everything with everything.
    """
    shift = GROUPS.index((backend, world))
    cells = []
    for n, (lora, packed, budget, scenario) in enumerate(itertools.product((False, True), (True, False), BUDGETS, SCENARIOS)):
        turn = n + n // 4 + shift
        if (world == 3 or backend == "zero3_offload" or (world == 1 and backend != "no")) and turn % 3:
            continue
        clip = CLIP if (n + n // 2 + shift) % 2 else 0.0
        cells.append(Cell(MODELS[turn % len(MODELS)], lora, scenario, packed, budget, clip, recompute=turn % 5 == 0))
    return cells


def group_job(folder: Path, out: Path, backend: str, world: int, cells: list[Cell]) -> dict[str, Any]:
    """The JSON argument of `run_group`."""
    return {
        "folder": str(folder),
        "out": str(out),
        "backend": backend,
        "world": world,
        "cells": [asdict(cell) for cell in cells],
    }


def run_group(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the cells on this rank, through the project's own Distributed, Trainer and Evaluator. One result per cell.

    A result holds the logged losses and norms and the evaluation losses before and after; rank 0 writes the first gradients
    (after clipping) and all weights to `out`.
    """
    from rca_dist.runtime.distributed import Distributed

    results = []
    dist = Distributed(precision="fp32", timeout_seconds=60)
    assert (dist.backend, dist.world_size) == (job["backend"].removesuffix("_offload"), job["world"])
    for cell in (Cell(**fields) for fields in job["cells"]):
        results.append(run_cell(cell, dist, Path(job["folder"]), Path(job["out"])))
    dist.close()
    return results


def load_adapter(folder: Path, model: str, lora: bool, packed: bool = False, recompute: bool = False):
    """The saved model made ready as a run does it, with the saved adapter's values in place of the drawn ones."""
    from safetensors.torch import load_file

    from rca_dist.model import packing
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.head import prepare_head
    from rca_dist.model.lora import LoraSettings

    settings = LoraSettings(r=LORA["r"], alpha=LORA["alpha"]) if lora else None
    adapter = HFModelAdapter.load(str(folder / model), lora=settings, gradient_checkpointing=recompute)
    assert prepare_head(adapter.model)
    if packed:
        assert packing.support(adapter.model, torch.device("cpu")) is None
        packing.enable(adapter.model)
    if lora:
        start = load_file(folder / f"{model}-lora.safetensors")
        trainable = {plain_name(name): p for name, p in adapter.model.named_parameters() if p.requires_grad}
        assert trainable.keys() == start.keys(), trainable.keys() ^ start.keys()
        for name, p in trainable.items():
            p.data.copy_(start[name])
    return adapter


def plain_name(name: str) -> str:
    """A parameter's name in the model without wrappers: peft's prefix and suffixes taken off."""
    name = name.removeprefix("module.").removeprefix("base_model.model.")
    for part in ("A", "B"):
        name = name.replace(f"lora_{part}.default.weight", f"lora_{part}")
    return name.replace(".base_layer.", ".")


def evaluator(adapter, data, dist, **options):
    """An Evaluator over one split that holds all examples."""
    import pandas as pd

    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.tickets.table import TicketTable

    columns = {"id": data.ticket_ids, "prompt": "a", "answer": "b", "group": range(len(data)), "split": "train"}
    return Evaluator(
        adapter,
        TicketTable(pd.DataFrame(columns), {}, "x"),
        {"train": data},
        distributed=dist,
        systems=["model"],
        max_new_tokens=4,
    )


def build_trainer(adapter, cell: Cell, data, dist, **options):
    """The project's Trainer with the reference's settings."""
    from rca_dist.training.trainer import Trainer

    it = SCENARIOS[cell.scenario]
    settings = {
        "global_batch_size": it.global_batch_size, "max_tokens_per_micro_batch": BUDGETS[cell.budget],
        "batching": "packed" if cell.packed else "padded",
        "learning_rate": RATE, "warmup_steps": WARMUP, "lr_scheduler": "cosine", "betas": BETAS, "weight_decay": DECAY,
        "max_grad_norm": cell.clip, "max_steps": STEPS, "seed": it.seed, "log_steps": 1, "progress": False,
    }  # fmt: skip
    return Trainer(adapter.model, adapter.step, data, distributed=dist, **(settings | options))


def run_cell(cell: Cell, dist, folder: Path, out: Path, *, step=None, at_end=None) -> dict[str, Any]:
    """One cell on this rank; see `run_group`. `step` and `at_end(trainer)` are for mistakes made on purpose."""
    from safetensors.torch import save_file

    adapter, data = (load_adapter(folder, cell.model, cell.lora, cell.packed, cell.recompute), dataset(cell.scenario))
    rows, first = [], {}
    adapter.step = step or adapter.step
    trainer = build_trainer(adapter, cell, data, dist, log_row=rows.append)

    def keep_gradient(trainer) -> None:
        if trainer.step == 1:
            first.update(first_gradient(adapter.model, trainer.optimizer))

    trainer.add_callback("on_step_end", keep_gradient)
    scores = evaluator(adapter, data, dist, packed=cell.packed, batch_tokens=BUDGETS[cell.budget])
    before = scores.loss("train")["eval/loss"]
    if at_end:
        trainer.add_callback("on_train_end", at_end)
    trainer.fit()
    assert trainer.plan.packed == cell.packed, "the trainer fell back to another kind of batches"
    after = scores.loss("train")["eval/loss"]
    state = trainer.engine.full_state()
    if dist.is_main:
        tensors = {f"gradient.{plain_name(name)}": value for name, value in first.items()}
        tensors |= {f"weight.{plain_name(name)}": value for name, value in state.items()}
        save_file(
            {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()},
            out / f"{cell.name}.safetensors",
        )
    return {
        "losses": [row["train/loss"] for row in rows],
        "norms": [row["train/grad_norm"] for row in rows],
        "eval_before": before,
        "eval_after": after,
    }


def first_gradient(model, optimizer) -> dict[str, Any]:
    """AdamW's first moment after one step over (1 - beta1), whole on every rank, by parameter name. Collective."""
    inner = getattr(optimizer, "optimizer", optimizer)
    if hasattr(optimizer, "_hp_optimizer_states_linked"):
        # ZeRO-1 and 2 link what can be read after the first parameter group's first step, when the others have no state yet.
        optimizer._hp_optimizer_states_linked = False
        optimizer._lazy_init_hp_params_optimizer_state()
    out = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        if hasattr(p, "_hp_mapping") or hasattr(p, "ds_id"):
            from deepspeed.utils import safe_get_full_optimizer_state

            moment = safe_get_full_optimizer_state(p, "exp_avg")
        else:
            moment = inner.state[p]["exp_avg"]
            moment = moment.full_tensor() if hasattr(moment, "full_tensor") else moment
        out[name] = moment.detach().double() / (1 - BETAS[0])
    return out
