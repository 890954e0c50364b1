"""Faults on purpose, to see what a job does then: `RCA_FAULT="rank=1,step=7,kind=kill"`, several separated by `;`.

| part | meaning |
|---|---|
| `kind` | `kill` and `hang` (SIGKILL, SIGSTOP to itself), `term` `int` `usr1` (that signal to itself), `exit` (code 7, at once), `error` (an exception), `oom` (out of memory), `nan` (the loss), `disk` (no space left, while saving) |
| `rank` | a number, or `all` (default) |
| `step` | optimizer step, from 1; without it the first time that the place is reached |
| `at` | `start` (before step 1), `step` (default: in each micro-batch), `evaluate` (in each batch), `save` (between two files), `publish` (before the rename), `end` |
| `once` | a file: the fault comes only if it can create it, so not again in the next start (`FILE.RANK` with `rank=all`) |
| `over` | only for `oom`: whenever a batch has more tokens than this, as a small memory would |

Read once, at import. When the variable is not set, `at` tests one name and returns.
"""  # noqa: E501 - a table

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from rca_dist.errors import UserError

PLACES = ("start", "step", "evaluate", "save", "publish", "end")


@dataclass
class Fault:
    """One entry of RCA_FAULT; `rank` None is every rank, `step` None any step."""

    kind: str
    place: str = "step"
    rank: int | None = None
    step: int | None = None
    once: str | None = None
    over: int | None = None
    spent: bool = False


def parse(text: str) -> list[Fault]:
    """The entries of RCA_FAULT. Raises: UserError for anything that is not understood."""
    return [_entry(part) for part in text.split(";") if part.strip()]


def _entry(text: str) -> Fault:
    values: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or key not in ("rank", "step", "kind", "at", "once", "over") or key in values:
            raise _malformed(text, f"{part.strip()!r} is not understood")
        values[key] = value
    if values.get("kind") not in KINDS:
        raise _malformed(text, f"kind must be one of {', '.join(KINDS)}")
    if values.get("at", "step") not in PLACES:
        raise _malformed(text, f"at must be one of {', '.join(PLACES)}")
    if values.get("rank") == "all":
        del values["rank"]
    numbers: dict[str, int] = {}
    for key in values.keys() & {"rank", "step", "over"}:
        if not values[key].isdigit():
            raise _malformed(text, f"{key}={values[key]} must be a whole number")
        numbers[key] = int(values[key])
    if "over" in numbers and values["kind"] != "oom":
        raise _malformed(text, "over belongs to kind=oom")
    rank, step, over = (numbers.get(key) for key in ("rank", "step", "over"))
    return Fault(values["kind"], values.get("at", "step"), rank, step, values.get("once"), over)


def _malformed(text: str, problem: str) -> UserError:
    return UserError(
        f"RCA_FAULT={text.strip()}: {problem}; the form is rank=1,step=7,kind=kill[,at=step][,once=FILE], several joined by ;"
    )


def arm(text: str | None) -> None:
    """Replace what is armed in this process; None or an empty text disarms. Raises: UserError."""
    global armed, _step
    armed, _step = parse(text or "") or None, None


def expects(kind: str, place: str) -> bool:
    """Whether such a fault is armed on any rank."""
    return any(fault.kind == kind and fault.place == place for fault in armed or [])


def at(place: str, step: int | None = None, *, size: int = 0) -> bool:
    """Let what is armed for this place and step happen; `step` None is the last one begun. Local.

    `size`: tokens of the batch at hand. Returns whether the loss is to be poisoned (`kind=nan`).
    """
    return armed is not None and _happen(place, step, size)


def _happen(place: str, step: int | None, size: int) -> bool:
    global _step
    if place in ("start", "step"):
        # Saving may go on in another thread, for a step that is over.
        _step = step
    step = _step if step is None else step
    rank, poisoned = int(os.environ.get("RANK", "0")), False
    for fault in armed or []:
        fits = fault.place == place and fault.rank in (None, rank) and fault.step in (None, step)
        if not fits or fault.spent or (fault.over is not None and size <= fault.over) or not _claim(fault, rank):
            continue
        # A full disk and a small memory stay as they are; all else happens once.
        fault.spent = fault.kind != "disk" and fault.over is None
        poisoned |= fault.kind == "nan"
        KINDS[fault.kind]()
    return poisoned


def _claim(fault: Fault, rank: int) -> bool:
    if fault.once is None:
        return True
    path = fault.once if fault.rank is not None else f"{fault.once}.{rank}"
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _send(name: str) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), getattr(signal, name))


def _out_of_memory() -> NoReturn:
    import torch

    raise torch.OutOfMemoryError("out of memory (RCA_FAULT)")


def _disk_full() -> NoReturn:
    raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (RCA_FAULT)")


def _error() -> NoReturn:
    raise RuntimeError("an error on purpose (RCA_FAULT)")


KINDS: dict[str, Callable[[], object]] = {
    "kill": _send("SIGKILL"), "hang": _send("SIGSTOP"), "term": _send("SIGTERM"), "int": _send("SIGINT"),
    "usr1": _send("SIGUSR1"), "exit": lambda: os._exit(7), "error": _error, "oom": _out_of_memory, "nan": lambda: None,
    "disk": _disk_full,
}  # fmt: skip
armed: list[Fault] | None = None
_step: int | None = None
arm(os.environ.get("RCA_FAULT"))
