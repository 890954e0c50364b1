"""The list of run directories and caches made on this machine, so that `rca-dist clean --ticket` knows where to look."""

import contextlib
import json
import os
from pathlib import Path

_MOST_READ = 4 * 2**20


def register() -> Path | None:
    """The file with the list: RCA_PLACES (empty for no list), else `rca_dist/places.jsonl` in the user's cache folder."""
    if "RCA_PLACES" in os.environ:
        return Path(os.environ["RCA_PLACES"]) if os.environ["RCA_PLACES"] else None
    named = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(named) if named and Path(named).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "rca_dist" / "places.jsonl"


def remember(*places: Path) -> None:
    """Note run directories or cache folders. A list that cannot be written is no reason to stop a run, so nothing is raised."""
    file = register()
    if file is None:
        return
    with contextlib.suppress(OSError, ValueError):
        known = set(remembered())
        new = [path for path in dict.fromkeys(place.absolute() for place in places) if path not in known]
        if new:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # One short write a line: two runs that begin together do not mix theirs.
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb", buffering=0) as handle:
                for path in new:
                    handle.write(json.dumps({"path": str(path)}).encode() + b"\n")


def remembered() -> list[Path]:
    """The places noted so far, whether they are still there or not; [] where there is no list. Damaged lines are skipped."""
    file = register()
    found: dict[Path, None] = {}
    lines: list[bytes] = []
    with contextlib.suppress(OSError):
        if file is not None:
            with file.open("rb") as handle:
                lines = handle.read(_MOST_READ).splitlines()
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found[Path(json.loads(line)["path"])] = None
    return list(found)
