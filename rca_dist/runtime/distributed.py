"""Processes and devices: one object that the rest of the code asks, with or without a process group.

Every helper works in a single process too, so no other module tests the world size. Collectives must be called by all
ranks alike.
"""

import contextlib
import datetime
import logging
import math
import os
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch

from rca_dist.errors import UserError
from rca_dist.runtime.accelerators import start_accelerator
from rca_dist.runtime.engines import Engine
from rca_dist.runtime.fsdp import ShardedEngine
from rca_dist.runtime.launcher_settings import LauncherSettings, contradictions, from_environment, missing_processes

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_PATIENT = datetime.timedelta(days=2)
Precision = str  # "fp32", "bf16" or "fp16"


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices) of this process."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def be_deterministic() -> None:
    """Only kernels that give the same bits every time; call before a GPU is touched. Slower; some operations then fail."""
    # cuBLAS reads it when it starts (torch's notes on reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


class Distributed:
    """The process group, the device and the arithmetic of a run.

    Attributes: `rank`, `world_size`, `local_rank`, `is_main`, `device`, `backend` (no, ddp, fsdp2, zero1, zero2, zero3),
    `precision` (fp32, bf16, fp16).
    """

    def __init__(self, *, precision: str = "fp32", timeout_seconds: int = 600, max_grad_norm: float | None = None) -> None:
        """Join the process group that the launcher announced in the environment, if any, under the back end it named.

        `precision` auto is bf16 on a GPU or CPU that computes it natively, else fp32. `max_grad_norm` is only compared with
        what the launcher's files say.
        Raises: UserError for a precision the device does not have, or when the launcher's files contradict our settings;
        RuntimeError when the launcher's processes did not find each other.
        """
        self._quiet_helpers()
        settings = from_environment()
        on_cpu = not torch.cuda.is_available() and not _has_mps()
        self.backend = settings.backend
        self._waits = 0
        self.precision = resolve_precision(precision, torch.device("cpu") if on_cpu else _gpu())
        self._forward_precision = self.precision
        problems = contradictions(settings, precision=self.precision, max_grad_norm=max_grad_norm)
        if settings.offload and self.backend == "fsdp2":
            problems.append("fsdp_offload_params=true is not supported; use configs/accelerate/zero3_offload.yaml")
        # Before the group forms: processes that wait for ones that never come would say nothing for minutes.
        problems += [missing] if (missing := missing_processes(settings)) else []
        if problems:
            raise UserError("\n".join(problems))
        self.accelerator = start_accelerator(settings, on_cpu=on_cpu, precision=self.precision, timeout_seconds=timeout_seconds)
        self.rank: int = self.accelerator.process_index
        self.world_size: int = self.accelerator.num_processes
        self.local_rank: int = self.accelerator.local_process_index
        self.is_main = self.rank == 0
        # Accelerate numbers CPU devices by rank, and torch.load knows no "cpu:1".
        self.device: torch.device = torch.device("cpu") if on_cpu else self.accelerator.device
        self._check_group(settings)
        if on_cpu and self.backend != "no" and self.is_main:
            log.info("no GPU here: %d processes on the CPU with gloo, back end %s", self.world_size, self.backend)

    def _check_group(self, settings: LauncherSettings) -> None:
        found = self.gather(self.precision)
        if len(set(found)) > 1:
            raise UserError(f"train.precision=auto means {', '.join(sorted(set(found)))} on different machines here; set it")
        kind = self.accelerator.distributed_type.value
        allowed = {"fsdp2": ("FSDP",), "no": ("NO", "MULTI_CPU", "MULTI_GPU"), "ddp": ("MULTI_GPU", "MULTI_CPU")}
        if kind not in allowed.get(self.backend, ("DEEPSPEED",)) or self.world_size != settings.world_size:
            raise RuntimeError(
                f"the launcher announced {settings.world_size} processes under {self.backend}, but Accelerate formed a group "
                f"of {self.world_size} of kind {kind}; on a CPU launch with `--multi_gpu --num_processes N`, across nodes of "
                "DeepSpeed with `--deepspeed_multinode_launcher standard`"
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

    def on_main_only(self, work: Callable[[], T]) -> T | None:
        """Run `work` on rank 0 and keep its result there; None elsewhere. Collective; raises as `on_main` does."""
        kept: list[T] = []
        self.on_main(lambda: kept.append(work()))
        return kept[0] if kept else None

    def on_main_patiently(self, work: Callable[[], T]) -> T | None:
        """`on_main_only` for work that may take longer than a collective may: the others wait for as long as rank 0 lives."""
        if self.world_size == 1:
            return work()
        kept: list[T] = []
        error: Exception | None = None
        self._waits += 1
        # The key-value store through which the processes found each other: waiting there is no collective.
        store, key = torch.distributed.distributed_c10d._get_default_store(), f"rca_dist/wait/{self._waits}"
        if self.is_main:
            try:
                kept.append(work())
            except Exception as caught:
                error = caught
            finally:
                store.set(key, "done")
        else:
            store.wait([key], MOST_PATIENT)

        def tell() -> T:
            if error is not None:
                raise error
            return kept[0]

        return self.on_main_only(tell)

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
        self.on_main_patiently(lambda: done.append(work()))
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

    def prepare(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None, *, max_grad_norm: float = 0.0
    ) -> Engine:
        """Move the model to the device, replicate or shard it as the back end says. Collective. Returns its steps' engine.

        All ranks start from rank 0's weights and buffers, whatever the others' are; names, shapes and types must agree.
        The module stays usable for evaluation: every rank must then make the same number of forwards.
        Raises: RuntimeError when ranks hold different modules or the back end is not the one asked for.
        """
        # Else a rank would wait for ever for a tensor that no other one sends, or take another one for it.
        self.same_everywhere(float(zlib.crc32(repr(layout(model)).encode())), "the list of all weights (as a checksum)")
        engine: type[Engine] = {"fsdp2": ShardedEngine}.get(self.backend, Engine)
        if self.backend.startswith("zero"):
            from rca_dist.runtime.zero import ZeroEngine

            engine = ZeroEngine
        return engine(self, model, optimizer, max_grad_norm=max_grad_norm)

    def to_device(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Tensors of a micro-batch on this rank's device; copies overlap with compute on a GPU."""
        if self.device.type == "cpu":
            return batch
        return {k: v.to(self.device, non_blocking=True) if torch.is_tensor(v) else v for k, v in batch.items()}

    @contextlib.contextmanager
    def autocast(self, precision: str | None = None) -> Iterator[None]:
        """The forward pass's arithmetic: fp32, or bf16 or fp16 with fp32 weights."""
        before, self._forward_precision = self._forward_precision, precision or self.precision
        try:
            with self.autocast_now():
                yield
        finally:
            self._forward_precision = before

    def autocast_now(self) -> contextlib.AbstractContextManager[Any]:
        """The arithmetic that the innermost `autocast` asked for, for code that has switched torch's autocast off."""
        wanted = self._forward_precision
        dtype = torch.float16 if wanted == "fp16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, enabled=wanted != "fp32")

    @property
    def low_dtype(self) -> torch.dtype:
        """The 16-bit type of the training precision (bfloat16 for fp32 too)."""
        return torch.float16 if self.precision == "fp16" else torch.bfloat16

    @property
    def local_processes(self) -> int:
        """Processes of this job on this machine."""
        return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    @property
    def sharded(self) -> bool:
        """Whether a forward pass is collective, because no rank holds all weights."""
        return self.backend in ("fsdp2", "zero3")

    def same_everywhere(self, value: float, what: str) -> None:
        """Stop when ranks disagree on `value`. Collective. Raises: RuntimeError on every rank."""
        values = self.gather(value)
        # Machines of different kinds add up in another order; copies that train apart differ by far more.
        if not all(math.isclose(v, values[0], rel_tol=1e-9, abs_tol=1e-9) for v in values):
            raise RuntimeError(
                f"{what} differs between ranks ({values}): the processes do not train one model; check the launch flags"
            )

    def close(self) -> None:
        """Leave the process group."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def layout(model: torch.nn.Module) -> list[tuple[str, tuple[int, ...], str, bool]]:
    """Name, shape, type and whether it is trained, of every parameter and buffer: what ranks must agree on."""
    tensors = (*model.named_parameters(), *model.named_buffers())
    return [(name, tuple(t.shape), str(t.dtype), t.requires_grad) for name, t in tensors]


def _gpu() -> torch.device:
    """This process's GPU, made the current one: asked of another, each process would hold memory on the first."""
    if not torch.cuda.is_available():
        return torch.device("mps")
    index = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """auto -> bf16 where the device computes it natively, else fp32. Raises: UserError for bf16 where it cannot be."""
    native = has_bf16(device)
    if wanted == "auto":
        return "bf16" if native else "fp32"
    if wanted == "bf16" and device.type == "cuda" and not native:
        raise UserError("train.precision=bf16: this GPU has no bf16 arithmetic; use --train.precision=fp16 or fp32")
    if wanted in ("bf16", "fp16") and device.type == "mps":
        raise UserError(f"train.precision={wanted}: not on Apple GPUs yet; use --train.precision=fp32")
    return wanted


def has_bf16(device: torch.device) -> bool:
    """Whether matrix products in bf16 run natively on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in checks)
    return False
