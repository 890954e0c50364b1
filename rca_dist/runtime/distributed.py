"""Processes and devices: one object that the rest of the code asks, with or without a process group.

Every helper works in a single process too, so no other module tests the world size. Collectives must be called by all
ranks alike.
"""

import contextlib
import datetime
import os
import random
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from rca_dist.errors import UserError

T = TypeVar("T")
Precision = str  # "fp32" or "bf16"


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices) of this process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Distributed:
    """The process group, the device and the arithmetic of a run.

    Attributes: `rank`, `world_size`, `local_rank`, `is_main`, `device`, `backend` (no, ddp), `precision` (fp32, bf16).
    """

    def __init__(self, *, precision: str = "fp32", timeout_seconds: int = 600) -> None:
        """Join the process group that the launcher announced in the environment, if any.

        `precision` auto is bf16 on a GPU or CPU that computes it natively, else fp32.
        Raises: UserError for bf16 on a device without it; RuntimeError when the launcher's processes did not find each other.
        """
        from accelerate import Accelerator, InitProcessGroupKwargs

        self._quiet_helpers()
        handler = InitProcessGroupKwargs(timeout=datetime.timedelta(seconds=timeout_seconds))
        on_cpu = not torch.cuda.is_available() and not _has_mps()
        # Without cpu=True, Accelerate takes several CPU processes for lone ones and never exchanges gradients.
        self.accelerator = Accelerator(cpu=on_cpu, mixed_precision="no", kwargs_handlers=[handler])
        self.rank: int = self.accelerator.process_index
        self.world_size: int = self.accelerator.num_processes
        self.local_rank: int = self.accelerator.local_process_index
        self.is_main = self.rank == 0
        # Accelerate numbers CPU devices by rank, and torch.load knows no "cpu:1".
        self.device: torch.device = torch.device("cpu") if on_cpu else self.accelerator.device
        self.backend = "ddp" if self.world_size > 1 else "no"
        self.precision = resolve_precision(precision, self.device)
        expected = int(os.environ.get("WORLD_SIZE", "1"))
        if self.world_size != expected:
            raise RuntimeError(
                f"the launcher announced {expected} processes but Accelerate formed a group of {self.world_size}; "
                "on a CPU launch with `--multi_gpu --num_processes N`, across nodes of DeepSpeed with "
                "`--deepspeed_multinode_launcher standard`"
            )

    @staticmethod
    def _quiet_helpers() -> None:
        # Fork-safety notes of the tokenizers library would be printed once per worker process.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        if not torch.cuda.is_available():
            # Libraries import DeepSpeed to see whether a model is its; without this it warns that there is no GPU.
            os.environ.setdefault("DS_ACCELERATOR", "cpu")
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()

    def on_main(self, work: Callable[[], T]) -> T:
        """Run `work` on rank 0 and give its (picklable) result to all ranks. Collective.

        Raises: on every rank the UserError that `work` raised; for other errors rank 0 raises them, the rest RuntimeError.
        """
        outcome: list[Any] = [None, None]
        error: BaseException | None = None
        if self.is_main:
            try:
                outcome[0] = work()
            except UserError as caught:
                outcome[1] = ("user", str(caught))
            except Exception as caught:
                error, outcome[1] = caught, ("other", f"{type(caught).__name__}: {caught}")
        if self.world_size > 1:
            torch.distributed.broadcast_object_list(outcome, src=0)
        if outcome[1] is None:
            return outcome[0]
        if outcome[1][0] == "user":
            raise UserError(outcome[1][1])
        raise error if error is not None else RuntimeError(f"rank 0 failed: {outcome[1][1]}")

    def together(self, work: Callable[[], T]) -> T:
        """Run `work` on every rank, each keeping its own result. Collective: no rank goes on alone when another failed.

        Raises: on every rank the first rank's UserError; for other errors the rank's own, RuntimeError on the others.
        """
        result: list[T] = []
        error: Exception | None = None
        try:
            result.append(work())
        except Exception as caught:
            error = caught
        texts = [(isinstance(error, UserError), f"{error}" or type(error).__name__) if error else None]
        failures = [(rank, *text) for rank, (text,) in enumerate(self.gather(texts)) if text]
        if not failures:
            return result[0]
        rank, is_users, text = failures[0]
        if is_users:
            raise UserError(text if rank == 0 or self.world_size == 1 else f"{text} (seen by rank {rank})")
        raise error if error is not None else RuntimeError(f"rank {rank} failed: {text}")

    def main_first(self, work: Callable[[], T]) -> T:
        """Run `work` on rank 0, then on the other ranks, each keeping its own result: for what leaves a cache. Collective."""
        done: list[T] = []
        self.on_main(lambda: done.append(work()))
        return self.together(lambda: done[0] if done else work())

    def barrier(self) -> None:
        """Wait for all ranks. Collective."""
        self.accelerator.wait_for_everyone()

    def global_sum(self, values: list[float]) -> list[float]:
        """Sums over ranks in float64 (counts stay exact below 2**53). Collective; the same list on every rank."""
        if self.world_size == 1:
            return [float(v) for v in values]
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(tensor)
        return [float(v) for v in tensor.tolist()]

    def any_rank(self, flag: bool) -> bool:
        """Whether any rank says yes. Collective."""
        return self.global_sum([1.0 if flag else 0.0])[0] > 0

    def gather(self, part: T) -> list[T]:
        """The (picklable) parts of all ranks in rank order, on every rank. Collective."""
        if self.world_size == 1:
            return [part]
        parts: list[Any] = [None] * self.world_size
        torch.distributed.all_gather_object(parts, part)
        return parts

    def prepare(self, model: torch.nn.Module) -> torch.nn.Module:
        """Move to the device and give all ranks rank 0's weights. Collective."""
        model.to(self.device)
        if self.world_size > 1:
            for tensor in (*model.parameters(), *model.buffers()):
                torch.distributed.broadcast(tensor.detach(), src=0)
        return model

    def to_device(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Tensors of a micro-batch on this rank's device; copies overlap with compute on a GPU."""
        if self.device.type == "cpu":
            return batch
        return {k: v.to(self.device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}

    def autocast(self, precision: str | None = None) -> contextlib.AbstractContextManager[Any]:
        """The forward pass's arithmetic: fp32, or bf16 with fp32 weights."""
        enabled = (precision or self.precision) == "bf16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def backward(self, loss_sum: torch.Tensor, total: int) -> None:
        """Add this micro-batch's share of the gradient of (sum of all ranks' losses / `total`). Local.

        This is the only place that scales a gradient. `exchange` adds up what the ranks have, so nothing else divides.
        """
        (loss_sum / total).backward()

    def exchange(self, parameters: list[torch.nn.Parameter]) -> None:
        """Sum the gradients over ranks, once per step. Collective.

        Flat buckets in the order of `parameters`, so that the order of additions is the same in every step and every start:
        a wrapper that rebuilds its buckets after the first step makes a resumed run differ by rounding.
        """
        if self.world_size == 1:
            return
        for bucket in _buckets([p for p in parameters if p.requires_grad]):
            grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in bucket]
            flat = torch.cat([grad.reshape(-1) for grad in grads])
            torch.distributed.all_reduce(flat)
            for p, part in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                p.grad = part.view_as(p)

    def same_everywhere(self, value: float, what: str) -> None:
        """Stop when ranks disagree on `value`. Collective. Raises: RuntimeError on every rank."""
        values = self.gather(value)
        if any(v != values[0] for v in values):
            raise RuntimeError(
                f"{what} differs between ranks ({values}): the processes do not train one model; check the launch flags"
            )

    def close(self) -> None:
        """Leave the process group."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _buckets(parameters: list[torch.nn.Parameter], most: int = 1 << 25) -> list[list[torch.nn.Parameter]]:
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


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """auto -> bf16 where the device computes it natively, else fp32. Raises: UserError for bf16 where it cannot be."""
    native = has_bf16(device)
    if wanted == "auto":
        return "bf16" if native else "fp32"
    if wanted == "bf16" and device.type == "cuda" and not native:
        raise UserError("train.precision=bf16: this GPU has no bf16 arithmetic; use --train.precision=fp32")
    return wanted


def has_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 run natively on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in checks)
    return False
