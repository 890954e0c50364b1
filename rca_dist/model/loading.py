"""Pretrained models from disk or hub, and whether they can serve: attention kernels, causality."""

import contextlib
import re
from pathlib import Path
from typing import Any

import torch

from rca_dist.errors import UserError
from rca_dist.model import names
from rca_dist.model.parameters import set_config_dropout

# Kernels to name in messages; transformers knows more, by the names of hub repositories.
KERNELS = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")


def from_pretrained(
    name: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    attn_implementation: str | None = None,
    dropout: float = 0.0,
    placement: dict[str, Any],
    weights: bool = True,
) -> tuple[Any, Any]:
    """Model and tokenizer of a folder or hub name; `placement` holds `dtype` and what goes with it.

    Without `weights` the model's memory is set aside but not written: for a process that receives another one's weights.
    Raises: UserError.
    """
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    names.check(name)
    options: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        config = AutoConfig.from_pretrained(name, **options)
        set_config_dropout(config, dropout)
        if attn_implementation:
            check_attention(config, attn_implementation, name, trust_remote_code=trust_remote_code)
            options["attn_implementation"] = attn_implementation
        options |= {"config": config, **placement}
        model = None if weights else _without_weights(name, options)
        if model is None:
            model = AutoModelForCausalLM.from_pretrained(name, use_safetensors=True, **options)
    except UserError:
        raise
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        first = " ".join(str(error).split())[:300] or type(error).__name__
        advice = "The folder is damaged or incomplete; save or download it again" if Path(name).is_dir() else names.OFFLINE_HELP
        raise UserError(f"model.name_or_path={name}: cannot be loaded ({first}). {advice}.") from error
    return model, tokenizer


def _without_weights(name: str, options: dict[str, Any]) -> Any:
    """The network with memory that nothing has touched yet; None where it keeps tensors that only loading would fill.

    None also for code from the hub: only loading is sure to run the revision that was asked for.
    """
    from transformers import AutoModelForCausalLM, GenerationConfig

    if options["trust_remote_code"] and getattr(options["config"], "auto_map", None):
        return None
    places = {key: options[key] for key in ("revision", "trust_remote_code")}
    build = {key: options[key] for key in ("trust_remote_code", "attn_implementation", "dtype") if key in options}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(options["config"], **build)
    if any(torch.is_tensor(value) and value.is_meta for module in model.modules() for value in vars(module).values()):
        return None
    model.to_empty(device="cpu")
    model.tie_weights()
    with contextlib.suppress(OSError):
        model.generation_config = GenerationConfig.from_pretrained(name, **places)
    return model.eval()


def check_attention(config: Any, asked: str, name: str, *, trust_remote_code: bool = False) -> None:
    """Refuse an attention kernel that is unknown, not installed, without its device, or unknown to the architecture.

    Builds the network without weights. Raises: UserError naming the kernels that can be used.
    """
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", trust_remote_code=trust_remote_code)
    if (problem := _kernel_problem(model, asked)) is None:
        return
    usable = [kernel for kernel in KERNELS if _kernel_problem(model, kernel, fetch=False) is None]
    raise UserError(
        f"model.attn_implementation={asked} cannot be used with {name}: {problem}. "
        f"Here it can be {', '.join(usable)}; leave the key out for the default"
    )


def _kernel_problem(model: Any, kernel: str, *, fetch: bool = True) -> str | None:
    """Why `model` cannot use `kernel` on this machine; None when it can. `fetch`: a hub kernel may be downloaded."""
    if re.match(r"(flash|flex)_attention", kernel) and not torch.cuda.is_available():
        return "it needs a CUDA GPU and there is none here"
    check = model._check_and_adjust_attn_implementation if fetch else model.get_correct_attn_implementation
    try:
        check(kernel, is_init_check=True)
    except Exception as error:  # a kernel from the hub can fail in any way
        unknown = "The only possible arguments are" in str(error)
        return "transformers knows no such kernel" if unknown else _first_sentence(error)
    return None


def _first_sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return re.split(r"\.\s|\s(?=Please )", text)[0][:200].rstrip(".")


def check_causal(model: Any, name: str) -> None:
    """Refuse a model that looks ahead. Raises: UserError."""
    rows = model.get_input_embeddings().num_embeddings
    ids = (torch.arange(8)[None] % rows).to(model.device)
    changed = ids.clone()
    changed[0, -3:] = (changed[0, -3:] + 1) % rows
    was_training, kernel = model.training, model.config._attn_implementation
    # Flash and flex kernels run neither on the CPU, where the weights still are, nor in fp32.
    borrowed = kernel not in (None, "eager", "sdpa")
    if borrowed:
        model.set_attn_implementation("eager")
    model.eval()
    with torch.no_grad():
        first, second = (model(input_ids=x, use_cache=False).logits[0, :5].float() for x in (ids, changed))
    model.train(was_training)
    if borrowed:
        model.set_attn_implementation(kernel)
    half = model.dtype in (torch.bfloat16, torch.float16)
    rtol, atol = (2e-2, 2e-2 * float(first.abs().max())) if half else (1e-4, 1e-4)
    if not torch.allclose(first, second, rtol=rtol, atol=atol):
        raise UserError(f"model.name_or_path={name}: its tokens see what comes after them, so it is no causal language model")
