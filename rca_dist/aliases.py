"""Names that people bring from Hugging Face, TRL, Axolotl and the predecessor, and what they are called here.

An option under a foreign name gives the same config as ours, with a note. What has no counterpart is refused with the reason,
or, where it changes no result, noted and left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rca_dist.errors import UserError
from rca_dist.foreign_names import (
    BETAS,
    DTYPES,
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
    """What foreign options amount to: `values` by our keys, with the option and the level it came from; `notes`; `problems`."""

    values: dict[str, tuple[Any, str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    needs_world_size: bool = False
    level: int = 0

    def set(self, key: str, value: Any, option: str) -> None:
        """Set one of our keys; a second, different value of the same level is a problem."""
        before, other, level = self.values.get(key, (value, option, self.level))
        if level == self.level and str(before) != str(value):
            self.problems.append(
                f"{option} means {key}={_shown(value)} but {other} means {key}={_shown(before)}; give one of them"
            )
        elif level <= self.level:
            self.values[key] = (value, option, self.level)


def is_foreign(name: str) -> bool:
    """Whether this is a name that `translate` knows."""
    known = (RENAMED, PER_DEVICE, BETAS, WITHOUT_EFFECT, REFUSED, SPECIAL, ("gradient_accumulation_steps",))
    return any(name in names for names in known)


def translate(options: list[tuple[str, int, Any]], *, world_size: int) -> Translation:
    """Foreign options (name, level, value) in our terms; of one name the last of the highest level counts.

    Levels say which source wins, as files in their order and the command line last. `world_size` turns a batch per device
    into a whole one.
    """
    out = Translation()
    given: dict[str, Any] = {}
    levels: dict[str, int] = {}
    for name, level, value in options:
        if levels.get(name) == level and str(given[name]) != str(value):
            out.problems.append(f"--{name} is given twice: {_shown(given[name])} and {_shown(value)}")
        given[name], levels[name] = value, level
    for name, value in given.items():
        out.level = levels[name]
        option = f"--{name}={_shown(value)}"
        if name == "warmup_steps" and _is_share(value):
            out.set("train.warmup_ratio", value, option)
        elif name in RENAMED:
            out.set(RENAMED[name], value, option)
        elif name in SPECIAL:
            _attempt(out, option, lambda n=name, v=value, o=option: SPECIAL[n](out, v, o))  # type: ignore[misc]
        elif name in REFUSED:
            if not _is(NO, value):
                out.problems.append(f"{option}: {REFUSED[name]}")
        elif name in WITHOUT_EFFECT:
            _without_effect(out, name, value, option)
    for work, names in ((_batch, (*PER_DEVICE, "gradient_accumulation_steps")), (_betas, tuple(BETAS))):
        out.level = max((levels[name] for name in names if name in levels), default=0)
        _attempt(out, "", lambda w=work: w(out, given, world_size))  # type: ignore[misc]
    out.notes += [f"{option} is {key}={_shown(value)} here" for key, (value, option, _) in out.values.items()]
    return out


def _attempt(out: Translation, option: str, work: Callable[[], None]) -> None:
    try:
        work()
    except UserError as error:
        out.problems.append(f"{option}: {error}" if option else str(error))


def _without_effect(out: Translation, name: str, value: Any, option: str) -> None:
    wrong = (name in MUST_BE_OFF and _is(YES, value)) or (name in MUST_BE_ON and _is(NO, value))
    if wrong:
        out.problems.append(f"{option}: {WITHOUT_EFFECT[name]}; leave it out")
    else:
        out.notes.append(f"{option} has no effect: {WITHOUT_EFFECT[name]}")


def _batch(out: Translation, given: dict[str, Any], world_size: int) -> None:
    sizes = [(name, given[name]) for name in PER_DEVICE if name in given]
    accumulation = given.get("gradient_accumulation_steps", 1)
    if not sizes:
        if _whole(accumulation, "--gradient_accumulation_steps") > 1:
            raise UserError(
                f"--gradient_accumulation_steps={accumulation} without --per_device_train_batch_size: say how many examples "
                "make a step with train.global_batch_size; train.max_tokens_per_micro_batch cuts it into micro-batches"
            )
        return
    (name, size), *more = sizes
    if any(str(other) != str(size) for _, other in more):
        raise UserError(f"--{name}={size} and --{more[0][0]}={more[0][1]} differ; give one of them")
    parts = [_whole(size, f"--{name}"), _whole(accumulation, "--gradient_accumulation_steps"), world_size]
    out.needs_world_size = True
    out.set("train.global_batch_size", parts[0] * parts[1] * parts[2],
            f"--{name}={parts[0]} x gradient_accumulation_steps {parts[1]} x {parts[2]} processes")  # fmt: skip


def _betas(out: Translation, given: dict[str, Any], world_size: int) -> None:
    if not any(name in given for name in BETAS):
        return
    betas = [0.9, 0.999]
    for name, place in BETAS.items():
        try:
            betas[place] = float(given.get(name, betas[place]))
        except (TypeError, ValueError):
            raise UserError(f"--{name}={given[name]}: must be a number") from None
    out.set("train.betas", betas, " and ".join(f"--{name}={given[name]}" for name in BETAS if name in given))


def _scheduler(out: Translation, value: Any, option: str) -> None:
    if str(value) not in SCHEDULERS:
        raise UserError(f"choose one of {', '.join(SCHEDULERS)}")
    out.set("train.lr_scheduler", SCHEDULERS[str(value)], option)


def _precision(name: str) -> Callable[[Translation, Any, str], None]:
    def set_it(out: Translation, value: Any, option: str) -> None:
        if _switch(value, option):
            out.set("train.precision", name, option)

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


def _best_metric(out: Translation, value: Any, option: str) -> None:
    if str(value) not in ("loss", "eval_loss", "eval/loss"):
        raise UserError("the best weights are those of the lowest validation loss")
    out.notes.append(f"{option} has no effect: it is always so here")


def _optimizer(out: Translation, value: Any, option: str) -> None:
    if str(value) not in ("adamw_torch", "adamw_torch_fused", "adamw"):
        raise UserError("the optimizer is AdamW (adamw_torch_fused)")
    out.notes.append(f"{option} has no effect: it is always so here")


def _report_to(out: Translation, value: Any, option: str) -> None:
    names = [part.strip(" []'\"") for part in str(value).split(",")]
    if names == ["none"]:
        out.set("tracking.wandb", "disabled", option)
    elif names in (["wandb"], ["all"]):
        out.set("tracking.wandb", "auto", option)
    else:
        raise UserError("numbers go to metrics.jsonl and W&B: wandb or none")


def _evaluation(out: Translation, value: Any, option: str) -> None:
    if str(value) not in ("steps", "epoch"):
        raise UserError("the validation loss is part of every run; train.eval_steps says how often (default ten times)")
    out.notes.append(f"{option} has no effect: train.eval_steps says when (default ten times a run)")


def _resume(out: Translation, value: Any, option: str) -> None:
    if _is(YES, value):
        out.set("checkpoint.resume", "auto", option)
    elif _is(NO, value):
        out.set("checkpoint.resume", "never", option)
    else:
        raise UserError("the same command goes on from its own newest checkpoint; give the run's directory as run.output_dir")


def _dtype(out: Translation, value: Any, option: str) -> None:
    if str(value) not in DTYPES:
        raise UserError(f"choose one of {', '.join(DTYPES)}")
    out.set("train.precision", DTYPES[str(value)], option)


SPECIAL: dict[str, Callable[[Translation, Any, str], None]] = {
    "lr_scheduler_type": _scheduler, "bf16": _precision("bf16"), "fp16": _precision("fp16"), "packing": _packing,
    "sample_packing": _packing, "use_peft": _adapter, "adapter": _adapter, "load_best_model_at_end": _best,
    "metric_for_best_model": _best_metric, "optim": _optimizer, "optimizer": _optimizer, "report_to": _report_to,
    "eval_strategy": _evaluation, "evaluation_strategy": _evaluation, "resume_from_checkpoint": _resume,
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


def _switch(value: Any, option: str) -> bool:
    if not (_is(YES, value) or _is(NO, value)):
        raise UserError("must be true or false")
    return _is(YES, value)


def _whole(value: Any, option: str) -> int:
    text = str(value)
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"{option}={text}: must be a whole number from 1")
    return int(text)


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
