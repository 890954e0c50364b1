"""Loaded transformers models: whether they can be used, and which have been trained on what."""

from typing import Any
from weakref import WeakKeyDictionary

import torch

from rca_dist.errors import UserError

OWNER = "HFModelAdapter"
_trained: WeakKeyDictionary[torch.nn.Module, Any] = WeakKeyDictionary()


def mark_trained(model: torch.nn.Module, tickets: Any) -> None:
    """Remember that a network has been trained, and on what."""
    _trained[model] = tickets


def trained_on(model: torch.nn.Module) -> Any:
    """The tickets that a network or a part of it was trained on in this process; None when it was not."""
    return next((_trained[module] for module in model.modules() if module in _trained), None)


def forget_training(model: torch.nn.Module) -> None:
    """Count a network as fresh again: other weights have been put into it."""
    for module in model.modules():
        _trained.pop(module, None)


def check_network(model: Any, name: str) -> None:
    """Refuse what is no transformers model, one spread over devices, and a quantized one. Raises: UserError."""
    if not isinstance(model, torch.nn.Module) or not hasattr(model, "config") or not hasattr(model, "generate"):
        raise UserError(
            f"{OWNER}: the first argument is a {type(model).__name__}; write hf_model = "
            f"AutoModelForCausalLM.from_pretrained({name!r}) and pass that, or HFModelAdapter.load({name!r}) for both in one"
        )
    places = set((getattr(model, "hf_device_map", None) or {}).values())
    if len({str(place).removeprefix("cuda:") for place in places}) > 1:
        raise UserError(
            f"{OWNER}: device_map has spread the model over {', '.join(sorted(map(str, places)))}, and a spread model cannot "
            f"be trained here; write AutoModelForCausalLM.from_pretrained({name!r}) without device_map, and for a model too "
            "large for one GPU use `accelerate launch --config_file configs/accelerate/fsdp2.yaml rca_dist/train.py`"
        )
    if getattr(model, "is_quantized", False):
        raise UserError(
            f"{OWNER}: the model is quantized, and packed weights cannot be trained whole; load it without "
            "quantization_config, or train an adapter: rca-dist train --model.load_in_4bit=true --lora.r=16"
        )


def load_tokenizer(name: str) -> Any:
    """The tokenizer saved with a model. Raises: UserError."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(
            f"{OWNER}: no tokenizer can be loaded from {name!r} ({first}); give the name or folder that hf_model was loaded "
            "from, with the tokenizer saved beside it (tokenizer.save_pretrained(folder))"
        ) from None
