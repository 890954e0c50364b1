"""The state of a training step, held apart from a training that goes on, and written by whoever has the time."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rca_dist.runtime.tensors import save_pickled, save_tensors


@dataclass
class Captured:
    """What one rank writes into a checkpoint.

    `state` holds tensors in dicts, lists and tuples, shared with the training until `copied`. `write(state, folder)` needs
    nothing else, calls no collective of the default group, and returns the names (relative to `folder`) that it has written.
    """

    state: Any
    write: Callable[[Any, Path], list[str]]

    def to(self, folder: Path) -> list[str]:
        """Write into `folder`; returns the files' names."""
        return self.write(self.state, folder)

    def size(self) -> int:
        """Bytes of this rank's tensors, shared ones once."""
        sizes = {_place(tensor): _local(tensor).nbytes for tensor in _tensors(self.state)}
        return sum(sizes.values())

    def copied(self) -> "Captured":
        """The same with all tensors copied to the CPU; shared ones stay shared. Raises: MemoryError or RuntimeError."""
        return Captured(_copy(self.state, {}), self.write)


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    local = _local(tensor)
    return (local.data_ptr() or id(tensor), tuple(local.shape), tuple(local.stride()), local.dtype)


def _tensors(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _tensors(value)


def _copy(state: Any, seen: dict[tuple[Any, ...], torch.Tensor]) -> Any:
    if isinstance(state, torch.Tensor):
        place = _place(state)
        if place not in seen:
            seen[place] = state.detach().to("cpu", copy=True)
        return seen[place]
    if isinstance(state, dict):
        out = copy.copy(state)
        for key, value in state.items():
            out[key] = _copy(value, seen)
        return out
    if isinstance(state, list):
        return [_copy(value, seen) for value in state]
    if isinstance(state, tuple) and type(state) is not torch.Size:
        values = [_copy(value, seen) for value in state]
        return type(state)(*values) if hasattr(state, "_fields") else type(state)(values)
    # A loss scaler or the like: its own numbers as they are now.
    return copy.copy(state)


def write_replicated(state: dict[str, Any], folder: Path) -> list[str]:
    """Write `model` and `optimizer` where weights are replicated; nothing on a rank whose state is empty."""
    if not state:
        return []
    save_tensors(state["model"], folder / "model.safetensors")
    save_pickled(state["optimizer"], folder / "optimizer.pt")
    return ["model.safetensors", "optimizer.pt"]
