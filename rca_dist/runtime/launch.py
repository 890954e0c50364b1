"""Start `accelerate launch` as a child with manners: clean signals, the true exit code, no launcher traceback.

`python -m rca_dist.runtime.launch ARGS` is `accelerate launch ARGS` whose own traceback is one line.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rca_dist.errors import EXIT_FAILED, EXIT_MEMORY, EXIT_USER, UserError
from rca_dist.runtime.launcher_settings import LauncherSettings, contradictions, from_file, missing_processes
from rca_dist.runtime.supervise import deaf, supervise

TRAIN_SCRIPT = Path(__file__).resolve().parents[1] / "train.py"
# What a process takes before it holds any model, mostly torch itself.
LEAST_PROCESS_BYTES = int(0.6 * 2**30)
# After memory ran out, each with half the tokens per micro-batch.
MOST_RESTARTS = 3


@dataclass(frozen=True)
class Request:
    """How a job is to be started, as given on the command line; names are accelerate's, None where not given.

    `num_processes` counts all machines together. `machine_rank` 0 is the machine at `main_process_ip`.
    """

    config_file: str | None = None
    num_processes: int | None = None
    num_machines: int | None = None
    machine_rank: int | None = None
    main_process_ip: str | None = None
    main_process_port: int | None = None


def check(
    request: Request, *, precision: str, max_grad_norm: float, learning_rate: float | None = None,
    lr_scheduler: str | None = None, global_batch_size: int | None = None, gradient_checkpointing: bool | None = None,
) -> LauncherSettings:  # fmt: skip
    """What is going to be started; the keywords are the train.* keys that a launcher's file could say otherwise.

    A file or request that leaves the number of processes open gets one per GPU of this machine, or one.
    Raises: UserError with everything that stands against it.
    """
    count = request.num_processes
    if request.config_file:
        settings = from_file(request.config_file, count, request.num_machines)
        if settings.world_size == 0:
            settings = from_file(request.config_file, max(1, gpus()) * settings.machines, request.num_machines)
    else:
        world = count or max(1, gpus()) * (request.num_machines or 1)
        backend = "ddp" if world > 1 else "no"
        settings = LauncherSettings(backend, world_size=world, machines=request.num_machines or 1, source="rca-dist train")
    settings = replace(settings, main_address=request.main_process_ip or settings.main_address,
                       main_port=request.main_process_port or settings.main_port)  # fmt: skip
    problems = contradictions(
        settings, precision=precision, max_grad_norm=max_grad_norm, learning_rate=learning_rate, lr_scheduler=lr_scheduler,
        global_batch_size=global_batch_size, gradient_checkpointing=gradient_checkpointing,
    )  # fmt: skip
    problems += [problem for problem in (missing_processes(settings), _misfit(settings, request)) if problem]
    if problems:
        noun = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n  ".join([f"{noun} in how the job is to be started:", *problems]))
    return settings


def _misfit(settings: LauncherSettings, request: Request) -> str | None:
    """Why this machine, or the set of machines, cannot hold the processes."""
    local, rest = divmod(settings.world_size, settings.machines)
    if rest or not local:
        return f"num_processes={settings.world_size} cannot be shared evenly by num_machines={settings.machines}"
    lacking = [name for name, value in (("--machine_rank", request.machine_rank), ("--main_process_ip", settings.main_address),
                                        ("--main_process_port", settings.main_port)) if value is None]  # fmt: skip
    if settings.machines > 1 and lacking:
        return f"num_machines={settings.machines} needs {', '.join(lacking)}; launch/multi_node.sh on every node sets them"
    if request.machine_rank is not None and request.machine_rank >= settings.machines:
        return f"--machine_rank={request.machine_rank} must be below num_machines={settings.machines}"
    here = 0 if settings.hides_gpus else gpus()
    if 0 < here < local:
        noun = "GPU" if here == 1 else "GPUs"
        return f"{local} processes on this machine but {here} {noun}: use --num_processes {here}, or hide them for a CPU run " \
               "with CUDA_VISIBLE_DEVICES=''"  # fmt: skip
    free = None if here else available_memory_bytes()
    if free is not None and local > 1 and local * LEAST_PROCESS_BYTES > free:
        most = max(1, free // LEAST_PROCESS_BYTES) * settings.machines
        return f"{local} processes on this machine need at least {local * LEAST_PROCESS_BYTES / 2**30:.1f} GiB of memory but " \
               f"{free / 2**30:.1f} GiB are available: use --num_processes {most} or fewer"  # fmt: skip
    return None


def in_words(settings: LauncherSettings, request: Request) -> str:
    """How many processes start, whether GPUs stay idle that nobody chose to leave idle, and whether processes share cores."""
    local, here = settings.world_size // settings.machines, 0 if settings.hides_gpus else gpus()
    words = f"{settings.world_size} process{'es' if settings.world_size > 1 else ''}"
    if settings.backend != "no":
        words += f", back end {settings.backend}"
    if here > local and not request.num_processes:
        return f"{words}; {here} GPUs are here, --num_processes {here * settings.machines} uses all"
    if not here and local > cores():
        return f"{words}; note: {local} processes share {cores()} CPU core{'s' if cores() > 1 else ''} here"
    return words


def launch(script: Path, arguments: list[str], *, request: Request, settings: LauncherSettings) -> int:
    """Run `script` under `accelerate launch` and return the job's own exit code; `settings` are those of `check`.

    A job that ran out of memory is started again with half the budget, at most MOST_RESTARTS times, on one machine.
    On another machine than the first the exit code is only 0 or not: the first one knows how the job ended.
    """
    with tempfile.TemporaryDirectory(prefix="rca-") as place:
        folder = Path(place)
        command = [sys.executable, "-m", "rca_dist.runtime.launch", "--quiet"]
        if not request.config_file:
            # Or `accelerate launch` would take the user's own default file, which may ask for anything.
            plain = folder / "plain.yaml"
            plain.write_text("{compute_environment: LOCAL_MACHINE, distributed_type: 'NO'}\n", encoding="utf-8")
            command += ["--config_file", str(plain)]
        command += [*launcher_options(request, settings), str(script), *arguments]
        local = settings.world_size // settings.machines
        environment = os.environ | {
            "RCA_EXIT_FILE": str(folder / "exit"),
            "RCA_STOP_FILE": str(folder / "stop"),
            "RCA_WORLD_SIZE": str(settings.world_size),
            "PET_SIGNALS_TO_HANDLE": "SIGINT",
        }
        environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // local)))
        # How long ranks that hang in a collective outlive one that has died.
        environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "10")
        restarts = MOST_RESTARTS if settings.machines == 1 else 0
        code, told = supervise(command, environment, folder, restarts=restarts)
        if told is not None:
            return EXIT_FAILED if told == EXIT_MEMORY else told
        if not request.machine_rank:
            message = (
                "rca-dist: the job ended before it could say why (killed, perhaps for memory: then lower "
                "train.max_tokens_per_micro_batch); start it again to go on from its last checkpoint"
            )
            print(message, file=sys.stderr)
            return code or EXIT_FAILED
        return code


def launcher_options(request: Request, settings: LauncherSettings) -> list[str]:
    """What goes between `accelerate launch` and the script. Precision is never the launcher's."""
    options = ["--config_file", request.config_file] if request.config_file else ["--mixed_precision", "no"]
    options += ["--num_processes", str(settings.world_size), "--num_machines", str(settings.machines)]
    if not request.config_file and settings.world_size > 1:
        # On a CPU too: only this makes the launcher start several processes there.
        options.append("--multi_gpu")
    if settings.deepspeed_file:
        options += ["--deepspeed_config_file", str(settings.deepspeed_file)]
    if settings.machines == 1:
        # 0 is a free port.
        return [*options, "--main_process_port", str(settings.main_port or 0)]
    options += ["--machine_rank", str(request.machine_rank), "--main_process_ip", str(settings.main_address)]
    # Static: rank 0 is on the first machine. The last is for DeepSpeed, where each node would else train alone.
    return [*options, "--main_process_port", str(settings.main_port), "--rdzv_backend", "static", "--same_network",
            "--deepspeed_multinode_launcher", "standard"]  # fmt: skip


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


