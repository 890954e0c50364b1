"""Estimates of memory beside what autograd really keeps, and sums that must come out."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rca_dist.model import capacity, packing
from rca_dist.model.head import prepare_head
from rca_dist.model.loss import causal_lm_step
from rca_dist.tokens.collate import collate_packed

SHAPES = {
    "llama": {
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    },
    "qwen2": {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
    },
    "gpt2": {"n_embd": 128, "n_layer": 4, "n_head": 4, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "gpt_neox": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4},
}


def kept_bytes(model, positions, half):
    """Bytes that one forward pass keeps for its backward pass, without weights and their copies."""
    prepare_head(model)
    packing.enable(model)
    model.train()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    copies = {tuple(p.shape) for p in model.parameters() if p.ndim == 2}
    copies |= {shape[::-1] for shape in copies}
    seen = {}

    def note(tensor):
        if tensor.untyped_storage().data_ptr() not in weights and tuple(tensor.shape) not in copies:
            seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    rows = [np.random.default_rng(n).integers(3, 200, size=positions // 4) for n in range(4)]
    batch = collate_packed(rows, [positions // 4 - 5] * 4)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t), torch.autocast("cpu", torch.bfloat16, enabled=half):
        causal_lm_step(model, batch)
    return sum(seen.values())


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_activations_are_estimated_within_half(name, half):
    config = AutoConfig.for_model(name, vocab_size=300, **SHAPES[name])
    found = kept_bytes(AutoModelForCausalLM.from_config(config), 512, half)
    expected = capacity.activation_bytes(capacity.shape_of(config), 512, checkpointing=False, half=half)
    assert 0.75 < expected / found < 1.6
    assert capacity.activation_bytes(capacity.shape_of(config), 512, checkpointing=True, half=half) < expected / 2


def test_state_of_every_back_end():
    full = {"no": 16, "ddp": 16, "fsdp2": 4, "zero1": 11, "zero2": 8, "zero3": 5}
    for backend, expected in full.items():
        assert capacity.state_bytes(1000, 1000, backend=backend, world_size=4) == expected * 1000, backend
    # A frozen model in two bytes with a small adapter.
    assert capacity.state_bytes(1000, 10, backend="no", world_size=1, frozen_width=2) == 990 * 2 + 160
    assert capacity.state_bytes(1000, 1000, backend="no", world_size=1, half=True) == 18_000
    assert capacity.checkpoint_bytes(10, backend="no") == 120
    assert (capacity.model_bytes(1000, 1000), capacity.model_bytes(1000, 10)) == (4000, 40)


def test_an_unknown_architecture_has_no_estimate():
    assert capacity.shape_of(type("Config", (), {})()) is None
