"""What the launcher asked for: from a worker's environment, or from its files before anything is started.

A launch is described twice, in the launcher's terms and in ours. Whatever both could say is decided by ours;
`contradictions` lists what the launcher says differently, so that no setting quietly does nothing.
Needs neither torch nor accelerate.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.runtime.launcher_files import READY, deepspeed_fields, number, read_mapping, section, truth, whole

CHECKOUT = Path(__file__).resolve().parents[2]
LAUNCHER = "the launcher"
DEEPSPEED_NAMES = ("zero_stage", "offload_optimizer_device", "offload_param_device", "offload_optimizer_nvme_path",
                   "offload_param_nvme_path")  # fmt: skip


@dataclass(frozen=True)
class LauncherSettings:
    """One launch as the launcher sees it; None where it says nothing.

    backend: no, ddp, fsdp2, zero1, zero2 or zero3.
    offload: optimizer state or parameters lie in CPU memory or on disk.
    deepspeed_config: content of the DeepSpeed file, or what the launcher's flags amount to; "auto" entries are left out.
    accumulation, clipping: as given to the launcher itself, not in the DeepSpeed file.
    world_size: processes that are or will be started, 0 when the file leaves it open; expected_world_size: as asked for.
    alone: the launcher was told of more processes than are in this group, how many is not known.
    hides_gpus: the file makes a CPU run of it. source: where all this stands, for messages.
    """

    backend: str = "no"
    zero_stage: int | None = None
    offload: bool = False
    deepspeed_config: dict[str, Any] | None = None
    deepspeed_file: Path | None = None
    mixed_precision: str = "no"
    accumulation: int | None = None
    clipping: float | None = None
    dynamo: str = "no"
    activation_checkpointing: bool = False
    world_size: int = 1
    expected_world_size: int | None = None
    alone: bool = False
    machines: int = 1
    main_address: str | None = None
    main_port: int | None = None
    hides_gpus: bool = False
    source: str = LAUNCHER


def from_environment(environ: Mapping[str, str] = os.environ) -> LauncherSettings:
    """What `accelerate launch` (or torchrun) left for this worker.

    A relative DeepSpeed file is looked for in the current directory and in the checkout of this package.
    Raises: UserError for what is not supported and for DeepSpeed files that cannot be read.
    """
    world = whole(environ.get("WORLD_SIZE")) or 1
    kinds = [name for name in ("DEEPSPEED", "FSDP", "MEGATRON_LM") if truth(environ.get(f"ACCELERATE_USE_{name}"))]
    kind = kinds[0] if kinds else "NO"
    if truth(environ.get("ACCELERATE_USE_PARALLELISM_CONFIG")):
        raise UserError(f"{LAUNCHER}: parallelism_config is not supported; remove it")
    deepspeed: dict[str, Any] = {}
    if kind == "DEEPSPEED":
        names = {name: environ.get(f"ACCELERATE_DEEPSPEED_{name.upper()}") for name in DEEPSPEED_NAMES}
        names["deepspeed_config_file"] = environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE")
        deepspeed = deepspeed_fields(names, [Path.cwd(), CHECKOUT], LAUNCHER)
    elif kind == "FSDP":
        deepspeed = {"offload": truth(environ.get("FSDP_OFFLOAD_PARAMS"))}
    # DeepSpeed's own launcher stands between only for several nodes, and Accelerate's plain one gives an address only to
    # one of several processes.
    pdsh = kind == "DEEPSPEED" and environ.get("CROSS_SIZE") == "1"
    plain = "ACCELERATE_MIXED_PRECISION" in environ and "WORLD_SIZE" not in environ and "MASTER_ADDR" in environ
    return LauncherSettings(
        backend=_backend(kind, world, deepspeed.get("zero_stage"), environ.get("FSDP_VERSION", "1"), LAUNCHER),
        mixed_precision=environ.get("ACCELERATE_MIXED_PRECISION", "no").lower(),
        accumulation=whole(environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS")),
        clipping=number(environ.get("ACCELERATE_GRADIENT_CLIPPING")),
        dynamo=environ.get("ACCELERATE_DYNAMO_BACKEND", "no").lower(),
        activation_checkpointing=kind == "FSDP" and truth(environ.get("FSDP_ACTIVATION_CHECKPOINTING")),
        world_size=world,
        expected_world_size=_expected(environ),
        alone=(pdsh or plain) and "RCA_WORLD_SIZE" not in environ,
        machines=whole(environ.get("SLURM_STEP_NUM_NODES")) or 1,
        **deepspeed,
    )


def from_file(path: str | Path, num_processes: int | None = None, num_machines: int | None = None) -> LauncherSettings:
    """What `accelerate launch --config_file PATH [--num_processes N] [--num_machines M]` would do.

    A relative DeepSpeed file is looked for in the current directory and in the folders above PATH.
    Raises: UserError when a file cannot be read, or asks for what is not supported.
    """
    path, source = Path(path), str(path)
    data = read_mapping(path, "--config_file")
    for key, meant in (("distributed_type", "NO"), ("mixed_precision", "no"), ("dynamo_backend", "no")):
        if data.get(key) is False:
            raise UserError(f"{source}: {key}: {meant} without quotes is false in YAML; write {key}: '{meant}'")
    kind = data.get("distributed_type")
    if not isinstance(kind, str):
        raise UserError(f"{source}: distributed_type is missing, so this is no file for accelerate launch; {READY}")
    if data.get("parallelism_config"):
        raise UserError(f"{source}: parallelism_config is not supported; remove it")
    own, fsdp = section(data, "deepspeed_config", source), section(data, "fsdp_config", source)
    fsdp = {str(key).removeprefix("fsdp_"): value for key, value in fsdp.items()}
    asked = num_processes or whole(data.get("num_processes")) or 0
    # With these, Accelerate starts one process whatever num_processes says.
    lone = kind == "NO" or (kind == "MULTI_CPU" and not data.get("mpirun_config"))
    deepspeed: dict[str, Any] = {}
    if kind == "DEEPSPEED":
        deepspeed = deepspeed_fields(own, [Path.cwd(), *path.absolute().parents], source)
    elif kind == "FSDP":
        deepspeed = {"offload": truth(fsdp.get("offload_params"))}
    dynamo = section(data, "dynamo_config", source).get("dynamo_backend") or data.get("dynamo_backend") or "no"
    return LauncherSettings(
        backend=_backend(kind, 1 if lone else asked, deepspeed.get("zero_stage"), str(fsdp.get("version", 1)), source),
        mixed_precision=str(data.get("mixed_precision") or "no").lower(),
        accumulation=whole(own.get("gradient_accumulation_steps")),
        clipping=number(own.get("gradient_clipping")),
        dynamo=str(dynamo).lower(),
        activation_checkpointing=truth(fsdp.get("activation_checkpointing")),
        world_size=1 if lone else asked,
        expected_world_size=asked or None,
        machines=num_machines or whole(data.get("num_machines")) or 1,
        main_address=data.get("main_process_ip"),
        main_port=whole(data.get("main_process_port")),
        hides_gpus="-1" in str(data.get("gpu_ids")),
        source=source,
        **deepspeed,
    )


def missing_processes(settings: LauncherSettings) -> str | None:
    """Why fewer processes came up than were asked for, and what to add; None when all is well.

    Each of them would train alone on all of the data, and write into the same run directory.
    """
    world, expected = settings.world_size, settings.expected_world_size
    if not settings.alone and (expected is None or not 0 < world < expected):
        return None
    if settings.source != LAUNCHER:
        fix = "this distributed_type starts one process; use configs/accelerate/ddp.yaml, or cpu_2.yaml on a CPU"
    elif settings.machines > 1 or settings.backend.startswith("zero"):
        fix = (
            "across nodes use launch/multi_node.sh, or give every launcher --num_machines, --machine_rank, --main_process_ip, "
            "--main_process_port, and with DeepSpeed --deepspeed_multinode_launcher standard"
        )
    else:
        fix = (
            "on one machine launch with --multi_gpu --num_processes N (on a CPU too), not with --cpu; across nodes also "
            "--num_machines; if one process is meant, set RCA_WORLD_SIZE=1"
        )
    asked = expected if expected and expected > world else "several"
    return f"{settings.source}: {asked} processes were asked for but this group has {world}: {fix}"


def contradictions(
    settings: LauncherSettings,
    *,
    precision: str,
    max_grad_norm: float | None = None,
    learning_rate: float | None = None,
    lr_scheduler: str | None = None,
    global_batch_size: int | None = None,
    gradient_checkpointing: bool | None = None,
) -> list[str]:
    """Where launcher or DeepSpeed file and configuration say different things; each entry has both values and the fix.

    `precision` is train.precision, resolved in a worker; auto stands against nothing. The other arguments are the train.*
    keys of their names; without max_grad_norm clipping is not compared, the rest are then only named.
    """
    source, found = settings.source, []
    config, file = settings.deepspeed_config or {}, settings.deepspeed_file or settings.source
    ours = f"train.precision={precision}"
    if settings.mixed_precision != "no" and precision not in ("auto", settings.mixed_precision):
        found.append(f"{source}: mixed_precision={settings.mixed_precision} but {ours}; set mixed_precision to no, {_DECIDES}")
    for name, dtype in (("bf16", "bf16"), ("bfloat16", "bf16"), ("fp16", "fp16"), ("amp", "amp"), ("torch_autocast", None)):
        part = config.get(name)
        if isinstance(part, dict) and truth(part.get("enabled")):
            dtype = dtype or {"bfloat16": "bf16", "float16": "fp16"}.get(str(part.get("dtype")).rpartition(".")[2], "bf16")
            if precision not in ("auto", dtype):
                found.append(f"{file}: {name}.enabled=true but {ours}; remove {name}, {_DECIDES}")
    for where, name, value in ((source, "gradient_clipping", settings.clipping), (file, "gradient_clipping", None)):
        value = number(config.get(name)) if where is file and value is None else value
        if None not in (value, max_grad_norm) and value != max_grad_norm:
            found.append(f"{where}: {name}={value:g} but train.max_grad_norm={max_grad_norm:g}; remove {name}, {_DECIDES}")
    micro = "train.max_tokens_per_micro_batch"
    size = _named("train.global_batch_size", global_batch_size)
    for where, value in ((source, settings.accumulation), (file, config.get("gradient_accumulation_steps"))):
        if value not in (None, 1):
            found.append(
                f"{where}: gradient_accumulation_steps={value} but {size} and {micro} decide how many micro-batches make a "
                "step; remove it"
            )
    for name in ("train_batch_size", "train_micro_batch_size_per_gpu"):
        if name in config:
            found.append(f"{file}: {name}={config[name]} but {size} and {micro} decide; remove {name}")
    for name, other in (("optimizer", _named("train.learning_rate", learning_rate)),
                        ("scheduler", _named("train.lr_scheduler", lr_scheduler))):  # fmt: skip
        if name in config:
            found.append(f"{file}: {name} {_shown(config[name])} but {other} and the other train.* keys decide; remove {name}")
    if settings.dynamo not in ("no", "none"):
        found.append(f"{source}: dynamo_backend={settings.dynamo} but rca_dist does not compile the model; set it to 'no'")
    if settings.activation_checkpointing:
        # Also when both are on: activations would be recomputed twice.
        theirs = _named("train.gradient_checkpointing", gradient_checkpointing)
        found.append(f"{source}: fsdp_activation_checkpointing=true but {theirs} decides; set it false here")
    return found


_DECIDES = "our configuration decides"


def _named(key: str, value: object) -> str:
    return key if value is None else f"{key}={str(value).lower() if isinstance(value, bool) else value}"


def _shown(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    parameters = value.get("params")
    inside = ", ".join(f"{k}={v}" for k, v in parameters.items()) if isinstance(parameters, dict) else ""
    return f"{value.get('type', '')}({inside})"


def _expected(environ: Mapping[str, str]) -> int | None:
    told = whole(environ.get("RCA_WORLD_SIZE"))
    tasks = whole(environ.get("SLURM_STEP_NUM_TASKS"))
    if told or not tasks:
        return told or None
    # Each task of srun is either a launcher of several ranks, or one rank.
    return tasks * ((whole(environ.get("LOCAL_WORLD_SIZE")) or 1) if "TORCHELASTIC_RUN_ID" in environ else 1)


def _backend(kind: str, world: int, stage: int | None, fsdp_version: str, source: str) -> str:
    if kind == "DEEPSPEED":
        return f"zero{stage}"
    if kind == "FSDP" and fsdp_version != "2":
        raise UserError(f"{source}: fsdp_version {fsdp_version} is not supported; set fsdp_version 2")
    if kind == "FSDP":
        return "fsdp2"
    if kind != "NO" and not kind.startswith("MULTI_"):
        raise UserError(f"{source}: distributed_type {kind} is not supported; use MULTI_GPU, FSDP or DEEPSPEED; {READY}")
    return "ddp" if world > 1 else "no"
