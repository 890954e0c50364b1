"""Where each rank is, so that a rank that hangs or has died can be named, and a silent one ends the job.

The main thread notes (place, step) in a variable; a thread puts it into the group's key-value store twice a second, with a
counter that goes on for as long as the process runs. When a collective fails, the survivors read all counters twice: the
ranks whose counter stands still are stopped or gone; where all go on, the ones that are elsewhere are named. Each rank also
watches its neighbour: some back ends make groups of their own whose collectives know nothing of our time limit.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rca_dist.errors import EXIT_FAILED

if TYPE_CHECKING:
    from rca_dist.runtime.distributed import Distributed

EVERY_SECONDS = 0.5
# Longer than the slowest of two signs of life.
LOOK_SECONDS = 2.0
# A store whose process is stopped never answers.
STORE_SECONDS = 5.0
# An exception of the collective itself comes first where there is one: it leaves more in order.
MARGIN_SECONDS = 5.0
# Lost connections and exceeded times, in the words of gloo, NCCL and the store.
LOST = ("connection closed", "connection reset", "broken pipe", "connection refused", "socket closed", "remote process exited")
LATE = ("timed out", "timeout")
GO_ON = "start it again to go on from the last checkpoint"
_now: tuple[str, int | None, float] = ("start", None, time.monotonic())
_heart: "Heart | None" = None


def at(place: str, step: int | None = None) -> None:
    """Note where this process is: a word such as "training", and the step (from 1). Local, a fraction of a microsecond."""
    global _now
    _now = (place, step, time.monotonic())


def start(dist: "Distributed", timeout_seconds: float) -> None:
    """Begin to give signs of life; nothing where there is one process. Collective only in that all ranks should do it."""
    global _heart
    stop()
    if dist.world_size > 1:
        import torch

        default: Any = torch.distributed.distributed_c10d._get_default_store()
        store = default.clone()
        _heart = Heart(store, dist.rank, dist.world_size, timeout_seconds, dies_silently=dist.device.type == "cuda")


def stop() -> None:
    """End the signs of life, before the process group is left."""
    global _heart
    if _heart is not None:
        _heart.end()
        _heart = None


def explain(error: BaseException) -> str | None:
    """What to say in place of a traceback when a collective failed because of another rank; None for any other error.

    Takes LOOK_SECONDS. Empty on all but the lowest rank that still lives: one message is enough.
    """
    text = str(error).lower()
    late = any(words in text for words in LATE)
    of_a_file = isinstance(error, OSError) and not isinstance(error, ConnectionError)
    if _heart is None or of_a_file or not (late or any(words in text for words in LOST)):
        return None
    return _heart.verdict(late=late)


@dataclass(frozen=True)
class Sign:
    """What a rank last put into the store."""

    beats: int
    place: str
    step: int | None
    seconds: float  # at this place, by its own clock

    def __str__(self) -> str:
        return in_words(self.place, self.step)


def in_words(place: str, step: int | None) -> str:
    """step 7 (training)."""
    return f"step {step} ({place})" if step is not None else f"the phase {place!r}"


class Heart:
    """The signs of life of one process, and its reading of the others'."""

    def __init__(self, store: Any, rank: int, world_size: int, timeout_seconds: float, *, dies_silently: bool) -> None:
        """`dies_silently`: the back end's watchdog ends the process without an exception, so we speak before it does."""
        self.store, self.rank, self.world_size = store, rank, world_size
        self.timeout_seconds = timeout_seconds
        self.speaks_at = timeout_seconds - MARGIN_SECONDS if dies_silently else None
        self.beats = self.neighbour = 0
        self.ended = threading.Event()
        self._beat()
        self.threads = [threading.Thread(target=work, name=f"rca-{work.__name__}", daemon=True)
                        for work in (self._live, self._watch)]  # fmt: skip
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        """Stop both threads."""
        self.ended.set()
        for thread in self.threads:
            thread.join(timeout=4 * EVERY_SECONDS)

    def _beat(self) -> None:
        place, step, since = _now
        self.beats += 1
        sign = [self.beats, place, step, round(time.monotonic() - since, 1)]
        self.store.set(self._key(self.rank), json.dumps(sign))

    def _live(self) -> None:
        """Beat, and read the neighbour's beats; both may wait for ever where the store's process is stopped."""
        other = [self._key((self.rank + 1) % self.world_size)]
        while not self.ended.wait(EVERY_SECONDS):
            try:
                self._beat()
                if self.store.check(other):
                    self.neighbour = json.loads(self.store.get(other[0]))[0]
            except Exception:
                # The store went with its process; whoever waits in a collective hears of it there.
                return

    def _watch(self) -> None:
        """End this process when its neighbour has been silent for too long. Counts own ticks: a pause of all is no silence."""
        ticks, last = 0, -1
        spoken: tuple[str, int | None, float] | None = None
        while not self.ended.wait(EVERY_SECONDS):
            ticks, last = (ticks + 1, last) if self.neighbour == last else (0, self.neighbour)
            now = _now
            waited = time.monotonic() - now[2]
            if self.speaks_at is not None and waited > self.speaks_at and now is not spoken and now[0] != "start":
                spoken = now
                self._say(self.verdict(late=True))
            if ticks * EVERY_SECONDS > self.timeout_seconds + MARGIN_SECONDS:
                self._say(self.verdict(late=True) or f"rank {self.rank} ends because another rank is silent")
                os._exit(EXIT_FAILED)

    @staticmethod
    def _say(text: str) -> None:
        if text:
            print(f"rca-dist: {text}", file=sys.stderr, flush=True)

    @staticmethod
    def _key(rank: int) -> str:
        return f"rca_dist/alive/{rank}"

    def _signs(self) -> list[Sign] | None:
        """Every rank's last sign of life; None when the store does not answer."""
        found: list[Sign] = []

        def read() -> None:
            values = self.store.multi_get([self._key(rank) for rank in range(self.world_size)])
            found.extend(Sign(*json.loads(value)) for value in values)

        reader = threading.Thread(target=_quietly, args=(read,), daemon=True)
        reader.start()
        reader.join(timeout=STORE_SECONDS)
        return found or None

    def verdict(self, *, late: bool) -> str:
        """One message for the whole job; empty on the ranks that leave it to a lower one."""
        place, step, since = _now
        waited = f"{max(1, round(time.monotonic() - since))} s"
        where = f"rank {self.rank} waits in {in_words(place, step)}"
        limit = f" (dist.timeout_seconds={self.timeout_seconds:g})" if late else ""
        before, after = self._signs(), None
        if before is not None:
            time.sleep(LOOK_SECONDS)
            after = self._signs()
        if before is None or after is None:
            return (
                f"rank 0, or the launcher, does not answer any more: it has ended or hangs; {where}{limit}; where another "
                f"message came first, that is the one to read; {GO_ON}"
            )
        silent = [n for n in range(self.world_size) if n != self.rank and before[n].beats == after[n].beats]
        if any(n < self.rank and n not in silent for n in range(self.world_size)):
            return ""
        last = {n: f"(last sign of life: {after[n]})" for n in silent}
        if silent and late:
            told = "; ".join(f"rank {n} has not answered for {waited} {last[n]}" for n in silent)
        elif silent:
            told = "; ".join(f"rank {n} has ended {last[n]}" for n in silent) + "; its own message, if any, is the one to read"
        else:
            others = [f"rank {n} has been in {after[n]} for {after[n].seconds:.0f} s" for n in range(self.world_size)
                      if (after[n].place, after[n].step) != (place, step)]  # fmt: skip
            told = "a collective operation did not end: " + (
                "; ".join(others) or "all ranks are in the same place, so the network between them is the likely cause"
            )
        return f"{told}; {where}{limit}; {GO_ON}"


def _quietly(work: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):
        work()
