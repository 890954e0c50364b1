"""How a process ends: what it has written arrives, its code is the one meant, whatever threads are still busy."""

import os
import subprocess
import sys

import pytest
from gloo import ROOT, free_port

# A gloo thread lets go of the last tensors while the process ends: on one core it often comes too late.
BUSY = """
import sys
import torch
import torch.distributed as group
from rca_dist import entry
group.init_process_group("gloo")
kept = group.group.WORLD
for _ in range(3):
    group.all_reduce(torch.ones(10_000))
group.destroy_process_group()
print("done", end="")
"""


def ends(code, world=2):
    """(exit code, stdout) of every rank, all on one core."""
    core = str(min(os.sched_getaffinity(0)))
    shared = os.environ | {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = ["taskset", "-c", core, sys.executable, "-c", code]
    started = [
        subprocess.Popen(command, env=shared | {"RANK": str(rank)}, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
        for rank in range(world)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120)[0] for process in started]
    return [(process.returncode, output) for process, output in zip(started, outputs, strict=True)]


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a way to pin a process to one core")
def test_a_busy_gloo_thread_does_not_spoil_the_exit_code():
    code = BUSY + "entry.leave(75)"
    assert [end for _ in range(3) for end in ends(code)] == [(75, "done")] * 6


def test_leaving_runs_exit_handlers_and_flushes_but_tears_nothing_down():
    code = """
import atexit, torch
from rca_dist import entry

class Kept:
    def __del__(self):
        print("torn down")

kept = Kept()
atexit.register(lambda: print("tidied"))
print("last")
entry.leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (3, "last\ntidied\n")


def test_leaving_without_torch_is_a_plain_exit():
    code = "from rca_dist import entry; entry.leave(2)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 2


def test_windows_is_refused_in_one_sentence(monkeypatch, capsys):
    from rca_dist import entry

    monkeypatch.setattr(entry, "set_up_log", lambda: None)
    monkeypatch.setattr(sys, "platform", "win32")
    assert entry.run("rca-dist", lambda argv: pytest.fail("it started")) == 2
    assert (
        capsys.readouterr().err
        == "rca-dist: Windows itself cannot run this; use WSL2 (wsl --install), where it works as on Linux\n"
    )


@pytest.mark.parametrize(("rank", "said"), [("0", "train.py: the loss is nan at step 3\n"), ("1", "")])
def test_a_loss_that_is_not_finite_is_a_sentence_and_no_traceback(monkeypatch, capsys, rank, said):
    from rca_dist import entry

    def work(argv):
        raise FloatingPointError("the loss is nan at step 3")

    monkeypatch.setattr(entry, "set_up_log", lambda: None)
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("RCA_EXIT_FILE", raising=False)
    assert entry.run("train.py", work, []) == 1
    assert capsys.readouterr().err == said


def test_a_reader_that_has_gone_changes_no_exit_code():
    code = "import sys, torch; from rca_dist import entry; sys.stdin.read(); sys.stdout.write('last'); entry.leave(5)"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # What is written must still lie in the buffer when the process leaves.
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, env=buffered, **pipes)
    process.stdout.close()
    process.stdin.close()
    errors = process.stderr.read()
    assert (process.wait(timeout=120), errors) == (5, "")
