"""Around every entry point: command line, log, one message per error, exit codes."""

import atexit
import contextlib
import json
import logging
import os
import select
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TextIO

from rca_dist.errors import EXIT_FAILED, EXIT_MEMORY, EXIT_OK, EXIT_STOPPED, EXIT_USER, OutOfMemory, Stopped, UserError

# What a shell reports for a program that SIGPIPE ended.
_READER_GONE = 141


def run(program: str, work: Callable[[list[str]], int], argv: list[str] | None = None) -> int:
    """Run `work(argv)` and turn what it raises into a message (printed once) and an exit code.

    `rca-dist` names a file in RCA_EXIT_FILE: the true code goes there, and the process itself ends 0 where all ranks
    stop alike, since a launcher would make a traceback of its own and the code 1 out of anything else.
    """
    set_up_log()
    rank = os.environ.get("RANK", "0")
    main_rank = rank == "0"
    # Under `rca-dist train` every message is that program's.
    program = "rca-dist" if "RCA_EXIT_FILE" in os.environ else program
    _leave_pid(rank)
    try:
        if sys.platform == "win32":
            raise UserError("Windows itself cannot run this; use WSL2 (wsl --install), where it works as on Linux")
        code = work(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        code = _ended(EXIT_USER, f"{program}: {error}" if main_rank else "")
    except Stopped as stop:
        code = _ended(EXIT_STOPPED, f"{program}: {stop}; start it again to go on" if main_rank else "")
    except FloatingPointError as error:
        # All ranks stop alike, and the message names step, tickets and what to change.
        code = _ended(EXIT_FAILED, f"{program}: {error}" if main_rank else "")
    except OutOfMemory as error:
        # On whichever rank it was: the others only see that this one has gone.
        code = _ended(EXIT_MEMORY, f"{program}: rank {rank}: {error}")
        _leave_memory(error, rank)
    except KeyboardInterrupt:
        code = EXIT_FAILED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _readers_gone():
            code = _READER_GONE
        else:
            code = _ended(EXIT_FAILED, _failure(program, error))
    _let_go_of_closed_streams()
    exit_file = os.environ.get("RCA_EXIT_FILE")
    # One per machine: each has its own `rca-dist`.
    if exit_file and os.environ.get("LOCAL_RANK", "0") == "0":
        with open(exit_file, "w", encoding="utf-8") as handle:  # noqa: PTH123 - keeps pathlib out of start-up
            handle.write(f"{code}\n")
    if exit_file or (code == EXIT_STOPPED and under_launcher()):
        return EXIT_OK if code in (EXIT_USER, EXIT_STOPPED) else code
    return code


def _ended(code: int, message: str) -> int:
    if message:
        with contextlib.suppress(BrokenPipeError):
            print(message, file=sys.stderr)
    return code


def _readers_gone() -> list[TextIO]:
    """Those of stdout and stderr whose reader has closed them, as `| head` does."""
    gone = []
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            gone.append(stream)
            continue
        except (AttributeError, OSError, ValueError):
            continue  # no stream, or closed by this process itself
        with contextlib.suppress(AttributeError, OSError, ValueError):
            asked = select.poll()
            asked.register(stream.fileno(), 0)
            if any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0)):
                gone.append(stream)
    return gone


def _let_go_of_closed_streams() -> None:
    """Send what is still to be written to a closed stream nowhere: Python would complain about it while it ends."""
    for stream in _readers_gone():
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _failure(program: str, error: Exception) -> str:
    """One sentence where another rank is the reason, nothing where that was said already, else the traceback."""
    heartbeat = sys.modules.get("rca_dist.runtime.heartbeat")
    told = heartbeat.explain(error) if heartbeat is not None else None
    if told is None:
        return traceback.format_exc().rstrip()
    return f"{program}: {told}" if told else ""


def _leave_memory(error: OutOfMemory, rank: str) -> None:
    """Beside the exit file, for `rca-dist train`: with which smaller budget to start again."""
    exit_file = os.environ.get("RCA_EXIT_FILE")
    if exit_file and error.again:
        path = os.path.join(os.path.dirname(exit_file), f"memory-{rank}")  # noqa: PTH118, PTH120
        with open(path, "w", encoding="utf-8") as handle:  # noqa: PTH123
            json.dump(error.again, handle)


def speaks() -> bool:
    """Whether this process says what concerns the whole job: rank 0, where `rca-dist` has not said it already."""
    return os.environ.get("RANK", "0") == "0" and "RCA_EXIT_FILE" not in os.environ


def leave(code: int) -> NoReturn:
    """End this process with `code`, as the last thing that it does.

    Once torch is loaded the interpreter is not taken apart: a gloo thread that lets go of a tensor meanwhile ends the process
    with SIGABRT after all its work is done (pytorch issue 190489; on a busy core in a quarter of the runs).
    """
    if "torch" not in sys.modules:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # Whoever read it may be gone, as after `| head`.
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _leave_pid(rank: str) -> None:
    # Beside the exit file, for the signals that `rca-dist train` hands on.
    exit_file = os.environ.get("RCA_EXIT_FILE")
    if exit_file:
        with open(os.path.join(os.path.dirname(exit_file), f"pid-{rank}"), "w", encoding="ascii") as handle:  # noqa: PTH118, PTH120, PTH123
            handle.write(str(os.getpid()))


def under_launcher() -> bool:
    """Whether `accelerate launch` or torchrun started this process."""
    return any(name in os.environ for name in ("ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"))


def set_up_log() -> None:
    """Plain lines on stderr, from rank 0; warnings from every rank."""
    rank = os.environ.get("RANK", "0")
    logger = logging.getLogger("rca_dist")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    where = f"rank {rank} " if rank != "0" else ""
    handler.setFormatter(logging.Formatter(f"%(asctime)s {where}%(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if rank == "0" else logging.WARNING)
    logger.propagate = False
