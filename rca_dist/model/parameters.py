"""Parameter groups and rates of any module."""

from typing import Any

import torch

from rca_dist.errors import UserError


def decay_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two AdamW groups of the trainable parameters: decay on tensors of two or more dimensions, none on the others."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def text_part(model: Any) -> torch.nn.Module:
    """The part of a language model that text goes through, head left out: all of it, unless it also has towers for images."""
    if getattr(model.config, "text_config", None) is None:
        return model
    part: torch.nn.Module = model.get_decoder()
    return part


def freeze_towers(model: Any) -> None:
    """Freeze what text never reaches. It would get no gradient, yet an optimizer's memory and weight decay."""
    part = text_part(model)
    if part is not model:
        reached = {id(p) for module in (part, model.get_output_embeddings()) for p in module.parameters()}
        for p in model.parameters():
            if id(p) not in reached:
                p.requires_grad_(False)


def set_dropout(model: torch.nn.Module, rate: float) -> None:
    """Set every dropout rate of the model, in modules and in the config that attention kernels read."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = rate
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = rate  # type: ignore[assignment]
    if getattr(model, "config", None) is not None:
        set_config_dropout(model.config, rate)


def set_config_dropout(config: Any, rate: float) -> None:
    """Set every dropout rate of a model's config, nested ones too: some networks read it only when they are built."""
    for key, value in list(vars(config).items()):
        if isinstance(value, int | float) and not isinstance(value, bool) and key.endswith(("dropout", "pdrop", "dropout_p")):
            _set_rate(config, key, type(value)(rate) if type(value)(rate) == rate else rate)
        elif hasattr(value, "to_dict") and hasattr(value, "model_type"):
            set_config_dropout(value, rate)


def _set_rate(config: Any, key: str, rate: float) -> None:
    try:
        setattr(config, key, rate)
    except Exception as error:  # configs check their fields, each library's way
        raise UserError(
            f"train.dropout={rate}: {key} of {type(config).__name__} takes whole numbers only; leave dropout at 0"
        ) from error
