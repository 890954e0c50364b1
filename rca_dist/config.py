"""Typed configuration: YAML files and dotted overrides, every problem reported at once.

`load(argv)` turns a command line into a resolved `Config`. Later sources win: defaults, then each `--config FILE`
in order, then overrides (`--section.key=value`, `--section.key value` or `section.key=value`). YAML is data only.
A field marked `HOW` changes how a result is computed (memory, logging, places), not what is computed; such fields
are left out of `computed_hash`, which names run directories.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

HOW: dict[str, Any] = {"computed": False}
Metric = Literal["loss", "perplexity", "bits_per_byte", "token_accuracy", "exact_match", "token_f1", "rouge_l", "chrf", "bleu"]
Side = Literal["train", "validation", "test"]
System = Literal["model", "base", "oracle", "nearest"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)


class Columns(Section):
    """Which columns of the export play which role; unset roles are found by name."""

    id: str | None = Field(None, description="column with the ticket number")
    prompt: list[str] | None = Field(None, description="columns joined to the ticket text, e.g. [title, description]")
    answer: list[str] | None = Field(None, description="column with the resolution or root cause to learn; several are joined")
    created_at: str | None = Field(None, description="column with the opening date")
    updated_at: str | None = Field(None, description="column with the last change; of a repeated id the newest row is kept")
    resolved_at: str | None = Field(None, description="column with the date of the solution; later journal entries are cut off")
    status: str | None = Field(None, description="column with the state; open and cancelled tickets are left out by it")
    group: list[str] | None = Field(None, description="tickets that share a value here, such as a problem id, stay on one side")
    slices: list[str] | None = Field(None, description="columns kept to break scores down by; category, priority... when unset")
    split: str | None = Field(None, description="column that names each ticket's side (or fold), for split.kind=file")
    parent: str | None = Field(None, description="one row per post: column with the id of the post that is answered")
    role: str | None = Field(None, description="one row per post: column that says question or answer")
    accepted: str | None = Field(None, description="one row per post: column that marks the accepted answer, or holds its id")


class Data(Section):
    path: str | list[str] = Field(
        "builtin:tickets",
        description="ticket export (CSV, TSV, JSON, JSONL, Parquet, Arrow, XLSX; .gz too), a folder or glob of them, a list, a "
        "folder of datasets.save_to_disk, hf:owner/name, or builtin:tickets",
    )
    columns: Columns = Field(default_factory=Columns)  # type: ignore[arg-type]
    encoding: str | None = Field(None, description="text encoding; found from the bytes when unset")
    delimiter: str | None = Field(None, description="field separator of a text file; found when unset")
    sheet: str | None = Field(None, description="sheet of an XLSX file; the first one with tickets when unset")
    redact: bool = Field(True, description="replace personal data and secrets by placeholders before anything else")
    names: list[str] | dict[str, str] = Field(
        [],
        description="languages in which people's names are looked for by a model, e.g. [en, fr], or language: spaCy model; "
        "needs the extra [pii]",
    )
    own_domains: list[str] = Field([], description="domains of your own, e.g. [contoso.com], whose hosts are all replaced")
    lenient: bool = Field(False, description="leave broken rows out (counted) instead of stopping")
    date_order: Literal["day_first", "month_first"] | None = Field(
        None, description="how 03/04/2025 is read; found from the whole column when unset"
    )
    repair_mojibake: bool = Field(False, description="repair text like 'ProblÃ¨me', decoded wrongly before the export")
    keep_open: bool = Field(False, description="keep tickets whose state says that they are still open")
    min_answer_words: int = Field(2, ge=1, description="shorter answers are left out")
    builtin_tickets: int = Field(2000, ge=20, description="rows that builtin:tickets generates")
    builtin_seed: int = Field(0, ge=0, description="seed of builtin:tickets")
    cache_dir: str | None = Field(
        None, description="prepared tables and tokens; default .cache beside the runs", json_schema_extra=HOW
    )


class Prompt(Section):
    style: Literal["auto", "plain", "chat"] = Field(
        "auto", description="chat: the tokenizer's own chat template; plain: template alone; auto: chat for instruct models"
    )
    language: Literal["auto", "en", "fr", "de", "es", "pt", "it", "nl"] = Field(
        "auto", description="language of the default texts; auto: that of over 60 % of the tickets, else English"
    )
    template: str | None = Field(
        None, description="text around the one marker {ticket}: the whole prompt, in chat style the user's message"
    )
    system: str = Field("auto", description="chat style: text of the system turn, empty for none; auto: by language")


class Split(Section):
    kind: Literal["group", "time", "random", "file"] = Field(
        "group",
        description="group keeps near-duplicates on one side; time trains on the past; file takes split.file, "
        "data.columns.split, or files named train, validation and test",
    )
    file: str | None = Field(None, description="a saved split (a run's split.parquet, or CSV with id and split), for kind=file")
    similarity: float = Field(0.7, gt=0.0, le=1.0, description="word 3-gram Jaccard from which two tickets are near-duplicates")
    test_size: Fraction = Field(0.1, description="share of tickets held out for the final score")
    validation_size: Fraction = Field(0.1, description="share of tickets held out for choices during training")
    folds: int = Field(0, ge=0, description="k > 1: k-fold split, fold split.fold is the test side")
    fold: int = Field(0, ge=0, description="which fold is held out")
    seed: int = Field(0, ge=0, description="seed of the split, apart from run.seed")
    group_columns: list[str] = Field(
        [], description="tickets equal in one of these columns stay on one side, e.g. [problem_id]"
    )


class Model(Section):
    name_or_path: str = Field("builtin:tiny", description="builtin:tiny, builtin:small, builtin:base, a folder, or a hub name")
    revision: str | None = Field(None, description="hub branch, tag or commit")
    trust_remote_code: bool = Field(False, description="run Python code that comes with the model; only for sources you trust")
    attn_implementation: str | None = Field(
        None, description="attention kernel as transformers names it, e.g. sdpa", json_schema_extra=HOW
    )
    load_in_4bit: bool = Field(
        False, description="QLoRA: frozen weights in 4-bit NF4; needs lora.r, a CUDA GPU and the [quant] extra"
    )


class Lora(Section):
    r: int = Field(0, ge=0, description="rank of the LoRA adapter; 0 trains all weights")
    alpha: float | None = Field(None, gt=0, description="scale of the adapter is alpha / r; default 2 r")
    dropout: Fraction = Field(0.0, description="dropout before the adapter; above 0 the exactness promises end")
    target_modules: list[str] | str = Field(
        "all-linear", description="all-linear (all but the output head), or names of modules, e.g. [q_proj, v_proj]"
    )
    use_dora: bool = Field(False, description="DoRA: magnitude and direction apart")
    use_rslora: bool = Field(False, description="rsLoRA: scale alpha / sqrt(r)")


class Train(Section):
    epochs: float | None = Field(
        None,
        gt=0,
        description="passes over the tickets; default 3, for builtin models 5 to 50 so that there are 450 steps",
    )
    max_steps: int | None = Field(None, ge=1, description="stop after so many optimizer steps instead")
    global_batch_size: int = Field(16, ge=1, description="examples per optimizer step, whatever the hardware")
    learning_rate: float | None = Field(
        None, gt=0, description="peak rate; default 4e-3 for builtin:tiny, 1e-3 other builtin, else 2e-5, with LoRA 2e-4"
    )
    max_length: int = Field(1024, ge=16, description="tokens per example; longer ticket texts are cut, counted")
    max_tokens_per_micro_batch: int = Field(
        4096,
        ge=16,
        description="tokens per forward pass on one process, padding included: the memory knob",
        json_schema_extra=HOW,
    )
    lr_scheduler: Literal["cosine", "linear", "constant", "wsd"] = Field(
        "cosine",
        description="after warm-up: cosine or linear to 0; constant; wsd: constant, then linear to 0 over decay_ratio",
    )
    decay_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = Field(0.2, description="wsd: share of the steps with falling rate")
    warmup_ratio: Fraction = Field(0.05, description="share of the steps with rising rate")
    warmup_steps: int | None = Field(None, ge=0, description="steps with rising rate; wins over warmup_ratio")
    weight_decay: float = Field(0.01, ge=0, description="AdamW decay, on matrices only")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.95), description="AdamW moment decays")
    max_grad_norm: float = Field(1.0, ge=0, description="clip the gradient's norm to this; 0 for never")
    dropout: Fraction = Field(0.0, description="overrides the model's dropout rates; above 0 the exactness promises end")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="arithmetic of forward and backward; auto is bf16 where the device has it and it pays"
    )
    batching: Literal["auto", "packed", "padded"] = Field(
        "auto",
        description="packed: examples end to end, isolated, no padding; padded: rows of like length; auto: by device and model",
        json_schema_extra=HOW,
    )
    gradient_checkpointing: bool | Literal["auto"] = Field(
        "auto",
        description="recompute activations in the backward pass: less memory, about a third more time; auto: when needed",
        json_schema_extra=HOW,
    )
    torch_compile: bool = Field(
        False,
        description="compile the transformer blocks (not under DeepSpeed); the first steps take minutes",
        json_schema_extra=HOW,
    )
    label_smoothing: Fraction = Field(
        0.0, description="share of the target spread over the vocabulary; above 0 train/loss is no NLL"
    )
    neftune_alpha: float = Field(0.0, ge=0, description="NEFTune: noise on the embeddings; above 0 the exactness promises end")
    early_stopping_patience: int | None = Field(
        None, ge=1, description="stop after so many validation losses in a row that are not the best so far"
    )
    final_weights: Literal["auto", "last", "best"] = Field(
        "auto",
        description="what is saved and evaluated at the end: best by validation loss, or last; auto: best with early stopping",
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        description="save and stop after so many minutes of this start; the same command goes on",
        json_schema_extra=HOW,
    )
    eval_steps: int | None = Field(None, ge=1, description="validation loss every so many steps; default ten times a run")
    log_steps: int = Field(10, ge=1, description="a line in metrics.jsonl every so many steps", json_schema_extra=HOW)


class Eval(Section):
    splits: list[Side] = Field(["test"], min_length=1, description="sides to score after training")
    systems: list[System] = Field(["model", "base", "oracle", "nearest"], min_length=1, description="what answers the tickets")
    primary_metric: Metric = Field("chrf", description="the one metric of the verdict, fixed beforehand")
    max_new_tokens: int | None = Field(None, ge=1, description="limit of a generated answer; default from the training answers")
    max_tickets: int | None = Field(None, ge=1, description="score only so many tickets of a side, chosen by id hash, said")
    batch_tokens: int = Field(8192, ge=16, description="padded tokens per forward pass while scoring", json_schema_extra=HOW)
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto is fp32 on a CPU, else the training precision")
    bootstrap_samples: int = Field(1000, ge=100, description="resamples behind each 95 % interval")


class Dist(Section):
    timeout_seconds: int = Field(600, ge=10, description="a rank that stays silent so long ends the job", json_schema_extra=HOW)


class Checkpoint(Section):
    save_steps: int | None = Field(
        None, ge=1, description="steps between checkpoints; default ten times a run", json_schema_extra=HOW
    )
    keep_last: int = Field(2, ge=1, description="newest checkpoints kept", json_schema_extra=HOW)
    keep_best: bool = Field(
        False, description="keep the one of the lowest validation loss too, whatever final_weights is", json_schema_extra=HOW
    )
    resume: str = Field(
        "auto",
        min_length=1,
        description="auto: the same command goes on with its unfinished run; never; or the path of a checkpoint or run",
        json_schema_extra=HOW,
    )
    trust: bool = Field(
        False, description="read the checkpoint that resume names, which may hold pickled Python code", json_schema_extra=HOW
    )
    on_error: Literal["continue", "stop"] = Field(
        "continue", description="when a checkpoint cannot be written: warn and go on, or end the run", json_schema_extra=HOW
    )
    background: bool = Field(
        True, description="training goes on while a copy of its state is written to disk", json_schema_extra=HOW
    )


class Tracking(Section):
    wandb: Literal["auto", "online", "offline", "disabled"] = Field(
        "auto", description="auto: online when a key is configured, else offline", json_schema_extra=HOW
    )
    project: str = Field("rca_dist", description="W&B project", json_schema_extra=HOW)
    entity: str | None = Field(None, description="W&B team or user", json_schema_extra=HOW)
    group: str | None = Field(None, description="W&B group", json_schema_extra=HOW)
    tags: list[str] = Field([], description="W&B tags", json_schema_extra=HOW)


class Run(Section):
    name: str | None = Field(None, description="name shown in reports and W&B", json_schema_extra=HOW)
    output_dir: str | None = Field(None, description="run directory; default runs/<data>-<model>-<hash>", json_schema_extra=HOW)
    overwrite: bool = Field(False, description="remove what an earlier run left in the directory", json_schema_extra=HOW)
    seed: int = Field(0, ge=0, description="seed of weights and of the order of examples")
    deterministic: bool = Field(
        False, description="only kernels that give the same bits every time (GPUs; slower)", json_schema_extra=HOW
    )


class Config(Section):
    data: Data = Field(default_factory=Data)  # type: ignore[arg-type]
    prompt: Prompt = Field(default_factory=Prompt)  # type: ignore[arg-type]
    split: Split = Field(default_factory=Split)  # type: ignore[arg-type]
    model: Model = Field(default_factory=Model)  # type: ignore[arg-type]
    lora: Lora = Field(default_factory=Lora)  # type: ignore[arg-type]
    train: Train = Field(default_factory=Train)  # type: ignore[arg-type]
    eval: Eval = Field(default_factory=Eval)  # type: ignore[arg-type]
    dist: Dist = Field(default_factory=Dist)  # type: ignore[arg-type]
    checkpoint: Checkpoint = Field(default_factory=Checkpoint)  # type: ignore[arg-type]
    tracking: Tracking = Field(default_factory=Tracking)  # type: ignore[arg-type]
    run: Run = Field(default_factory=Run)  # type: ignore[arg-type]

    def resolved(self) -> "Config":
        """A copy in which every default that depends on another key is written out, and paths are absolute."""
        out = self.model_copy(deep=True)
        builtin = out.model.name_or_path.startswith("builtin:")
        if out.train.learning_rate is None:
            full = {"builtin:tiny": 4e-3}.get(out.model.name_or_path, 1e-3 if builtin else 2e-5)
            out.train.learning_rate = full if builtin or not out.lora.r else 2e-4
        if out.lora.alpha is None and out.lora.r:
            out.lora.alpha = 2.0 * out.lora.r
        path = out.data.path
        out.data.path = [_absolute(part) for part in path] if isinstance(path, list) else _absolute(path)
        if out.split.file:
            out.split.file = str(Path(out.split.file).expanduser().absolute())
        if out.checkpoint.resume not in ("auto", "never"):
            out.checkpoint.resume = str(Path(out.checkpoint.resume).expanduser().absolute())
        return out

    def default_epochs(self, training_tickets: int) -> float:
        """`train.epochs`, or its default: 3 for a model that knows language; from random weights enough for 450 steps."""
        if self.train.epochs is not None:
            return self.train.epochs
        if not self.model.name_or_path.startswith("builtin:"):
            return 3.0
        per_epoch = math.ceil(training_tickets / self.train.global_batch_size)
        return float(min(50, max(5, math.ceil(450 / per_epoch))))

    def keeps_best(self) -> bool:
        """Whether the run ends with the weights of its lowest validation loss."""
        asked, patience = self.train.final_weights, self.train.early_stopping_patience
        return asked == "best" or (asked == "auto" and patience is not None)

    def computed(self) -> dict[str, Any]:
        """The settings that decide what is computed, as plain data."""
        return _computed(self)

    def computed_hash(self, *fingerprints: str) -> str:
        """8 hex digits over `computed()` and the given content fingerprints."""
        text = json.dumps([self.computed(), *fingerprints], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def to_yaml(self) -> str:
        """The config for config.yaml and --print_config, without `run.output_dir`, `.name` and `.overwrite`."""
        import yaml

        data = self.model_dump(mode="json", exclude={"run": {"output_dir", "name", "overwrite"}})
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _computed(section: BaseModel) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("computed") is False:
            continue
        value = getattr(section, name)
        inner = _computed(value) if isinstance(value, BaseModel) else value
        if inner != {} or not isinstance(value, BaseModel):
            out[name] = inner
    # The path says where the tickets lie; their content enters the hash as a fingerprint.
    if isinstance(section, Data) and section.path != "builtin:tickets":
        out.pop("path")
    if isinstance(section, Split):
        out.pop("file")
    return out


def _absolute(path: str) -> str:
    """A path from the root; names that are no path (builtin:..., hf:..., owner/name of a data set) as they are."""
    if path.startswith(("builtin:", "hf:")):
        return path
    file = Path(path).expanduser()
    if re.fullmatch(r"[\w-][\w.-]*/[\w-]+", path) and not file.exists() and not file.parent.exists():
        return path
    return str(file.absolute())


def json_schema() -> str:
    """The schema of settings files as JSON text, sections and keys with their meanings."""
    schema = Config.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "rca_dist settings"}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
