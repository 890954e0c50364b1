"""Start `accelerate launch` as a child with manners: clean signals, the true exit code, no launcher traceback.

`python -m rca_dist.runtime.launch ARGS` is `accelerate launch ARGS` whose own traceback is one line.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

TRAIN_SCRIPT = Path(__file__).resolve().parents[1] / "train.py"


def launch(script: Path, arguments: list[str], *, config_file: str | None, num_processes: int | None) -> int:
    """Run `script` under `accelerate launch` and return the job's own exit code.

    Without a config file: one process per GPU, or `num_processes`, or one.
    """
    with tempfile.TemporaryDirectory(prefix="rca-") as folder:
        exit_file = Path(folder) / "exit"
        command = [sys.executable, "-m", "rca_dist.runtime.launch", "--quiet"]
        command += launcher_options(config_file, num_processes)
        environment = os.environ | {
            "RCA_EXIT_FILE": str(exit_file),
            "RCA_STOP_FILE": str(Path(folder) / "stop"),
            "PET_SIGNALS_TO_HANDLE": "SIGINT",
        }
        if num_processes or not config_file:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // (num_processes or max(1, gpus())))))
        code = _supervise([*command, str(script), *arguments], environment, Path(folder))
        try:
            return int(exit_file.read_text())
        except (OSError, ValueError):
            message = (
                "rca-dist: the job ended before it could say why (killed, perhaps for memory: then lower "
                "train.max_tokens_per_micro_batch); start it again to go on from its last checkpoint"
            )
            print(message, file=sys.stderr)
            return code or 1


def launcher_options(config_file: str | None, num_processes: int | None) -> list[str]:
    """What goes between `accelerate launch` and the script. Precision is never the launcher's."""
    options = ["--config_file", config_file] if config_file else []
    count = num_processes or (None if config_file else max(1, gpus()))
    if count:
        options += ["--num_processes", str(count)]
    if config_file:
        return options
    options += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    if count and count > 1:
        # On a CPU too: only this makes the launcher start several processes there.
        options += ["--multi_gpu", "--main_process_port", "0"]
    return options


def gpus() -> int:
    """GPUs that a job would see, found without torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def cores() -> int:
    """CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _supervise(command: list[str], environment: dict[str, str], folder: Path) -> int:
    """Run the launcher and hand requests to stop on to the workers, whose process ids lie in `folder`.

    torchrun puts each worker into a session of its own, so a signal to the launcher's group would not reach them.
    The first request also leaves the file `stop`, for workers that have not started yet; the third kills everything.
    """
    received: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def workers(number: int) -> None:
        for entry in folder.glob("pid-*"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(entry.read_text()), number)

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        (folder / "stop").touch()
        workers(signal.SIGTERM if len(received) < 3 else signal.SIGKILL)
        if child is not None and len(received) >= 3:
            os.killpg(child.pid, signal.SIGKILL)

    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]
    # What nohup and the like have set to be ignored stays ignored.
    before = {n: signal.signal(n, forward) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        child = subprocess.Popen(command, env=environment, start_new_session=True)
        return child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> int:
    """`accelerate launch` on sys.argv."""
    # Ignored signals stay ignored in the workers until these install their own handlers.
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        launch_command(launch_command_parser().parse_args())
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        print(f"rca-dist: rank {rank} failed ({failure.message.splitlines()[0] if failure.message else failure.exitcode}); "
              "its own message stands above", file=sys.stderr)  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
