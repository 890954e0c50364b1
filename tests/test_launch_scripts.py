"""Starting several processes: the scripts' messages, and short real runs under every launch file."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHORT = ["--data.builtin_tickets=60", "--train.max_steps=2", "--train.log_steps=1", "--train.precision=fp32", "--eval.systems=[model]",
         "--eval.max_tickets=2", "--eval.max_new_tokens=4", "--eval.bootstrap_samples=100", "--tracking.wandb=disabled"]  # fmt: skip
BACKENDS = {"cpu": "no", "cpu_2": "ddp", "single_gpu": "no", "ddp": "ddp", "fsdp2": "fsdp2", "zero1": "zero1", "zero2": "zero2",
            "zero3": "zero3", "zero3_offload": "zero3", "ddp_multi_node": "ddp", "fsdp2_multi_node": "fsdp2",
            "zero3_multi_node": "zero3"}  # fmt: skip


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def environment(venv, **more):
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "RCA_", "NNODES", "NODE_RANK", "MASTER_", "NPROC_"))
    }
    return kept | {"RCA_VENV": str(venv), "HF_HUB_OFFLINE": "1"} | {key: str(value) for key, value in more.items()}


def make_venv(folder, python, rca_dist):
    """An environment that the scripts take for installed."""
    for name, text in (("python", python), ("rca-dist", rca_dist)):
        program(folder / "bin" / name, text)
    texts = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    stamp = subprocess.run(["cksum"], input=texts, capture_output=True, check=True).stdout.decode().strip()
    extras = "-deepspeed" if sys.platform == "linux" else "-"
    (folder / f"rca-installed{extras}").write_text(stamp)
    return folder


@pytest.fixture
def echo(tmp_path):
    """An environment whose rca-dist prints its arguments and a GPU switch, and whose python says that there is one GPU."""
    return make_venv(
        tmp_path / "venv", f'case "$1" in -c) case "$2" in *gpus*) echo 1; exit;; esac;; esac\nexec {sys.executable} "$@"',
        'echo "$*"; echo "gpus=${CUDA_VISIBLE_DEVICES-unset}"',
    )  # fmt: skip


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    return make_venv(
        tmp_path_factory.mktemp("venv") / "v", f'exec {sys.executable} "$@"', f'exec {sys.executable} -m rca_dist.cli "$@"'
    )


def ended(process, timeout):
    """Wait for `process`; after `timeout` seconds end it and all that it started, and fail with what they said."""
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        end(process)
        pytest.fail(f"not done after {timeout} s\n{process.communicate()}")
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def end(process):
    for pid in descendants(process.pid) if process.poll() is None else []:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid):
    """`pid` and the processes below it; workers have sessions of their own, so a group would miss them."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs, found = [tuple(map(int, line.split())) for line in listed.splitlines()], [pid]
    for parent in found:
        found += [child for child, its in pairs if its == parent]
    return found


