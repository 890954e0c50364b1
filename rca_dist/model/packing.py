"""Packed rows: examples end to end in one row, each attending causally to itself alone, with no padding computed.

`enable(model)` gives a model our attention function. With `cu_seq_lens_q` among its arguments it works example by example
(one kernel for all of them on CUDA in half precision); without, it is the model's own SDPA path, mask and all. No mask over the
whole row is ever built. `support` tries a model out and says why it cannot be packed.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rca_dist.model.head import inner_model, random_ids

NAME = "rca_packed"
# Length of the longest example of the packed row whose forward pass is running; 0 outside.
_LONGEST: ContextVar[int] = ContextVar("rca_packed_longest", default=0)
_BORDERS: ContextVar[Tensor | None] = ContextVar("rca_packed_borders", default=None)


def model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a model's forward pass that a micro-batch of either kind asks for."""
    inputs = {"input_ids": batch["input_ids"]}
    if "cu_seqlens" in batch:
        cu, longest = batch["cu_seqlens"], int(batch["max_seqlen"])
        inputs |= {"position_ids": batch["position_ids"], "cu_seq_lens_q": cu, "cu_seq_lens_k": cu}
        inputs |= {"max_length_q": longest, "max_length_k": longest}
    return inputs


@contextmanager
def packed_rows(inputs: dict[str, Any]) -> Iterator[None]:
    """To be held around the forward pass of `model_inputs`: for functions that see no such arguments."""
    tokens = _LONGEST.set(inputs.get("max_length_q", 0)), _BORDERS.set(inputs.get("cu_seq_lens_q"))
    try:
        yield
    finally:
        _LONGEST.reset(tokens[0])
        _BORDERS.reset(tokens[1])


def borders() -> Tensor | None:
    """`cu_seqlens` (N + 1,) of the packed row whose forward pass is running; None outside and for padded rows."""
    return _BORDERS.get()


def enable(model: nn.Module) -> None:
    """Let `model` take packed rows (see `support`). Padded batches and generation go on as before."""
    _set_attention(model, NAME)


def disable(model: nn.Module) -> None:
    """Undo `enable`."""
    _set_attention(model, "sdpa")


def support(model: nn.Module, device: torch.device) -> str | None:
    """None when packed rows give this model's own answers and can run on `device`; else the reason, for a warning.

    Tries the model out where it is (three forward passes over some thirty tokens) and leaves it as it was; to be called before
    any sharding.
    """
    from transformers import PreTrainedModel

    inner = inner_model(model)
    if not isinstance(inner, PreTrainedModel):
        return f"{type(inner).__name__} is no transformers model"
    if device.type not in ("cpu", "cuda"):
        return f"packed rows have not been tried on {device.type}"
    name = inner.config._attn_implementation
    if name not in ("sdpa", NAME):
        return f"{type(inner).__name__} runs its attention as {name!r}; packed rows need 'sdpa'"
    if not inner._can_set_attn_implementation():
        return f"the attention of {type(inner).__name__} cannot be exchanged"
    if any(p.device.type == "meta" or p.numel() == 0 for p in inner.parameters()):
        return "its weights are not all in this process"
    was_training = inner.training
    inner.eval()
    try:
        difference, allowed = _difference(inner)
    # Architectures that cannot take these arguments fail in their own ways; all mean the same here.
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        return f"{type(inner).__name__} does not take packed rows ({type(error).__name__}: {first})"
    finally:
        inner.train(was_training)
        _set_attention(inner, name)
    if not difference <= allowed:
        return f"{type(inner).__name__} answers differently when examples share a row (by {difference:.1e}, relative)"
    return None


@torch.no_grad()
def _difference(model: Any) -> tuple[float, float]:
    """Largest relative difference of logits to the model's own padded path, padded and packed; and what rounding explains."""
    lengths = (5, 11, 7)
    weight = model.get_input_embeddings().weight
    ids = random_ids(model, len(lengths), max(lengths)).to(weight.device)
    cu = torch.tensor([0, 5, 16, 23], dtype=torch.int32, device=weight.device)
    batch = {
        "input_ids": torch.cat([row[:n] for row, n in zip(ids, lengths, strict=True)])[None],
        "position_ids": torch.cat([torch.arange(n) for n in lengths])[None].to(weight.device),
        "cu_seqlens": cu,
        "max_seqlen": max(lengths),
    }
    with _short_windows(model, 4):
        disable(model)
        own = model(input_ids=ids, use_cache=False).logits.float()
        enable(model)
        padded = model(input_ids=ids, use_cache=False).logits.float()
        inputs = model_inputs(batch)
        with packed_rows(inputs):
            packed = model(**inputs, use_cache=False).logits.float()
    real = torch.cat([row[:n] for row, n in zip(own, lengths, strict=True)])
    differences = [float((a - b).norm() / b.norm()) for a, b in ((padded, own), (packed[0], real))]
    half = any(p.dtype in (torch.bfloat16, torch.float16) for p in model.parameters()) or weight.is_cuda
    return max(differences), 2e-2 if half else 1e-4


