"""Requests to stop: a signal sets a flag, the trainer reads it at a step boundary, the evaluator between two batches."""

import logging
import math
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Optional

from rca_dist.errors import Stopped

if TYPE_CHECKING:
    from rca_dist.runtime.distributed import Distributed

log = logging.getLogger(__name__)
SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")
SAME_REQUEST = 3.0
# Looking for a file asks a network disk; once a second is often enough.
LOOK_EVERY_SECONDS = 1.0


class StopRequest:
    """Set by SIGTERM, SIGINT, SIGUSR1, a file, or a time limit.

    A second signal ends the process at once. Signals within SAME_REQUEST seconds are one request: Slurm and a parent
    that forwards often deliver the same one twice.
    """

    installed: Optional["StopRequest"] = None

    def __init__(self, max_minutes: float | None = None, stop_file: Path | None = None) -> None:
        """`max_minutes` from now on; None for no limit. `stop_file`: stop when it appears (rank 0 looks, and removes it)."""
        self.max_minutes = max_minutes
        self.ends_at = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        self.received: str | None = None
        self.at = 0.0
        self.stop_file = stop_file if os.environ.get("RANK", "0") == "0" else None
        # Made by `rca-dist train` when it is asked to stop, for processes that have not started to listen.
        self.file = Path(os.environ["RCA_STOP_FILE"]) if "RCA_STOP_FILE" in os.environ else None
        self.found: Path | None = None
        self.looked_at = -math.inf

    def install(self) -> "StopRequest":
        """Take over the signals of this process, and what an earlier request has received (main thread only)."""
        if StopRequest.installed is not None:
            self.received, self.at = StopRequest.installed.received, StopRequest.installed.at
        StopRequest.installed = self
        for name in SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle)
        return self

    @property
    def reason(self) -> str:
        """Why this rank stops, as words after "stopped"."""
        if self.found is not None and self.found == self.stop_file:
            return f"on request (the file {self.found.name}, now removed)"
        # Another rank's clock may have said so a moment earlier.
        limit = time.monotonic() > self.ends_at - SAME_REQUEST and self.received is None
        return f"at the time limit of {self.max_minutes:g} min (train.max_minutes)" if limit else "on request"

    def __call__(self) -> bool:
        """Whether this rank was asked to stop. Local: ranks agree by a reduction at a step boundary."""
        return self.received is not None or time.monotonic() > self.ends_at or self._found()

    def _found(self) -> bool:
        if self.found is None and time.monotonic() - self.looked_at >= LOOK_EVERY_SECONDS:
            self.looked_at = time.monotonic()
            self.found = next((path for path in (self.stop_file, self.file) if path is not None and path.exists()), None)
        return self.found is not None

    def honoured(self) -> None:
        """The run stops because of this request: the next start must not find its file."""
        if self.stop_file is not None:
            self.stop_file.unlink(missing_ok=True)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self.at = signal.Signals(number).name, time.monotonic()
        elif time.monotonic() - self.at > SAME_REQUEST:
            os._exit(128 + number)


def stopped(request: Callable[[], bool], where: str) -> Stopped:
    """What is raised on all ranks alike once they have agreed, and saved what there is to save."""
    text = f"stopped {getattr(request, 'reason', 'on request')} {where}"
    honoured: Any = getattr(request, "honoured", None)
    if honoured is not None:
        honoured()
    return Stopped(text)


def stop_if_asked(dist: "Distributed", request: Callable[[], bool], where: str) -> None:
    """Raise Stopped on every rank when any was asked to stop; `where`: words such as "before the first step". Collective."""
    if dist.any_rank(request()):
        raise stopped(request, where)
