"""`rca-dist doctor`: what it finds on this machine, and that it names what is wrong when something is."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest

from rca_dist.errors import UserError
from rca_dist.runtime import doctor_devices, doctor_links, doctor_machine, doctor_software
from rca_dist.runtime.doctor import doctor
from rca_dist.runtime.doctor_finding import Check, Finding, examine, line, scrub, summary
from rca_dist.runtime.doctor_probe import LAUNCHER_NAMES, LAUNCHER_PREFIXES, _running, ask

PROGRAM = "from rca_dist import entry; from rca_dist.runtime.doctor import doctor; entry.leave(entry.run('rca-dist', doctor))"
SECRETS = {"HF_TOKEN": "hf_PlantedTokenAbc123", "WANDB_API_KEY": "plantedwandbkey0123456789", "MY_PASSWORD": "planted-password"}
GIB = 2**30


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    """An empty folder as current directory and home of the caches, a shell without launchers, and no proxy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    proxies = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in list(os.environ):
        if name in LAUNCHER_NAMES or name.startswith((*LAUNCHER_PREFIXES, "SLURM_")) or name.lower() in proxies:
            monkeypatch.delenv(name)


@pytest.fixture
def closed():
    """A port of this machine where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # Bound but not listening: connections are refused, and nobody else takes it meanwhile.
        yield taken.getsockname()[1]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """put(name, script) places an executable first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name, script):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return put


def run(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if k not in ("WANDB_MODE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=env | environment, capture_output=True, text=True, timeout=90
    )


def by_name(findings, name):
    found = [f for f in findings if f.name == name]
    assert found, f"no finding {name} among {[f.name for f in findings]}"
    return found[0]


def quick(capsys, *arguments):
    """Exit code and checks by name of an in-process --quick --json."""
    code = doctor(["--quick", "--json", *arguments])
    said = json.loads(capsys.readouterr().out)
    return code, {check["name"]: check for check in said["checks"]}, said


@pytest.mark.process
def test_this_machine_can_train_and_no_secret_is_shown(closed):
    secret_url = f"http://planteduser:plantedpass@127.0.0.1:{closed}"
    # Left over from torchrun: a group that obeyed it would ask an agent that is not there.
    done = run(HF_ENDPOINT=secret_url, WANDB_BASE_URL=secret_url, TORCHELASTIC_USE_AGENT_STORE="True", **SECRETS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    lines = {text.split()[1]: text for text in done.stdout.splitlines() if text[:1] in "onp" and "  " in text}
    assert platform.python_version() in lines["python"]
    for name in ("torch", "transformers", "accelerate", "peft", "datasets", "wandb"):
        assert f"{name} {metadata.version(name)}" in lines["packages"]
    assert lines["gloo"].startswith("ok") and "2 processes formed a group" in lines["gloo"]
    assert lines["hub"].startswith("note") and "out of reach" in lines["hub"] and "token present" in lines["hub"]
    assert lines["wandb"].startswith("note") and "tracked online" in lines["wandb"] and "out of reach" in lines["wandb"]
    assert lines["shell"].startswith("note") and "TORCHELASTIC_USE_AGENT_STORE" in lines["shell"]
    assert "hf download NAME --local-dir FOLDER" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("ready: train on ")
    for secret in (*SECRETS.values(), "planteduser", "plantedpass"):
        assert secret not in done.stdout


@pytest.mark.process
def test_a_broken_gloo_is_a_problem_with_its_fix():
    begin = time.monotonic()
    done = run("--json", GLOO_SOCKET_IFNAME="nosuch0", HF_HUB_OFFLINE="1", WANDB_MODE="offline")
    assert time.monotonic() - begin < 60
    said = json.loads(done.stdout)
    gloo = next(check for check in said["checks"] if check["name"] == "gloo")
    assert done.returncode == 2 and said["ready"] is False and done.stderr == ""
    assert gloo["status"] == "problem" and "nosuch0" in gloo["found"]
    assert "GLOO_SOCKET_IFNAME=nosuch0 must name an interface" in gloo["fix"]
    assert said["summary"].startswith("1 problem") == ([c["status"] for c in said["checks"]].count("problem") == 1)


@pytest.mark.process
def test_processes_out_of_time_are_ended_and_said_to_be_slow():
    answer = ask("gloo", seconds=0.05, processes=2)
    assert (answer.done, answer.timed_out, answer.facts) == (False, True, {})
    assert not _running


@pytest.mark.process
def test_a_gpu_that_torch_leaves_idle(commands, monkeypatch):
    torch = pytest.importorskip("torch")
    if torch.version.cuda or torch.version.hip:
        pytest.skip("this torch is built for GPUs")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    commands("nvidia-smi", "echo 'NVIDIA Testcard 9000, 550.54.15'")
    device = by_name(doctor_devices.devices(quick=False), "device")
    assert device.status == "problem" and "NVIDIA Testcard 9000" in device.found and "built without CUDA" in device.found
    assert "https://pytorch.org" in device.fix
    commands("nvidia-smi", "echo 'GPU 0: NVIDIA Testcard 9000 (UUID: x)'")
    assert doctor_links.nccl() == [], "one cause, one problem"
    commands("nvidia-smi", "echo 'NVIDIA-SMI has failed: no driver'; exit 9")
    device = by_name(doctor_devices.devices(quick=False), "device")
    assert device.status == "note" and "no driver" in device.found and device.ready.startswith("train on CPU")


@pytest.mark.process
def test_a_deepspeed_that_cannot_be_imported(tmp_path, monkeypatch):
    if not doctor_software._version("deepspeed"):
        pytest.skip("DeepSpeed is not installed")
    (tmp_path / "broken" / "deepspeed").mkdir(parents=True)
    (tmp_path / "broken" / "deepspeed" / "__init__.py").write_text("raise RuntimeError('CUDA_HOME does not exist')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"), prepend=os.pathsep)
    (finding,) = doctor_software.deepspeed_imports()
    assert finding.status == "problem" and "CUDA_HOME does not exist" in finding.found
    assert "pip uninstall deepspeed" in finding.fix


@pytest.mark.process
def test_interrupted_it_leaves_no_process_and_no_file(tmp_path):
    (tmp_path / "temp").mkdir()
    (tmp_path / "started").mkdir()
    (tmp_path / "slow" / "torch").mkdir(parents=True)
    # An import that never ends, and says which process waits in it.
    (tmp_path / "slow" / "torch" / "__init__.py").write_text(
        f"import os, pathlib, threading; pathlib.Path({str(tmp_path)!r}, 'started', str(os.getpid())).touch()\n"
        "threading.Event().wait(120)\n"
    )
    path = os.pathsep.join(filter(None, (str(tmp_path / "slow"), os.environ.get("PYTHONPATH"))))
    env = os.environ | {"PYTHONPATH": path, "TMPDIR": str(tmp_path / "temp")}
    # A child of a shell's background job would ignore SIGINT; this one must not.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program = subprocess.Popen([sys.executable, "-c", heard + PROGRAM], env=env, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        # The device, and the two of gloo.
        while len(list((tmp_path / "started").iterdir())) < 3:
            assert program.poll() is None and time.monotonic() < deadline
            threading.Event().wait(0.05)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=20)
    finally:
        program.kill()
    assert program.returncode == 1 and "Traceback" not in out + err
    assert list((tmp_path / "temp").iterdir()) == []
    for started in (tmp_path / "started").iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.name), 0)


