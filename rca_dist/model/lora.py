"""LoRA, rsLoRA, DoRA and QLoRA through peft: which layers, fresh adapter weights, saving, checking what was saved."""

import importlib.util
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rca_dist.errors import UserError
from rca_dist.model.parameters import text_part

ALL_LINEAR = "all-linear"
ADAPTER = "default"  # peft's name of a lone adapter


@dataclass(frozen=True)
class LoraSettings:
    """An adapter of rank `r` scaled by alpha / r (rsLoRA: alpha / sqrt(r)).

    `target_modules` is `all-linear` (all linear layers but the output head) or names of linear layers: the last part
    (`q_proj`) or more of the path (`layers.0.mlp.up_proj`).
    """

    r: int
    alpha: float
    dropout: float = 0.0
    target_modules: str | Sequence[str] = ALL_LINEAR
    use_dora: bool = False
    use_rslora: bool = False


def attach(model: Any, settings: LoraSettings, seed: int, *, name: str = "this model") -> Any:
    """Wrap a transformers model into a `PeftModel` whose only trainable weights are a fresh fp32 adapter.

    The adapter is a function of `seed` and of the shapes alone (not of rank, device or the type of the frozen weights);
    the caller's random state stays as it was. B is zero, so the wrapped model answers as the plain one.
    Raises: UserError for targets that are no linear layer of the model.
    """
    from peft import LoraConfig, get_peft_model

    targets = resolve_targets(model, settings.target_modules, name)
    modules = linear_modules(model)
    transposed = {type(modules[path]).__name__ == "Conv1D" for path in matching(list(modules), targets)}
    alpha: Any = settings.alpha  # peft divides by the rank, so fractions are fine whatever its annotation says
    config = LoraConfig(
        r=settings.r,
        lora_alpha=int(alpha) if alpha == int(alpha) else alpha,
        lora_dropout=settings.dropout,
        target_modules=targets,
        use_dora=settings.use_dora,
        use_rslora=settings.use_rslora,
        fan_in_fan_out=transposed == {True},
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # peft asks transformers for an attribute that has got a new name.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            wrapped = get_peft_model(model, config)
        except ValueError as error:
            # It refuses some layers of some architectures, such as those that Mamba's kernels read past the layer itself.
            first = " ".join(str(error).split())[:300]
            raise UserError(f"lora.target_modules: peft cannot adapt {', '.join(targets)} of {name} ({first})") from error
    # peft holds the names as a set, whose order would change from one file to the next.
    config.target_modules = targets
    # Drawn again: peft draws in the order of its own construction and rounds to the type of the frozen weights.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for path, weight in wrapped.named_parameters():
            if ".lora_A." in path:
                fresh = torch.empty(weight.shape)
                torch.nn.init.kaiming_uniform_(fresh, a=math.sqrt(5), generator=generator)
                weight.copy_(fresh)
    return wrapped


def linear_modules(model: Any) -> dict[str, Any]:
    """Linear layers that text goes through, by path, quantised and GPT-2's transposed ones too, without the output head."""
    from transformers.pytorch_utils import Conv1D

    head, inside = model.get_output_embeddings(), set(text_part(model).modules())
    kinds = (torch.nn.Linear, Conv1D)
    found = {path: module for path, module in model.named_modules() if isinstance(module, kinds) and module is not head}
    return {path: module for path, module in found.items() if module in inside}


def matching(paths: Sequence[str], targets: Sequence[str]) -> list[str]:
    """The paths that peft takes for `targets`: equal, or ending in a dot and the target."""
    return [path for path in paths if any(path == target or path.endswith(f".{target}") for target in targets)]


def resolve_targets(model: Any, wanted: str | Sequence[str], name: str) -> list[str]:
    """The names to give to peft, sorted. Raises: UserError naming what matches no linear layer, and those that exist."""
    paths = list(linear_modules(model))
    names = wanted.split(",") if isinstance(wanted, str) else list(wanted)
    names = [target.strip() for target in names]
    everything = [path for path, _ in model.named_modules()]
    if [target.lower() for target in names] == [ALL_LINEAR]:
        names = sorted({path.rpartition(".")[2] for path in paths})
        if names and set(matching(everything, names)) != set(paths):
            names = sorted(paths)
    lost = [target for target in names if not set(matching(everything, [target])) & set(paths)]
    if not names or lost:
        counts = Counter(path.rpartition(".")[2] for path in paths)
        listed = ", ".join(f"{last} ({count})" for last, count in counts.items()) or "none"
        raise UserError(
            f"lora.target_modules: {name} has no linear layer named {', '.join(lost) or ALL_LINEAR} (an output head takes no "
            f"adapter). Its linear layers, with how many there are: {listed}; or use {ALL_LINEAR}"
        )
    others = set(matching(everything, names)) - set(paths)
    if others:
        raise UserError(
            f"lora.target_modules: in {name} the names {', '.join(names)} also fit {', '.join(sorted(others)[:3])}, which is "
            "no linear layer inside the network; write more of the path, e.g. layers.0.mlp.up_proj"
        )
    return sorted(set(names))


def four_bit_options(device: int, *, dtype: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    """Arguments of `from_pretrained` for QLoRA: NF4, double quantisation, arithmetic and all other weights in `dtype`.

    The packed weights are stored as `dtype` too, because sharding back ends split only float tensors of one type. `device`
    is this process's CUDA device: weights are quantised as they arrive there.
    """
    from transformers import BitsAndBytesConfig
    from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=dtype,
    )
    place = {} if is_deepspeed_zero3_enabled() else {"device_map": {"": device}}
    return {"quantization_config": config, "dtype": dtype} | place


def four_bit_here() -> dict[str, Any]:
    """`four_bit_options` for this process's GPU. Raises: UserError without a CUDA GPU or without bitsandbytes."""
    if not torch.cuda.is_available():
        raise UserError(
            "model.load_in_4bit=true needs a CUDA GPU and there is none here; leave it out (plain LoRA runs anywhere)"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError('model.load_in_4bit=true needs bitsandbytes: pip install "rca_dist[quant]"')
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return four_bit_options(torch.cuda.current_device(), dtype=torch.bfloat16 if native else torch.float16)


def save_adapter(
    model: Any, folder: Path, state: Mapping[str, torch.Tensor] | None, *, base: str, revision: str | None = None
) -> None:
    """Write adapter_model.safetensors and adapter_config.json, naming the base model, and check them.

    `state` has at least the trainable weights, whole and on the CPU, named as in `model.state_dict()`; None takes the
    model's own. Raises: RuntimeError when the adapter on disk is not the one in memory.
    """
    state = trainable_state(model) if state is None else dict(state)
    config = model.peft_config[ADAPTER]
    config.base_model_name_or_path, config.revision = base, revision
    # The default would look the base model up on the hub, to see whether its vocabulary was changed.
    model.save_pretrained(folder, state_dict=state, safe_serialization=True, save_embedding_layers=False)
    check_saved_adapter(folder, model, state)


def trainable_state(model: Any) -> dict[str, torch.Tensor]:
    """The trainable weights by name, detached, where they are."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def check_saved_adapter(folder: Path, model: Any, state: Mapping[str, torch.Tensor]) -> None:
    """Compare a saved adapter with the layers of `model` (shapes) and with `state` (values, bit for bit).

    Sharded training has written files of 40 bytes, with every tensor missing or empty, without any error.
    Raises: RuntimeError naming the first weights that are missing, empty, misshapen, different or not of this model.
    """
    from safetensors.torch import load_file

    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise RuntimeError(f"{path} was not written")
    saved = load_file(path)
    expected = _adapter_shapes(model)
    problems = [f"{name} does not belong to this model" for name in sorted(saved.keys() - expected.keys())]
    for name, (source, shape) in expected.items():
        if name not in saved:
            problems.append(f"{name} is missing")
        elif tuple(saved[name].shape) != shape:
            problems.append(f"{name} has shape {tuple(saved[name].shape)} instead of {shape}")
        elif source not in state or not torch.equal(saved[name], state[source].detach().cpu()):
            problems.append(f"{name} differs from the weight in memory")
    if problems or not expected:
        listed = "; ".join(problems[:3]) or "the model has no adapter"
        raise RuntimeError(f"{path}: {len(problems)} adapter weights were not saved as they are: {listed}")


def _adapter_shapes(model: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name in the file -> (name in `model.state_dict()`, shape), from the layers themselves, which know their full size."""
    from peft.tuners.lora import LoraLayer

    out: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        rank, inputs, outputs = layer.r[ADAPTER], int(layer.in_features or 0), int(layer.out_features or 0)
        out[f"{path}.lora_A.weight"] = (f"{path}.lora_A.{ADAPTER}.weight", (rank, inputs))
        out[f"{path}.lora_B.weight"] = (f"{path}.lora_B.{ADAPTER}.weight", (outputs, rank))
        if ADAPTER in layer.lora_magnitude_vector:
            magnitude = f"{path}.lora_magnitude_vector"
            out[magnitude] = (f"{magnitude}.{ADAPTER}.weight", (outputs,))
    return out
