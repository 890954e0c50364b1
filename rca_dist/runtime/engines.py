"""How one optimizer step is computed where weights are replicated, sharded by FSDP2, or owned by DeepSpeed.

All engines keep one rule: a step is the gradient of (sum of all ranks' losses / the step's supervised tokens). What a
back end does on top (averaging over ranks, dividing by accumulation steps) is undone in `Engine.factor`, the only place
where a gradient is scaled.
"""

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from rca_dist.runtime.capture import Captured, write_replicated
from rca_dist.runtime.loss_scale import LossScale
from rca_dist.runtime.tensors import buckets, load_tensors

log = logging.getLogger(__name__)


class Engine:
    """Weights replicated on every rank, gradients summed by one all-reduce of our own (back ends `no` and `ddp`).

    Attributes: `model` the plain module, `call` what a step function calls, `optimizer`, `scale` the fp16 loss scale or None.
    """

    # Gradients are summed over ranks, so nothing is undone.
    factor = 1.0

    def __init__(
        self, dist: Any, model: torch.nn.Module, optimizer: torch.optim.Optimizer | None, *, max_grad_norm: float = 0.0
    ) -> None:
        self.dist = dist
        self.model = model
        self.call: Any = model
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self.scale = LossScale() if dist.precision == "fp16" else None
        # Norm of a step that was left out because it was not finite, where that must not happen.
        self.lost: float | None = None
        self._set_up()

    def _set_up(self) -> None:
        device = self.dist.device
        if any(t.device.type != device.type for t in (*self.model.parameters(), *self.model.buffers())):
            self.model.to(device)
        self._send((*self.model.parameters(), *self.model.buffers()))

    def _send(self, tensors: Iterable[torch.Tensor]) -> None:
        """Overwrite tensors on the device with rank 0's, which alone may hold the true ones at the start. Collective."""
        if self.dist.world_size > 1:
            for tensor in tensors:
                torch.distributed.broadcast(tensor.detach(), src=0)

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """The trainable parameters in the optimizer's order."""
        return [p for group in self.optimizer.param_groups for p in group["params"]] if self.optimizer else []

    def set_rate(self, rate: float) -> None:
        """Learning rate of the coming update."""
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def backward(self, loss_sum: torch.Tensor, total: int, *, last: bool) -> None:
        """Add this micro-batch's share of the gradient of (sum of all ranks' losses / `total`); `last` of this step."""
        self._backward(loss_sum * (self.factor / total * (self.scale.value if self.scale else 1.0)), last)

    def _backward(self, loss: torch.Tensor, last: bool) -> None:
        loss.backward()

    def update(self) -> torch.Tensor:
        """Reduce gradients, clip, step, clear gradients. Collective. Returns the global gradient norm before clipping.

        With fp16 a norm that is not finite skips the update on all ranks. Raises: FloatingPointError after ten in a row.
        """
        assert self.optimizer is not None
        self._reduce()
        gradients = [self._local(p.grad) for p in self.parameters if p.grad is not None]
        if self.scale:
            torch._foreach_mul_(gradients, 1.0 / self.scale.value)
        norm = self._norm(gradients)
        if self.max_grad_norm > 0:
            torch._foreach_mul_(gradients, (self.max_grad_norm / (norm + 1e-6)).clamp(max=1.0).to(gradients[0].dtype))
        if self.scale is None or self.scale.judge(math.isfinite(float(norm))):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _norm(self, gradients: list[torch.Tensor]) -> torch.Tensor:
        """Global 2-norm. In fp32 the sum over a large tensor would be off by 1e-5 on a CPU, and by how it is sharded."""
        wide = torch.float32 if self.dist.device.type == "mps" else torch.float64
        squares = torch.stack(torch._foreach_norm(gradients, 2, dtype=wide)).square().sum()
        if self.dist.backend == "fsdp2":
            torch.distributed.all_reduce(squares)
        return squares.sqrt()

    def _reduce(self) -> None:
        """Sum the gradients over ranks, once per step.

        Flat buckets in parameter order, so that the order of additions is the same in every step and every start: a wrapper
        that rebuilds its buckets after the first step makes a resumed run differ by rounding.
        """
        self._fill()
        if self.dist.world_size == 1:
            return
        for bucket in buckets([p for p in self.parameters if p.requires_grad]):
            flat = torch.cat([p.grad.reshape(-1) for p in bucket if p.grad is not None])
            torch.distributed.all_reduce(flat)
            for p, part in zip(bucket, flat.split([p.numel() for p in bucket]), strict=True):
                p.grad = part.view_as(p)

    def _fill(self) -> None:
        """Zero gradients where a step gave none, so that weight decay is the same whatever the number of ranks."""
        for p in self.parameters:
            if p.requires_grad and p.grad is None:
                p.grad = torch.zeros_like(p)

    def release(self) -> None:
        """Free gradients and optimizer state; `update` cannot be called again."""
        if self.optimizer is not None:
            self.optimizer.zero_grad(set_to_none=True)
            self.optimizer.state.clear()

    # -- weights -----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Give back what a forward pass has gathered and not yet released, so that parameters are what each rank owns."""

    @contextlib.contextmanager
    def gathered(self, parameter: torch.nn.Parameter) -> Iterator[torch.Tensor]:
        """The whole tensor of one parameter, for reading, after `settle`. Collective."""
        yield parameter.detach()

    def checksum(self) -> float:
        """Sum of all whole trainable parameters as this rank sees them. Collective."""
        total = 0.0
        self.settle()
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                with self.gathered(parameter) as whole:
                    total += wide_sum(whole)
        return total

    def full_state(self, *, trainable_only: bool = False) -> dict[str, torch.Tensor]:
        """Whole weights by `state_dict` name, on the CPU, on rank 0; empty elsewhere. Collective.

        `trainable_only` leaves frozen parameters out (buffers too).
        """
        self.settle()
        trainable = {name for name, p in self.model.named_parameters(remove_duplicate=False) if p.requires_grad}
        state: dict[str, torch.Tensor] = {}
        seen: dict[int, torch.Tensor] = {}
        for name, tensor in self.model.state_dict(keep_vars=True).items():
            if trainable_only and name not in trainable:
                continue
            # One copy for tied weights, so that a writer still sees that they are one.
            if id(tensor) not in seen:
                with self.gathered(tensor) as whole:
                    seen[id(tensor)] = whole.cpu() if self.dist.is_main else torch.empty(0)
            state[name] = seen[id(tensor)]
        return state if self.dist.is_main else {}

    @contextlib.contextmanager
    def other_weights(self, load: Callable[[], dict[str, torch.Tensor]]) -> Iterator[None]:
        """Inside, the model has the weights that `load` gives (called on rank 0), afterwards its own again. Collective.

        The own ones are kept on the CPU meanwhile, each rank its part, or rank 0 all where weights are replicated.
        """
        self.settle()
        kept = [self._local(p).cpu().clone() if self._keeps(p) else None for p in self.model.parameters()]
        state = self.dist.on_main_patiently(load)
        for name, parameter in self.model.named_parameters():
            self._put(parameter, state[name] if state else None)
        del state
        # No `finally`: after an error on one rank a collective would keep the others waiting, and hide the error.
        yield
        self.settle()
        for parameter, part in zip(self.model.parameters(), kept, strict=True):
            if self._is_whole(parameter):
                self._put(parameter, part)
            elif part is not None:
                self._local(parameter).copy_(part)

    def _is_whole(self, parameter: torch.nn.Parameter) -> bool:
        """Whether every rank holds all of this parameter."""
        return True

    def _keeps(self, parameter: torch.nn.Parameter) -> bool:
        return self.dist.is_main or not self._is_whole(parameter)

    def _local(self, parameter: torch.Tensor) -> torch.Tensor:
        """This rank's part of a parameter or gradient, sharing its memory."""
        return parameter.detach()

    def _put(self, parameter: torch.nn.Parameter, whole: torch.Tensor | None) -> None:
        """Set a parameter from rank 0's tensor. Collective."""
        with torch.no_grad():
            if whole is not None:
                parameter.copy_(whole)
            if self.dist.world_size > 1:
                torch.distributed.broadcast(parameter.detach(), src=0)

    # -- resumable state ---------------------------------------------------------------------------------------------

    def has_frozen(self) -> bool:
        """Whether some parameters are not trained; these are then left out of checkpoints."""
        return any(not p.requires_grad for p in self.model.parameters())

    def capture(self) -> Captured:
        """What this rank writes into a checkpoint: weights and optimizer. Collective; its `to(folder)` need not be."""
        assert self.optimizer is not None
        state = {"model": self.full_state_local(), "optimizer": self.optimizer.state_dict()} if self.dist.is_main else {}
        return Captured(state, write_replicated)

    def full_state_local(self) -> dict[str, torch.Tensor]:
        """This rank's `state_dict`, without frozen parameters where there are any."""
        state = self.model.state_dict()
        if not self.has_frozen():
            return state
        trainable = {name for name, p in self.model.named_parameters() if p.requires_grad}
        return {name: tensor for name, tensor in state.items() if name in trainable}

    def load(self, folder: Path, *, written_by: int | None = None) -> None:
        """Put what `written_by` processes (default: as many as now) have written into weights and optimizer. Collective."""
        assert self.optimizer is not None
        self.model.load_state_dict(load_tensors(folder / "model.safetensors"), strict=not self.has_frozen())
        state = torch.load(folder / "optimizer.pt", map_location=self.dist.device, weights_only=True)
        self.optimizer.load_state_dict(state)


def wide_sum(tensor: torch.Tensor) -> float:
    """Sum in float64 where the device has it."""
    return float(tensor.sum(dtype=torch.float32 if tensor.device.type == "mps" else torch.float64))
