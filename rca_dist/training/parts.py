"""What the trainer is handed: shapes of data, step function, store of resumable state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch

StepFunction = Callable[[Any, dict[str, Any]], tuple[torch.Tensor, torch.Tensor]]
LogRow = Callable[[Mapping[str, Any]], None]
Evaluate = Callable[[], Mapping[str, float]]
OptimizerGroups = Callable[[float], list[dict[str, Any]]]


class TrainingData(Protocol):
    """What the trainer asks of its examples."""

    lengths: np.ndarray
    counts: np.ndarray

    def collate(self, indices: Sequence[int]) -> dict[str, Any]: ...


class Checkpointer(Protocol):
    """What the trainer asks of a store of resumable state. All but `written` is collective."""

    @property
    def written(self) -> bool: ...
    def save(self, step: int, engine: Any, facts: dict[str, Any], *, keep: int | None = None, must: bool = False) -> Any: ...
    def publish(self) -> None: ...
    def finish(self) -> None: ...
    def has(self, step: int) -> bool: ...
    def is_whole(self, step: int) -> bool: ...
    def load_step(self, step: int, engine: Any) -> Any: ...
