"""What a check of `rca-dist doctor` found, how it is shown, and how checks are run with a time limit."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Literal

Status = Literal["ok", "note", "problem"]
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the screen.

    status: ok; note (training works, something is worth knowing); problem (training would fail or leave a GPU idle).
    fix: what to do about a note or problem. ready: what the last line says of it when nothing stops training.
    """

    name: str
    status: Status
    found: str
    fix: str = ""
    ready: str = ""


@dataclass(frozen=True)
class Check:
    """Gives findings within `seconds`; `slow` ones start processes or open connections. on_hang: what a hang may mean."""

    name: str
    run: Callable[[], list[Finding]]
    seconds: float
    slow: bool = False
    on_hang: str = ""


def examine(checks: Sequence[Check], total_seconds: float) -> Iterator[list[Finding]]:
    """Run all checks at once; their findings come in order, each as soon as it is there.

    A check that fails or hangs becomes a note; a hung one is left behind in its thread.
    """
    begin = time.monotonic()
    started = [(check, _start(check)) for check in checks]
    for check, answer in started:
        limit = min(check.seconds, total_seconds)
        try:
            yield answer.get(timeout=max(0.01, begin + limit - time.monotonic()))
        except Empty:
            yield [Finding(check.name, "note", f"no answer within {limit:.0f} s", check.on_hang or "try it again later")]


def _start(check: Check) -> "SimpleQueue[list[Finding]]":
    answer: SimpleQueue[list[Finding]] = SimpleQueue()

    def work() -> None:
        try:
            answer.put(check.run())
        except Exception as error:
            found = f"could not be checked ({type(error).__name__}: {last_line(str(error))})"
            answer.put([Finding(check.name, "note", found, "nothing else depends on it; please report it")])

    # A daemon: a hung system call must not keep the program alive.
    threading.Thread(target=work, name=check.name, daemon=True).start()
    return answer


def line(finding: Finding, width: int) -> str:
    """The finding on a line of its own, what to do below it."""
    text = f"{finding.status:<8} {finding.name:<{width}}  {finding.found}"
    return f"{text}\n{'':8} {'':{width}}  -> {finding.fix}" if finding.fix and finding.status != "ok" else text


def summary(findings: Sequence[Finding]) -> str:
    """The last line: how training would run, or how much stops it."""
    problems, notes = (sum(f.status == status for f in findings) for status in ("problem", "note"))
    counts = [f"{n} {noun}{'s' if n > 1 else ''}" for n, noun in ((problems, "problem"), (notes, "note")) if n]
    if problems:
        return ", ".join(counts)
    words = "; ".join(f.ready for f in findings if f.ready and f.status != "problem") or "nothing here stops training"
    return f"ready: {words}" + (f" ({counts[0]})" if counts else "")


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The screen as one JSON object."""
    checks = [{"name": f.name, "status": f.status, "found": f.found, "fix": f.fix} for f in findings]
    return {"ready": all(f.status != "problem" for f in findings), "summary": summary(findings), "checks": checks}


SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASS|CREDENTIAL", re.IGNORECASE)


def scrub(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """`text` without the values of secret variables, credentials in URLs, and what looks like a Hugging Face token.

    Nothing prints them on purpose; a library's error message might.
    """
    secrets = {value for name, value in environ.items() if len(value) >= 6 and SECRET_NAME.search(name)}
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, "***")
    return re.sub(r"hf_[A-Za-z0-9]{8,}", "***", re.sub(r"://[^/@\s]+@", "://***@", text))


def last_line(text: str, limit: int = 200) -> str:
    """The last line that says something."""
    lines = [part.strip() for part in text.splitlines() if part.strip()]
    return lines[-1][:limit] if lines else "no message"
