"""AdamW and learning-rate schedules as plain functions of the step."""

import math
from typing import Any

import torch

SCHEDULERS = ("cosine", "linear", "constant")


def rate_factor(step: int, *, total: int, warmup: int, kind: str) -> float:
    """Factor on the peak rate for step `step` (0-based) of `total`: linear warm-up, then `kind` down to 0 at `total`.

    The first step already learns: warm-up gives (step + 1) / (warmup + 1). Raises: ValueError for an unknown kind.
    """
    if kind not in SCHEDULERS:
        raise ValueError(f"lr_scheduler={kind!r}: choose one of {', '.join(SCHEDULERS)}")
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if kind == "constant":
        return 1.0
    progress = (step - warmup) / max(1, total - warmup)
    return 1.0 - progress if kind == "linear" else 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_length(total: int, warmup_steps: int | None, warmup_ratio: float) -> int:
    """Steps of warm-up: `warmup_steps` if given, else the rounded share of `total`; never the whole run."""
    return min(warmup_steps if warmup_steps is not None else round(total * warmup_ratio), max(0, total - 1))


def adamw(
    groups: list[dict[str, Any]], *, learning_rate: float, betas: tuple[float, float], device: torch.device
) -> torch.optim.AdamW:
    """AdamW, fused where the device has the kernel (CPU and CUDA)."""
    if not groups:
        raise ValueError("the model has no trainable parameter")
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=device.type in ("cpu", "cuda"))
