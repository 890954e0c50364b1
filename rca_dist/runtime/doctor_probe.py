"""What `rca-dist doctor` tries in processes of its own: nothing there can hang or crash the doctor.

`python -m rca_dist.runtime.doctor_probe device|deepspeed|gloo|nccl` prints JSON lines.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.runtime.doctor_finding import last_line

# A group that does not form within this time never does on one machine.
GROUP_SECONDS = 15
# Should the doctor be killed, its children end by themselves.
LIFETIME_SECONDS = 60
LAUNCHER_PREFIXES = ("ACCELERATE_", "FSDP_", "TORCHELASTIC_", "PET_")
LAUNCHER_NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_running: set[subprocess.Popen[bytes]] = set()


@dataclass
class Answer:
    """What one process said: its JSON lines merged, whether it ended well, its last line on stderr."""

    facts: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    timed_out: bool = False
    error: str = ""


def ask(what: str, seconds: float, processes: int = 0) -> Answer:
    """Run a probe in one process, or in `processes` that form a group; the answer of the first that failed, or of the first.

    Once one failed, the others get a second to fail too, then are ended.
    """
    environ = {k: v for k, v in os.environ.items() if k not in LAUNCHER_NAMES and not k.startswith(LAUNCHER_PREFIXES)}
    environ["OMP_NUM_THREADS"] = "1"
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())} if processes else {}
    command = [sys.executable, "-m", "rca_dist.runtime.doctor_probe", what]
    started: list[subprocess.Popen[bytes]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="rca-") as folder:
            try:
                for rank in range(max(1, processes)):
                    place = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes else {}
                    with Path(folder, f"out-{rank}").open("wb") as out, Path(folder, f"err-{rank}").open("wb") as err:
                        process = subprocess.Popen(command, env=environ | shared | place, stdin=subprocess.DEVNULL,
                                                   stdout=out, stderr=err)  # fmt: skip
                    started.append(process)
                    _running.add(process)
                late = _wait(started, seconds)
            finally:
                for process in started:
                    process.kill()
                    process.wait()
            answers = [_read(Path(folder), rank, process) for rank, process in enumerate(started)]
    finally:
        _running.difference_update(started)
    failed = [answer for answer in answers if not answer.done]
    # One that was ended here only waited for the one that failed.
    first = next((a for a, p in zip(answers, started, strict=True) if not a.done and p.returncode != -signal.SIGKILL), None)
    answer = first or (failed or answers)[0]
    answer.timed_out = late and first is None
    return answer


def end_all(seconds: float = 2) -> None:
    """End every probe that still runs, and give the threads that wait for them time to tidy up."""
    deadline = time.monotonic() + seconds
    while _running and time.monotonic() < deadline:
        for process in list(_running):
            process.kill()
        time.sleep(0.02)


def _wait(started: list[subprocess.Popen[bytes]], seconds: float) -> bool:
    """Wait for all; whether time ran out."""
    deadline, failed = time.monotonic() + seconds, False
    while any(process.poll() is None for process in started):
        if not failed and any(process.returncode for process in started):
            failed, deadline = True, time.monotonic() + 1
        if time.monotonic() > deadline:
            return not failed
        waiting = next(process for process in started if process.returncode is None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            waiting.wait(timeout=0.1)
    return False


def _read(folder: Path, rank: int, process: subprocess.Popen[bytes]) -> Answer:
    facts: dict[str, Any] = {}
    for text in (folder / f"out-{rank}").read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            said = json.loads(text)
            facts |= said if isinstance(said, dict) else {}
    error = last_line((folder / f"err-{rank}").read_text(errors="replace"))
    return Answer(facts, done=process.returncode == 0, error=error)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def device_facts() -> dict[str, Any]:
    """What torch sees and can use; every GPU computes a small product."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        import torch

        from rca_dist.runtime.distributed import has_bf16, resolve_precision

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = count == 0 and torch.backends.mps.is_available()
    kind = "cuda" if count else "mps" if mps else "cpu"
    flags = {"AMX": "_is_amx_tile_supported", "AVX512-BF16": "_is_avx512_bf16_supported"}
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "gpus": [_gpu(index) for index in range(count)],
        "mps": mps,
        "precision": resolve_precision("auto", torch.device(kind)),
        "cpu_bf16": has_bf16(torch.device("cpu")),
        "cpu_flags": [name for name, flag in flags.items() if getattr(torch.cpu, flag, lambda: False)()],
        "warning": next((last_line(str(w.message)) for w in said if "cuda" in str(w.message).lower()), ""),
    }


def _gpu(index: int) -> dict[str, Any]:
    import torch

    shown = torch.cuda.get_device_properties(index)
    facts: dict[str, Any] = {"name": shown.name, "total": shown.total_memory, "capability": f"{shown.major}.{shown.minor}"}
    try:
        facts["free"] = torch.cuda.mem_get_info(index)[0]
        square = torch.ones(8, 8, device=f"cuda:{index}")
        facts["error"] = "" if (square @ square)[0, 0].item() == 8 else "a small product came out wrong"
    except Exception as error:
        facts["error"] = last_line(str(error).partition("\n")[0])
    return facts


def reduce_once(backend: str) -> dict[str, Any]:
    """Form the group that the environment announces and add up ones over its ranks. Raises: what torch raises."""
    import datetime

    import torch

    print(json.dumps({"imported": True}), flush=True)
    begin = time.monotonic()
    device = torch.device("cpu")
    if backend == "nccl":
        if not torch.cuda.is_available():
            return {"no_gpu": True}
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(backend, timeout=datetime.timedelta(seconds=GROUP_SECONDS))
    ones = torch.ones(1024, device=device)
    torch.distributed.all_reduce(ones)
    if ones.sum().item() != 1024 * torch.distributed.get_world_size():
        raise RuntimeError("the sum over the ranks is wrong")
    return {"seconds": time.monotonic() - begin}


def main(what: str) -> None:
    """One probe in this process."""
    if hasattr(signal, "alarm"):
        signal.alarm(LIFETIME_SECONDS)
    if what == "device":
        facts = device_facts()
    elif what == "deepspeed":
        import torch

        if not torch.cuda.is_available():
            os.environ.setdefault("DS_ACCELERATOR", "cpu")
        import deepspeed

        facts = {"version": deepspeed.__version__}
    else:
        facts = reduce_once(what)
    print(json.dumps(facts), flush=True)
    # Taking the interpreter down under gloo's threads may end in SIGABRT (pytorch issue 190489).
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
