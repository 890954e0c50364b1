"""An `accelerate.Accelerator` for each back end, also where there is no GPU.

On a CPU, Accelerate by itself takes several processes for lone ones (DDP without `cpu=True`, DeepSpeed without a gloo handler)
or leaves FSDP2 out without a word; each case is put right here, and `Distributed` checks what came out.
"""

import datetime
import logging
import os
import warnings
from typing import Any

from rca_dist.runtime.launcher_settings import LauncherSettings


def start_accelerator(settings: LauncherSettings, *, on_cpu: bool, precision: str, timeout_seconds: int) -> Any:
    """Join the process group under the back end of `settings`. The Accelerator handles neither precision nor clipping."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    timeout = datetime.timedelta(seconds=timeout_seconds)
    if settings.backend == "fsdp2":
        return _fsdp2(timeout, on_cpu=on_cpu)
    if settings.backend.startswith("zero"):
        return _deepspeed(settings, timeout, on_cpu=on_cpu)
    # Without cpu=True, Accelerate takes several CPU processes for lone ones and never exchanges gradients.
    return Accelerator(cpu=on_cpu, mixed_precision="no", kwargs_handlers=[InitProcessGroupKwargs(timeout=timeout)])


def _fsdp2(timeout: datetime.timedelta, *, on_cpu: bool) -> Any:
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    if on_cpu:
        PartialState(backend="gloo", timeout=timeout)
        # Accelerate turns to FSDP only from the kind of an accelerator; this one it replaces in the next line.
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_XPU
    # Our engine spreads rank 0's weights, alike under every back end.
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, cpu_ram_efficient_loading=False)
    handlers = [] if on_cpu else [InitProcessGroupKwargs(timeout=timeout)]
    return Accelerator(mixed_precision="no", fsdp_plugin=plugin, kwargs_handlers=handlers)


def _deepspeed(settings: LauncherSettings, timeout: datetime.timedelta, *, on_cpu: bool) -> Any:
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.utils import DeepSpeedPlugin
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config

    from rca_dist.errors import UserError

    try:
        import deepspeed
    except ImportError:
        raise UserError("the launcher asks for DeepSpeed, which is not installed: pip install 'rca_dist[deepspeed]'") from None
    from rca_dist.runtime.zero import ACCUMULATION, write_our_values

    # DeepSpeed calls collectives by names that torch has renamed; a line for every call would bury the job's own.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch\.distributed")
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    if on_cpu:
        # Its shared-memory collectives would be compiled at the first start: a minute, and a C++ compiler. Gloo has them all.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    config: dict[str, Any] = dict(settings.deepspeed_config or {"zero_optimization": {"stage": int(settings.backend[-1])}})
    write_our_values(config, max_grad_norm=0.0)
    # Accelerate would refuse settings that stand both in its YAML and in DeepSpeed's file; ours has checked them already.
    os.environ.pop("ACCELERATE_CONFIG_DS_FIELDS", None)
    # Under zero.Init random weights would differ from all other back ends'.
    plugin = DeepSpeedPlugin(hf_ds_config=config, zero3_init_flag=False)
    handler = InitProcessGroupKwargs(backend="gloo" if on_cpu else "nccl", timeout=timeout)
    accelerator = Accelerator(
        mixed_precision="no", deepspeed_plugin=plugin, gradient_accumulation_steps=ACCUMULATION, kwargs_handlers=[handler]
    )
    # Whatever zero3_init_flag says, transformers would see stage 3 and load pretrained weights in shards.
    unset_hf_deepspeed_config()
    return accelerator
