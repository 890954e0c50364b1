"""A command whose output goes to `| head` ends quietly when the reader leaves."""

import os
import subprocess
import sys

import pytest
from gloo import ROOT

ONE_LINE = "print('first', flush=True); sys.stdin.read(); print('second')"
MANY = "print('first', flush=True); sys.stdin.read()\n    for n in range(100_000): print('line', n)"
MISTAKE = "print('first', flush=True); sys.stdin.read(); raise UserError('wrong file')"
OTHER_PIPE = "import os; r, w = os.pipe(); os.close(r); print('first', flush=True); sys.stdin.read(); os.write(w, b'x')"


def after_the_first_line(work: str, *, unbuffered: bool = False, both: bool = False, leave: bool = True) -> tuple[int, str]:
    """(exit code, stderr) of a program whose reader leaves after one line."""
    code = f"import sys\nfrom rca_dist import entry\nfrom rca_dist.errors import UserError\ndef work(argv):\n    {work}\n    return 0\n"
    code += "sys.exit(entry.run('rca-dist', work, []))"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "RCA_EXIT_FILE")}
    process = subprocess.Popen(
        [sys.executable, *(["-u"] if unbuffered else []), "-c", code], cwd=ROOT, text=True, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "first\n"
    if leave:
        process.stdout.close()
    process.stdin.close()
    errors = process.stderr.read() if process.stderr is not None else ""
    return process.wait(timeout=120), errors


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("work", [ONE_LINE, MANY])
def test_nothing_is_said_when_the_reader_has_gone(work: str, unbuffered: bool) -> None:
    code, errors = after_the_first_line(work, unbuffered=unbuffered)
    assert errors == ""
    # What was lost only at the very end changes no code; in the middle it is what a shell reports for SIGPIPE.
    assert code == (0 if work == ONE_LINE and not unbuffered else 141)


def test_a_mistake_keeps_its_code_also_where_nobody_reads_the_message() -> None:
    assert after_the_first_line(MISTAKE) == (2, "rca-dist: wrong file\n")
    assert after_the_first_line(MISTAKE, both=True) == (2, "")


def test_another_broken_pipe_is_still_an_error() -> None:
    code, errors = after_the_first_line(OTHER_PIPE, leave=False)
    assert code == 1
    assert "BrokenPipeError" in errors