FACTS = {"torch": "2.13.0", "cuda": "13.0", "hip": None, "gpus": [], "mps": False, "precision": "fp32", "warning": "",
         "cpu_bf16": False, "cpu_flags": []}  # fmt: skip
CARD = {"name": "Card", "total": 80 * GIB, "free": 79 * GIB, "capability": "9.0", "error": ""}


@pytest.mark.parametrize(("change", "listed", "driver", "visible", "status", "words"), [
    ({}, [], "", None, "ok", "on the CPU in fp32"),
    ({"mps": True}, [], "", None, "ok", "Apple GPU"),
    ({}, ["Card"], "470.1", None, "problem", "CUDA 13.0 cannot use it with driver 470.1"),
    ({"cuda": None}, ["Card", "Card"], "550", None, "problem", "2 x Card is here, but torch 2.13.0 is built without CUDA"),
    ({"cuda": None}, ["Card"], "550", "", "note", "hidden by CUDA_VISIBLE_DEVICES=''"),
    ({"cuda": None}, ["Card"], "550", "0", "problem", "built without CUDA"),
    ({"gpus": [CARD], "precision": "bf16"}, ["Card"], "550", None, "ok", "Card, 79.0 of 80.0 GiB free, compute 9.0, bf16"),
    ({"gpus": [CARD, CARD | {"free": 8 * GIB}]}, ["Card"] * 2, "550", None, "note", "2 x Card, 8.0 of 80.0 GiB free"),
    ({"gpus": [CARD, CARD | {"name": "Other"}]}, ["Card", "Other"], "550", None, "note", "the GPUs differ"),
    ({"gpus": [CARD | {"error": "no kernel image"}]}, ["Card"], "550", None, "problem", "no kernel image"),
])  # fmt: skip
def test_judgement_of_devices(change, listed, driver, visible, status, words):
    finding = doctor_devices.judge(FACTS | change, listed, driver, visible)
    assert finding.status == status and words in finding.found
    assert bool(finding.fix) == (status != "ok")
    assert bool(finding.ready) == (status != "problem")


