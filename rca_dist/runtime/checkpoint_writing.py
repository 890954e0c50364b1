"""One rank's part of one checkpoint on its way to the disk, in the background or at once."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.runtime import faults
from rca_dist.runtime.capture import Captured
from rca_dist.runtime.checkpoint_files import write_state
from rca_dist.runtime.files import disk_problem
from rca_dist.runtime.tensors import save_pickled


@dataclass
class Writing:
    """A save that has begun and is not yet published. Calls no collective of the default group."""

    step: int
    rank: int
    aside: Path
    captured: Captured
    rng: dict[str, Any]
    manifest: dict[str, Any]
    keep: int | None
    must: bool
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    problem: str | None = "it was broken off"
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Write in a thread of its own. It ends with the process: what is not published does not count."""
        self.thread = threading.Thread(target=self.run, name=f"checkpoint-{self.step}", daemon=True)
        self.thread.start()

    def run(self) -> None:
        """Write, flush and hash this rank's files; what goes wrong is kept in `problem`."""
        try:
            names = self.captured.to(self.aside)
            faults.at("save", self.step)
            save_pickled(self.rng, self.aside / f"rng-{self.rank}.pt")
            self.files = write_state(self.aside, [*names, f"rng-{self.rank}.pt"])
            self.problem = None
        except Exception as error:
            self.problem = explain(error, self.aside)
        finally:
            # The copies give their memory back now, not at the next save.
            del self.captured

    @property
    def done(self) -> bool:
        """Whether this rank's files are written. Local."""
        return self.thread is None or not self.thread.is_alive()

    def wait(self) -> None:
        """Until this rank's files are written."""
        if self.thread is not None:
            self.thread.join()


def explain(error: Exception, path: Path) -> str:
    """An error of saving in a few words."""
    lines = str(error).strip().splitlines() or [""]
    # A wrapped error of another rank says on its last line what happened.
    return disk_problem(error, path) or f"{type(error).__name__}: {lines[-1]}"
