"""Reading the launcher's own files: Accelerate's YAML and DeepSpeed's JSON. Plain data, no torch, no accelerate."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError

READY = "ready files lie in configs/accelerate/"


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """Content of a YAML or JSON file. Raises: UserError that names `what`, the file and the line."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except FileNotFoundError:
        raise UserError(f"{what} {path}: no such file; {READY}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{what} {path}: cannot be read ({error})") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{what} {path}, line {error.lineno}: not valid JSON ({error.msg})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{what} {path}{line}: not valid YAML ({getattr(error, 'problem', error)})") from error
    if not isinstance(data, dict):
        raise UserError(f"{what} {path}: expected keys and values, found {type(data).__name__}; {READY}")
    return data


def section(data: Mapping[str, Any], key: str, source: object) -> dict[str, Any]:
    """The mapping under `key`, empty when there is none. Raises: UserError when it is something else."""
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"{source}: {key} must hold keys and values, found {found!r}")
    return found


def resolve(file: str, folders: list[Path]) -> Path | None:
    """`file` as an absolute path: as it stands, else in the first of `folders` that has it; None when nowhere."""
    given = Path(file).expanduser()
    return next((path.absolute() for path in [folder / given for folder in folders] if path.is_file()), None)


def deepspeed_fields(asked: Mapping[str, Any], folders: list[Path], source: str) -> dict[str, Any]:
    """The DeepSpeed fields of `LauncherSettings`.

    `asked` holds Accelerate's names: deepspeed_config_file, zero_stage, offload_optimizer_device, offload_param_device,
    offload_optimizer_nvme_path, offload_param_nvme_path. A relative file is looked for in `folders`.
    Raises: UserError.
    """
    file, stage = asked.get("deepspeed_config_file"), whole(asked.get("zero_stage"))
    path = None
    if file and file != "none":
        path = resolve(str(file), folders)
        if path is None:
            raise UserError(f"{source}: deepspeed_config_file {file} does not exist, seen from {folders[0]}; give a full path")
        config = _without_auto(read_mapping(path, f"{source}: deepspeed_config_file"))
    else:
        config = {"zero_optimization": _from_flags(asked, 2 if stage is None else stage)}
    zero = section(config, "zero_optimization", path or source)
    found = zero.get("stage", 0)
    if found not in (1, 2, 3):
        raise UserError(
            f"{path or source}: zero_optimization.stage is {found}; use 1, 2 or 3, or a file without DeepSpeed; {READY}"
        )
    if stage not in (None, found):
        raise UserError(f"{source}: zero_stage={stage} but zero_optimization.stage={found} in {path}; remove zero_stage")
    offload = any(section(zero, f"offload_{part}", path).get("device", "none") != "none" for part in ("optimizer", "param"))
    if offload:
        # Otherwise DeepSpeed wants its own C++ Adam, compiled at the first start, with other rounding than torch's.
        config.setdefault("zero_force_ds_cpu_optimizer", False)
    return {"zero_stage": found, "offload": offload, "deepspeed_config": config, "deepspeed_file": path}


def _from_flags(asked: Mapping[str, Any], stage: int) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": stage}
    for part in ("optimizer", "param"):
        device, place = asked.get(f"offload_{part}_device"), asked.get(f"offload_{part}_nvme_path")
        if device not in (None, "none"):
            zero[f"offload_{part}"] = {"device": device} | ({"nvme_path": place} if device == "nvme" else {})
    return zero | ({"stage3_gather_16bit_weights_on_model_save": True} if stage == 3 else {})


def _without_auto(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_auto(item) for key, item in value.items() if item != "auto"}
    return value


def truth(value: object) -> bool:
    """Whether a launcher's text or YAML value means yes."""
    return str(value).lower() in ("true", "1", "yes", "on")


def whole(value: object) -> int | None:
    """A whole number from 0, or None for anything else."""
    return int(str(value)) if str(value).isdigit() else None


def number(value: object) -> float | None:
    """A number, or None for anything else."""
    try:
        return None if isinstance(value, bool) else float(str(value))
    except ValueError:
        return None