@contextmanager
def _short_windows(model: Any, width: int) -> Iterator[None]:
    """Sliding windows of `width` inside, so that a few tokens show whether windows are respected."""
    configs = {id(m.config): m.config for m in model.modules() if hasattr(getattr(m, "config", None), "to_dict")}
    held = [(c, c.sliding_window) for c in configs.values() if isinstance(getattr(c, "sliding_window", None), int)]
    try:
        for config, _ in held:
            config.sliding_window = width
        yield
    finally:
        for config, window in held:
            config.sliding_window = window


def _set_attention(model: nn.Module, name: str) -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, _mask)
    inner_model(model).set_attn_implementation(name)


def _mask(*args: Any, **kwargs: Any) -> Any:
    """What transformers builds before the layers and hands to `_attention`: for packed rows None, or a window's width (int)."""
    from transformers.masking_utils import sdpa_mask

    longest = _LONGEST.get()
    if not longest:
        return sdpa_mask(*args, **kwargs)
    if kwargs.get("use_vmap") or kwargs.get("attention_mask") is not None:
        raise NotImplementedError("its masks are of its own kind")
    width = kwargs.get("local_size")
    if width is None or width >= longest:
        return None
    if width != getattr(kwargs.get("config"), "sliding_window", None):
        raise NotImplementedError("its attention is local in another way than by a sliding window")
    return width


@torch.compiler.disable
def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (B, H, T, D) queries, returned as (B, T, H, D). `attention_mask` is what `_mask` made."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    cu = kwargs.get("cu_seq_lens_q")
    if cu is None:
        if _LONGEST.get():
            raise NotImplementedError("it does not pass the examples' borders on to its attention")
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs)
    causal = kwargs.get("is_causal")
    if not (getattr(module, "is_causal", True) if causal is None else causal) or kwargs.get("position_bias") is not None:
        raise NotImplementedError("its attention is not causal, or adds terms of its own")
    kind = query.device.type
    if torch.is_autocast_enabled(kind):
        # Rotated queries leave autocast's type; SDPA would be cast by autocast, other kernels are not.
        query, key, value = (t.to(torch.get_autocast_dtype(kind)) for t in (query, key, value))
    if dropout == 0 and kwargs.get("softcap") is None and _has_kernel(query, value):
        return _one_kernel(query, key, value, cu, kwargs["max_length_q"], attention_mask, scaling), None
    parts = []
    options = {name: kwargs[name] for name in ("is_causal", "softcap") if name in kwargs}
    lengths = [stop - start for start, stop in _spans(cu)]
    # Split, not sliced: the gradient of each slice would be a tensor of the whole row.
    for length, q, k, v in zip(lengths, *(t.split(lengths, dim=2) for t in (query, key, value)), strict=True):
        mask = None if attention_mask is None else _band(length, attention_mask, query.device)
        parts.append(sdpa_attention_forward(module, q, k, v, mask, dropout=dropout, scaling=scaling, **options)[0])
    return torch.cat(parts, dim=1), None


def _spans(cu: Tensor) -> list[tuple[int, int]]:
    """(start, stop) of each example. Kept on the tensor: every layer asks, and each look at a GPU would make it wait."""
    spans = getattr(cu, "_rca_spans", None)
    if spans is None:
        spans = list(pairwise(cu.tolist()))
        cu._rca_spans = spans  # type: ignore[attr-defined]
    return spans


def _band(length: int, width: int, device: torch.device) -> Tensor | None:
    """Mask (1, 1, L, L) of a causal window in which each token sees itself and `width - 1` before it; None when all see all."""
    if length <= width:
        return None
    distance = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return ((distance >= 0) & (distance < width))[None, None]


def _one_kernel(
    query: Tensor, key: Tensor, value: Tensor, cu: Tensor, longest: int, width: int | None, scale: float | None
) -> Tensor:
    function = _varlen()
    assert function is not None
    # The kernel counts a window without the token itself; (-1, 0) is plain causal.
    window = (-1, 0) if width is None else (width - 1, 0)
    rows = [t[0].transpose(0, 1) for t in (query, key, value)]
    gqa = query.shape[1] != key.shape[1]
    out = function(*rows, cu, cu, longest, longest, scale=scale, window_size=window, enable_gqa=gqa)
    return out[None]


def _has_kernel(query: Tensor, value: Tensor) -> bool:
    if not query.is_cuda or query.dtype not in (torch.bfloat16, torch.float16):
        return False
    width = query.shape[-1]
    fits = width == value.shape[-1] and width <= 256 and width % 8 == 0
    return fits and torch.cuda.get_device_capability(query.device) >= (8, 0) and _varlen() is not None


@lru_cache(maxsize=1)
def _varlen() -> Callable[..., Any] | None:
    """torch's variable-length attention, where this torch has it with windows, scale and grouped heads."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    return varlen_attn if {"scale", "window_size", "enable_gqa"} <= set(known) else None
