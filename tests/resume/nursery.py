"""Starts ranks quickly: real processes, forked from one that has imported the libraries.

They form a gloo group, with the environment that a launcher would set. Forking spares each start 5 to 40 seconds;
`python tests/resume/nursery.py` is the process that forks.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
JOB = HERE.with_name("job.py")
sys.path[:0] = [path for path in (str(ROOT), str(HERE.parents[1])) if path not in sys.path]

from gloo import GRACE_SECONDS, backend_environment, free_port  # noqa: E402


class Nursery:
    """Starts ranks quickly. `run` expects all to end well, `crash` expects the job to fail; both within `limit` seconds."""

    def __enter__(self):
        env = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "DS_ACCELERATOR": "cpu", "TOKENIZERS_PARALLELISM": "true"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | env,
            start_new_session=True,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def run(self, backend, world, folder, *, fault=None, env=None, limit=120, function="train", module=JOB, **options):
        """The ranks' results in order. Raises: AssertionError with the output of every rank that failed."""
        codes, results, texts, _ = self._start(backend, world, folder, fault, env, limit, function, module, options)
        assert codes == [0] * world, "\n".join(f"--- rank {n}, exit code {codes[n]}\n{texts[n][-4000:]}" for n in range(world))
        return [result | {"output": text} for result, text in zip(results, texts, strict=True)]

    def crash(self, backend, world, folder, *, fault=None, env=None, limit=120, grace=GRACE_SECONDS, function="train", module=JOB,
              **options):  # fmt: skip
        """(exit codes, outputs, seconds until all had ended after the first did) of a job that must fail.

        What still runs `grace` seconds after the first failure is killed.
        """
        codes, _, texts, seconds = self._start(
            backend, world, folder, fault, env, limit, function, module, options, grace=grace
        )  # fmt: skip
        assert any(codes), f"the job did not fail: {texts}"
        return codes, texts, seconds

    def attempt(self, backend, world, folder, *, kill, limit=120, **options):
        """Start the job and send SIGKILL to a rank after some seconds: `kill` is (rank, seconds). Returns exit codes, results."""
        codes, results, _, _ = self._start(backend, world, folder, None, None, limit, "train", JOB, options, kill)
        return codes, results

    def _start(self, backend, world, folder, fault, env, limit, function, module, options, kill=None, grace=GRACE_SECONDS):
        shared = {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1",
                  "MASTER_PORT": str(free_port())} | backend_environment(backend) | (env or {})  # fmt: skip
        if fault:
            shared["RCA_FAULT"] = fault
        with tempfile.TemporaryDirectory() as out:
            order = {"world": world, "env": shared, "function": function, "module": str(module), "out": out, "limit": limit,
                     "kill": kill, "grace": grace, "argument": {"folder": str(folder)} | options}  # fmt: skip
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            assert answer, "the process that starts the ranks has ended"
            found = json.loads(answer)
            files = [Path(out) / f"result-{rank}.json" for rank in range(world)]
            results = [json.loads(path.read_text()) if path.exists() else None for path in files]
            texts = [(Path(out) / f"output-{rank}").read_text(errors="replace") for rank in range(world)]
        return found["codes"], results, texts, found["seconds"]


def nursery():
    """Read orders from stdin, start their ranks by forking, answer with exit codes."""
    _die_with_parent()
    # Imported before any rank starts; nothing is computed here, so that no thread is lost in a fork.
    import deepspeed  # noqa: F401
    import pandas  # noqa: F401
    import peft  # noqa: F401
    import torch
    import torch.distributed.checkpoint
    import torch.distributed.fsdp
    import torch.distributed.tensor  # noqa: F401
    import transformers.models.llama.modeling_llama  # noqa: F401

    import rca_dist.entry
    import rca_dist.evaluation.evaluator
    import rca_dist.runtime.checkpoint
    import rca_dist.training.trainer  # noqa: F401

    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        pids = [_fork(order, rank) for rank in range(order["world"])]
        codes, seconds = _wait(pids, order["limit"], order["kill"], order["grace"])
        os.write(answers, (json.dumps({"codes": codes, "seconds": seconds}) + "\n").encode())


def _die_with_parent():
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _fork(order, rank):
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        _die_with_parent()
        output = os.open(Path(order["out"]) / f"output-{rank}", os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.environ |= order["env"] | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        code = _rank(order, rank)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _rank(order, rank):
    import runpy

    from rca_dist import entry
    from rca_dist.runtime import faults

    # The module was imported before this rank's environment was there.
    faults.arm(os.environ.get("RCA_FAULT"))
    call = runpy.run_path(order["module"])[order["function"]]

    def work(_):
        result = call(order["argument"])
        path = Path(order["out"]) / f"result-{rank}.json"
        path.with_suffix(".tmp").write_text(json.dumps(result))
        path.with_suffix(".tmp").replace(path)
        return 0

    return entry.run("job", work, [])


def _wait(pids, limit, kill, grace):
    """Exit codes (negative: by a signal) of all, and seconds between the first failure and the last end."""
    codes, began, failed = {}, time.monotonic(), None
    deadline = began + limit
    while len(codes) < len(pids):
        for pid in [pid for pid in pids if pid not in codes]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                codes[pid] = os.waitstatus_to_exitcode(status)
        if kill and time.monotonic() > began + kill[1]:
            if pids[kill[0]] not in codes:
                os.kill(pids[kill[0]], signal.SIGKILL)
            kill = None
        if failed is None and any(codes.values()):
            failed = time.monotonic()
            # Whoever has not heard of it by then will not; a stopped process never does.
            deadline = min(deadline, failed + grace)
        if time.monotonic() > deadline:
            for pid in [pid for pid in pids if pid not in codes]:
                os.kill(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.02)
    return [codes[pid] for pid in pids], time.monotonic() - failed if failed else 0.0


if __name__ == "__main__":
    nursery()
