"""Checks of `rca-dist doctor`: GPUs as the driver and as torch see them, and the CPU."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rca_dist.runtime.doctor_finding import GIB, Finding, last_line
from rca_dist.runtime.doctor_machine import cpu_quota
from rca_dist.runtime.doctor_probe import ask, device_facts
from rca_dist.runtime.launch import cores

BUILDS = "pick the command for this driver at https://pytorch.org/get-started/locally"


def devices(quick: bool) -> list[Finding]:
    """GPUs as the driver and as torch see them, else the CPU."""
    if importlib.util.find_spec("torch") is None:
        return []
    listed, driver = _driver_files() if quick else _nvidia_smi()
    if quick:
        facts = device_facts()
    else:
        answer = ask("device", seconds=40)
        if not answer.done:
            if answer.timed_out:
                fix = "run the doctor again, a second import is faster; else put the virtual environment on a local disk"
                return [Finding("device", "problem", "torch takes over 40 s to import", fix)]
            fix = "reinstall torch, best in a new virtual environment"
            return [Finding("device", "problem", f"torch fails: {answer.error}", fix)]
        facts = answer.facts
    return [judge(facts, listed, driver, os.environ.get("CUDA_VISIBLE_DEVICES")), processor(facts, os.environ)]


def judge(facts: Mapping[str, Any], listed: list[str], driver: str, visible: str | None) -> Finding:
    """What a job computes on. `facts` as torch sees it (doctor_probe), `listed` GPU names from the driver, `driver` its
    version or why it does not answer, `visible` CUDA_VISIBLE_DEVICES."""
    gpus, precision = facts["gpus"], facts["precision"]
    if gpus:
        return _graphics(facts, driver)
    if facts["mps"]:
        return Finding(
            "device", "ok", f"Apple GPU (MPS), {precision}", ready=f"train on the Apple GPU with {precision}, 1 process"
        )
    here = f"{len(listed)} x {listed[0]}" if len(listed) > 1 else "".join(listed)
    ready = f"train on CPU with {precision}, 1 process"
    if not listed:
        said = f"no GPU that torch can use: jobs run on the CPU in {precision}"
        if driver:
            return Finding("device", "note", f"{said}; nvidia-smi is here but fails: {driver}",
                           "if a GPU is in this machine, reinstall its driver or restart", ready=ready)  # fmt: skip
        return Finding("device", "ok", said, ready=ready)
    if visible is not None and not [part for part in visible.split(",") if part.strip() not in ("", "-1")]:
        return Finding("device", "note", f"{here} is hidden by CUDA_VISIBLE_DEVICES={visible!r}: jobs run on the CPU",
                       "unset CUDA_VISIBLE_DEVICES to use it", ready=ready)  # fmt: skip
    if not facts["cuda"]:
        said = f"{here} is here, but torch {facts['torch']} is built without CUDA and leaves it idle"
        return Finding("device", "problem", said,
                       f"install a CUDA build of torch: {BUILDS} (CUDA_VISIBLE_DEVICES='' if the CPU is meant)")  # fmt: skip
    why = f" ({facts['warning']})" if facts.get("warning") else ""
    said = f"{here} is here, but torch built for CUDA {facts['cuda']} cannot use it with driver {driver or 'unknown'}{why}"
    return Finding("device", "problem", said, f"update the driver, or install a torch for an older CUDA: {BUILDS}")


def _graphics(facts: Mapping[str, Any], driver: str) -> Finding:
    gpus, precision = facts["gpus"], facts["precision"]
    count, first = len(gpus), gpus[0]
    label = first["name"] if count == 1 else f"{count} x {first['name']}"
    mixed = len({gpu["name"] for gpu in gpus}) > 1
    free = min(gpu.get("free", 0) for gpu in gpus)
    total = min(gpu["total"] for gpu in gpus)
    build = f"CUDA {facts['cuda']}" if facts["cuda"] else f"ROCm {facts['hip']}"
    said = f"{label}, {free / GIB:.1f} of {total / GIB:.1f} GiB free, compute {first['capability']}, {precision}, {build}"
    said += f", driver {driver}" if driver else ""
    ready = f"train on {label} with {precision}, {count} process{'es' if count > 1 else ''}"
    broken = next((gpu for gpu in gpus if gpu["error"]), None)
    if broken:
        return Finding("device", "problem", f"{said}; a small product on {broken['name']} fails: {broken['error']}",
                       f"install a torch built for compute {broken['capability']}: {BUILDS}")  # fmt: skip
    if free < total / 2:
        return Finding("device", "note", f"{said}; other processes hold the rest", "wait (nvidia-smi lists them), or choose "
                       "free GPUs with CUDA_VISIBLE_DEVICES", ready=ready)  # fmt: skip
    if mixed:
        return Finding("device", "note", f"{said}; the GPUs differ", "the smallest sets what fits, the slowest the pace: "
                       "choose alike ones with CUDA_VISIBLE_DEVICES", ready=ready)  # fmt: skip
    return Finding("device", "ok", said, ready=ready)


def _nvidia_smi() -> tuple[list[str], str]:
    """GPU names and driver version; no names and the reason when nvidia-smi fails; neither when it is not here."""
    if shutil.which("nvidia-smi") is None:
        return [], ""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        return [], last_line(str(error))
    rows = [text.rpartition(",") for text in done.stdout.splitlines() if "," in text]
    if done.returncode or not rows:
        return [], last_line(done.stdout + done.stderr)
    return [name.strip() for name, _, _ in rows], rows[0][2].strip()


def _driver_files() -> tuple[list[str], str]:
    """The same without starting a process."""
    names = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = dict(text.split(":", 1) for text in path.read_text().splitlines() if ":" in text)
        names.append(lines.get("Model", "a GPU").strip())
    return names, ""


def processor(facts: Mapping[str, Any], environ: Mapping[str, str]) -> Finding:
    """Cores, bf16 and threads."""
    count, quota = cores(), cpu_quota()
    native = f"bf16 native ({', '.join(facts['cpu_flags'])})" if facts["cpu_bf16"] else "no native bf16"
    threads = environ.get("OMP_NUM_THREADS")
    said = f"{count} core{'s' if count > 1 else ''}, {native}, OMP_NUM_THREADS " + (threads if threads else "not set")
    if threads is not None and not threads.isdigit():
        return Finding("cpu", "note", said, "it must be a whole number: unset OMP_NUM_THREADS, rca-dist train sets it")
    if threads and int(threads) > count:
        return Finding(
            "cpu", "note", said, f"more threads than cores slow each other down: unset OMP_NUM_THREADS or set it to {count}"
        )
    if quota and quota < count and not threads:
        return Finding("cpu", "note", f"{said}; this container may use {quota:g} of them",
                       f"export OMP_NUM_THREADS={max(1, int(quota))}")  # fmt: skip
    return Finding("cpu", "ok", said)
