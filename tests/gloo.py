"""Runs a function in several processes that form a gloo group, with a time limit.

`run_ranks` sets the environment a launcher would set, which spares its start; `accelerate_launch` goes through the real one.
A function gets one JSON argument and returns something JSON can hold.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ZERO = {"zero1": 1, "zero2": 2, "zero3": 3, "zero3_offload": 3}
# After one rank failed, the others mostly wait in a collective for it: only their last words are of interest.
GRACE_SECONDS = 10


def backend_environment(backend):
    """What `accelerate launch` tells its workers for a back end: no, ddp, fsdp2, zero1, zero2, zero3 or zero3_offload."""
    if backend == "fsdp2":
        return {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": "2",
            "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
            "FSDP_RESHARD_AFTER_FORWARD": "true",
            "FSDP_OFFLOAD_PARAMS": "false",
            "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
            "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
        }
    if backend in ZERO:
        file = ROOT / "configs" / "deepspeed" / f"{backend}.json"
        own = {"ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file)} if file.is_file() else {}
        return {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(ZERO[backend])} | own
    assert backend in ("no", "ddp"), backend
    return {}


def free_port():
    """A TCP port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_ranks(world_size, module, function, argument=None, *, timeout=120, env=None):
    """Call `function(argument)` of test module file `module` on every rank; returns the ranks' JSON results in order.

    `env` is added to the environment of every rank, e.g. `backend_environment("fsdp2")`.
    Raises AssertionError with the output of every rank that failed, and ends the others.
    """
    shared = {"WORLD_SIZE": str(world_size), "LOCAL_WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"} | (env or {})  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(Path(module).resolve()), function, json.dumps(argument), folder]
        places = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world_size)]
        _run([(command, os.environ | shared | place) for place in places], Path(folder), timeout)
        return _results(Path(folder), world_size)


def accelerate_launch(config_file, processes, module, function, argument=None, *, timeout=180, env=None):
    """Like `run_ranks`, through `accelerate launch --config_file ... --num_processes N` itself."""
    with tempfile.TemporaryDirectory() as folder:
        job = [__file__, str(Path(module).resolve()), function, json.dumps(argument), folder]
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config_file),
                    "--num_processes", str(processes), "--main_process_port", str(free_port())]  # fmt: skip
        _run([([*launcher, *job], os.environ | {"OMP_NUM_THREADS": "1"} | (env or {}))], Path(folder), timeout)
        return _results(Path(folder), processes)


def _results(folder, processes):
    found = sorted(folder.glob("result-*.json"), key=lambda path: int(path.stem[7:]))
    assert len(found) == processes, f"{processes} processes were asked for, these answered: {[path.name for path in found]}"
    return [json.loads(path.read_text()) for path in found]


def _run(jobs, folder, timeout):
    """Start the (command, environment) pairs and wait for all; output goes to files, so that no rank waits for a reader."""
    processes, deadline = [], time.monotonic() + timeout
    try:
        for rank, (command, env) in enumerate(jobs):
            with (folder / f"output-{rank}").open("wb") as output:
                started = subprocess.Popen(
                    command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
                processes.append(started)
        while any(process.poll() is None for process in processes):
            if any(process.returncode for process in processes):
                deadline = min(deadline, time.monotonic() + GRACE_SECONDS)
            if time.monotonic() > deadline:
                break
            waiting = next(process for process in processes if process.returncode is None)
            try:
                waiting.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        ended = _end([process for process in processes if process.poll() is None])
    failed = []
    for rank, process in enumerate(processes):
        if process.returncode != 0:
            text = (folder / f"output-{rank}").read_text(errors="replace")[-4000:]
            note = f"\nended by this test (time limit {timeout} s, or another rank failed)" if process in ended else ""
            failed.append(f"--- rank {rank}, exit code {process.returncode}\n{text}{note}")
    assert not failed, "\n".join(failed)


def _end(processes):
    """End what still runs, asked first: a rank that is killed while it builds a DeepSpeed extension leaves its lock for ever."""
    for sent in (signal.SIGINT, signal.SIGKILL):
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, sent)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
    return processes


def main(module, function, argument, folder):
    """One rank: run the function and leave its result in `folder`."""
    import runpy

    if sys.platform == "linux":
        # PR_SET_PDEATHSIG: when the test is killed, its ranks must not go on alone.
        ctypes.CDLL(None).prctl(1, signal.SIGINT)
    sys.path[:0] = [str(Path(module).parent), str(Path(__file__).parent), str(ROOT)]
    result = runpy.run_path(module)[function](json.loads(argument))
    path = Path(folder) / f"result-{os.environ.get('RANK', '0')}.json"
    path.with_suffix(".tmp").write_text(json.dumps(result))
    path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from rca_dist import entry

    main(*sys.argv[1:])
    entry.leave(0)
