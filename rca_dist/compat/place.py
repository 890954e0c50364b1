"""Where an old-form trainer or evaluator computes."""

from typing import Any

import torch

from rca_dist.errors import UserError
from rca_dist.runtime.distributed import Distributed


def join(device: Any, dtype: torch.dtype, owner: str) -> Distributed:
    """The processes and device that `config.device` means for a model that was loaded in `dtype`. Collective.

    A GPU computes in bf16 or fp16 where the model was loaded so, everything else in fp32. Raises: UserError.
    """
    name = str(device)
    if name not in ("auto", "cpu", "cuda"):
        advice = "write 'auto', 'cpu' or 'cuda'"
        if name.startswith("cuda:") and (number := name.removeprefix("cuda:")).isdigit():
            advice = f"write 'cuda' and start Python with CUDA_VISIBLE_DEVICES={number}"
        raise UserError(f"{owner}: config.device={device!r}; {advice}")
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise UserError(f"{owner}: config.device='cuda', but torch sees no GPU here; write config.device = 'auto'")
    on_gpu = has_gpu and name != "cpu"
    # bf16 is left to the device: older GPUs have none.
    wanted = {torch.bfloat16: "auto", torch.float16: "fp16"}.get(dtype, "fp32") if on_gpu else "fp32"
    dist = Distributed(precision=wanted)
    if dist.backend not in ("no", "ddp"):
        raise UserError(
            f"{owner}: this form keeps the whole model on each GPU, but the launcher asks for {dist.backend}; "
            "use `accelerate launch rca_dist/train.py` for sharded models, or configs/accelerate/ddp.yaml here"
        )
    if name == "cpu" and dist.device.type != "cpu":
        if dist.world_size > 1:
            raise UserError(
                f"{owner}: config.device='cpu' in {dist.world_size} GPU processes; start them with CUDA_VISIBLE_DEVICES="
            )
        dist.device = torch.device("cpu")
    return dist
