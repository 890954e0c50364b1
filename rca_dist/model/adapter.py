"""The one place that knows Hugging Face models: loading, special tokens, generation, optimizer groups, saving."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import GenerationConfig

from rca_dist.errors import UserError
from rca_dist.model import builtin, names
from rca_dist.model.loss import causal_lm_step
from rca_dist.model.parameters import decay_groups, set_config_dropout, set_dropout


class HFModelAdapter:
    """A causal language model with its tokenizer.

    Attributes: `model` (fp32 weights, on the CPU after loading), `tokenizer`, `step` (the training step function),
    `eos_id` (what ends an answer in training), `eos_ids` (all that end a generation), `pad_id`, `max_length` (context).
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.step: Callable[[Any, dict[str, torch.Tensor]], tuple[torch.Tensor, torch.Tensor]] = causal_lm_step
        self.eos_ids = _eos_ids(model, tokenizer, name)
        self.eos_id = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else self.eos_ids[0]
        # Rows are masked by length, never by comparing with the pad id, so EOS may serve as padding.
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.eos_id
        self.max_length = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30)

    @classmethod
    def load(
        cls,
        name_or_path: str,
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
        attn_implementation: str | None = None,
        dropout: float = 0.0,
        texts: Iterable[str] = (),
        seed: int = 0,
        once: Callable[[Callable[[], str]], str] = lambda work: work(),
    ) -> "HFModelAdapter":
        """Load a folder or hub model, or build `builtin:NAME` with weights from `seed` and a tokenizer trained on `texts`.

        `once` runs work on one process and hands its result to all, as `Distributed.on_main` does.
        Raises: UserError when the model cannot be had, saying what to do without internet.
        """
        if name_or_path.startswith("builtin:"):
            size = builtin.SIZES[name_or_path.removeprefix("builtin:")]
            tokenizer = builtin.wrap_tokenizer(once(lambda: builtin.train_tokenizer(texts, size)), size)
            model = builtin.build_model(size, tokenizer, seed=seed, attn_implementation=attn_implementation)
        else:
            options = {"revision": revision, "trust_remote_code": trust_remote_code}
            model, tokenizer = _from_pretrained(name_or_path, options, attn_implementation, dropout)
            check_fit(model, tokenizer, name_or_path)
        set_dropout(model, dropout)
        return cls(model, tokenizer, name=name_or_path)

    def generate(self, model: Any, prompts: Sequence[Sequence[int]], *, max_new_tokens: int) -> list[list[int]]:
        """Greedy continuation of each prompt (ids), EOS excluded. `model` is `self.model`, moved and in eval mode.

        One left-padded batch; a returned list of `max_new_tokens` ids means that the limit was hit.
        """
        device = next(model.parameters()).device
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), self.pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.as_tensor(prompt, dtype=torch.long)
            mask[row, width - len(prompt) :] = 1
        # A checkpoint's own settings (repetition penalties and the like) would be merged into ours.
        own, model.generation_config = model.generation_config, GenerationConfig()
        try:
            with torch.inference_mode():
                out = model.generate(
                    input_ids=ids.to(device),
                    attention_mask=mask.to(device),
                    max_new_tokens=max_new_tokens,
                    do_sample=False,
                    num_beams=1,
                    eos_token_id=self.eos_ids,
                    pad_token_id=self.pad_id,
                    use_cache=True,
                )
        finally:
            model.generation_config = own
        return [self._until_eos(row) for row in out[:, width:].tolist()]

    def _until_eos(self, ids: list[int]) -> list[int]:
        for n, token in enumerate(ids):
            if token in self.eos_ids:
                return ids[:n]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, special tokens left out, outer white space trimmed."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def optimizer_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for AdamW: decay on matrices, none on vectors (norms, biases)."""
        return decay_groups(self.model, weight_decay)

    def parameter_counts(self) -> tuple[int, int]:
        """(all, trainable) parameters; tied ones once."""
        parameters = list(self.model.parameters())
        return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)

    def save(self, folder: Path, state: dict[str, torch.Tensor] | None = None) -> None:
        """Write weights (safetensors) and tokenizer to `folder` as plain transformers loads them."""
        self.model.save_pretrained(folder, state_dict=state, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)


def check_fit(model: Any, tokenizer: Any, name: str) -> None:
    """Refuse a model that looks ahead, or whose tokenizer makes ids that it does not have. Raises: UserError."""
    rows = model.get_input_embeddings().num_embeddings
    if (largest := max(tokenizer.get_vocab().values())) >= rows:
        raise UserError(
            f"model.name_or_path={name}: its tokenizer makes ids up to {largest} but the model has {rows} embeddings; "
            "the two do not belong together"
        )
    ids = torch.arange(8)[None] % rows
    changed = ids.clone()
    changed[0, -3:] = (changed[0, -3:] + 1) % rows
    was_training = model.training
    model.eval()
    with torch.no_grad():
        first, second = (model(input_ids=x, use_cache=False).logits[0, :5] for x in (ids, changed))
    model.train(was_training)
    if not torch.allclose(first, second, rtol=1e-4, atol=1e-4):
        raise UserError(f"model.name_or_path={name}: its tokens see what comes after them, so it is no causal language model")


def _eos_ids(model: Any, tokenizer: Any, name: str) -> list[int]:
    ids = [tokenizer.eos_token_id]
    for source in (getattr(model, "generation_config", None), model.config):
        value = getattr(source, "eos_token_id", None)
        ids.extend(value if isinstance(value, list) else [value])
    found = list(dict.fromkeys(i for i in ids if i is not None))
    if not found:
        raise UserError(f"model.name_or_path={name}: its tokenizer has no end-of-text token, so no answer could ever end")
    return found


def _from_pretrained(name: str, options: dict[str, Any], attention: str | None, dropout: float) -> tuple[Any, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    names.check(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        config = AutoConfig.from_pretrained(name, **options)
        set_config_dropout(config, dropout)
        options = options | {"config": config} | ({"attn_implementation": attention} if attention else {})
        model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, use_safetensors=True, **options)
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        first = " ".join(str(error).split())[:300] or type(error).__name__
        advice = "The folder is damaged or incomplete; save or download it again" if Path(name).is_dir() else names.OFFLINE_HELP
        raise UserError(f"model.name_or_path={name}: cannot be loaded ({first}). {advice}.") from error
    return model, tokenizer
