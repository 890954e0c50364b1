"""The run directory: its name, its life cycle, its `run.json`."""

import datetime
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rca_dist.errors import UserError
from rca_dist.runtime import places
from rca_dist.runtime.checkpoint_files import strangeness
from rca_dist.runtime.files import read_json, write_json, write_text
from rca_dist.runtime.meters import commit, versions

RUNNING, FINISHED, INTERRUPTED, FAILED = "running", "finished", "interrupted", "failed"


def default_name(data: str, model: str, digest: str) -> str:
    """`<data>-<model>-<hash>` with characters that any file system takes."""
    parts = []
    for text in (data, model):
        last = text.rstrip("/").replace("\\", "/").rpartition("/")[2].removeprefix("builtin:")
        stem = last.partition(".")[0] if "/" in text or "." in text else last
        parts.append(re.sub(r"[^A-Za-z0-9_]+", "-", stem).strip("-")[:40] or "x")
    return "-".join([*parts, digest])


class RunDirectory:
    """One run's directory. Only rank 0 writes through it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Any] = read_json(path / "run.json") or {}
        self.lock: TextIO | None = None

    @property
    def status(self) -> str | None:
        """What run.json says, None where no run began."""
        return self.facts.get("status")

    def check(self, config_hash: str, *, overwrite: bool, identity: Mapping[str, Any] | None = None) -> None:
        """Refuse a directory that holds something else than an earlier start of this same run.

        `identity`: `settings` and `data_fingerprint` of this run, to say what differs. Raises: UserError.
        """
        if overwrite or not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.facts:
            raise UserError(f"run.output_dir={self.path}: holds files but no run of ours; choose another directory")
        if self.facts.get("config_hash") != config_hash:
            lines = strangeness(self.facts, identity or {})
            told = f"there -> here: {'; '.join(lines)}" if lines else "its config.yaml tells which"
            raise UserError(
                f"run.output_dir={self.path}: holds a run of other settings or data ({told}); choose "
                "another directory, or remove what is there with --run.overwrite"
            )

    def begin(self, *, overwrite: bool, config_yaml: str, facts: dict[str, Any]) -> None:
        """Make the directory and mark it running. An earlier start of the same run keeps its files and id."""
        if overwrite and self.path.exists() and any(self.path.iterdir()) and not self.facts:
            raise UserError(f"run.output_dir={self.path}: holds no run of ours, so --run.overwrite leaves it alone")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock()
        if overwrite:
            for old in (p for p in self.path.iterdir() if p.name != ".lock"):
                if old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old)
                else:
                    old.unlink()
            self.facts = {}
        # Starts are counted, and each has a mark of its own: two that were not kept apart by the lock may count alike.
        mine = {"starts": int(self.facts.get("starts", 0)) + 1, "start_mark": secrets.token_hex(4)}
        self.facts = {"created_at": now(), **self.facts, **facts, "status": RUNNING, **mine}
        self.facts |= {"versions": versions(), "commit": commit()}
        self.facts.pop("finished_at", None)
        write_text(self.path / "config.yaml", config_yaml)
        write_json(self.path / "run.json", self.facts)
        places.remember(self.path)

    def _lock(self) -> None:
        """Hold the directory until this process ends. Raises: UserError when another start holds it."""
        try:
            import fcntl
        except ImportError:
            return
        lock = (self.path / ".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"run.output_dir={self.path}: another start of this run is at work there; wait for it or stop it"
            ) from None
        except OSError:
            pass  # some network file systems know no locks
        self.lock = lock

    def check_mine(self) -> None:
        """Whether no later start has taken the directory over, as after a requeue of a job whose node was only out of reach.

        Raises: UserError when one has: nothing may be written any more.
        """
        found = read_json(self.path / "run.json") or {}
        if found.get("start_mark", self.facts.get("start_mark")) != self.facts.get("start_mark"):
            raise UserError(
                f"run.output_dir={self.path}: start {found.get('starts')} of this run has taken over from start "
                f"{self.facts.get('starts')}, which ends here and writes nothing more"
            )

    def save(self, **facts: Any) -> None:
        """Update run.json at once. Raises: UserError when another start has taken over."""
        self.check_mine()
        self.facts |= facts
        write_json(self.path / "run.json", self.facts)

    def end(self, status: str, **facts: Any) -> None:
        """Mark how the run ended and let go of the directory."""
        self.save(status=status, finished_at=now(), **facts)
        self.release()

    def release(self) -> None:
        """Let another start have the directory; the end of the process does so too."""
        if self.lock is not None:
            self.lock.close()
            self.lock = None


def now() -> str:
    """UTC time to the second, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat()
