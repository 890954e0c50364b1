"""What the launcher asked for, read from environments and files, and where it stands against our configuration."""

import json

import pytest

from rca_dist.errors import UserError
from rca_dist.runtime.launcher_settings import (
    LauncherSettings,
    contradictions,
    from_environment,
    from_file,
    missing_processes,
)

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
ACCELERATE = {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_DYNAMO_BACKEND": "NO"}
DEEPSPEED = TORCHRUN | {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_USE_DEEPSPEED": "true"}
FSDP = TORCHRUN | ACCELERATE | {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_OFFLOAD_PARAMS": "false"}


@pytest.fixture
def deepspeed_file(tmp_path):
    """write(**sections) -> a stage-2 DeepSpeed file with these sections too."""

    def write(name="ds.json", stage=2, **sections):
        path = tmp_path / name
        path.write_text(json.dumps({"zero_optimization": {"stage": stage}, **sections}))
        return path

    return write


def under(path, **more):
    return from_environment(DEEPSPEED | {"ACCELERATE_DEEPSPEED_CONFIG_FILE": str(path)} | more)


@pytest.mark.parametrize(("environment", "backend", "world"), [
    ({}, "no", 1),
    (ACCELERATE, "no", 1),
    (TORCHRUN | ACCELERATE, "ddp", 2),
    (TORCHRUN | {"WORLD_SIZE": "1"}, "no", 1),
    (FSDP, "fsdp2", 2),
    (FSDP | {"WORLD_SIZE": "1"}, "fsdp2", 1),
    (DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "1"}, "zero1", 2),
    (DEEPSPEED, "zero2", 2),
    (DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, "zero3", 2),
])  # fmt: skip
def test_backend_of_a_worker(environment, backend, world):
    settings = from_environment(environment)
    assert (settings.backend, settings.world_size, settings.offload) == (backend, world, False)
    assert missing_processes(settings) is None
    assert contradictions(settings, precision="fp32", max_grad_norm=1.0) == []


def test_flags_of_deepspeed_become_a_config_without_auto():
    names = {"ZERO_STAGE": "3", "OFFLOAD_OPTIMIZER_DEVICE": "cpu", "OFFLOAD_PARAM_DEVICE": "none"}
    settings = from_environment(DEEPSPEED | {f"ACCELERATE_DEEPSPEED_{name}": value for name, value in names.items()})
    assert settings.offload
    assert settings.deepspeed_config == {
        "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"},
                              "stage3_gather_16bit_weights_on_model_save": True},
        "zero_force_ds_cpu_optimizer": False,
    }  # fmt: skip


def test_auto_is_as_good_as_absent(deepspeed_file):
    path = deepspeed_file(
        gradient_clipping="auto", gradient_accumulation_steps="auto", train_batch_size="auto", bf16={"enabled": "auto"}
    )
    settings = under(path)
    assert settings.deepspeed_config == {"zero_optimization": {"stage": 2}, "bf16": {}}
    assert contradictions(settings, precision="fp32", max_grad_norm=1.0) == []


