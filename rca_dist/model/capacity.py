"""Memory and disk of a run, computed from the network's shape before anything is trained. Sums, not measurements.

Bytes per parameter follow from fp32 training with AdamW (weight 4, gradient 4, two moments 8; DeepSpeed keeps 4 more for a
copy of its own); activations count the tensors that a transformer block keeps for its backward pass.
"""

from dataclasses import dataclass
from typing import Any

# What each back end divides by the number of processes.
SHARDED = {
    "no": (), "ddp": (), "zero1": ("moments", "copy"), "zero2": ("moments", "copy", "gradients"),
    "zero3": ("weights", "gradients", "moments", "copy"), "fsdp2": ("weights", "gradients", "moments"),
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """A decoder-only network: `layers` blocks, width `hidden`, that of keys `kv`, numbers kept by an MLP per token `inner`."""

    layers: int
    hidden: int
    kv: int
    inner: int


def shape_of(config: Any) -> Shape | None:
    """Shape from a transformers config; None for an architecture that does not say it."""
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    hidden, layers, heads = (getattr(config, name, None) for name in names)
    if not (hidden and layers and heads):
        return None
    head = getattr(config, "head_dim", None) or hidden // heads
    sizes = (getattr(config, name, None) for name in ("intermediate_size", "ffn_dim", "n_inner"))
    width = next((size for size in sizes if size), 4 * hidden)
    kind = getattr(config, "hidden_act", None) or getattr(config, "activation_function", None) or "gelu"
    # Gated: both products, the activation, what goes into the last projection. gelu_new is written out in many steps.
    kept = 6 if kind == "gelu_new" else 4 if kind in ("silu", "swiglu", "gelu_pytorch_tanh") else 2
    return Shape(layers, hidden, (getattr(config, "num_key_value_heads", None) or heads) * head, kept * width)


def activation_bytes(shape: Shape, positions: int, *, checkpointing: bool, half: bool) -> int:
    """Bytes kept for the backward pass of `positions` tokens in fp32, or with `half` in 16 bits.

    Per block and token, where no table of attention scores is kept: both norms' inputs and normalised inputs (4 h, in fp32);
    queries, keys and values before and after rotation (2 h + 3 kv) and attention's output (h); what the MLP keeps. In 16 bits
    the norms' outputs once more (2 h). With checkpointing one input (h) per block, and one block's worth at a time.
    """
    wide, narrow = 4 * shape.hidden, 3 * shape.hidden + 3 * shape.kv + shape.inner
    block = 4 * wide + (2 * (narrow + 2 * shape.hidden) if half else 4 * narrow)
    return positions * (shape.layers * 4 * shape.hidden + block if checkpointing else shape.layers * block)


def state_bytes(
    parameters: int, trainable: int, *, backend: str, world_size: int, frozen_width: int = 4, half: bool = False
) -> int:
    """Bytes of weights, gradients and optimizer state on one process; with `half` also the 16-bit copies of fp32 weights."""
    frozen = parameters - trainable
    parts = {
        "weights": 4 * trainable + frozen_width * frozen, "gradients": 4 * trainable, "moments": 8 * trainable,
        "copy": 4 * trainable if backend.startswith("zero") else 0,
    }  # fmt: skip
    if half:
        parts["weights"] += 2 * (trainable if frozen_width == 2 else parameters)
    shared = SHARDED.get(backend, ())
    return sum(size // (world_size if name in shared else 1) for name, size in parts.items())


def checkpoint_bytes(trainable: int, *, backend: str) -> int:
    """Bytes of one checkpoint over all processes: trained weights and two moments."""
    return (16 if backend.startswith("zero") else 12) * trainable


def model_bytes(parameters: int, trainable: int) -> int:
    """Bytes of `model/`: everything in fp32, or the adapter."""
    return 4 * (parameters if trainable == parameters else trainable)
