"""The shipped launch files: each is readable by Accelerate and DeepSpeed, and says what its name says."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rca_dist.errors import UserError
from rca_dist.runtime import launch
from rca_dist.runtime.launch import Request
from rca_dist.runtime.launcher_settings import contradictions, from_file, missing_processes

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "configs" / "accelerate").glob("*.yaml"))
ENGINES = sorted((ROOT / "configs" / "deepspeed").glob("*.json"))
BACKENDS = {"cpu": "no", "cpu_2": "ddp", "single_gpu": "no", "ddp": "ddp", "fsdp2": "fsdp2", "zero1": "zero1", "zero2": "zero2",
            "zero3": "zero3", "zero3_offload": "zero3", "ddp_multi_node": "ddp", "fsdp2_multi_node": "fsdp2",
            "zero3_multi_node": "zero3"}  # fmt: skip
OURS = {"precision": "fp32", "max_grad_norm": 1.0}


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch):
    monkeypatch.setattr(launch, "gpus", lambda: 0)
    monkeypatch.setattr(launch, "cores", lambda: 16)
    monkeypatch.setattr(launch, "available_memory_bytes", lambda: 64 * 2**30)


def test_all_files_are_there():
    assert {path.stem for path in FILES} == set(BACKENDS)
    assert {path.stem for path in ENGINES} == {"zero1", "zero2", "zero3", "zero3_offload"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_file_says_what_its_name_says(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = from_file(path)
    assert settings.backend == BACKENDS[path.stem]
    assert settings.machines == (2 if "multi_node" in path.stem else 1)
    assert settings.offload == ("offload" in path.stem)
    assert missing_processes(settings) is None
    assert contradictions(settings, **OURS) == []
    for precision in ("bf16", "fp16", "auto"):
        assert contradictions(settings, precision=precision, max_grad_norm=0.0) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_its_first_comment_is_its_own_launch_command(path):
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    commands = [line for line in comments if "--config_file" in line]
    assert commands[0] == comments[0]
    for command in commands:
        named = re.search(r"--config_file (\S+)", command)[1]
        assert ROOT / named == path
        script = re.search(r"\S+\.(py|sh)\b", command)[0]
        assert (ROOT / script).is_file()
    assert len(comments) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_accelerate_reads_it_and_takes_more_processes(path):
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    assert load_config_from_file(str(path)).num_processes >= 1
    arguments = ["--config_file", str(path), "--num_processes", "2", "--num_machines", "1", "train.py"]
    options, defaults, from_config = _validate_launch_command(launch_command_parser().parse_args(arguments))
    assert options.num_processes == 2
    assert options.mixed_precision == "no"
    if options.use_deepspeed:
        # Accelerate refuses these beside a DeepSpeed file.
        fields = {"mixed_precision"} if from_config else set()
        assert (fields | set(defaults.deepspeed_config)) <= {
            "deepspeed_config_file", "zero3_init_flag", "deepspeed_multinode_launcher"}  # fmt: skip
        assert options.deepspeed_multinode_launcher == "standard"
    if options.use_fsdp:
        assert (str(options.fsdp_version), options.fsdp_auto_wrap_policy) == ("2", "TRANSFORMER_BASED_WRAP")
        assert options.fsdp_reshard_after_forward is True
        assert options.fsdp_cpu_ram_efficient_loading is False


@pytest.mark.parametrize("path", [*FILES, *ENGINES], ids=lambda p: p.name)
def test_nothing_is_left_to_auto(path):
    data = yaml.safe_load(path.read_text())
    assert isinstance(data, dict)
    assert '"auto"' not in json.dumps(data)


@pytest.mark.parametrize("path", ENGINES, ids=lambda p: p.stem)
def test_an_engine_file_holds_only_what_is_the_engines(path):
    data = json.loads(path.read_text())
    assert set(data) <= {"zero_optimization", "zero_allow_untested_optimizer", "zero_force_ds_cpu_optimizer"}
    assert data["zero_optimization"]["stage"] == int(path.stem[4])
    if data["zero_optimization"]["stage"] == 3:
        assert data["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    if "offload_optimizer" in data["zero_optimization"]:
        assert data["zero_force_ds_cpu_optimizer"] is False


@pytest.mark.parametrize("path", ENGINES, ids=lambda p: p.stem)
def test_deepspeed_knows_every_key(path):
    pytest.importorskip("deepspeed")
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    zero = json.loads(path.read_text())["zero_optimization"]
    names = {field.alias or name for name, field in DeepSpeedZeroConfig.model_fields.items()} | set(
        DeepSpeedZeroConfig.model_fields
    )
    assert set(zero) <= names
    DeepSpeedZeroConfig(**zero)


def test_without_a_file_there_is_a_process_per_gpu(monkeypatch):
    assert launch.check(Request(), **OURS).world_size == 1
    assert launch.check(Request(num_processes=2), **OURS).backend == "ddp"
    monkeypatch.setattr(launch, "gpus", lambda: 4)
    assert launch.check(Request(), **OURS).world_size == 4
    options = launch.launcher_options(Request(), launch.check(Request(), **OURS))
    assert options[options.index("--num_processes") + 1] == "4"
    assert "--multi_gpu" in options
    with pytest.raises(UserError, match="8 processes on this machine but 4 GPUs"):
        launch.check(Request(num_processes=8), **OURS)
    hidden = Request(str(ROOT / "configs" / "accelerate" / "cpu_2.yaml"), num_processes=8)
    assert launch.check(hidden, **OURS).world_size == 8


def test_a_file_that_leaves_the_count_open_gets_all_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(launch, "gpus", lambda: 4)
    path = tmp_path / "a.yaml"
    path.write_text("distributed_type: MULTI_GPU\n")
    assert launch.check(Request(str(path)), **OURS).world_size == 4
    assert launch.check(Request(str(path), num_processes=2), **OURS).world_size == 2


def test_options_for_several_machines():
    path = str(ROOT / "configs" / "accelerate" / "zero3_multi_node.yaml")
    request = Request(path, 4, 2, 1, "10.0.0.1", 29501)
    options = launch.launcher_options(request, launch.check(request, **OURS))
    pairs = dict(itertools.pairwise(options))
    assert (pairs["--num_processes"], pairs["--num_machines"], pairs["--machine_rank"]) == ("4", "2", "1")
    assert (pairs["--main_process_ip"], pairs["--main_process_port"], pairs["--rdzv_backend"]) == (
        "10.0.0.1",
        "29501",
        "static",
    )
    assert pairs["--deepspeed_multinode_launcher"] == "standard"
    assert Path(pairs["--deepspeed_config_file"]) == ROOT / "configs" / "deepspeed" / "zero3.json"


@pytest.mark.parametrize(("request_", "part"), [
    (Request(str(ROOT / "configs/accelerate/ddp_multi_node.yaml")), "num_machines=2 needs --machine_rank, --main_process_ip"),
    (Request(num_processes=3, num_machines=2, machine_rank=0, main_process_ip="h", main_process_port=1), "shared evenly"),
    (Request(num_processes=2, num_machines=2, machine_rank=2, main_process_ip="h", main_process_port=1), "below num_machines=2"),
    (Request(str(ROOT / "configs/accelerate/single_gpu.yaml"), num_processes=2), "this group has 1"),
    (Request("none.yaml"), "none.yaml: no such file"),
])  # fmt: skip
def test_what_cannot_be_started_is_said(request_, part):
    with pytest.raises(UserError, match=re.escape(part)):
        launch.check(request_, **OURS)


def test_all_problems_of_a_start_come_at_once(tmp_path):
    (tmp_path / "ds.json").write_text('{"zero_optimization": {"stage": 2}, "gradient_clipping": 0.5, "train_batch_size": 8}')
    path = tmp_path / "a.yaml"
    path.write_text(
        "{distributed_type: DEEPSPEED, num_machines: 2, num_processes: 2, mixed_precision: bf16,"
        " deepspeed_config: {deepspeed_config_file: ds.json}}"
    )
    with pytest.raises(UserError) as caught:
        launch.check(Request(str(path)), **OURS)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 problems in how the job is to be started:"
    assert len(lines) == 5


def test_idle_gpus_are_mentioned(monkeypatch):
    request = Request(str(ROOT / "configs/accelerate/ddp.yaml"))
    settings = launch.check(request, **OURS)
    assert launch.in_words(settings, request) == "2 processes, back end ddp"
    monkeypatch.setattr(launch, "gpus", lambda: 8)
    assert launch.in_words(settings, request).endswith("8 GPUs are here, --num_processes 8 uses all")
    assert "GPUs" not in launch.in_words(settings, Request(request.config_file, num_processes=2))
    cpu = Request(str(ROOT / "configs/accelerate/cpu.yaml"))
    assert launch.in_words(launch.check(cpu, **OURS), cpu) == "1 process"


def test_processes_must_fit_into_memory(monkeypatch):
    monkeypatch.setattr(launch, "available_memory_bytes", lambda: 6 * 2**30)
    assert launch.check(Request(num_processes=10), **OURS).world_size == 10
    with pytest.raises(
        UserError, match=re.escape("need at least 59.4 GiB of memory but 6.0 GiB are available: use --num_processes 10")
    ):
        launch.check(Request(num_processes=99), **OURS)
    nodes = {"num_machines": 2, "machine_rank": 0, "main_process_ip": "h", "main_process_port": 1}
    assert launch.check(Request(num_processes=20, **nodes), **OURS).world_size == 20
    with pytest.raises(UserError, match=r"11 processes on this machine .* --num_processes 20 or fewer"):
        launch.check(Request(num_processes=22, **nodes), **OURS)
    monkeypatch.setattr(launch, "available_memory_bytes", lambda: None)
    assert launch.check(Request(num_processes=99), **OURS).world_size == 99
    monkeypatch.setattr(launch, "available_memory_bytes", lambda: 2**20)
    assert launch.check(Request(), **OURS).world_size == 1
    monkeypatch.setattr(launch, "gpus", lambda: 8)
    assert launch.check(Request(num_processes=8), **OURS).world_size == 8
    with pytest.raises(UserError, match="use --num_processes 1 or fewer"):
        launch.check(Request(str(ROOT / "configs" / "accelerate" / "cpu_2.yaml"), num_processes=8), **OURS)


def test_processes_that_share_cores_are_mentioned(monkeypatch):
    monkeypatch.setattr(launch, "cores", lambda: 2)
    request = Request(num_processes=3)
    settings = launch.check(request, **OURS)
    assert launch.in_words(settings, request) == "3 processes, back end ddp; note: 3 processes share 2 CPU cores here"
    assert "share" not in launch.in_words(launch.check(Request(num_processes=2), **OURS), Request(num_processes=2))


def test_memory_is_read_without_torch():
    code = "import sys; from rca_dist.runtime import launch; print(launch.available_memory_bytes(), 'torch' in sys.modules)"
    found, torch = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert torch == "False"
    assert found == "None" or int(found) > 2**20
