"""Requests to stop: a signal sets a flag, the trainer reads it at a step boundary."""

import math
import os
import signal
import time
from pathlib import Path
from types import FrameType

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")
SAME_REQUEST = 3.0


class StopRequest:
    """Set by SIGTERM, SIGINT, SIGUSR1, the file that `rca-dist train` makes when it is asked to stop, or a time limit.

    A second request ends the process at once. Signals within SAME_REQUEST seconds are one request: Slurm and a parent
    that forwards often deliver the same one twice.
    """

    def __init__(self, max_minutes: float | None = None) -> None:
        """`max_minutes` from now on; None for no limit."""
        self.max_minutes = max_minutes
        self.ends_at = math.inf if max_minutes is None else time.monotonic() + 60 * max_minutes
        self.received: str | None = None
        self.at = 0.0
        self.file = Path(os.environ["RCA_STOP_FILE"]) if "RCA_STOP_FILE" in os.environ else None

    def install(self) -> "StopRequest":
        """Take over the signals of this process (main thread only)."""
        for name in SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle)
        return self

    @property
    def reason(self) -> str:
        """Why this rank stops, as words after "stopped"."""
        # Another rank's clock may have said so a moment earlier.
        limit = time.monotonic() > self.ends_at - SAME_REQUEST and self.received is None
        return f"at the time limit of {self.max_minutes:g} min (train.max_minutes)" if limit else "on request"

    def __call__(self) -> bool:
        """Whether this rank was asked to stop. Local: ranks agree by a reduction at a step boundary."""
        return self.received is not None or time.monotonic() > self.ends_at or (self.file is not None and self.file.exists())

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is None:
            self.received, self.at = signal.Signals(number).name, time.monotonic()
        elif time.monotonic() - self.at > SAME_REQUEST:
            os._exit(128 + number)
