"""From a config to the parts of a job. Heavy libraries are imported where they are needed."""

import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist import estimates
from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.model import names
from rca_dist.prompting import plain_template, prompt_format

if TYPE_CHECKING:
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tickets.table import TicketTable
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)
SPLITS = ("train", "validation", "test")


def build_adapter(config: Config, table: "TicketTable", distributed: "Distributed") -> "HFModelAdapter":
    """The model with fresh weights, the tokenizer of a built-in one trained on the training split only. Collective."""
    from rca_dist.model import extras
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.head import prepare_head
    from rca_dist.model.lora import LoraSettings

    _check_fit(config, distributed)
    lora, options = config.lora, _loading(config, table)
    if lora.r:
        assert lora.alpha is not None
        options["lora"] = LoraSettings(
            r=lora.r, alpha=lora.alpha, dropout=lora.dropout, target_modules=lora.target_modules,
            use_dora=lora.use_dora, use_rslora=lora.use_rslora,
        )  # fmt: skip
        if distributed.device.type == "cuda" and distributed.precision != "fp32" and distributed.backend in ("no", "ddp"):
            # Sharding wants one type for all weights of a layer, and needs the saving least.
            options["frozen_dtype"] = distributed.low_dtype
    options |= {
        "load_in_4bit": config.model.load_in_4bit, "gradient_checkpointing": config.train.gradient_checkpointing is True,
    }  # fmt: skip
    if config.model.name_or_path.startswith("builtin:"):
        adapter = HFModelAdapter.load(config.model.name_or_path, once=distributed.on_main, **options)
    else:
        adapter = _load_once(config.model.name_or_path, distributed, **options)
    _recompute_if_needed(config, adapter, distributed)
    adapter.step = functools.partial(adapter.step, label_smoothing=config.train.label_smoothing)
    if config.train.neftune_alpha:
        extras.add_embedding_noise(adapter.model, config.train.neftune_alpha)
    # Only rank 0 may hold weights yet, so it decides for all.
    direct = distributed.on_main(lambda: prepare_head(adapter.model))
    if direct:
        prepare_head(adapter.model, proven=True)
    elif distributed.is_main:
        log.info("%s changes its logits after the head: a table of logits is made for supervised positions", adapter.name)
    return adapter


def _recompute_if_needed(config: Config, adapter: "HFModelAdapter", distributed: "Distributed") -> None:
    """Gradient checkpointing where memory would not do without. Collective."""
    if config.train.gradient_checkpointing != "auto":
        return
    reason = estimates.needs_checkpointing(config, adapter, distributed)
    if reason is None:
        return
    try:
        adapter.checkpoint_activations()
    except UserError:
        if distributed.is_main:
            log.warning("warning: %s, and %s cannot recompute activations", reason, adapter.name)
        return
    if distributed.is_main:
        log.info("gradient checkpointing is on: %s (train.gradient_checkpointing=false switches it off)", reason)


def _load_once(name: str, distributed: "Distributed", **options: Any) -> "HFModelAdapter":
    """A pretrained model whose weights rank 0 alone has read; `prepare` sends them on. Collective.

    Ranks whose empty network does not look like rank 0's (a type that only the saved weights tell) read them too.
    """
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import layout

    main = distributed.is_main
    # A download takes longer than a collective may.
    whole = distributed.on_main_patiently(lambda: HFModelAdapter.load(name, **options))
    adapter = distributed.together(lambda: whole or HFModelAdapter.load(name, **options, weights=False))
    wanted = distributed.on_main(lambda: layout(adapter.model))
    if distributed.any_rank(layout(adapter.model) != wanted):
        adapter = distributed.together(lambda: adapter if main else HFModelAdapter.load(name, **options))
    return adapter


def _check_fit(config: Config, distributed: "Distributed") -> None:
    """Settings of the model that back end or precision cannot serve. Raises: UserError."""
    backend = distributed.backend
    if config.model.load_in_4bit and backend not in ("no", "ddp"):
        raise UserError(
            f"model.load_in_4bit=true under {backend}: 4-bit weights cannot be sharded; use configs/accelerate/ddp.yaml "
            "(each GPU holds them whole), or shard without load_in_4bit"
        )
    wanted = config.eval.precision
    if backend == "fsdp2" and distributed.device.type == "cuda" and wanted not in ("auto", distributed.precision):
        raise UserError(
            f"eval.precision={wanted}: FSDP2 computes in train.precision={distributed.precision} only; leave it at auto"
        )
    if config.train.torch_compile and backend.startswith("zero"):
        raise UserError(
            f"train.torch_compile=true under {backend}: DeepSpeed's hooks cannot be compiled; leave it out, or shard with "
            "configs/accelerate/fsdp2.yaml"
        )
    kernel = config.model.attn_implementation or ""
    if kernel.startswith("flash_attention") and distributed.precision == "fp32":
        raise UserError(
            f"model.attn_implementation={kernel} computes in 16 bits but train.precision=fp32; use --train.precision=bf16, or "
            "leave the kernel out"
        )


def _loading(config: Config, table: "TicketTable") -> dict[str, Any]:
    model = config.model
    options: dict[str, Any] = {
        "revision": model.revision, "trust_remote_code": model.trust_remote_code,
        "attn_implementation": model.attn_implementation, "dropout": config.train.dropout, "seed": config.run.seed,
    }  # fmt: skip
    if model.name_or_path.startswith("builtin:"):
        train = table.rows("train")
        options["texts"] = [*train["prompt"], *train["answer"], plain_template(config, table).replace("{ticket}", "")]
    return options


