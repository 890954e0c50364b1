"""From a config to the parts of a job. Configuration objects stop here; the rooms take plain arguments.

`preflight` needs no torch: `rca-dist train` runs it before any process is launched, and every job runs it again.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rca_dist import tickets
from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.model import names
from rca_dist.runtime.files import check_writable
from rca_dist.runtime.rundir import FINISHED, RunDirectory, default_name
from rca_dist.runtime.tracking import wandb_mode

if TYPE_CHECKING:
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tickets.table import TicketTable
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)
SPLITS = ("train", "validation", "test")


@dataclass
class Prepared:
    """What is known before torch is imported."""

    tickets: "TicketTable"
    run: RunDirectory
    config_hash: str
    cache: Path

    def is_done(self, config: Config) -> bool:
        """Whether this very run is finished to its last file, the report, and nothing asks to repeat it."""
        whole = self.run.status == FINISHED and (self.run.path / "report.html").is_file()
        return whole and config.checkpoint.resume == "auto" and not config.run.overwrite


def preflight(config: Config) -> Prepared:
    """Check names and places, read and split the tickets (cached), find the run directory. Writes only into the cache.

    Raises: UserError.
    """
    names.check(config.model.name_or_path)
    wandb_mode(config.tracking.wandb)
    output = Path(config.run.output_dir).expanduser() if config.run.output_dir else None
    check_writable(output or Path("runs"), "run.output_dir")
    cache = cache_folder(config)
    if config.data.cache_dir:
        check_writable(cache, "data.cache_dir")
    table = prepare_tickets(config, cache)
    config.train.epochs = config.default_epochs(len(table.rows("train")))
    digest = config.computed_hash(table.fingerprint)
    path = output or Path("runs") / default_name(config.data.path, config.model.name_or_path, digest)
    run = RunDirectory(path.absolute())
    run.check(digest, overwrite=config.run.overwrite)
    return Prepared(table, run, digest, cache)


def cache_folder(config: Config) -> Path:
    """Where prepared tables and tokens are kept: `data.cache_dir`, else `.cache` beside the run directories."""
    if config.data.cache_dir:
        return Path(config.data.cache_dir).expanduser().absolute()
    parent = Path(config.run.output_dir).expanduser().absolute().parent if config.run.output_dir else Path("runs").absolute()
    return parent / ".cache"


def prepare_tickets(config: Config, cache: Path) -> "TicketTable":
    """The clean, redacted, split table of `data.path`."""
    data, split = config.data, config.split
    path = data.path
    if path == "builtin:tickets":
        path = str(builtin_tickets(cache, data.builtin_tickets, data.builtin_seed))
    return tickets.prepare(
        path,
        columns={role: column for role, column in data.columns.model_dump().items() if column is not None},
        encoding=data.encoding, delimiter=data.delimiter, redact=data.redact, lenient=data.lenient,
        min_answer_words=data.min_answer_words, kind=split.kind, similarity=split.similarity,
        test_size=split.test_size, validation_size=split.validation_size, seed=split.seed,
        folds=split.folds, fold=split.fold, group_columns=split.group_columns, cache_dir=cache,
    )  # fmt: skip


def builtin_tickets(cache: Path, count: int, seed: int) -> Path:
    """The generated export of builtin:tickets, written once into the cache."""
    from rca_dist.tickets.synthetic import generate, write_csv

    path = cache / f"builtin-tickets-{count}-{seed}.csv"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_csv(path, generate(count, seed))
    return path


def build_adapter(config: Config, table: "TicketTable", distributed: "Distributed") -> "HFModelAdapter":
    """The model with fresh weights, the tokenizer of a built-in one trained on the training split only. Collective."""
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
        "load_in_4bit": config.model.load_in_4bit, "gradient_checkpointing": config.train.gradient_checkpointing,
    }  # fmt: skip
    if config.model.name_or_path.startswith("builtin:"):
        adapter = HFModelAdapter.load(config.model.name_or_path, once=distributed.on_main, **options)
    else:
        adapter = _load_once(config.model.name_or_path, distributed, **options)
    # Only rank 0 may hold weights yet, so it decides for all.
    direct = distributed.on_main(lambda: prepare_head(adapter.model))
    if direct:
        prepare_head(adapter.model, proven=True)
    elif distributed.is_main:
        log.info("%s changes its logits after the head: a table of logits is made for supervised positions", adapter.name)
    return adapter


def _load_once(name: str, distributed: "Distributed", **options: Any) -> "HFModelAdapter":
    """A pretrained model whose weights rank 0 alone has read; `prepare` sends them on. Collective.

    Ranks whose empty network does not look like rank 0's (a type that only the saved weights tell) read them too.
    """
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import layout

    main = distributed.is_main
    adapter = distributed.together(lambda: HFModelAdapter.load(name, **options, weights=main))
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
        options["texts"] = [*train["prompt"], *train["answer"], config.prompt.template.replace("{ticket}", "")]
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

    def encode(split: str, answer_room: int | None) -> RCADataset:
        rows = table.rows(split)
        return RCADataset.from_tickets(
            rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer,
            eos_id=adapter.eos_id, pad_id=adapter.pad_id, template=config.prompt.template,
            max_length=min(config.train.max_length, adapter.max_length), answer_room=answer_room,
            context=min(adapter.max_length, 1 << 20), cache_dir=cache,
        )  # fmt: skip

    def encode_all() -> dict[str, RCADataset]:
        train = encode("train", None)
        return {"train": train} | {split: encode(split, train.answer_room) for split in SPLITS[1:]}

    return distributed.main_first(encode_all)


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
    return Trainer(
        adapter.model, adapter.step, dataset,
        distributed=distributed, epochs=train.epochs, max_steps=train.max_steps,
        global_batch_size=train.global_batch_size, max_tokens_per_micro_batch=train.max_tokens_per_micro_batch,
        learning_rate=train.learning_rate, lr_scheduler=train.lr_scheduler, warmup_ratio=train.warmup_ratio,
        warmup_steps=train.warmup_steps, weight_decay=train.weight_decay, betas=train.betas,
        max_grad_norm=train.max_grad_norm, batching=batching, optimizer_groups=adapter.optimizer_groups, seed=config.run.seed,
        log_steps=train.log_steps, eval_steps=train.eval_steps, save_steps=config.checkpoint.save_steps, **parts,
    )  # fmt: skip


def wandb_config(config: Config) -> dict[str, Any]:
    """What W&B may know of the config: numbers, switches and words from fixed lists; no path, no free text."""
    import typing

    from rca_dist.command_line import known_keys

    out: dict[str, Any] = {}
    for key, field in known_keys().items():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        fixed = typing.get_origin(field.annotation) is typing.Literal
        if isinstance(value, bool | int | float) or (isinstance(value, str) and fixed):
            out[key] = value
    if config.model.name_or_path.startswith("builtin:"):
        out["model.name_or_path"] = config.model.name_or_path
    return out
