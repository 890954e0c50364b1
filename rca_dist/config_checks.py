"""Problems between keys that are each valid alone."""

from collections.abc import Iterator

from rca_dist.config import Config

BUILTIN_MODELS = ("builtin:tiny", "builtin:small", "builtin:base")


def cross_problems(config: Config) -> list[str]:
    """One line per problem, each with its fix."""
    return [*_split(config), *_model(config), *_prompt(config), *_train(config), *_eval(config), *_checkpoint(config)]


def _split(config: Config) -> Iterator[str]:
    split, data = config.split, config.data
    if split.test_size + split.validation_size >= 1:
        yield "split.test_size + split.validation_size must leave training tickets (their sum is 1 or more)"
    if split.folds == 1:
        yield "split.folds=1 is no split: use 0 for none, or 2 and more"
    if split.folds > 1 and split.fold >= split.folds:
        yield f"split.fold={split.fold} must be below split.folds={split.folds}"
    if split.folds == 0 and split.fold:
        yield f"split.fold={split.fold} is set but split.folds is 0: set it, e.g. to 5"
    if split.file and split.kind != "file":
        yield f"split.file={split.file} goes with split.kind=file, not with {split.kind}"
    if split.file and data.columns.split:
        yield "split.file and data.columns.split both name the sides: leave one out"
    paths = data.path if isinstance(data.path, list) else [data.path]
    if not paths or not all(path.strip() for path in paths):
        yield "data.path must not be empty"
    for path in paths:
        if path.startswith("builtin:") and (path != "builtin:tickets" or len(paths) > 1):
            yield f"data.path={path}: the only built-in tickets are builtin:tickets, and they stand alone"


def _model(config: Config) -> Iterator[str]:
    model, lora = config.model, config.lora
    builtin = model.name_or_path.startswith("builtin:")
    if not model.name_or_path.strip():
        yield "model.name_or_path must not be empty"
    if builtin and model.name_or_path not in BUILTIN_MODELS:
        yield f"model.name_or_path={model.name_or_path}: built-in models are {', '.join(BUILTIN_MODELS)}"
    if builtin and model.revision:
        yield f"model.revision={model.revision}: {model.name_or_path} has no revisions; leave it out"
    if builtin and model.load_in_4bit:
        yield f"model.load_in_4bit=true: {model.name_or_path} starts from random weights; name a pretrained model"
    if lora.r == 0:
        asked = [name for name in ("use_dora", "use_rslora", "dropout", "alpha") if getattr(lora, name)]
        if asked or lora.target_modules != "all-linear":
            yield f"lora.{(asked or ['target_modules'])[0]} is set but lora.r is 0, so there is no adapter: set it, e.g. to 8"
        if model.load_in_4bit:
            yield "model.load_in_4bit=true needs an adapter to train: set lora.r, e.g. 16"
    if not lora.target_modules:
        yield "lora.target_modules is empty: use all-linear, or name modules, e.g. [q_proj, v_proj]"


def _prompt(config: Config) -> Iterator[str]:
    prompt = config.prompt
    if prompt.template is not None and prompt.template.count("{ticket}") != 1:
        yield "prompt.template must hold the marker {ticket} exactly once"
    if prompt.style == "plain" and prompt.system not in ("auto", ""):
        yield "prompt.system has no place in prompt.style=plain: put the text into prompt.template, or use style chat"
    if prompt.style == "chat" and config.model.name_or_path.startswith("builtin:"):
        yield f"prompt.style=chat: {config.model.name_or_path} has no chat template; use plain"


def _train(config: Config) -> Iterator[str]:
    train = config.train
    if train.max_steps is not None and train.warmup_steps is not None and train.warmup_steps >= train.max_steps:
        yield f"train.warmup_steps={train.warmup_steps} must be below train.max_steps={train.max_steps}"
    if train.lr_scheduler == "wsd" and train.warmup_steps is None and train.warmup_ratio + train.decay_ratio > 1:
        yield f"train.warmup_ratio={train.warmup_ratio:g} + train.decay_ratio={train.decay_ratio:g} must not exceed 1"
    no_validation = config.split.validation_size == 0 and config.split.kind != "file"
    if no_validation and train.early_stopping_patience is not None:
        yield "train.early_stopping_patience needs validation tickets: set split.validation_size above 0"
    if no_validation and train.final_weights == "best":
        yield "train.final_weights=best needs validation tickets: set split.validation_size above 0"
    if train.early_stopping_patience is not None and train.final_weights == "last":
        yield "train.final_weights=last with early_stopping_patience saves weights that are known to be worse: leave it out"


def _eval(config: Config) -> Iterator[str]:
    for key, values in (("eval.splits", config.eval.splits), ("eval.systems", config.eval.systems)):
        if len(set(values)) < len(values):
            yield f"{key} names one twice: {', '.join(values)}"
    if "model" not in config.eval.systems:
        yield "eval.systems must hold model, the one this run trains"
    if config.split.validation_size == 0 and "validation" in config.eval.splits and config.split.kind != "file":
        yield "eval.splits has validation but split.validation_size is 0"


def _checkpoint(config: Config) -> Iterator[str]:
    if config.checkpoint.keep_best and config.split.validation_size == 0 and config.split.kind != "file":
        yield "checkpoint.keep_best=true needs validation tickets: set split.validation_size above 0"
