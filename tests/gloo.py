"""Runs a function in several processes that form a gloo group, with a time limit."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path


def run_ranks(world_size, module, function, argument=None, *, timeout=120):
    """Call `function(argument)` of test module file `module` on every rank; returns the ranks' JSON results in order.

    Raises AssertionError with the output of every rank that failed, and ends the others.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import json, sys, runpy; space = runpy.run_path(sys.argv[1]);"
        "print('RESULT' + json.dumps(space[sys.argv[2]](json.loads(sys.argv[3]))))"
    )
    processes = []
    for rank in range(world_size):
        env = os.environ | {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_WORLD_SIZE": str(world_size),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-c", code, str(Path(module).resolve()), function, json.dumps(argument)]
        processes.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    outputs, deadline, failed = [], time.monotonic() + timeout, []
    for rank, process in enumerate(processes):
        try:
            output, _ = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + f"\nended after {timeout} s"
        outputs.append(output)
        if process.returncode != 0:
            failed.append(f"--- rank {rank}, exit code {process.returncode}\n{output[-3000:]}")
    assert not failed, "\n".join(failed)
    return [json.loads(output.rpartition("RESULT")[2].splitlines()[0]) for output in outputs]
