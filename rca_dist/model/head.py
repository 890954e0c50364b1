"""Token NLL straight from the output head, a block of positions at a time, without the table of all logits.

A prepared head is the model's own output layer with another class: same parameters, same names, same logits. Only
inside `asking(targets)` does its forward answer with the loss. It works inside the head's forward because hooks of sharded
training (FSDP2, ZeRO-3) gather the head's weight there and nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

IGNORE = -100
# Logits held at once, in numbers: enough rows to keep matrix products efficient, few enough to stay small beside the model.
BUDGET = {"cpu": 1 << 23, "cuda": 1 << 26}


class Request(NamedTuple):
    """What the head is asked: the NLL of `targets` (B, K), which follow the positions `keep` (K,).

    `chosen` (S,) picks among `targets.flatten()`; None means all. `smoothing`: see `nll_of`.
    """

    targets: Tensor
    keep: Tensor
    chosen: Tensor | None
    smoothing: float = 0.0


_REQUEST: ContextVar[Request | None] = ContextVar("rca_head_request", default=None)


@contextmanager
def asking(request: Request) -> Iterator[None]:
    """Inside, prepared heads answer with (loss sum, NLL, hits), see `nll_of`, in place of logits."""
    token = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(token)


class NLLHead(nn.Linear):
    """An `nn.Linear` that can answer with the NLL of given targets. Never built: `prepare_head` turns a head into one."""

    def forward(self, input: Tensor) -> Any:
        """Logits (..., V); inside `asking` the tuple of `nll_of`."""
        request = _REQUEST.get()
        if request is None:
            return super().forward(input)
        if input.shape[1] != len(request.keep):
            # An architecture that does not know logits_to_keep sends all positions.
            input = input[:, request.keep]
        hidden, targets = input.flatten(0, -2), request.targets.flatten()
        if request.chosen is not None:
            hidden, targets = hidden[request.chosen], targets[request.chosen]
        return nll_of(hidden, self.weight, self.bias, targets, smoothing=request.smoothing)


def inner_model(model: nn.Module) -> Any:
    """The transformers model inside any wrappers (DDP, DeepSpeed engine, PEFT, compiled), or the module itself."""
    from transformers import PreTrainedModel

    return next((module for module in model.modules() if isinstance(module, PreTrainedModel)), model)


def is_prepared(model: nn.Module) -> bool:
    """Whether the head that `model` runs now can answer with the loss. False once LoRA sits on the head itself."""
    head = _output_layer(model)
    # PEFT's modules_to_save keeps the original beside trained copies and runs one of them.
    copies = list(getattr(head, "modules_to_save", {}).values()) if hasattr(head, "original_module") else []
    heads = [head.original_module, *copies] if copies else [head]
    return all(isinstance(one, NLLHead) for one in heads)


def prepare_head(model: nn.Module, *, proven: bool = False) -> bool:
    """Let the output layer of a loaded model answer with the loss where asked. Returns whether it does.

    It does when the layer is a plain linear one and the model hands its answer on unchanged, which is tried on a few random
    ids: a model that scales or caps logits keeps its class and takes the path over logits. To be called in a single
    process with whole weights, before any sharding; before or after LoRA is added. `proven`: another process has tried it.
    """
    if is_prepared(model):
        return True
    head = _output_layer(model)
    if type(head) is not nn.Linear or "forward" in vars(head) or head.weight.device.type == "meta":
        return False
    head.__class__ = NLLHead
    agrees = False
    try:
        agrees = proven or _agrees(model, head)
    finally:
        if not agrees:
            head.__class__ = nn.Linear
    return agrees


def _output_layer(model: nn.Module) -> Any:
    try:
        return inner_model(model).get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def _agrees(model: nn.Module, head: nn.Linear) -> bool:
    """Whether the loss from the head equals that from the model's own logits."""
    ids = random_ids(model, 2, 6).to(head.weight.device)
    keep = torch.tensor([1, 2, 4], device=ids.device)
    targets = ids[:, keep + 1] % head.out_features
    inputs = {"input_ids": ids, "logits_to_keep": keep, "use_cache": False}
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = model(**inputs).logits
            logits = logits if logits.shape[1] == len(keep) else logits[:, keep]
            with asking(Request(targets, keep, None)):
                answer = model(**inputs).logits
    # Arithmetic on what should be logits fails in as many ways as there are models.
    except Exception:
        return False
    finally:
        model.train(was_training)
    if not isinstance(answer, tuple) or len(answer) != 3:
        return False
    plain = functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return torch.allclose(answer[1].float(), plain, rtol=1e-4, atol=1e-4 if logits.dtype == torch.float32 else 1e-2)


def random_ids(model: nn.Module, *shape: int) -> Tensor:
    """Ids for trying a model out, the same in every process; the caller's random state is left as it was."""
    rows = inner_model(model).get_input_embeddings().weight.shape[0]
    return torch.randint(rows, shape, generator=torch.Generator().manual_seed(0))


