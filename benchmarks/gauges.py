"""What the benchmarks measure and print with: memory meters, facts about the machine, JSON, tables."""

import contextlib
import ctypes
import gc
import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class MemoryMeter:
    """Memory in bytes: of the GPU's allocator on CUDA, else resident memory above what it was at `start`.

    Resident memory is read from Linux, which can forget an earlier peak; elsewhere every answer is None.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.base: int | None = None

    def start(self) -> None:
        """Take the present as zero. Call it after the imports, before the model is built."""
        self._tidy()
        if self.forget_peak():
            self.base = status_bytes("VmRSS")

    def forget_peak(self) -> bool:
        """Let `peak` count from now on. Returns whether this system can."""
        if self.device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            return True
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return False
        return True

    def peak(self) -> int | None:
        """Peak since `start` or `forget_peak`."""
        if self.device == "cuda":
            import torch

            return int(torch.cuda.max_memory_allocated())
        return self._above("VmHWM")

    def now(self) -> int | None:
        """What is held now, after giving freed memory back."""
        self._tidy()
        if self.device == "cuda":
            import torch

            return int(torch.cuda.memory_allocated())
        return self._above("VmRSS")

    @staticmethod
    def _tidy() -> None:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

    def _above(self, field: str) -> int | None:
        value = status_bytes(field)
        return None if value is None or self.base is None else value - self.base


def status_bytes(field: str) -> int | None:
    """VmRSS (now) or VmHWM (peak) of this process in bytes; None where there is no /proc."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def machine(device: str) -> dict[str, Any]:
    """What a number depends on: processor, threads, versions."""
    import torch

    from rca_dist.runtime import meters

    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        cpu = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else cpu, "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "platform": sys.platform, "versions": meters.versions(),
        "commit": meters.commit(),
    }  # fmt: skip


def pick_device(wanted: str) -> str:
    """auto -> cuda where there is one. Raises: SystemExit when cuda is asked and absent."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: torch sees no CUDA device here; use --device cpu")
    return wanted


def child_environment(device: str, threads: int | None) -> None:
    """Settings that child processes must have before they import torch."""
    defaults = {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled", "TOKENIZERS_PARALLELISM": "false", "DS_ACCELERATOR": device}
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a last line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table: the first column left-aligned, the others right; None as a dash."""
    cells = [[_cell(value) for value in row] for row in (head, *rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    padded = [[t.ljust(w) if n == 0 else t.rjust(w) for n, (t, w) in enumerate(zip(r, widths, strict=True))] for r in cells]
    lines = [" | ".join(row) for row in padded]
    rule = " | ".join("-" * w if n == 0 else "-" * (w - 1) + ":" for n, w in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 0.01 else f"{value:.2f}"
    return str(value)