@pytest.mark.parametrize(("environment", "part"), [
    (FSDP | {"FSDP_VERSION": "1"}, "set fsdp_version 2"),
    (TORCHRUN | {"ACCELERATE_USE_FSDP": "true"}, "fsdp_version 1 is not supported"),
    (TORCHRUN | {"ACCELERATE_USE_MEGATRON_LM": "true"}, "MEGATRON_LM is not supported"),
    (FSDP | {"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "parallelism_config"),
    (DEEPSPEED | {"ACCELERATE_DEEPSPEED_ZERO_STAGE": "0"}, "stage is 0"),
    (DEEPSPEED | {"ACCELERATE_DEEPSPEED_CONFIG_FILE": "nowhere.json"}, "nowhere.json does not exist"),
])  # fmt: skip
def test_what_is_not_supported_is_said(environment, part):
    with pytest.raises(UserError, match=part):
        from_environment(environment)


def test_a_second_stage_beside_the_file_is_refused(deepspeed_file):
    with pytest.raises(UserError, match=r"zero_stage=3 but zero_optimization.stage=2"):
        under(deepspeed_file(), ACCELERATE_DEEPSPEED_ZERO_STAGE="3")


def test_a_relative_file_is_found_from_the_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = under("configs/deepspeed/zero3.json")
    assert settings.backend == "zero3"
    assert settings.deepspeed_file.is_absolute()


@pytest.mark.parametrize(("sections", "theirs", "ours"), [
    ({"gradient_clipping": 0.5}, "gradient_clipping=0.5", "train.max_grad_norm=1"),
    ({"gradient_clipping": 0}, "gradient_clipping=0", "train.max_grad_norm=1"),
    ({"gradient_accumulation_steps": 4}, "gradient_accumulation_steps=4", "train.global_batch_size=16"),
    ({"train_batch_size": 32}, "train_batch_size=32", "train.global_batch_size=16"),
    ({"train_micro_batch_size_per_gpu": 8}, "train_micro_batch_size_per_gpu=8", "train.max_tokens_per_micro_batch"),
    ({"bf16": {"enabled": True}}, "bf16.enabled=true", "train.precision=fp32"),
    ({"fp16": {"enabled": True}}, "fp16.enabled=true", "train.precision=fp32"),
    ({"torch_autocast": {"enabled": True, "dtype": "bfloat16"}}, "torch_autocast.enabled=true", "train.precision=fp32"),
    ({"optimizer": {"type": "AdamW", "params": {"lr": 1e-5, "betas": "auto"}}}, "AdamW(lr=1e-05)", "train.learning_rate=2e-05"),
    ({"scheduler": {"type": "WarmupLR"}}, "scheduler WarmupLR()", "train.lr_scheduler=cosine"),
])  # fmt: skip
def test_sections_of_a_deepspeed_file_stand_against_ours(deepspeed_file, sections, theirs, ours):
    path = deepspeed_file(**sections)
    found = contradictions(
        under(path), precision="fp32", max_grad_norm=1.0, learning_rate=2e-5, lr_scheduler="cosine", global_batch_size=16
    )
    assert len(found) == 1
    assert [part for part in (str(path), theirs, ours, "remove") if part not in found[0]] == []


def test_the_same_value_twice_is_no_contradiction(deepspeed_file):
    path = deepspeed_file(gradient_clipping=1, gradient_accumulation_steps=1, bf16={"enabled": True}, fp16={"enabled": False})
    for precision in ("bf16", "auto"):
        assert contradictions(under(path), precision=precision, max_grad_norm=1.0) == []
    assert contradictions(under(path), precision="bf16", max_grad_norm=None) == []


@pytest.mark.parametrize(("variables", "theirs", "ours"), [
    ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "mixed_precision=bf16", "train.precision=fp32"),
    ({"ACCELERATE_MIXED_PRECISION": "fp8"}, "mixed_precision=fp8", "train.precision=fp32"),
    ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "8"}, "gradient_accumulation_steps=8", "train.global_batch_size"),
    ({"ACCELERATE_GRADIENT_CLIPPING": "0.3"}, "gradient_clipping=0.3", "train.max_grad_norm=1"),
    ({"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"}, "dynamo_backend=inductor", "does not compile"),
    ({"FSDP_ACTIVATION_CHECKPOINTING": "true"}, "activation_checkpointing=true", "train.gradient_checkpointing=false"),
])  # fmt: skip
def test_flags_of_the_launcher_stand_against_ours(variables, theirs, ours):
    settings = from_environment(FSDP | variables)
    found = contradictions(settings, precision="fp32", max_grad_norm=1.0, gradient_checkpointing=False)
    assert len(found) == 1
    assert theirs in found[0]
    assert ours in found[0]


def test_checkpointing_twice_is_refused_too():
    settings = from_environment(FSDP | {"FSDP_ACTIVATION_CHECKPOINTING": "true"})
    assert len(contradictions(settings, precision="fp32", gradient_checkpointing=True)) == 1


def test_the_launchers_precision_may_be_ours():
    settings = from_environment(TORCHRUN | {"ACCELERATE_MIXED_PRECISION": "bf16"})
    assert [contradictions(settings, precision=p, max_grad_norm=1.0) == [] for p in ("bf16", "auto", "fp32", "fp16")] == [
        True, True, False, False]  # fmt: skip


SLURM = {"SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NUM_TASKS": "2"}


