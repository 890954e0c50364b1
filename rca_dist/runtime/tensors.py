"""State dicts as safetensors files, tied tensors written once; buckets of parameters."""

from pathlib import Path
from typing import Any

import torch


def save_tensors(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write a state dict; names that share one tensor are kept as aliases in the file's metadata."""
    from safetensors.torch import save_file

    seen: dict[tuple[int, tuple[int, ...]], str] = {}
    unique: dict[str, torch.Tensor] = {}
    aliases: dict[str, str] = {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tuple(tensor.shape))
        if tensor.numel() and place in seen:
            aliases[name] = seen[place]
        else:
            seen[place] = name
            unique[name] = tensor.detach().contiguous()
    save_file(unique, path, metadata=aliases)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Undo of `save_tensors`."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as handle:
        state = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a dict
        return state | {alias: state[name] for alias, name in (handle.metadata() or {}).items()}


def save_pickled(data: Any, path: Path, **options: Any) -> None:
    """`torch.save` through a file of Python's: torch's own hides why the disk took no more."""
    with path.open("wb") as handle:
        torch.save(data, handle, **options)


def buckets(parameters: list[torch.nn.Parameter], most: int = 1 << 25) -> list[list[torch.nn.Parameter]]:
    """Consecutive parameters of one type, at most `most` elements together unless one is larger."""
    buckets: list[list[torch.nn.Parameter]] = []
    size = 0
    for p in parameters:
        if not buckets or size + p.numel() > most or p.dtype != buckets[-1][0].dtype:
            buckets.append([])
            size = 0
        buckets[-1].append(p)
        size += p.numel()
    return buckets