def test_the_last_line_says_how_training_would_run():
    gpus = doctor_devices.judge(FACTS | {"gpus": [CARD, CARD], "precision": "bf16"}, ["Card"] * 2, "550", None)
    assert summary([gpus]) == "ready: train on 2 x Card with bf16, 2 processes"
    assert summary([gpus, Finding("x", "note", "a", "b")]) == "ready: train on 2 x Card with bf16, 2 processes (1 note)"
    assert summary([gpus, Finding("x", "problem", "a", "b"), Finding("y", "problem", "a", "b")]) == "2 problems"


def test_lines_are_aligned_and_fixes_stand_below():
    plain, wrong = Finding("a", "ok", "found", "never shown"), Finding("longer", "problem", "broken", "mend it")
    assert line(plain, 8) == "ok       a         found"
    assert line(wrong, 8) == "problem  longer    broken\n                   -> mend it"


def test_quick_starts_and_opens_nothing(capsys, monkeypatch):
    def forbidden(*_args, **_options):
        raise AssertionError("--quick must not do this")

    monkeypatch.setattr(subprocess.Popen, "__init__", forbidden)
    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, forbidden)
    for name in ("getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, forbidden)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", SECRETS["WANDB_API_KEY"])
    code, checks, said = quick(capsys)
    assert code == 0 and said["ready"] and said["summary"].startswith("ready: train on ")
    assert not {"gloo", "nccl", "zero", "hostname"} & checks.keys()
    assert {"python", "packages", "device", "memory", "disk", "shell", "hub", "wandb", "slurm"} <= checks.keys()
    assert "not contacted" in checks["hub"]["found"] and "not contacted" in checks["wandb"]["found"]
    assert not any("could not be checked" in check["found"] for check in checks.values())


