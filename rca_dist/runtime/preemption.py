"""Requests to stop: a signal sets a flag, the trainer reads it at a step boundary."""

import os
import signal
from types import FrameType

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")


class StopRequest:
    """Set by SIGTERM, SIGINT or SIGUSR1; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.received: str | None = None

    def install(self) -> "StopRequest":
        """Take over the signals of this process (main thread only)."""
        for name in SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._handle)
        return self

    def __call__(self) -> bool:
        """Whether this rank was asked to stop. Local: ranks agree by a reduction at a step boundary."""
        return self.received is not None

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(128 + number)
        self.received = signal.Signals(number).name
