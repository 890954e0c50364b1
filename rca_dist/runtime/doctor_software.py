"""Checks of `rca-dist doctor`: platform, packages, DeepSpeed, and what the shell and Accelerate's default file ask for."""

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from rca_dist.errors import UserError
from rca_dist.runtime.doctor_finding import Finding
from rca_dist.runtime.doctor_machine import hub_home
from rca_dist.runtime.doctor_probe import LAUNCHER_NAMES, LAUNCHER_PREFIXES, ask
from rca_dist.runtime.launcher_files import read_mapping
from rca_dist.runtime.launcher_settings import from_environment

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OLDEST_PYTHON = (3, 11)
SHOWN = ("torch", "transformers", "accelerate", "peft", "datasets", "wandb")
# Extras that a training run can ask for, and what without them is not possible.
OPTIONAL = {"deepspeed": "ZeRO", "quant": "4-bit weights (QLoRA)"}
INSTALL = "pip install -e '.[{extra}]' in the checkout"


def system() -> list[Finding]:
    """Operating system and Python."""
    name = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    python = f"Python {platform.python_version()}, {name} {platform.release()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON:
        return [
            Finding("python", "problem", python, "use Python 3.11 or later: a new virtual environment, e.g. python3.12 -m venv")
        ]
    if name == "Windows":
        return [Finding("python", "problem", python, "Windows itself cannot run the launcher: use WSL2 (wsl --install), there "
                        "as on Linux")]  # fmt: skip
    if name == "macOS":
        return [
            Finding("python", "note", python, "on macOS train in a single process, fp32, on the Apple GPU (MPS) or the CPU")
        ]
    return [Finding("python", "ok", python)]


def packages() -> list[Finding]:
    """Installed versions against the ranges of pyproject.toml; imports none of them."""
    try:
        requirements = metadata.requires("rca-dist") or []
    except metadata.PackageNotFoundError:
        return [Finding("packages", "problem", "rca-dist itself is not installed", "pip install -e . in the checkout")]
    return compare(requirements)


def compare(requirements: Sequence[str]) -> list[Finding]:
    """What is missing or outside its range among requirements such as `torch>=2.8` or `deepspeed; extra == "deepspeed"`."""
    from packaging.requirements import Requirement

    parsed = [Requirement(text) for text in requirements]
    required = [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]
    versions = {r.name: _version(r.name) for r in parsed}
    wrong = [r for r in required if not _fits(r, versions)]
    shown = ", ".join(f"{name} {versions[name]}" for name in SHOWN if versions.get(name))
    if wrong:
        said = ", ".join(f"{r.name} {versions[r.name] or 'missing'}, needs {r.specifier}" for r in wrong)
        wanted = " ".join(f"'{r.name}{r.specifier}'" for r in wrong)
        found = [Finding("packages", "problem", said, f"pip install {wanted}")]
    else:
        others = len(required) - sum(r.name in SHOWN for r in required)
        found = [Finding("packages", "ok", f"{shown}" + (f", {others} others in range" if others > 0 else ""))]
    for extra, use in OPTIONAL.items():
        own = [r for r in parsed if r not in required and (r.marker is None or r.marker.evaluate({"extra": extra}))]
        if not own:
            continue
        lacking = [r for r in own if not _fits(r, versions)]
        said = ", ".join(f"{r.name} {versions[r.name] or 'not installed'}" for r in own)
        if lacking:
            ranges = ", ".join(f"{r.name}{r.specifier}" for r in lacking)
            fix = f"only for {use}: {INSTALL.format(extra=extra)} ({ranges})"
            found.append(Finding(extra, "note", said, fix))
        else:
            found.append(Finding(extra, "ok", said))
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _fits(requirement: "Requirement", versions: Mapping[str, str]) -> bool:
    version = versions[requirement.name]
    return bool(version) and requirement.specifier.contains(version, prereleases=True)