def choose_batching(config: Config, adapter: "HFModelAdapter", distributed: "Distributed") -> str:
    """packed or padded; a model that cannot do what is asked is said to. The trainer checks the choice again by a loss."""
    wanted = config.train.batching
    if wanted == "padded":
        return wanted
    from rca_dist.model import packing

    reason = distributed.on_main(lambda: packing.support(adapter.model, distributed.device))
    if reason is None:
        packing.enable(adapter.model)
        return "packed"
    if distributed.is_main:
        log.log(logging.WARNING if wanted == "packed" else logging.INFO, "padded rows instead of packed ones: %s", reason)
    return "padded"


def build_datasets(
    config: Config, table: "TicketTable", adapter: "HFModelAdapter", cache: Path, distributed: "Distributed"
) -> dict[str, "RCADataset"]:
    """Encoded tickets of every split; encoded by rank 0, opened from the cache by the others."""
    from rca_dist.tokens.encode import RCADataset

    form = prompt_format(config, table, adapter)
    if distributed.is_main and form.chat:
        log.info("prompts: chat template of %s", adapter.name)
    asked = "max_length" in config.train.model_fields_set
    if distributed.is_main and asked and config.train.max_length > adapter.max_length:
        log.warning(
            "warning: train.max_length=%d is cut to %d, the window of %s",
            config.train.max_length,
            adapter.max_length,
            adapter.name,
        )
    adapter.ends_with(form.end_id)

    def encode(split: str, answer_room: int | None) -> RCADataset:
        arguments, options = _encoding(config, table, adapter, split)
        return RCADataset.from_tickets(*arguments, **options, template=form, answer_room=answer_room, cache_dir=cache)

    def encode_all() -> dict[str, RCADataset]:
        train = encode("train", None)
        return {"train": train} | {split: encode(split, train.answer_room) for split in SPLITS[1:]}

    return distributed.main_first(encode_all)


def _encoding(
    config: Config, table: "TicketTable", adapter: "HFModelAdapter", split: str
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of `RCADataset.from_tickets` for a side."""
    rows = table.rows(split)
    return (rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer), {
        "eos_id": adapter.eos_id, "pad_id": adapter.pad_id, "max_length": min(config.train.max_length, adapter.max_length),
        "context": min(adapter.max_length, 1 << 20),
    }  # fmt: skip


def preview_prompts(config: Config, table: "TicketTable", *, colour: bool = False) -> str:
    """Three encoded training examples of this model, with what is learnt marked. Reads the tokenizer, no weights."""
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.tokens.preview import preview

    names.check(config.model.name_or_path)
    adapter = HFModelAdapter.load(config.model.name_or_path, weights=False, **_loading(config, table))
    arguments, options = _encoding(config, table, adapter, "train")
    train = RCADataset.from_tickets(*arguments, **options, template=prompt_format(config, table, adapter))
    return preview(train, adapter.tokenizer, colour=colour)


def build_evaluator(
    config: Config,
    table: "TicketTable",
    adapter: "HFModelAdapter",
    datasets: dict[str, "RCADataset"],
    trainer: "Trainer",
    stop_requested: Callable[[], bool] = lambda: False,
) -> "Evaluator":
    """The evaluator of a run. For the base model the trained network takes the old weights, or leaves its adapter out."""
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter

    def first_weights() -> dict[str, Any]:
        fresh = HFModelAdapter.load(config.model.name_or_path, **_loading(config, table))
        return dict(fresh.model.state_dict())

    settings = config.eval
    return Evaluator(
        adapter, table, datasets,
        distributed=trainer.distributed, packed=trainer.packed,
        base=adapter.base_weights if adapter.is_lora else lambda: trainer.engine.other_weights(first_weights),
        systems=settings.systems, primary_metric=settings.primary_metric, max_new_tokens=settings.max_new_tokens,
        max_tickets=settings.max_tickets, batch_tokens=settings.batch_tokens, precision=settings.precision,
        bootstrap_samples=settings.bootstrap_samples, seed=config.split.seed, stop_requested=stop_requested,
    )  # fmt: skip


def build_trainer(
    config: Config,
    adapter: "HFModelAdapter",
    dataset: "RCADataset",
    distributed: "Distributed",
    **parts: Any,
) -> "Trainer":
    """The trainer of a run; `parts` are its log, evaluation, checkpoint and stop functions."""
    from rca_dist.training.trainer import Trainer

    train = config.train
    assert train.learning_rate is not None and train.epochs is not None
    batching = choose_batching(config, adapter, distributed)
    if train.torch_compile:
        from rca_dist.model.extras import compile_blocks

        compile_blocks(adapter.model)
    return Trainer(
        adapter.model, adapter.step, dataset,
        distributed=distributed, epochs=train.epochs, max_steps=train.max_steps,
        global_batch_size=train.global_batch_size, max_tokens_per_micro_batch=train.max_tokens_per_micro_batch,
        learning_rate=train.learning_rate, lr_scheduler=train.lr_scheduler, decay_ratio=train.decay_ratio,
        warmup_ratio=train.warmup_ratio, early_stopping_patience=train.early_stopping_patience, keep_best=config.keeps_best(),
        warmup_steps=train.warmup_steps, weight_decay=train.weight_decay, betas=train.betas,
        max_grad_norm=train.max_grad_norm, batching=batching, optimizer_groups=adapter.optimizer_groups, seed=config.run.seed,
        log_steps=train.log_steps, eval_steps=train.eval_steps, save_steps=config.checkpoint.save_steps, **parts,
    )  # fmt: skip
