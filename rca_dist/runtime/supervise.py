"""A launcher as a child: signals reach the workers, and a job that ran out of memory starts again with less."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

RESTARTED = "RCA_RESTARTED"  # set for a job that was started again by itself


def supervise(command: list[str], environment: dict[str, str], folder: Path, *, restarts: int) -> tuple[int, int | None]:
    """Run the launcher to its end; `folder` is where workers leave `exit`, `pid-RANK` and `memory-RANK`.

    Started again up to `restarts` times when a worker has left the smaller budget (environment variables) with which it may
    fit, and nobody has asked to stop. Returns the launcher's exit code, and the job's own, None when it left none.
    """
    with _Signals(folder) as signals:
        for left in range(restarts, -1, -1):
            code = signals.run(command, environment)
            told, smaller = _exit_code(folder), _smaller(folder)
            if not smaller or signals.received:
                break
            names = ", ".join(f"{name}={value}" for name, value in smaller.items())
            if not left:
                why = f"memory ran out {restarts + 1} times ({names} would be next)" if restarts else "only done on one machine"
                print(f"rca-dist: not started again: {why}", file=sys.stderr)
                break
            again = f"starting again from the last checkpoint with {names}"
            print(f"rca-dist: {again} ({left} of {restarts} times left)", file=sys.stderr)
            environment = environment | smaller | {RESTARTED: "1"}
            for path in (*folder.glob("pid-*"), *folder.glob("memory-*"), folder / "exit"):
                path.unlink(missing_ok=True)
    return code, told


def _exit_code(folder: Path) -> int | None:
    try:
        return int((folder / "exit").read_text())
    except (OSError, ValueError):
        return None


def _smaller(folder: Path) -> dict[str, str]:
    """What the ranks that ran out of memory ask for; the smallest of each."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("memory-*")):
        with contextlib.suppress(OSError, ValueError):
            for name, value in json.loads(path.read_text(encoding="utf-8")).items():
                found[name] = str(min(int(value), int(found.get(name, value))))
    return found


class _Signals:
    """Requests to stop, handed on to the workers, whose process ids lie in `folder`.

    torchrun puts each worker into a session of its own, so a signal to the launcher's group would not reach them.
    The first request also leaves the file `stop`, for workers that have not started yet; the third kills everything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.received: list[int] = []
        self.child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "_Signals":
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
        # What nohup and the like have set to be ignored stays ignored.
        self.before = {n: signal.signal(n, self._forward) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def run(self, command: list[str], environment: dict[str, str]) -> int:
        # Slurm signals every process of a step; this one must not die of it before it can say so itself.
        self.child = subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=deaf)
        try:
            return self.child.wait()
        finally:
            self.child = None

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        (self.folder / "stop").touch()
        hard = len(self.received) >= 3
        for entry in self.folder.glob("pid-*"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(entry.read_text()), signal.SIGKILL if hard else signal.SIGTERM)
        if self.child is not None and hard:
            os.killpg(self.child.pid, signal.SIGKILL)


def deaf() -> None:
    """Ignore SIGTERM and SIGUSR1; what a process ignores its children ignore until they install handlers of their own."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