def available_memory_bytes() -> int | None:
    """Free memory of this machine (of its cgroup, if less), found without torch; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None
    with contextlib.suppress(OSError, ValueError):
        limit, used = (
            int((Path("/sys/fs/cgroup") / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current")
        )
        free = min(free, max(0, limit - used))
    return free


def main() -> int:
    """`accelerate launch` on sys.argv."""
    # Ignored signals stay ignored in the workers until these install their own handlers.
    deaf()
    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    if not torch.cuda.is_available():
        # DeepSpeed, asked by the launcher, would warn that there is no GPU.
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        launch_command(launch_command_parser().parse_args())
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        said = failure.message.splitlines()[0] if failure.message else ""
        # Without a record of the error torch names a page about records.
        said = said if said and "https://" not in said else f"exit code {failure.exitcode}"
        print(f"rca-dist: rank {rank} failed ({said}); its own message stands above", file=sys.stderr)
        return EXIT_FAILED
    except Exception as error:
        return _not_started(error)
    return 0


def _not_started(error: Exception) -> int:
    """A key or an option that accelerate refuses, a taken port, a first machine that does not answer."""
    code = EXIT_USER if isinstance(error, ValueError | TypeError | KeyError | ImportError | OSError) else EXIT_FAILED
    print(f"rca-dist: accelerate launch failed: {type(error).__name__}: {error}", file=sys.stderr)
    exit_file = Path(os.environ.get("RCA_EXIT_FILE", os.devnull))
    if not exit_file.exists():
        exit_file.write_text(f"{code}\n", encoding="ascii")
    return code


if __name__ == "__main__":
    sys.exit(main())
