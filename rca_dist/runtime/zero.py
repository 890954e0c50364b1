"""DeepSpeed's ZeRO stages as an engine.

Facts that shape this file (DeepSpeed 0.19, each seen in a run): the engine divides a loss by its accumulation steps and
averages over ranks; the boundary of a step must be told; training forwards must go through `engine(...)`, for under stage 3
a forward of the bare module gives wrong gradients; evaluation may use the bare module. The engine switches autocast off
around its forward, so ours is entered inside (`Distributed.autocast_now` in the module's patched forward).
"""

import contextlib
import copy
import functools
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rca_dist.runtime import zero_checkpoint
from rca_dist.runtime.capture import Captured
from rca_dist.runtime.engines import Engine

log = logging.getLogger(__name__)
# DeepSpeed frees or adds up gradients of several micro-batches only when it knows that there is more than one. The number
# itself means nothing here: steps have as many micro-batches as their examples need.
ACCUMULATION = 2


def write_our_values(config: dict[str, Any], *, max_grad_norm: float) -> None:
    """Put what our own config decides into a DeepSpeed config, in place. Nothing is left at `auto`."""
    config.update(
        train_micro_batch_size_per_gpu=1, gradient_accumulation_steps=ACCUMULATION, gradient_clipping=float(max_grad_norm),
        zero_allow_untested_optimizer=True, zero_force_ds_cpu_optimizer=False, steps_per_print=2**31,
        bf16={"enabled": False}, fp16={"enabled": False},
    )  # fmt: skip
    config.pop("train_batch_size", None)


class ZeroEngine(Engine):
    """ZeRO stage 1, 2 or 3, with or without offloading."""

    def _set_up(self) -> None:
        if self.optimizer is None:
            raise ValueError("DeepSpeed needs the optimizer when the model is prepared")
        write_our_values(self.dist.accelerator.deepspeed_plugin.deepspeed_config, max_grad_norm=self.max_grad_norm)
        # Averages over ranks, and divides by the accumulation steps.
        self.factor = float(self.dist.world_size * ACCUMULATION)
        self.stage = int(self.dist.backend[-1])
        self._autocast_inside()
        if self.stage == 3:
            self._shard_first()
        else:
            super()._set_up()
        self.call, _ = self.dist.accelerator.prepare(self.model, self.optimizer)
        self.optimizer = self.call.optimizer
        if self.call.dp_world_size != self.dist.world_size or self.call.zero_optimization_stage() != self.stage:
            raise RuntimeError(
                f"DeepSpeed formed a group of {self.call.dp_world_size} at ZeRO stage {self.call.zero_optimization_stage()}, "
                f"not of {self.dist.world_size} at stage {self.stage}; across nodes launch with "
                "`--deepspeed_multinode_launcher standard`"
            )

    def _shard_first(self) -> None:
        """Shard parameter by parameter; DeepSpeed alone would put the whole model on each device before."""
        import deepspeed

        config = copy.deepcopy(self.dist.accelerator.deepspeed_plugin.deepspeed_config)
        config["train_batch_size"] = self.dist.world_size * ACCUMULATION
        # This also sends every parameter from rank 0 to the others.
        deepspeed.zero.Init(module=self.model, config_dict_or_path=config)
        for buffer in self.model.buffers():
            buffer.data = buffer.data.to(self.dist.device)
        self._send(self.model.buffers())

    def _autocast_inside(self) -> None:
        forward, dist = self.model.forward, self.dist

        # With the signature of the original: transformers looks there for what a model takes.
        @functools.wraps(forward)
        def with_autocast(*args: Any, **kwargs: Any) -> Any:
            with dist.autocast_now():
                return forward(*args, **kwargs)

        self.model.forward = with_autocast

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]

    def _backward(self, loss: torch.Tensor, last: bool) -> None:
        self.call.set_gradient_accumulation_boundary(last)
        self.call.backward(loss)

    def backward(self, loss_sum: torch.Tensor, total: int, *, last: bool) -> None:
        # DeepSpeed multiplies by the loss scale itself, and knows then how to clip.
        if self.scale:
            self.optimizer.override_loss_scale(self.scale.value)  # type: ignore[union-attr]
        self._backward(loss_sum * (self.factor / total), last)

    def update(self) -> torch.Tensor:
        self.call.step()
        norm = torch.as_tensor(self.call.get_global_grad_norm())
        if self.scale:
            # The engine has skipped the step by itself where the norm is not finite.
            self.scale.judge(math.isfinite(float(norm)))
        elif not math.isfinite(float(norm)):
            # The engine skips the step in fp32 too, without a word; the trainer must hear of it at its next look.
            self.lost = float(norm)
        return norm

    def release(self) -> None:
        """Nothing is freed: the engine owns its state, and evaluation still goes through its hooks."""

    @contextlib.contextmanager
    def gathered(self, parameter: torch.nn.Parameter) -> Iterator[torch.Tensor]:
        if self._is_whole(parameter):
            yield parameter.detach()
            return
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter]):
            yield parameter.detach().clone()

    def settle(self) -> None:
        # Small parameters stay gathered between steps; what a rank owns must be the truth.
        parameters: list[Any] = list(self.model.parameters())
        for parameter in parameters:
            if self.stage == 3 and hasattr(parameter, "ds_id") and parameter.ds_status.name == "AVAILABLE":
                parameter.partition()

    def _local(self, parameter: Any) -> torch.Tensor:
        if self._is_whole(parameter):
            return parameter.detach()
        return parameter.ds_tensor.detach()

    def _is_whole(self, parameter: torch.nn.Parameter) -> bool:
        return self.stage < 3 or not hasattr(parameter, "ds_id")

    def _put(self, parameter: torch.nn.Parameter, whole: torch.Tensor | None) -> None:
        if self._is_whole(parameter):
            super()._put(parameter, whole)
            return
        import deepspeed

        with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0):
            if whole is not None:
                parameter.data.copy_(whole)

    def capture(self) -> Captured:
        return zero_checkpoint.capture(self.call, exclude_frozen=self.has_frozen())

    def load(self, folder: Path, *, written_by: int | None = None) -> None:
        strict = not self.has_frozen()
        if written_by in (None, self.dist.world_size):
            zero_checkpoint.load(self.call, folder, strict=strict, universal=False)
            return
        if self.dist.is_main:
            log.info("the checkpoint is of %d processes: converting it for %d", written_by, self.dist.world_size)
        # Beside it, under a name that the next start clears away.
        universal = folder.with_name(f"{folder.name}.universal.tmp")
        shutil.rmtree(universal, ignore_errors=True) if self.dist.is_main else None
        self.dist.on_main_patiently(lambda: zero_checkpoint.convert(folder, universal))
        zero_checkpoint.load(self.call, universal, strict=strict, universal=True)
        self.dist.on_main(lambda: shutil.rmtree(universal, ignore_errors=True))