def run(*command, cwd, env, timeout=400):
    process = subprocess.Popen(
        list(map(str, command)), cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    return ended(process, timeout)


def bash(name, *arguments, cwd=None, **env):
    return run("bash", ROOT / "launch" / name, *arguments, cwd=cwd, env=environment(**env))


@pytest.mark.parametrize("script", ["local.sh", "multi_node.sh"])
def test_help_needs_nothing(script, tmp_path):
    done = bash(script, "--help", venv=tmp_path / "none")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: launch/{script}")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [[], ["0"], ["two"], ["--train.max_steps=2"]])
def test_local_wants_a_count(arguments, echo):
    done = bash("local.sh", *arguments, venv=echo)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the first argument must be the number of processes" in done.stderr


def test_local_hides_too_few_gpus_and_hands_all_arguments_on(echo, tmp_path):
    done = bash("local.sh", 2, "--config_file", "a b.yaml", "--x=1", venv=echo, cwd=tmp_path)
    assert done.stdout == "train --num_processes 2 --config_file a b.yaml --x=1\ngpus=\n"
    assert done.stderr == "local.sh: 2 processes but 1 GPU(s): running on the CPU\n"
    assert bash("local.sh", 1, venv=echo).stdout == "train --num_processes 1\ngpus=unset\n"


TWO = {"NNODES": 2, "NODE_RANK": 1, "MASTER_ADDR": "10.0.0.1"}
STEP = {
    "SLURM_JOB_ID": 40007,
    "SLURM_NODEID": 1,
    "SLURM_STEP_NUM_NODES": 2,
    "SLURM_STEP_NUM_TASKS": 2,
    "SLURM_STEP_NODELIST": "n[1-2]",
}


@pytest.mark.parametrize(("variables", "part"), [
    ({}, "NNODES is not set"),
    ({"NNODES": 2}, "NODE_RANK is not set"),
    ({"NNODES": 2, "NODE_RANK": 0}, "MASTER_ADDR is not set"),
    (TWO | {"NODE_RANK": 2}, "NODE_RANK=2 must be below NNODES=2"),
    (TWO | {"NNODES": "two"}, "NNODES=two is not a whole number"),
    (TWO | {"MASTER_PORT": "http"}, "MASTER_PORT=http is not a whole number"),
    (TWO | {"NPROC_PER_NODE": 0}, "NPROC_PER_NODE=0 must be at least 1"),
    ({"SLURM_JOB_ID": 3}, "inside a Slurm job start it with srun"),
    (STEP | {"SLURM_STEP_NUM_TASKS": 4}, "srun --ntasks-per-node=1"),
])  # fmt: skip
def test_multi_node_says_what_is_missing(variables, part, echo):
    done = bash("multi_node.sh", venv=echo, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert part in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_multi_node_on_plain_machines(echo):
    done = bash("multi_node.sh", "--config_file", "x.yaml", venv=echo, NPROC_PER_NODE=4, **TWO)
    assert done.stdout.splitlines()[0] == (
        "train --num_machines 2 --machine_rank 1 --main_process_ip 10.0.0.1 --main_process_port 29500 --num_processes 8 "
        "--config_file x.yaml"
    )


def slurm_path(folder, text):
    program(folder / "scontrol", text)
    return f"{folder}:{os.environ['PATH']}"


def test_multi_node_under_slurm(echo, tmp_path):
    answers = (
        'case "$2 $3" in "hostnames n[1-2]") printf "n1\\nn2\\n";; "node n1") echo "NodeName=n1 NodeAddr=10.1.2.3 X=y";; esac'
    )
    path = slurm_path(tmp_path / "slurm", answers)
    done = bash("multi_node.sh", "--x=1", venv=echo, PATH=path, **STEP)
    assert done.stdout.splitlines()[0] == (
        "train --num_machines 2 --machine_rank 1 --main_process_ip 10.1.2.3 --main_process_port 20007 --num_processes 2 --x=1"
    )
    given = bash("multi_node.sh", venv=echo, PATH=path, MASTER_ADDR="h", MASTER_PORT=5, **STEP)
    assert "--main_process_ip h --main_process_port 5 " in given.stdout


@pytest.mark.parametrize("answer", ["exit 1", ":"])
def test_an_unknown_head_address_is_never_guessed(answer, echo, tmp_path):
    done = bash("multi_node.sh", venv=echo, PATH=slurm_path(tmp_path / "slurm", answer), **STEP)
    assert (done.returncode, done.stdout) == (2, "")
    assert "export MASTER_ADDR" in done.stderr


def rca(*arguments, cwd, **env):
    return run(sys.executable, "-m", "rca_dist.cli", "train", *arguments, cwd=cwd, env=environment("none", **env))


def write_contradiction(folder):
    (folder / "ds.json").write_text(
        '{"zero_optimization": {"stage": 2}, "gradient_clipping": 0.25, "optimizer": {"type": "Adam"}}'
    )
    path = folder / "launch.yaml"
    text = "{distributed_type: DEEPSPEED, num_processes: 1, deepspeed_config: {deepspeed_config_file: ds.json}}"
    path.write_text(text)
    return path


@pytest.mark.process
def test_problems_come_before_anything_is_started(tmp_path):
    done = rca("--config_file", write_contradiction(tmp_path), *SHORT, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rca-dist: 2 problems")
    assert [
        part for part in ("gradient_clipping=0.25", "train.max_grad_norm=1", "optimizer Adam") if part not in done.stderr
    ] == []
    assert not (tmp_path / "runs").exists()
    missing = rca("--config_file=none.yaml", cwd=tmp_path)
    assert missing.returncode == 2
    assert len(missing.stderr.splitlines()) == 1


@pytest.mark.process
def test_plain_accelerate_launch_says_the_same(tmp_path):
    pytest.importorskip("deepspeed")
    command = [sys.executable, "-m", "accelerate.commands.launch", "--quiet", "--config_file", write_contradiction(tmp_path),
               "--main_process_port", "0", ROOT / "rca_dist" / "train.py", *SHORT]  # fmt: skip
    done = run(*command, cwd=tmp_path, env=environment("none"))
    assert done.returncode != 0
    assert "gradient_clipping=0.25 but train.max_grad_norm=1" in done.stderr
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("tickets*"))


@pytest.mark.process
def test_what_accelerate_itself_refuses_is_one_message(tmp_path):
    path = tmp_path / "launch.yaml"
    path.write_text("{distributed_type: 'NO', no_such_key: 1}")
    done = rca("--config_file", path, *SHORT, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "no_such_key" in done.stderr
    assert "Traceback" not in done.stderr


def outcome(run):
    """(backend, world size, logged training losses) of a finished run."""
    facts = json.loads((run / "run.json").read_text())
    assert facts["status"] == "finished"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert (run / "results.json").exists()
    return facts["backend"], facts["world_size"], [line["train/loss"] for line in lines if "train/loss" in line]


@pytest.fixture(scope="session")
def one_process(tmp_path_factory):
    """Losses of the short run in one process."""
    folder = tmp_path_factory.mktemp("one")
    done = rca("--config_file", ROOT / "configs/accelerate/cpu.yaml", *SHORT, "--run.output_dir=run", cwd=folder)
    assert done.returncode == 0, done.stderr
    backend, world, losses = outcome(folder / "run")
    assert (backend, world, len(losses)) == ("no", 1, 2)
    return losses


@pytest.mark.process
def test_local_runs_two_processes(real, one_process, tmp_path):
    done = bash("local.sh", 2, *SHORT, "--run.output_dir=run", venv=real, cwd=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 0, done.stderr
    backend, world, losses = outcome(tmp_path / "run")
    assert (backend, world) == ("ddp", 2)
    assert losses == pytest.approx(one_process, rel=1e-6)


@pytest.mark.slow
@pytest.mark.process
def test_more_processes_than_examples_in_a_step_are_warned_of_and_change_nothing(tmp_path):
    two = ["--train.global_batch_size=2"]
    losses = []
    for count in (1, 3):
        folder = tmp_path / str(count)
        folder.mkdir()
        options = [*SHORT, *two, "--run.output_dir=run"]
        done = rca("--num_processes", count, *options, cwd=folder, CUDA_VISIBLE_DEVICES="")
        assert done.returncode == 0, done.stderr
        said = "train.global_batch_size=2 gives 1 of 3 processes nothing to do; the numbers stay exact"
        assert done.stderr.count(said) == (count == 3)
        losses.append(outcome(folder / "run")[2])
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


@pytest.mark.process
def test_local_hands_on_the_exit_code(real, tmp_path):
    done = bash("local.sh", 2, "--train.max_steps=0", venv=real, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2
    assert "train.max_steps=0" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("name", ["fsdp2", "zero1", "zero2", "zero3"])
def test_each_backend_trains_from_another_folder(name, one_process, tmp_path):
    if name.startswith("zero"):
        pytest.importorskip("deepspeed")
    file = ROOT / "configs" / "accelerate" / f"{name}.yaml"
    done = rca(
        "--config_file", file, "--num_processes=2", *SHORT, "--run.output_dir=run", cwd=tmp_path, CUDA_VISIBLE_DEVICES=""
    )
    assert done.returncode == 0, done.stderr
    backend, world, losses = outcome(tmp_path / "run")
    assert (backend, world) == (BACKENDS[name], 2)
    assert losses == pytest.approx(one_process, rel=1e-6)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_each_file_trains_under_plain_accelerate_launch(name, one_process, tmp_path):
    if name.startswith("zero"):
        pytest.importorskip("deepspeed")
    count = 1 if BACKENDS[name] == "no" else 2
    command = [Path(sys.executable).with_name("accelerate"), "launch", "--config_file", f"configs/accelerate/{name}.yaml",
               "--num_processes", count]  # fmt: skip
    if "multi_node" in name:
        command += ["--num_machines", 1, "--main_process_port", 0]
    command += ["rca_dist/train.py", *SHORT, f"--run.output_dir={tmp_path / 'run'}", f"--data.cache_dir={tmp_path / 'cache'}"]
    done = run(*command, cwd=ROOT, env=environment("none", CUDA_VISIBLE_DEVICES=""))
    assert done.returncode == 0, done.stderr
    backend, world, losses = outcome(tmp_path / "run")
    assert (backend, world) == (BACKENDS[name], count)
    assert losses == pytest.approx(one_process, rel=1e-6)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def two_nodes(real, folder, *arguments):
    """The processes of launch/multi_node.sh as nodes 0 and 1 of this machine; what each says goes to node-R.log."""
    port, processes = free_port(), []
    try:
        for rank in (0, 1):
            env = environment(real, NNODES=2, NODE_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port, NPROC_PER_NODE=1,
                              CUDA_VISIBLE_DEVICES="")  # fmt: skip
            command = ["bash", str(ROOT / "launch" / "multi_node.sh"), *arguments, "--run.output_dir=run"]
            with (folder / f"node-{rank}.log").open("w") as log:
                processes.append(subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT))
        yield processes
    finally:
        for process in processes:
            end(process)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", [None, "fsdp2_multi_node", "zero3_multi_node"])
def test_two_nodes_are_one_world(name, real, one_process, tmp_path):
    if name and name.startswith("zero"):
        pytest.importorskip("deepspeed")
    file = ["--config_file", str(ROOT / "configs" / "accelerate" / f"{name}.yaml")] if name else []
    with two_nodes(real, tmp_path, *file, *SHORT) as nodes:
        for rank, node in enumerate(nodes):
            code = ended(node, 400).returncode
            assert code == 0, (tmp_path / f"node-{rank}.log").read_text()
    first, second = ((tmp_path / f"node-{rank}.log").read_text() for rank in (0, 1))
    backend, world, losses = outcome(tmp_path / "run")
    assert (backend, world) == (BACKENDS[name or "ddp"], 2)
    assert losses == pytest.approx(one_process, rel=1e-6)
    assert "usable tickets" in first
    assert "usable tickets" not in second


@pytest.mark.slow
@pytest.mark.process
def test_a_stop_on_one_node_stops_both(real, tmp_path):
    endless = [*SHORT, "--train.max_steps=100000", "--checkpoint.save_steps=100000", "--train.eval_steps=100000"]
    metrics, deadline = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 300
    with two_nodes(real, tmp_path, *endless) as (first, second):
        while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < deadline and first.poll() is None:
            time.sleep(0.2)
        second.send_signal(signal.SIGUSR1)
        codes = [ended(node, 200).returncode for node in (first, second)]
    assert codes[0] == 75, (tmp_path / "node-0.log").read_text() + (tmp_path / "node-1.log").read_text()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"