def nll_of(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *, smoothing: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """NLL of `targets` (S,) under softmax(hidden @ weight.T + bias), for hidden (S, D), weight (V, D), bias (V,).

    Returns the sum over supervised positions (float64 where the device has it, with its graph), `nll` (S,) nats in float32
    or wider without graph, 0 where not supervised, and `hits` (S,) bool, whether argmax gives the target; `hits` is empty
    while gradients are recorded. Products run in autocast's type if it is on, everything after them in float32 or wider.
    The graph carries one backward pass. With `smoothing` e sum and `nll` are of the smoothed loss,
    (1 - e) NLL + e times the mean of -log p over the vocabulary (Szegedy et al. 2016, section 7).
    """
    kind = hidden.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
    if hidden.dtype == torch.float64:
        dtype = torch.float64
    return _ChunkedNLL.apply(hidden, weight, bias, targets, dtype, torch.is_grad_enabled(), smoothing)


class _ChunkedNLL(torch.autograd.Function):
    """Gradients are computed with the loss, while a block's logits are at hand; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        dtype: torch.dtype,
        train: bool,
        smoothing: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = torch.promote_types(dtype, torch.float32)
        needs = [train and flag for flag in ctx.needs_input_grad[:3]]
        with torch.autocast(hidden.device.type, enabled=False):
            low = (hidden.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype))
            nll, hits, grads = _blocks(*low, targets, wide, needs, count_hits=not train, smoothing=smoothing)
        ctx.grads = [
            None if grad is None else grad.to(like.dtype)
            for grad, like in zip(grads, (hidden, weight, bias if bias is not None else weight), strict=True)
        ]
        ctx.mark_non_differentiable(nll, hits)
        ctx.set_materialize_grads(False)
        return nll.sum(dtype=wide if hidden.device.type == "mps" else torch.float64), nll, hits

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None, *unused: Any) -> tuple[Tensor | None, ...]:
        grads, ctx.grads = ctx.grads, None
        if upstream is None:
            return (None,) * 7
        if grads is None:
            raise RuntimeError("the loss of a prepared head carries one backward pass; compute it again for a second one")
        # In place: the weight's gradient is as large as the head.
        return (*(None if grad is None else grad.mul_(upstream) for grad in grads), None, None, None, None)


def _blocks(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    wide: torch.dtype,
    needs: list[bool],
    *,
    count_hits: bool,
    smoothing: float = 0.0,
) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """NLL (S,), hits (S,) or (0,), and the gradients of the NLL sum that `needs` asks for (hidden, weight, bias)."""
    (count, width), vocabulary = hidden.shape, weight.shape[0]
    nll = torch.zeros(count, dtype=wide, device=hidden.device)
    hits = torch.zeros(count if count_hits else 0, dtype=torch.bool, device=hidden.device)
    # What no block writes must be zero: with no position at all the gradients are zeros too.
    grad_hidden = hidden.new_zeros(count, width) if needs[0] else None
    grad_weight = weight.new_zeros(weight.shape, dtype=wide) if needs[1] else None
    grad_bias = weight.new_zeros(vocabulary, dtype=wide) if needs[2] else None
    size = max(1, min(count, BUDGET.get(hidden.device.type, BUDGET["cpu"]) // vocabulary))
    product = hidden.new_empty(size, vocabulary)
    buffer = product if wide == hidden.dtype else product.new_empty(product.shape, dtype=wide)
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        rows, target = hidden[part], targets[part]
        masked = target == IGNORE
        index = target.masked_fill(masked, 0)[:, None]
        low, table = product[: len(rows)], buffer[: len(rows)]
        torch.mm(rows, weight.T, out=low)
        if bias is not None:
            low += bias
        if table is not low:
            table.copy_(low)
        if count_hits:
            hits[part] = (table.argmax(dim=1) == target) & ~masked
        table -= table.amax(dim=1, keepdim=True)
        wanted = table.gather(1, index)
        if smoothing:
            wanted = (1 - smoothing) * wanted + smoothing * table.mean(dim=1, keepdim=True)
        total = table.exp_().sum(dim=1, keepdim=True)
        nll[part] = (total.log() - wanted)[:, 0].masked_fill(masked, 0)
        if not any(needs):
            continue
        # d nll / d logits = softmax - one-hot, smoothed: - (1 - e) one-hot - e / V
        table /= total
        if smoothing:
            table -= smoothing / vocabulary
        table.scatter_add_(1, index, table.new_full(index.shape, smoothing - 1))
        table.masked_fill_(masked[:, None], 0)
        if table is not low:
            low.copy_(table)
        if grad_hidden is not None:
            torch.mm(low, weight, out=grad_hidden[part])
        if grad_weight is not None and wide == hidden.dtype:
            grad_weight.addmm_(low.T, rows)
        elif grad_weight is not None:
            grad_weight += low.T @ rows
        if grad_bias is not None:
            grad_bias += table.sum(dim=0)
    return nll, hits, [grad_hidden, grad_weight, grad_bias]
