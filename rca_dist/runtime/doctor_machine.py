"""Checks of `rca-dist doctor`: memory, disk space and limits of this machine."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from rca_dist.errors import UserError
from rca_dist.runtime.doctor_finding import GIB, Finding
from rca_dist.runtime.files import check_writable


def memory() -> list[Finding]:
    """Main memory, and the part of it that this container or job may use."""
    if not Path("/proc/meminfo").is_file():
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return [Finding("memory", "ok", f"{total / GIB:.1f} GiB")]
    lines = dict(text.split(":", 1) for text in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(lines[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    said = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    limit = memory_limit()
    if limit and limit[0] < total:
        available = min(available, limit[0] - limit[1])
        said += f"; this container or job may use {limit[0] / GIB:.1f} GiB, {available / GIB:.1f} GiB are left"
    if available < 2 * GIB:
        return [
            Finding("memory", "note", said, "even the built-in model takes 1 GiB a process: end other programs or ask for more")
        ]
    return [Finding("memory", "ok", said)]


def memory_limit(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> tuple[int, int] | None:
    """The tightest memory limit of this process's control groups and what is used of it, in bytes."""
    found = []
    for new, folder in _groups(root, own, "memory"):
        names = ("memory.max", "memory.current") if new else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        try:
            limit, used = (int((folder / name).read_text()) for name in names)
            stat = dict(text.split() for text in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        # Cached files make room when asked.
        found.append((limit, used - int(stat.get("inactive_file" if new else "total_inactive_file", 0))))
    return min(found, default=None)


def cpu_quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """How many cores' worth of time the control groups allow."""
    found = []
    for new, folder in _groups(root, own, "cpu"):
        try:
            if new:
                quota, period = (int(part) for part in (folder / "cpu.max").read_text().split())
            else:
                quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        except (OSError, ValueError):
            continue
        found += [quota / period] if quota > 0 and period > 0 else []
    return min(found, default=None)


def _groups(root: Path, own: Path, controller: str) -> Iterator[tuple[bool, Path]]:
    """(version 2, folder) of this process's control groups and of those around them."""
    try:
        rows = [text.split(":", 2) for text in own.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in (row for row in rows if len(row) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        base = root / controller if controllers else root
        parts = [part for part in path.split("/") if part not in ("", "..")]
        # Inside a container the path is the host's, and only the root folder is there.
        yield from ((not controllers, base.joinpath(*parts[:depth])) for depth in range(len(parts), -1, -1))


def hub_home(environ: Mapping[str, str]) -> Path:
    """The folder that Hugging Face libraries keep their files in."""
    cache = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(environ.get("HF_HOME") or Path(cache, "huggingface")).expanduser()


def disk(environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Free space and whether it can be written where runs, models and temporary files go."""
    hub = Path(environ.get("HF_HUB_CACHE") or hub_home(environ) / "hub").expanduser()
    try:
        temporary = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return [Finding("disk", "problem", "no folder for temporary files can be written", "free space in /tmp or set TMPDIR")]
    places = {"here": Path.cwd(), "runs/": Path("runs").resolve(), "model cache": hub, "temp": temporary}
    found: list[Finding] = []
    disks: dict[int, tuple[Path, list[str]]] = {}
    for name, place in places.items():
        key = "run.output_dir" if name in ("here", "runs/") else name
        try:
            if name != "here":
                check_writable(place, key)
        except UserError as error:
            said = str(error).partition("; choose")[0]
            must = name in ("runs/", "temp")
            fix = {
                "runs/": "give --run.output_dir=DIR elsewhere, or make it writable",
                "temp": "set TMPDIR to a writable folder",
            }
            found.append(
                Finding("writable", "problem" if must else "note", said, fix.get(name, "set HF_HOME to a writable folder"))
            )
        nearest = next(p for p in (place, *place.parents) if p.exists())
        disks.setdefault(nearest.stat().st_dev, (nearest, []))[1].append(name)
    found += [space(names, shutil.disk_usage(folder).free) for folder, names in disks.values()]
    return found


def space(names: list[str], free: int) -> Finding:
    """Whether `free` bytes are enough for what goes there."""
    said = f"{free / GIB:.1f} GiB free ({', '.join(names)})"
    if free < GIB / 2 and names != ["model cache"]:
        return Finding("disk", "problem", said, "free some space: a run cannot write its checkpoints or the launcher its files")
    if free < 5 * GIB:
        return Finding("disk", "note", said, "a checkpoint takes about 12 bytes per trained weight, a run keeps several; "
                       "HF_HOME can put the model cache elsewhere")  # fmt: skip
    return Finding("disk", "ok", said)


def limits() -> list[Finding]:
    """Shared memory and open files."""
    found = []
    if sys.platform == "linux":
        size = shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else 0
        fix = "several processes share data there: docker run --shm-size=8g (or --ipc=host)"
        found.append(Finding("/dev/shm", "ok" if size >= GIB else "note", f"{size / GIB:.1f} GiB", fix))
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    said = f"at most {files} (ulimit -n)" if files >= 0 else "no limit"
    found.append(Finding("open files", "note" if 0 <= files < 1024 else "ok", said, "ulimit -n 4096"))
    return found
