"""Where `rca-dist clean` looks: named folders, this folder, and the places that runs on this machine have noted."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.runtime import places
from rca_dist.runtime.files import read_json
from rca_dist.yaml_files import read_yaml

DEPTH = 3
_MOST_FOLDERS = 50_000
_SYSTEM = {"/proc", "/sys", "/dev"}


@dataclass
class Where:
    """Folders to search: `roots` as said to the user, and what lies in them; `gone` are noted places that are not there."""

    roots: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    caches: list[Path] = field(default_factory=list)
    pages: list[Path] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)
    cut: bool = False


def where(named_runs: Iterable[Path], named_caches: Iterable[Path]) -> Where:
    """The folders below `named_runs`, `runs` and the working directory (three levels), and all that earlier runs noted.

    Caches are those named, those beside a run directory, those that a run's config names, and folders called `.cache`.
    """
    noted = places.remembered()
    found = Where(gone=[place for place in noted if not place.is_dir()])
    there = [place for place in noted if place.is_dir()]
    runs = [place for place in there if is_run(place)]
    roots = [*named_runs, *([Path("runs")] if Path("runs").is_dir() else []), Path()]
    caches = list(named_caches)
    for folder, names in _below(roots, found):
        if is_run(folder):
            runs.append(folder)
        elif {"data.json", "data.html"} <= names:
            found.pages.append(folder)
        if folder.name == ".cache":
            caches.append(folder)
    found.runs = _different(runs)
    caches += [run.absolute().parent / ".cache" for run in found.runs]
    caches += [place for place in there if not is_run(place)]
    caches += _configured(found.runs)
    found.caches = _different(cache for cache in caches if cache.is_dir())
    found.pages = _different([*found.pages, *roots])
    found.roots = _outermost([*roots, *found.runs, *found.caches])
    return found


def is_run(folder: Path) -> bool:
    """Whether a run of ours lies here: other programs write a run.json too."""
    if not (folder / "run.json").is_file():
        return False
    facts = read_json(folder / "run.json")
    return "config_hash" in facts if isinstance(facts, dict) else (folder / "split.parquet").is_file()


def _below(roots: Iterable[Path], found: Where) -> Iterator[tuple[Path, set[str]]]:
    """Every folder at most three levels below a root with the names in it, once; links are followed."""
    seen: set[str] = set()
    waiting = [(root, 0) for root in roots]
    while waiting:
        folder, depth = waiting.pop(0)
        real = os.path.realpath(folder)
        if real in seen or real in _SYSTEM:
            continue
        if len(seen) >= _MOST_FOLDERS:
            found.cut = True
            return
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        yield folder, {entry.name for entry in entries}
        if depth < DEPTH and folder.name != ".cache":
            waiting += [(folder / entry.name, depth + 1) for entry in entries if _is_folder(entry)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _configured(directories: Iterable[Path]) -> list[Path]:
    """Cache folders that the configs of runs name."""
    found = []
    for directory in directories:
        config: Any = read_yaml(directory / "config.yaml", [])
        data = config.get("data") if isinstance(config, dict) else None
        if isinstance(data, dict) and data.get("cache_dir"):
            found.append(Path(str(data["cache_dir"])).expanduser())
    return found


def _different(folders: Iterable[Path]) -> list[Path]:
    """Each folder once, by the first of its spellings, in order of path."""
    by_real: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda path: (path.is_absolute(), str(path))):
        by_real.setdefault(os.path.realpath(folder), folder)
    return sorted(by_real.values())


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """The real folders without those that the search of another one covers."""
    real = sorted({Path(os.path.realpath(folder)) for folder in folders}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for folder in real:
        covered = [other for other in kept if folder.is_relative_to(other) and len(folder.parts) - len(other.parts) <= DEPTH]
        if not covered:
            kept.append(folder)
    return sorted(kept)