@pytest.mark.parametrize(("left", "status", "words"), [
    ({"WORLD_SIZE": "2"}, "problem", "WORLD_SIZE=2"),
    ({"LOCAL_RANK": "0"}, "problem", "LOCAL_RANK=0"),
    ({"RANK": "1"}, "problem", "RANK=1"),
    ({"MASTER_ADDR": "node-7", "MASTER_PORT": "29500"}, "note", "MASTER_ADDR, MASTER_PORT"),
    ({"ACCELERATE_USE_FSDP": "true"}, "problem", "fsdp_version 1 is not supported"),
    ({"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "note", "back end zero3"),
    ({"WORLD_SIZE": "2", "RANK": "0", "TORCHELASTIC_RUN_ID": "x"}, "ok", "started under a launcher"),
    ({}, "ok", "no variables"),
])  # fmt: skip
def test_what_a_launcher_left_in_the_shell(left, status, words):
    finding = doctor_software.leftovers(left)
    assert finding.status == status and words in finding.found
    assert all(name in finding.fix for name in left) or status == "ok"


def test_a_leftover_world_size_ends_with_code_2(capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    code, checks, said = quick(capsys)
    assert code == 2 and not said["ready"] and said["summary"].startswith("1 problem")
    assert checks["shell"]["status"] == "problem" and checks["shell"]["fix"] == "unset WORLD_SIZE"


def test_the_default_file_of_accelerate(tmp_path):
    environ = {"HF_HOME": str(tmp_path)}
    assert doctor_software.default_file(environ).status == "ok"
    path = tmp_path / "accelerate" / "default_config.yaml"
    path.parent.mkdir()
    path.write_text("distributed_type: FSDP\nnum_processes: 4\nmixed_precision: 'no'\n")
    finding = doctor_software.default_file(environ)
    assert finding.status == "note" and finding.found.endswith("asks for distributed_type=FSDP, num_processes=4")
    assert "rca-dist train ignores it" in finding.fix
    path.write_text("distributed_type: 'NO'\nnum_processes: 1\n")
    assert doctor_software.default_file(environ).status == "ok"
    path.write_text("a: [")
    assert doctor_software.default_file(environ).status == "note"


def test_versions_against_their_ranges():
    torch = metadata.version("torch")
    good = doctor_software.compare(["torch>=1", "pytest>=1"])
    assert [f.status for f in good] == ["ok"] and f"torch {torch}" in good[0].found and "1 others" in good[0].found
    (old,) = doctor_software.compare(["torch>=999,<1000", "pytest>=1"])
    assert (old.status, old.fix) == ("problem", "pip install 'torch<1000,>=999'") and torch in old.found
    (missing,) = doctor_software.compare(["no-such-package-of-ours>=1"])
    assert missing.status == "problem" and "no-such-package-of-ours missing, needs >=1" in missing.found
    assert doctor_software.compare(["no-such-package-of-ours; sys_platform == 'nowhere'"])[0].status == "ok"
    extra = doctor_software.compare(["torch>=1", "no-such-package-of-ours>=3; extra == 'quant'"])
    assert [f.status for f in extra] == ["ok", "note"]
    assert "pip install -e '.[quant]'" in extra[1].fix and "no-such-package-of-ours>=3" in extra[1].fix


def test_the_ranges_of_this_project_are_the_ones_compared():
    assert any(text.startswith("torch") for text in metadata.requires("rca-dist"))
    assert set(doctor_software.OPTIONAL) <= set(metadata.metadata("rca-dist").get_all("Provides-Extra"))


def test_a_place_that_cannot_be_written_stops_training(capsys, tmp_path):
    (tmp_path / "runs").write_text("a file in the way")
    code, checks, _ = quick(capsys)
    assert code == 2
    assert checks["writable"]["status"] == "problem" and "runs is a file" in checks["writable"]["found"]
    assert "--run.output_dir" in checks["writable"]["fix"]


def test_a_model_cache_that_cannot_be_written_is_a_note(tmp_path):
    (tmp_path / "file").write_text("")
    findings = doctor_machine.disk({"HF_HOME": str(tmp_path / "file" / "inside")})
    assert findings[0].status == "note" and "model cache" in findings[0].found and "HF_HOME" in findings[0].fix
    assert all("GiB free" in f.found for f in findings[1:]) and len(findings) > 1


def test_the_check_of_places_leaves_nothing_behind(tmp_path):
    doctor_machine.disk({"HF_HOME": str(tmp_path / "hf")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("names", "free", "status"), [
    (["here", "runs/"], 100 * GIB, "ok"),
    (["here", "runs/"], 2 * GIB, "note"),
    (["here", "runs/"], GIB // 10, "problem"),
    (["temp"], 0, "problem"),
    (["model cache"], 0, "note"),
])  # fmt: skip
def test_free_space(names, free, status):
    assert doctor_machine.space(names, free).status == status


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_limits_of_control_groups(tmp_path):
    own, new, old = tmp_path / "own", tmp_path / "new", tmp_path / "old"
    own.write_text("0::/job/step\n")
    write(new / "job", memory__max=str(4 * GIB), memory__current=str(3 * GIB), memory__stat=f"inactive_file {GIB}\nanon 5\n",
          cpu__max="150000 100000")  # fmt: skip
    write(new / "job" / "step", memory__max="max", memory__current="1", memory__stat="inactive_file 0\n", cpu__max="max 100000")
    assert doctor_machine.memory_limit(new, own) == (4 * GIB, 2 * GIB)
    assert doctor_machine.cpu_quota(new, own) == 1.5
    own.write_text("4:memory:/box\n5:cpu,cpuacct:/box\n")
    write(old / "memory", memory__limit_in_bytes=str(GIB), memory__usage_in_bytes="10", memory__stat="total_inactive_file 4\n")
    write(old / "cpu" / "box", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert doctor_machine.memory_limit(old, own) == (GIB, 6)
    assert doctor_machine.cpu_quota(old, own) is None
    assert doctor_machine.memory_limit(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(("threads", "quota", "status"), [(None, None, "ok"), ("1", None, "ok"), ("999999", None, "note"),
                                                          ("many", None, "note"), (None, 0.5, "note"), ("1", 0.5, "ok")])  # fmt: skip
def test_threads_and_cores(monkeypatch, threads, quota, status):
    monkeypatch.setattr(doctor_devices, "cpu_quota", lambda: quota)
    finding = doctor_devices.processor(FACTS, {"OMP_NUM_THREADS": threads} if threads else {})
    assert finding.status == status and "no native bf16" in finding.found


def test_hub_and_wandb_switches(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (hub,) = doctor_links.hub(quick=False)
    assert hub.status == "note" and hub.fix.startswith("unset HF_HUB_OFFLINE") and doctor_links.DOWNLOAD in hub.fix
    monkeypatch.setenv("NETRC", os.devnull)
    for mode, key, status, words in (("disabled", "", "ok", "runs are disabled"), ("offline", "k" * 40, "ok", "tracked offline"),
                                     ("", "", "note", "no key")):  # fmt: skip
        monkeypatch.setenv("WANDB_MODE", mode)
        monkeypatch.setenv("WANDB_API_KEY", key)
        (wandb,) = doctor_links.wandb(quick=False)
        assert wandb.status == status and words in wandb.found


def test_the_download_command_is_the_one_of_model_names():
    from rca_dist.model.names import OFFLINE_HELP

    assert doctor_links.DOWNLOAD.split("`")[1] in OFFLINE_HELP


def test_an_endpoint_is_asked_once_also_behind_a_proxy(closed, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        open_port = server.getsockname()[1]
        assert doctor_links.reach(f"http://127.0.0.1:{open_port}/x") == ("127.0.0.1", "")
        where, error = doctor_links.reach(f"http://127.0.0.1:{closed}")
        assert where == "127.0.0.1" and "refused" in error
        # The host itself does not exist: only the proxy can have answered.
        monkeypatch.setenv("https_proxy", f"http://me:plantedpass@127.0.0.1:{open_port}")
        assert doctor_links.reach("https://hub.invalid") == ("the proxy for hub.invalid", "")
        monkeypatch.setenv("https_proxy", f"http://me:plantedpass@127.0.0.1:{closed}")
        where, error = doctor_links.reach("https://hub.invalid")
        assert "refused" in error and "plantedpass" not in where + error


def test_a_host_that_does_not_know_itself(monkeypatch):
    def unknown(_name):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "gethostbyname", unknown)
    (finding,) = doctor_links.hostname()
    assert finding.status == "note" and "Name or service not known" in finding.found and "/etc/hosts" in finding.fix


def test_slurm(commands, monkeypatch):
    for name in ("sbatch", "srun"):
        commands(name, "exit 1")
    commands("sinfo", "printf 'debug* 2 idle\\ngpu 3 allocated\\ngpu 1 idle\\n'")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    (finding,) = doctor_links.slurm(quick=False)
    assert (finding.status, finding.found) == ("ok", "partitions debug*, gpu, 3 node(s) idle; inside job 77 on 1 node(s)")
    commands("sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    (finding,) = doctor_links.slurm(quick=False)
    assert finding.status == "note" and "Unable to contact" in finding.found and finding.fix
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("SLURM_JOB_ID")
    assert doctor_links.slurm(quick=False) == [Finding("slurm", "ok", "not here")]


def test_checks_that_hang_or_fail_are_findings_and_the_rest_goes_on():
    never = threading.Event()

    def hang():
        never.wait()
        return []

    def fail():
        raise RuntimeError("first\nlast words")

    checks = [Check("hangs", hang, 0.2, on_hang="unmount it"), Check("fails", fail, 5),
              Check("long", hang, 500), Check("fine", lambda: [Finding("fine", "ok", "here")], 5)]  # fmt: skip
    begin = time.monotonic()
    findings = [finding for group in examine(checks, total_seconds=0.5) for finding in group]
    assert time.monotonic() - begin < 5
    never.set()
    assert [(f.name, f.status) for f in findings] == [("hangs", "note"), ("fails", "note"), ("long", "note"), ("fine", "ok")]
    assert findings[0].fix == "unmount it" and "RuntimeError: last words" in findings[1].found


def test_secrets_are_scrubbed_from_what_libraries_say():
    text = "token hf_AbcdefGhijk1 at https://me:word@host/x, key 1234567890, short yes"
    clean = scrub(text, {"SOME_API_KEY": "1234567890", "OTHER_TOKEN": "yes", "HOME": "at"})
    assert clean == "token *** at https://***@host/x, key ***, short yes"


def test_arguments(capsys):
    assert doctor(["--help"]) == 0
    assert "--quick" in capsys.readouterr().out
    with pytest.raises(UserError, match="--fast"):
        doctor(["--quick", "--fast"])


def test_the_files_stay_light():
    code = "import sys, rca_dist.runtime.doctor; print([m for m in ('torch', 'accelerate', 'wandb', 'deepspeed') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
