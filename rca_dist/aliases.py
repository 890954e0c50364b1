"""Names that people bring from Hugging Face, TRL, Axolotl and the predecessor, and what they are called here.

An option under a foreign name gives the same config as ours, with a note. What has no counterpart is refused with the reason,
or, where it changes no result, noted and left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.foreign_names import (
    BETAS,
    DTYPES,
    FIXED,
    MUST_BE_OFF,
    MUST_BE_ON,
    PER_DEVICE,
    REFUSED,
    RENAMED,
    SCHEDULERS,
    WITHOUT_EFFECT,
)  # fmt: skip

YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "none", "")


@dataclass
class Translation:
    """What foreign options amount to: `values` by our keys, with the option and the level it came from; `notes`; `problems`.

    `written`: each option as it stands on the command line or in its file.
    """

    values: dict[str, tuple[Any, str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    needs_world_size: bool = False
    written: dict[str, str] = field(default_factory=dict)
    level: int = 0

    def set(self, key: str, value: Any, option: str) -> None:
        """Set one of our keys; a second, different value of the same level is a problem."""
        before, other, level = self.values.get(key, (value, option, self.level))
        if level == self.level and str(before) != str(value):
            self.problems.append(
                f"{option} means {key}={shown(value)} but {other} means {key}={shown(before)}; give one of them"
            )
        elif level <= self.level:
            self.values[key] = (value, option, self.level)


def is_foreign(name: str) -> bool:
    """Whether this is a name that `translate` knows."""
    known = (RENAMED, PER_DEVICE, BETAS, FIXED, WITHOUT_EFFECT, REFUSED, SPECIAL, ("gradient_accumulation_steps",))
    return any(name in names for names in known)


def translate(options: list[tuple[str, int, Any, str | None]], *, world_size: int) -> Translation:
    """Foreign options (name, level, value, file or None) in our terms; of one name the last of the highest level counts.

    Levels say which source wins, as files in their order and the command line last. `world_size` turns a batch per device
    into a whole one.
    """
    out = Translation()
    given: dict[str, Any] = {}
    levels: dict[str, int] = {}
    for name, level, value, file in options:
        if levels.get(name) == level and str(given[name]) != str(value):
            out.problems.append(f"--{name} is given twice: {shown(given[name])} and {shown(value)}")
        given[name], levels[name] = value, level
        out.written[name] = f"{name}: {shown(value)} ({file})" if file else f"--{name}={shown(value)}"
    for name, value in given.items():
        out.level = levels[name]
        option = out.written[name]
        if name == "warmup_steps" and _is_share(value):
            out.set("train.warmup_ratio", value, option)
        elif name in RENAMED:
            out.set(RENAMED[name], value, option)
        elif name in SPECIAL:
            _attempt(out, option, lambda n=name, v=value, o=option: SPECIAL[n](out, v, o))  # type: ignore[misc]
        elif name in REFUSED:
            if not _is(NO, value):
                out.problems.append(f"{option}: {REFUSED[name]}")
        elif name in FIXED:
            accepted, meaning = FIXED[name]
            _settled(out, option, meaning, fits=_plain(value) in accepted)
        elif name in WITHOUT_EFFECT:
            wrong = (name in MUST_BE_OFF and _is(YES, value)) or (name in MUST_BE_ON and _is(NO, value))
            _settled(out, option, WITHOUT_EFFECT[name], fits=not wrong)
    for work, names in ((_batch, (*PER_DEVICE, "gradient_accumulation_steps")), (_betas, tuple(BETAS))):
        out.level = max((levels[name] for name in names if name in levels), default=0)
        _attempt(out, "", lambda w=work: w(out, given, world_size))  # type: ignore[misc]
    out.notes += [f"{option} is {key}={shown(value)} here" for key, (value, option, _) in out.values.items()]
    return out


def _attempt(out: Translation, option: str, work: Callable[[], None]) -> None:
    try:
        work()
    except UserError as error:
        out.problems.append(f"{option}: {error}" if option else str(error))


def _settled(out: Translation, option: str, meaning: str, *, fits: bool) -> None:
    if fits:
        out.notes.append(f"{option} has no effect: {meaning}")
    else:
        out.problems.append(f"{option}: {meaning}; leave it out")


def _batch(out: Translation, given: dict[str, Any], world_size: int) -> None:
    sizes = [(name, given[name]) for name in PER_DEVICE if name in given]
    accumulation = given.get("gradient_accumulation_steps", 1)
    steps = out.written.get("gradient_accumulation_steps", "")
    if not sizes:
        if _whole(accumulation, steps) > 1:
            raise UserError(
                f"{steps} without per_device_train_batch_size: say how many examples "
                "make a step with train.global_batch_size; train.max_tokens_per_micro_batch cuts it into micro-batches"
            )
        return
    (name, size), *more = sizes
    if any(str(other) != str(size) for _, other in more):
        raise UserError(f"{out.written[name]} and {out.written[more[0][0]]} differ; give one of them")
    parts = [_whole(size, out.written[name]), _whole(accumulation, steps), world_size]
    out.needs_world_size = True
    out.set("train.global_batch_size", parts[0] * parts[1] * parts[2],
            f"{out.written[name]} x gradient_accumulation_steps {parts[1]} x {parts[2]} processes")  # fmt: skip


def _betas(out: Translation, given: dict[str, Any], world_size: int) -> None:
    if not any(name in given for name in BETAS):
        return
    betas = [0.9, 0.999]
    for name, place in BETAS.items():
        try:
            # A switch is no number, though Python would take it for one.
            betas[place] = float(str(given.get(name, betas[place])))
        except ValueError:
            raise UserError(f"{out.written[name]}: must be a number") from None
    out.set("train.betas", betas, " and ".join(out.written[name] for name in BETAS if name in given))


def _scheduler(out: Translation, value: Any, option: str) -> None:
    if str(value) not in SCHEDULERS:
        raise UserError(f"choose one of {', '.join(SCHEDULERS)}")
    out.set("train.lr_scheduler", SCHEDULERS[str(value)], option)


def _precision(name: str) -> Callable[[Translation, Any, str], None]:
    def set_it(out: Translation, value: Any, option: str) -> None:
        if str(value).lower() == "auto" or _switch(value, option):
            out.set("train.precision", "auto" if str(value).lower() == "auto" else name, option)

    return set_it


def _packing(out: Translation, value: Any, option: str) -> None:
    out.set("train.batching", "packed" if _switch(value, option) else "padded", option)


def _adapter(out: Translation, value: Any, option: str) -> None:
    text = str(value).lower()
    if text in ("qlora", *YES, "lora"):
        # lora_r says it better where it is given.
        out.values.setdefault("lora.r", (16, option, -1))
        if text == "qlora":
            out.set("model.load_in_4bit", True, option)
    elif text not in NO:
        raise UserError("adapters here are lora and qlora")


def _best(out: Translation, value: Any, option: str) -> None:
    out.set("train.final_weights", "best" if _switch(value, option) else "last", option)


def _report_to(out: Translation, value: Any, option: str) -> None:
    names = [part.strip(" []'\"") for part in str(value).split(",")]
    if names == ["none"]:
        out.set("tracking.wandb", "disabled", option)
    elif names in (["wandb"], ["all"]):
        out.set("tracking.wandb", "auto", option)
    else:
        raise UserError("numbers go to metrics.jsonl and W&B: wandb or none")


def _resume(out: Translation, value: Any, option: str) -> None:
    if _is(YES, value):
        out.set("checkpoint.resume", "auto", option)
    elif _is(NO, value):
        out.set("checkpoint.resume", "never", option)
    else:
        raise UserError(
            "the same command goes on from its own newest checkpoint; give the run's directory as run.output_dir, or one of "
            "our checkpoints elsewhere as checkpoint.resume with checkpoint.trust=true"
        )


def _dtype(out: Translation, value: Any, option: str) -> None:
    if str(value) not in DTYPES:
        raise UserError(f"choose one of {', '.join(DTYPES)}")
    out.set("train.precision", DTYPES[str(value)], option)


def _dataset(out: Translation, value: Any, option: str) -> None:
    path = Path(str(value)).expanduser()
    if not (path.is_file() or path.suffix in (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".gz")):
        raise UserError("no data set is downloaded; give a ticket export on this machine as data.path")
    out.set("data.path", str(value), option)


def _datasets(out: Translation, value: Any, option: str) -> None:
    entries = value if isinstance(value, list) else [value]
    if len(entries) != 1 or not isinstance(entries[0], dict) or "path" not in entries[0]:
        raise UserError("a run has one ticket export: a list of one entry with path: FILE, or data.path")
    _dataset(out, entries[0]["path"], option)
    others = ", ".join(str(key) for key in entries[0] if key != "path")
    if others:
        out.notes.append(f"{others} under datasets has no effect: data.columns names what is used")


def _special_tokens(out: Translation, value: Any, option: str) -> None:
    if not isinstance(value, dict) or {name for name, token in value.items() if token} - {"pad_token"}:
        raise UserError("the special tokens of the model's own tokenizer are used; leave it out")
    out.notes.append(f"{option} has no effect: padding is never learnt")


def _all_linear(out: Translation, value: Any, option: str) -> None:
    if _switch(value, option):
        out.set("lora.target_modules", "all-linear", option)
    else:
        out.notes.append(f"{option} has no effect: lora.target_modules names the modules")


SPECIAL: dict[str, Callable[[Translation, Any, str], None]] = {
    "lr_scheduler_type": _scheduler, "bf16": _precision("bf16"), "fp16": _precision("fp16"), "packing": _packing,
    "sample_packing": _packing, "use_peft": _adapter, "adapter": _adapter, "load_best_model_at_end": _best,
    "report_to": _report_to, "resume_from_checkpoint": _resume, "auto_resume_from_checkpoints": _resume,
    "dataset_name": _dataset, "datasets": _datasets, "special_tokens": _special_tokens, "lora_target_linear": _all_linear,
    "torch_dtype": _dtype, "dtype": _dtype, "lr_scheduler": _scheduler,
}  # fmt: skip


def _is_share(value: Any) -> bool:
    """Newer releases of transformers take a share of the steps under the name of their number."""
    try:
        return 0 < float(value) < 1
    except (TypeError, ValueError):
        return False


def _is(words: tuple[str, ...], value: Any) -> bool:
    return str(value).lower() in words


def _plain(value: Any) -> str:
    """A value as text, a number in its shortest form."""
    try:
        return f"{float(str(value)):g}"
    except ValueError:
        return str(value)


def _switch(value: Any, option: str) -> bool:
    if not (_is(YES, value) or _is(NO, value)):
        raise UserError("must be true or false")
    return _is(YES, value)


def _whole(value: Any, option: str) -> int:
    text = str(value)
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"{option}: must be a whole number from 1")
    return int(text)


def shown(value: Any) -> str:
    """A value as messages show it: at most 60 characters, switches as YAML writes them."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
