"""From argv to a validated `Config`, with one message for all problems."""

import difflib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rca_dist.config import Config
from rca_dist.errors import UserError

FLAGS = ("print_config", "dry_run", "help")


@dataclass
class Command:
    """A parsed command line: the resolved config and the flags beside it."""

    config: Config
    print_config: bool = False
    dry_run: bool = False
    help: bool = False


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


def parse(argv: list[str]) -> Command:
    """Parse and validate.

    Raises: UserError that lists every problem of files, keys and values at once.
    """
    problems: list[str] = []
    sources, flags = _tokens(argv, problems)
    if "help" in flags:
        return Command(Config(), help=True)
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    known = known_keys()
    for where, key, raw in sources:
        pairs = _read_yaml(Path(raw), problems) if key == "config" else {key: _from_text(known.get(key), raw)}
        for dotted, value in pairs.items():
            if dotted not in known:
                problems.append(f"{dotted} ({where}): no such key{_nearest(dotted, known)}")
            else:
                values[dotted], origin[dotted] = value, where
    config = _validate(values, origin, problems)
    if problems or config is None:
        noun = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n  ".join([f"{noun} in the configuration:", *problems]))
    return Command(config.resolved(), print_config="print_config" in flags, dry_run="dry_run" in flags)


def _tokens(argv: list[str], problems: list[str]) -> tuple[list[tuple[str, str, str]], set[str]]:
    """(where, key, raw value) per option, `--config` files first among equals, and the bare flags."""
    files: list[tuple[str, str, str]] = []
    options: list[tuple[str, str, str]] = []
    flags: set[str] = set()
    known = known_keys()
    rest = list(argv)
    while rest:
        token = rest.pop(0)
        name, equals, raw = token.partition("=")
        dashed = name.startswith("--")
        name = name.removeprefix("--")
        if token in ("-h", "--help"):
            flags.add("help")
            continue
        if dashed and name.replace("-", "_") in FLAGS:
            if not equals or raw.lower() in ("true", "1"):
                flags.add(name.replace("-", "_"))
            continue
        if not dashed and not equals:
            problems.append(f"{token!r} (command line): expected --section.key=value or section.key=value")
            continue
        if not equals:
            is_bool = name in known and known[name].annotation is bool
            if rest and not rest[0].startswith("--") and not (is_bool and "=" in rest[0]):
                raw = rest.pop(0)
            elif is_bool:
                raw = "true"
            else:
                problems.append(f"--{name} (command line): a value is missing")
                continue
        if name == "config":
            files.append((raw, "config", raw))
        else:
            options.append(("command line", name, raw))
    return files + options, flags


def _read_yaml(path: Path, problems: list[str]) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"--config {path}: no such file")
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"--config {path}: cannot be read ({error})")
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problems.append(f"--config {path}{line}: not valid YAML ({getattr(error, 'problem', error)})")
        return {}
    if data is None:
        return {}
    if not isinstance(data, dict):
        problems.append(f"--config {path}: expected sections such as 'train:', found {type(data).__name__}")
        return {}
    return _flatten(data)


def _flatten(data: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    sections = {key.rpartition(".")[0] for key in known_keys()}
    sections |= {name.partition(".")[0] for name in sections}
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
        if raw.startswith("["):
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
            problems.append(f"{dotted}={_shown(values.get(dotted))} ({origin.get(dotted, '?')}): {message}")
        good = {dotted: value for dotted, value in values.items() if dotted not in bad}
        # The rest may still contradict itself, which is told in the same message.
        return _validate(good, origin, problems) if len(good) < len(values) else None
    problems.extend(config.cross_problems())
    return config


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


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
        shown = "" if default is None else f" [{_shown(repr(default) if isinstance(default, str) else default)}]"
        lines.append(f"  --{key:<36}{field.description}{shown}")
    return "\n".join(lines)
