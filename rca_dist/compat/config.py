"""`CfgNode`, the old configuration object, and its checks. No torch."""

import difflib
import json
import math
import sys
import textwrap
from ast import literal_eval
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError


class CfgNode:
    """A bag of named settings, nested where a value is a `CfgNode` too."""

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        # Called only for what is not there.
        raise AttributeError(f"the config has no {name!r}{nearest(name, vars(self))}")

    def __str__(self) -> str:
        lines = []
        for key, value in vars(self).items():
            nested = isinstance(value, CfgNode)
            lines.append(f"{key}:\n{textwrap.indent(str(value), '    ')}" if nested else f"{key}: {value}\n")
        return "".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The settings as (nested) plain dicts."""
        return {key: value.to_dict() if isinstance(value, CfgNode) else value for key, value in vars(self).items()}

    def merge_from_dict(self, values: Mapping[str, Any]) -> None:
        """Set or add settings; a dict given for a nested node is merged into it."""
        for key, value in values.items():
            old = vars(self).get(key)
            if isinstance(old, CfgNode) and isinstance(value, Mapping):
                old.merge_from_dict(value)
            else:
                setattr(self, key, value)

    def merge_from_args(self, args: Iterable[str]) -> None:
        """Set existing settings from `--key=value` or `--node.key=value`, values read as Python literals, else as text.

        Raises: UserError for another form or a key that is not there; nothing is changed then.
        """
        found: list[tuple[CfgNode, str, Any]] = []
        for arg in args:
            key, equals, text = arg.partition("=")
            if not (key.startswith("--") and equals):
                raise UserError(f"{arg}: write --key=value")
            *parents, leaf = key[2:].split(".")
            node: Any = self
            for part in [*parents, leaf]:
                if not isinstance(node, CfgNode) or part not in vars(node):
                    known = vars(node) if isinstance(node, CfgNode) else ()
                    raise UserError(f"{arg}: the config has no {key[2:]!r}{nearest(part, known)}")
                owner, node = node, vars(node)[part]
            try:
                value = literal_eval(text)
            except (ValueError, SyntaxError):
                value = text
            found.append((owner, leaf, value))
        for owner, leaf, value in found:
            print(f"config from the command line: {leaf} = {value}")
            setattr(owner, leaf, value)


def setup_logging(config: CfgNode) -> None:
    """Write `args.txt` (the command line, secrets redacted) and `config.json` into the folder `config.system.work_dir`."""
    from rca_dist.tickets.redact import Redactor

    folder = Path(config.system.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "args.txt").write_text(" ".join(Redactor().redact_ticket(sys.argv)), encoding="utf-8")
    text = json.dumps(config.to_dict(), indent=4, ensure_ascii=False, default=str)
    (folder / "config.json").write_text(text, encoding="utf-8")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known name is like it."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def checked(config: Any, defaults: CfgNode, owner: str) -> dict[str, Any]:
    """The settings of `config` over `defaults`.

    Raises: UserError when it is no CfgNode or has keys that `owner` does not know: they would have no effect.
    """
    if not isinstance(config, CfgNode):
        raise UserError(
            f"{owner}: the first argument is a {type(config).__name__}; write config = {owner}.get_default_config(), "
            f"set its attributes and pass it, or use the new form ({owner}'s docstring)"
        )
    known = vars(defaults)
    if unknown := [key for key in vars(config) if key not in known]:
        problems = "; ".join(f"config.{key} is not a setting{nearest(key, known)}" for key in unknown)
        raise UserError(f"{owner}: {problems} (settings: {', '.join(known)})")
    return known | vars(config)


def need_int(values: Mapping[str, Any], key: str, least: int, owner: str) -> int:
    """`values[key]` as a whole number. Raises: UserError when it is none, or below `least`."""
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise UserError(f"{owner}: {key}={value!r} must be a whole number of at least {least}")
    return int(value)


def need_float(values: Mapping[str, Any], key: str, least: float, owner: str, *, above: bool = False, hint: str = "") -> float:
    """`values[key]` as a number. Raises: UserError when it is none, nan, or below `least` (`above`: or equal to it)."""
    value = values[key]
    good = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
    if not good or value < least or (above and value == least):
        raise UserError(f"{owner}: {key}={value!r} must be a number {'above' if above else 'of at least'} {least:g}{hint}")
    return float(value)


def need_betas(value: Any, owner: str) -> tuple[float, float]:
    """AdamW's two rates. Raises: UserError."""
    pair = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(pair) != 2 or not all(isinstance(b, int | float) and 0 <= b < 1 for b in pair):
        raise UserError(f"{owner}: betas={value!r} must be two numbers from 0 to below 1, such as (0.9, 0.95)")
    return float(pair[0]), float(pair[1])