def deepspeed_imports() -> list[Finding]:
    """Whether DeepSpeed, where installed, can be imported."""
    if not _version("deepspeed") or importlib.util.find_spec("torch") is None:
        return []
    answer = ask("deepspeed", seconds=40)
    if answer.done:
        return [Finding("zero", "ok", "DeepSpeed can be imported: ZeRO-1, 2, 3")]
    if answer.timed_out:
        return [
            Finding("zero", "note", "importing DeepSpeed takes over 40 s", "run the doctor again, a second import is faster")
        ]
    # Accelerate imports it for every kind of job, not for ZeRO alone.
    fix = "pip uninstall deepspeed (DDP and FSDP2 need none), or repair it: set CUDA_HOME, or DS_IGNORE_CUDA_DETECTION=1 " \
          "where no CUDA toolkit is; after a new torch pip install --force-reinstall --no-deps deepspeed"  # fmt: skip
    return [Finding("zero", "problem", f"DeepSpeed is installed but cannot be imported: {answer.error}", fix)]


def compiler() -> list[Finding]:
    """What DeepSpeed compiles its CPU optimizer with; needed for offload only."""
    if not _version("deepspeed"):
        return []
    wanted = {
        "a C++ compiler": shutil.which(os.environ.get("CXX") or "c++") or shutil.which("g++"),
        "ninja on PATH": shutil.which("ninja"),
        "Python.h": Path(sysconfig.get_paths()["include"], "Python.h").is_file(),
    }
    missing = [name for name, there in wanted.items() if not there]
    if missing:
        fix = "only for offload (zero3_offload): install g++ and Python's headers (apt install g++ python3-dev), pip install " \
              "ninja, and activate the virtual environment"  # fmt: skip
        return [Finding("compiler", "note", f"not here: {', '.join(missing)}", fix)]
    return [Finding("compiler", "ok", "C++ compiler, ninja and Python.h are here (for offload)")]


def leftovers(environ: Mapping[str, str] = os.environ) -> Finding:
    """Launcher variables that stand in the shell, where they would speak to every job started from it."""
    names = [name for name in LAUNCHER_NAMES if name in environ]
    names += sorted(name for name in environ if name.startswith(LAUNCHER_PREFIXES))
    if "TORCHELASTIC_RUN_ID" in environ:
        return Finding("shell", "ok", "started under a launcher, whose variables are set")
    if not names:
        return Finding("shell", "ok", "no variables of a launcher are left over")
    shown = ", ".join(f"{name}={environ[name]}" if name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") else name for name in names)
    fix = f"unset {' '.join(names)}"
    alone = (environ.get("RANK", "0"), environ.get("LOCAL_RANK", "-1"), environ.get("WORLD_SIZE", "1")) == ("0", "-1", "1")
    if not alone:
        said = "a job would wait for processes that never come, or stay silent"
        return Finding("shell", "problem", f"left over from a launcher: {shown}; {said}", fix)
    try:
        backend = from_environment(environ).backend
    except UserError as error:
        return Finding("shell", "problem", f"left over from a launcher: {shown}; {error}", fix)
    said = f"; a job would use back end {backend}" if backend != "no" else ""
    return Finding("shell", "note", f"left over from a launcher: {shown}{said}", fix)


def default_file(environ: Mapping[str, str] = os.environ) -> Finding:
    """The file that `accelerate config` wrote, which plain `accelerate launch` obeys."""
    folder = hub_home(environ) / "accelerate"
    path = next((p for p in (folder / "default_config.yaml", folder / "default_config.json") if p.is_file()), None)
    if path is None:
        return Finding("launcher", "ok", "no default file of accelerate")
    try:
        data = read_mapping(path, "accelerate's default file")
    except UserError as error:
        return Finding(
            "launcher", "note", str(error), f"rca-dist train ignores it; plain accelerate launch fails: remove {path}"
        )
    plain = {"distributed_type": ("NO", False), "num_processes": (1,), "num_machines": (1,), "mixed_precision": ("no", False)}
    asked = [f"{key}={data[key]}" for key, usual in plain.items() if data.get(key) not in (None, *usual)]
    if not asked:
        return Finding("launcher", "ok", "accelerate's default file asks for nothing special")
    fix = "rca-dist train ignores it; give plain accelerate launch a --config_file from configs/accelerate/, or remove it"
    return Finding("launcher", "note", f"{path} asks for {', '.join(asked)}", fix)


def shell() -> list[Finding]:
    """Both places where settings of a launch may lie in wait."""
    return [leftovers(), default_file()]
