"""AdamW and learning-rate schedules as plain functions of the step."""

import math
from typing import Any

import torch

SCHEDULERS = ("cosine", "linear", "constant", "wsd")


def rate_factor(step: int, *, total: int, warmup: int, kind: str, decay_ratio: float = 0.2) -> float:
    """Factor on the peak rate for step `step` (0-based) of `total`: linear warm-up, then by `kind`.

    cosine and linear go down to 0 at `total`; constant stays; wsd (warm-up, stable, decay) stays and goes down linearly to 0
    over the last `decay_ratio` of the steps. The first step already learns: warm-up gives (step + 1) / (warmup + 1).
    Raises: ValueError for an unknown kind.
    """
    if kind not in SCHEDULERS:
        raise ValueError(f"lr_scheduler={kind!r}: choose one of {', '.join(SCHEDULERS)}")
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if kind == "constant":
        return 1.0
    start = max(warmup, total - max(1, round(total * decay_ratio))) if kind == "wsd" else warmup
    progress = max(0.0, (step - start) / max(1, total - start))
    return 0.5 * (1.0 + math.cos(math.pi * progress)) if kind == "cosine" else 1.0 - progress


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