@pytest.mark.parametrize(("environment", "part"), [
    # Our scripts know what they asked for.
    (TORCHRUN | {"RCA_WORLD_SIZE": "4"}, "4 processes were asked for but this group has 2"),
    ({"RCA_WORLD_SIZE": "2"}, "--multi_gpu"),
    # srun started two launchers, each made a world of its own.
    (TORCHRUN | SLURM, "4 processes were asked for but this group has 2: across nodes use launch/multi_node.sh"),
    (SLURM, "--num_machines"),
    # accelerate launch --num_machines 2 --use_deepspeed, where DeepSpeed's own launcher found no host file.
    ({"ACCELERATE_USE_DEEPSPEED": "true", "WORLD_SIZE": "1", "CROSS_SIZE": "1"}, "--deepspeed_multinode_launcher standard"),
    # accelerate launch --cpu --num_processes 2
    (ACCELERATE | {"MASTER_ADDR": "127.0.0.1"}, "several processes were asked for but this group has 1"),
])  # fmt: skip
def test_a_world_that_fell_apart_is_found(environment, part):
    assert part in missing_processes(from_environment(environment))


@pytest.mark.parametrize("environment", [
    TORCHRUN | {"RCA_WORLD_SIZE": "2"},
    TORCHRUN | SLURM | {"WORLD_SIZE": "4"},
    TORCHRUN | SLURM | {"RCA_WORLD_SIZE": "2"},
    {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"},
    {"SLURM_STEP_NUM_TASKS": "4", "WORLD_SIZE": "4", "RANK": "1", "LOCAL_WORLD_SIZE": "4"},
    ACCELERATE | {"MASTER_ADDR": "head", "RCA_WORLD_SIZE": "1"},
    {"ACCELERATE_USE_DEEPSPEED": "true", "WORLD_SIZE": "4", "CROSS_SIZE": "2"},
])  # fmt: skip
def test_a_whole_world_is_left_alone(environment):
    assert missing_processes(from_environment(environment)) is None


@pytest.mark.parametrize(("text", "part"), [
    ("a: [1", "line"),
    ("- 1", "expected keys"),
    ("num_processes: 2", "distributed_type is missing"),
    ("distributed_type: NO", "write distributed_type: 'NO'"),
    ("{distributed_type: MULTI_GPU, mixed_precision: no}", "write mixed_precision: 'no'"),
    ("distributed_type: FSDP", "fsdp_version 1"),
    ("{distributed_type: FSDP, fsdp_config: {fsdp_version: 1}}", "fsdp_version 1"),
    ("distributed_type: XLA", "XLA is not supported"),
    ("{distributed_type: DEEPSPEED, deepspeed_config: {zero_stage: 0}}", "stage is 0"),
    ("{distributed_type: DEEPSPEED, deepspeed_config: {deepspeed_config_file: none.json}}", "none.json does not exist"),
    ("{distributed_type: DEEPSPEED, deepspeed_config: 3}", "must hold keys and values"),
])  # fmt: skip
def test_files_that_cannot_be_used_are_named(tmp_path, text, part):
    path = tmp_path / "launch.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=part) as caught:
        from_file(path)
    assert str(path) in str(caught.value)


def test_a_broken_deepspeed_file_is_named_with_its_line(tmp_path):
    (tmp_path / "ds.json").write_text('{\n"zero_optimization": }')
    path = tmp_path / "launch.yaml"
    path.write_text("{distributed_type: DEEPSPEED, deepspeed_config: {deepspeed_config_file: ds.json}}")
    with pytest.raises(UserError, match=r"ds\.json, line 2: not valid JSON"):
        from_file(path)


def test_a_file_that_starts_one_process_says_so(tmp_path):
    path = tmp_path / "launch.yaml"
    for kind in ("'NO'", "MULTI_CPU"):
        path.write_text(f"distributed_type: {kind}")
        assert missing_processes(from_file(path, 1)) is None
        assert "2 processes were asked for but this group has 1" in missing_processes(from_file(path, 2))


def test_keys_of_the_yaml_are_read_like_flags(tmp_path):
    path = tmp_path / "launch.yaml"
    path.write_text(
        "{distributed_type: DEEPSPEED, mixed_precision: bf16, num_processes: 4, dynamo_config: {dynamo_backend: INDUCTOR},"
        " deepspeed_config: {zero_stage: 3, gradient_clipping: 0.5, gradient_accumulation_steps: 2, offload_param_device: cpu}}"
    )
    settings = from_file(path)
    assert (settings.backend, settings.world_size, settings.offload) == ("zero3", 4, True)
    assert len(contradictions(settings, precision="fp32", max_grad_norm=1.0)) == 4
    assert from_file(path, 8).world_size == 8


def test_defaults_are_one_plain_process():
    assert from_environment({}) == LauncherSettings()
