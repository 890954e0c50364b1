"""From argv to a validated `Config`, with one message for all problems."""

import difflib
import os
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rca_dist.aliases import is_foreign, shown, translate
from rca_dist.config import Config
from rca_dist.config_checks import cross_problems
from rca_dist.errors import UserError
from rca_dist.foreign_names import SWITCHES
from rca_dist.yaml_files import read_yaml

FLAGS = ("print_config", "dry_run", "help")
# Of `rca-dist data`, for whoever gives it elsewhere or not quite right.
DATA_FLAG = "show_prompts"
COMMAND_LINE = "command line"
# Options that take several words, as transformers' parser does.
SEVERAL = ("lora_target_modules", "report_to", "betas")


@dataclass
class Command:
    """A parsed command line: the resolved config, the flags beside it, and what to say about names of other tools.

    `needs_world_size`: the batch was given per device, so the config holds for the `world_size` it was parsed with.
    """

    config: Config
    print_config: bool = False
    dry_run: bool = False
    help: bool = False
    notes: tuple[str, ...] = ()
    needs_world_size: bool = False


def known_keys(section: type[BaseModel] = Config, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> its pydantic field, in declaration order, leaves only."""
    out: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            out |= known_keys(inner, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = field
    return out


def parse(argv: list[str], *, world_size: int | None = None) -> Command:
    """Parse and validate. `world_size` (default: the launcher's) is needed for batches given per device.

    Raises: UserError that lists every problem of files, keys and values at once.
    """
    problems: list[str] = []
    files, options, flags = _tokens(argv, problems)
    if "help" in flags:
        return Command(Config(), help=True)
    known = known_keys()
    # One level per source; a later one wins.
    found = [(str(path), key, value) for path in files for key, value in _flatten(read_yaml(path, problems)).items()]
    levels = {str(path): n for n, path in enumerate(files)} | {COMMAND_LINE: len(files)}
    found += [(COMMAND_LINE, key, _from_text(known.get(key), raw)) for key, raw in options]
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    foreign: list[tuple[str, int, Any, str | None]] = []
    for where, key, value in found:
        if key in known:
            values[key], origin[key] = value, where
        elif is_foreign(key):
            # The files of other tools list keys without a value for what is not given.
            if where == COMMAND_LINE or value not in (None, "", [], {}):
                foreign.append((key, levels[where], value, None if where == COMMAND_LINE else where))
        elif key in _sections():
            first = next(name for name in known if name.startswith(f"{key}.")).removeprefix(f"{key}.")
            example = "max_steps: 5" if key == "train" else f"{first}: ..."
            problems.append(f"{key}={shown(value)} ({where}): {key} is a section, e.g. {key}: {{{example}}}")
        else:
            problems.append(f"{key} ({where}): no such key{_nearest(key, known)}")
    meant = translate(foreign, world_size=world_size or _world_size())
    problems += meant.problems
    for key, (value, option, level) in meant.values.items():
        value = _from_text(known[key], value) if isinstance(value, str) else value
        if key in values and levels[origin[key]] == level and str(values[key]) != str(value):
            problems.append(f"{option} means {key}={shown(value)} but {key}={shown(values[key])} is given too; leave one out")
        if key not in values or levels[origin[key]] <= level:
            values[key], origin[key] = value, option
    for key in [key for key, value in values.items() if _is_stray_switch(known[key], value)]:
        problems.append(f"{key}={shown(values.pop(key))} ({origin[key]}): takes no true or false")
    config = _validate(values, origin, problems)
    if problems or config is None:
        noun = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n  ".join([f"{noun} in the configuration:", *problems]))
    return Command(config.resolved(), print_config="print_config" in flags, dry_run="dry_run" in flags,
                   notes=tuple(meant.notes), needs_world_size=meant.needs_world_size)  # fmt: skip


def say(command: Command) -> None:
    """Print what the names of other tools mean here, a line each, on stderr."""
    for note in command.notes:
        print(f"note: {note}", file=sys.stderr)


def _world_size() -> int:
    for name in ("RCA_WORLD_SIZE", "WORLD_SIZE"):
        if os.environ.get(name, "").isdigit():
            return max(1, int(os.environ[name]))
    return 1


def _tokens(argv: list[str], problems: list[str]) -> tuple[list[Path], list[tuple[str, str]], set[str]]:
    """The `--config` files, (key, raw value) per option, and the bare flags."""
    files: list[Path] = []
    options: list[tuple[str, str]] = []
    flags: set[str] = set()
    known = known_keys()
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        name, equals, raw = token.partition("=")
        dashed = name.startswith("--")
        name = name.removeprefix("--")
        if "." not in name:
            name = name.replace("-", "_")
        if token in ("-h", "--help"):
            flags.add("help")
            continue
        if dashed and name in FLAGS:
            if not equals or raw.lower() in ("true", "1"):
                flags.add(name)
            continue
        if dashed and name not in known and not is_foreign(name) and (flag := _near_flag(name)):
            problems.append(f"--{name} ({COMMAND_LINE}): no such flag; did you mean {flag}?")
            continue
        if not dashed and not equals:
            problems.append(f"{token!r} ({COMMAND_LINE}): expected --section.key=value or section.key=value")
            continue
        if not equals:
            is_switch = name in SWITCHES or (name in known and bool in _kinds(known[name].annotation))
            if rest and not rest[0].startswith("--") and not (is_switch and "=" in rest[0]):
                raw = rest.pop(0)
                while name in SEVERAL and rest and not rest[0].startswith("--") and "=" not in rest[0]:
                    raw += f",{rest.pop(0)}"
            elif is_switch:
                raw = "true"
            else:
                problems.append(f"--{name} ({COMMAND_LINE}): a value is missing")
                continue
        if name == "config":
            files.append(Path(raw))
        else:
            options.append((name, raw))
    return files, options, flags


def _near_flag(name: str) -> str | None:
    close = difflib.get_close_matches(name, (*FLAGS, DATA_FLAG), n=1, cutoff=0.75)
    return None if not close else "rca-dist data FILE --show-prompts" if close[0] == DATA_FLAG else f"--{close[0]}"


def _sections() -> set[str]:
    names = {key.rpartition(".")[0] for key in known_keys()}
    return names | {name.partition(".")[0] for name in names}


def _flatten(data: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    sections = _sections()
    out: dict[str, Any] = {}
    for key, value in data.items():
        dotted = f"{prefix}{key}"
        if dotted in sections and isinstance(value, dict):
            out |= _flatten(value, f"{dotted}.")
        elif dotted in sections and value is None:
            continue
        else:
            out[dotted] = value
    return out


def _from_text(field: Any, raw: str) -> Any:
    """A command-line value as the field's type wants it; scalars stay text, which pydantic converts."""
    if field is None:
        return raw
    kinds = _kinds(field.annotation)
    if type(None) in kinds and raw.lower() in ("none", "null", ""):
        return None
    if list in kinds or tuple in kinds:
        if raw == field.default or (field.default == "builtin:tickets" and not raw.startswith("[")):
            # A word that stands for a list, or a path, in which a comma may stand.
            return raw
        if raw.startswith("[") or (dict in kinds and raw.startswith("{")):
            import yaml

            try:
                return yaml.safe_load(raw)
            except yaml.YAMLError:
                return raw
        return [part.strip() for part in raw.split(",") if part.strip()]
    return raw


def _kinds(annotation: Any) -> set[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return set().union(*(_kinds(part) for part in typing.get_args(annotation)))
    return {typing.get_origin(annotation) or annotation}


def _is_stray_switch(field: Any, value: Any) -> bool:
    """Whether a true or false stands where a number belongs, for which pydantic would take it."""
    kinds = _kinds(field.annotation)
    parts = value if isinstance(value, list) else [value]
    return bool not in kinds and bool(kinds & {int, float, tuple}) and any(isinstance(part, bool) for part in parts)


def _validate(values: dict[str, Any], origin: dict[str, str], problems: list[str]) -> Config | None:
    nested: dict[str, Any] = {}
    for dotted, value in values.items():
        *parents, leaf = dotted.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    try:
        config = Config.model_validate(nested)
    except ValidationError as error:
        bad: dict[str, str] = {}
        for item in error.errors():
            parts = [str(part) for part in item["loc"]]
            prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
            dotted = next((prefix for prefix in prefixes if prefix in values), ".".join(parts))
            bad.setdefault(dotted, item["msg"].replace("Input should", "should"))
        for dotted, message in bad.items():
            problems.append(f"{dotted}={shown(values.get(dotted))} ({origin.get(dotted, '?')}): {message}")
        good = {dotted: value for dotted, value in values.items() if dotted not in bad}
        # The rest may still contradict itself, which is told in the same message.
        return _validate(good, origin, problems) if len(good) < len(values) else None
    problems.extend(cross_problems(config))
    return config


def _nearest(dotted: str, known: dict[str, Any]) -> str:
    close = difflib.get_close_matches(dotted, known, n=1, cutoff=0.6)
    if not close:
        leaf = dotted.rpartition(".")[2]
        leaves = {key.rpartition(".")[2]: key for key in known}
        close = [leaves[name] for name in difflib.get_close_matches(leaf, leaves, n=1, cutoff=0.75)]
    return f"; did you mean {close[0]}?" if close else "; --help lists all keys"


def help_text(program: str) -> str:
    """All keys with type, default and meaning, as --help prints them."""
    lines = [
        f"usage: {program} [--config FILE.yaml ...] [--section.key=value ...] [--print_config] [--dry_run]",
        "",
        "  --config FILE     read settings from a YAML file; may be given again, later files win",
        "  --print_config    print the resolved configuration and stop",
        "  --dry_run         do everything up to the first step, then stop",
    ]
    section = ""
    for key, field in known_keys().items():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            lines.append(f"\n{section}")
        default = field.get_default(call_default_factory=True)
        text = "" if default is None else f" [{shown(repr(default) if isinstance(default, str) else default)}]"
        lines.append(f"  --{key:<36}{field.description}{text}")
    return "\n".join(lines)
