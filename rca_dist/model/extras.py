"""What some people add to training: noise on the embeddings, compiled blocks."""

import functools
import inspect
import shutil
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rca_dist.errors import UserError
from rca_dist.model.head import inner_model
from rca_dist.model.packing import borders


def add_embedding_noise(model: torch.nn.Module, alpha: float) -> None:
    """NEFTune (Jain et al. 2023): while training, uniform noise of at most alpha / sqrt(L D) on every input embedding.

    L is the length of the token's own example in a packed row, of the row (padding included) in a padded batch; D the width.
    Drawn from this process's default generator, whose state is part of a checkpoint.
    """

    def noisy(module: torch.nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        if not model.training:
            return output
        # In fp32: length times width is beyond what fp16 can say.
        lengths = torch.tensor(float(output.shape[-2]), device=output.device)
        if (cu := borders()) is not None:
            sizes = cu.diff()
            lengths = sizes.repeat_interleave(sizes)[None, :, None].float()
        scale = alpha / (lengths * output.shape[-1]).sqrt()
        return output + torch.empty_like(output).uniform_(-1.0, 1.0) * scale.to(output.dtype)

    inner_model(model).get_input_embeddings().register_forward_hook(noisy)


def compile_blocks(model: torch.nn.Module) -> int:
    """Compile the forward of every transformer block for shapes that change, in place. Returns how many blocks there are.

    A block is compiled once for all its copies, which a whole network would not be. Attention, which looks at the lengths of
    examples, runs as it is, and so does generation: its growing cache would be compiled again for every length.
    Raises: UserError where that cannot be.
    """
    inner = inner_model(model)
    names = set(getattr(inner, "_no_split_modules", None) or [])
    blocks = [module for module in inner.modules() if type(module).__name__ in names]
    if not blocks:
        raise UserError(f"train.torch_compile=true: {type(inner).__name__} does not say which of its parts are blocks")
    if sys.platform == "win32":
        raise UserError("train.torch_compile=true does not work on Windows; leave it out")
    if not torch.cuda.is_available() and not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        raise UserError("train.torch_compile=true needs a C++ compiler on a CPU (apt install g++); leave it out")
    for block in blocks:
        block.forward = _compiled(block)
    return len(blocks)


def _compiled(block: Any) -> Callable[..., Any]:
    """The forward of a block: compiled in training and scoring, as it is with a cache.

    transformers checkpoints activations in a wrapper around a block's own forward, which compiling would switch off or be
    switched off by: what is compiled is the forward inside, and the checkpoint stays around it.
    """
    plain = type(block).forward
    fast = torch.compile(inspect.unwrap(plain), dynamic=True)

    @functools.wraps(plain)
    def choose(*args: Any, **kwargs: Any) -> Any:
        # Some networks pass their cache by position.
        cached = kwargs.get("past_key_values") is not None or any(hasattr(value, "get_seq_length") for value in args)
        if cached:
            return plain(block, *args, **kwargs)
        if block.training and getattr(block, "gradient_checkpointing", False):
            return block._gradient_checkpointing_func(functools.partial(fast, block, **kwargs), *args)
        return fast(block, *args, **kwargs)

    return choose
