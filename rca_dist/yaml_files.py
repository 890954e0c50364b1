"""Settings files: YAML as people write it, with its traps closed.

YAML 1.1 reads `1e-4` as text and `010` as 8, and lets a later key of the same name win in silence; all cost experiments.
"""

import re
from pathlib import Path
from typing import Any


def read_yaml(path: Path, problems: list[str]) -> dict[Any, Any]:
    """The mapping in a settings file; {} with a line in `problems` when it cannot be read as one."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        problems.append(f"--config {path}: no such file")
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"--config {path}: cannot be read ({error})")
        return {}
    try:
        data = yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        problems.append(_told(path, text, error))
        return {}
    if data is None:
        return {}
    if not isinstance(data, dict):
        problems.append(f"--config {path}: expected sections such as 'train:', found {type(data).__name__}")
        return {}
    if data.keys() & {"distributed_type", "compute_environment"}:
        problems.append(f"--config {path}: this is a launcher file: give it with --config_file")
        return {}
    return data


def _told(path: Path, text: str, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else None
    lines = text.splitlines()
    where = f"--config {path}" + (f", line {line}" if line else "")
    # The parser complains about the line after an indentation by a tab as often as about the line itself.
    near = lines[max(0, line - 2) : line] if line else []
    if any(re.match(r" *\t", part) for part in near):
        return f"{where}: a tab at the start of a line; YAML indents with spaces only"
    return f"{where}: not valid YAML ({getattr(error, 'problem', error)})"


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Data only; floats as in YAML 1.2; no octal numbers; a key that stands twice is an error."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: dict[Any, int] = {}
            for key_node, _ in node.value:
                key = getattr(key_node, "value", None)
                # "<<" merges another mapping and may stand more than once.
                if isinstance(key, str) and key != "<<":
                    if key in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {key} stands twice, first in line {seen[key]}", key_node.start_mark
                        )
                    seen[key] = key_node.start_mark.line + 1
            return super().construct_mapping(node, deep)

        def construct_yaml_int(self, node: Any) -> Any:
            # As text: the type of its key makes 10 of 010, or keeps the zeros of a name such as 0012.
            return node.value if re.fullmatch(r"[-+]?0[\d_]+", node.value) else super().construct_yaml_int(node)

    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
    return Loader
