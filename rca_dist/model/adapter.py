"""The one place that knows Hugging Face models: loading, special tokens, generation, optimizer groups, saving."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from rca_dist.errors import UserError
from rca_dist.model import builtin, vocabulary
from rca_dist.model.loading import check_attention, check_causal, from_pretrained
from rca_dist.model.lora import LoraSettings, attach, four_bit_here, save_adapter
from rca_dist.model.loss import causal_lm_step
from rca_dist.model.parameters import decay_groups, freeze_towers, set_dropout


class HFModelAdapter:
    """A causal language model with its tokenizer.

    Attributes: `model` (the plain model or, with LoRA, its `PeftModel`; on the CPU after loading unless 4-bit), `is_lora`,
    `tokenizer`, `step` (the training step function), `eos_id` (what ends an answer in training), `eos_ids` (all that end a
    generation), `pad_id`, `max_length` (context), `recomputes` (whether activations are computed again in the backward pass).
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        revision: str | None = None,
        is_lora: bool = False,
        build_base: Callable[[], Any] | None = None,
    ) -> None:
        """`build_base` makes the model as it was before fine-tuning, for one that exists nowhere else."""
        self.model = model
        self.tokenizer = tokenizer
        self.name = name
        self.revision = revision
        self.is_lora = is_lora
        self.build_base = build_base
        self.recomputes = False
        self.step: Callable[..., tuple[torch.Tensor, torch.Tensor]] = causal_lm_step
        self.eos_ids = vocabulary.eos_ids(model, tokenizer, name)
        self.eos_id = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else self.eos_ids[0]
        # Rows are masked by length, never by comparing with the pad id, so EOS may serve as padding.
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.eos_id
        self.max_length = vocabulary.window(model, tokenizer)

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
        lora: LoraSettings | None = None,
        load_in_4bit: bool = False,
        gradient_checkpointing: bool = False,
        frozen_dtype: torch.dtype | None = None,
        weights: bool = True,
    ) -> "HFModelAdapter":
        """Load a folder or hub model, or build `builtin:NAME` with weights from `seed` and a tokenizer trained on `texts`.

        `once` runs work on one process and hands its result to all, as `Distributed.on_main` does. With `lora` only a fresh
        fp32 adapter is trained, drawn from `seed`; the frozen weights are fp32, `frozen_dtype`, or packed into 4 bits. Without
        `weights` those of a pretrained model are not read: `Distributed.prepare` puts rank 0's in their place.
        Raises: UserError when the model cannot be had as asked, saying what to do.
        """
        if frozen_dtype is not None and lora is None:
            raise ValueError("frozen_dtype is for the frozen weights under an adapter: give lora too")
        if load_in_4bit and lora is None:
            raise UserError("model.load_in_4bit=true needs an adapter to train: set lora.r, e.g. 16")
        build_base = None
        if name_or_path.startswith("builtin:"):
            if load_in_4bit:
                raise UserError(f"model.load_in_4bit=true: {name_or_path} starts from random weights; name a pretrained model")
            size = builtin.SIZES[name_or_path.removeprefix("builtin:")]
            if attn_implementation:
                check_attention(builtin.model_config(size), attn_implementation, name_or_path)
            tokenizer = builtin.wrap_tokenizer(once(lambda: builtin.train_tokenizer(texts, size)), size)

            def build_base() -> Any:
                return _cast(
                    builtin.build_model(size, tokenizer, seed=seed, attn_implementation=attn_implementation), frozen_dtype
                )

            model = build_base()
        else:
            placement = four_bit_here() if load_in_4bit else {"dtype": frozen_dtype or torch.float32}
            model, tokenizer = from_pretrained(
                name_or_path, revision=revision, trust_remote_code=trust_remote_code,
                attn_implementation=attn_implementation, dropout=dropout, placement=placement, weights=weights or load_in_4bit,
            )  # fmt: skip
            vocabulary.fit(model, tokenizer, name_or_path, frozen=lora is not None, filled=weights)
            if weights:
                check_causal(model, name_or_path)
            revision = revision or getattr(model.config, "_commit_hash", None)
        set_dropout(model, dropout)
        freeze_towers(model)
        plain = model
        if lora is not None:
            model = attach(plain, lora, seed, name=name_or_path)
        adapter = cls(model, tokenizer, name=name_or_path, revision=revision, is_lora=lora is not None, build_base=build_base)
        if gradient_checkpointing:
            adapter.checkpoint_activations()
        return adapter

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass instead of keeping them. Raises: UserError where the model cannot."""
        plain = self.model.get_base_model() if self.is_lora else self.model
        if not plain.supports_gradient_checkpointing:
            raise UserError(f"train.gradient_checkpointing=true: {self.name} ({type(plain).__name__}) cannot; leave it out")
        with warnings.catch_warnings():
            # The newer name does not exist in all supported releases of transformers.
            warnings.simplefilter("ignore", FutureWarning)
            # The reentrant kind drops gradients where a block's input needs none, as under frozen embeddings.
            plain.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.recomputes = True

    @contextmanager
    def base_weights(self) -> Iterator[None]:
        """Inside, a LoRA model answers as before fine-tuning; not for training. Local. Raises: RuntimeError without LoRA."""
        if not self.is_lora:
            raise RuntimeError("full fine-tuning changes the base weights: load the base model again")
        with self.model.disable_adapter():
            yield

    def generate(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        synced_gpus: bool = False,
        sampling: Mapping[str, Any] | None = None,
    ) -> list[list[int]]:
        """Greedy continuation of each prompt (ids), EOS excluded. `model` is `self.model`, moved and in eval mode.

        `sampling` draws tokens instead, from torch's random state, with transformers' settings (`temperature`, `top_k`).

        One left-padded batch; a returned list of `max_new_tokens` ids means that the limit was hit. `synced_gpus`: ranks that
        share sharded weights go on with empty forwards until the last one ends; then all must call it equally often.
        """
        device = next(model.parameters()).device
        width = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), width), self.pad_id, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.as_tensor(prompt, dtype=torch.long)
            mask[row, width - len(prompt) :] = 1
        # Buffers for gathered weights that are made in inference mode could not serve a later backward pass.
        quiet = torch.no_grad() if synced_gpus else torch.inference_mode()
        # A checkpoint's own settings (repetition penalties and the like) would be merged into ours.
        plain = model.get_base_model() if self.is_lora else model
        own, plain.generation_config = plain.generation_config, GenerationConfig()
        try:
            with quiet:
                out = model.generate(
                    input_ids=ids.to(device),
                    attention_mask=mask.to(device),
                    max_new_tokens=max_new_tokens,
                    do_sample=sampling is not None,
                    num_beams=1,
                    eos_token_id=self.eos_ids,
                    pad_token_id=self.pad_id,
                    use_cache=True,
                    synced_gpus=synced_gpus,
                    **(sampling or {}),
                )
        finally:
            plain.generation_config = own
        return [self._until_eos(row) for row in out[:, width:].tolist()]

    def _until_eos(self, ids: list[int]) -> list[int]:
        for n, token in enumerate(ids):
            if token in self.eos_ids:
                return ids[:n]
        return ids

    def ends_with(self, end_id: int | None) -> None:
        """Let generation stop at `end_id` too: the end of a turn that answers are trained to end with."""
        if end_id is not None and end_id not in self.eos_ids:
            self.eos_ids.append(end_id)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, special tokens left out, outer white space trimmed."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def optimizer_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameter groups for AdamW: decay on matrices (A and B too), none on vectors (norms, biases, DoRA's magnitudes)."""
        return decay_groups(self.model, weight_decay)

    def parameter_counts(self) -> tuple[int, int]:
        """(all, trainable) parameters; tied ones once, sharded and 4-bit ones in full."""
        parameters = list(self.model.parameters())
        return sum(map(_numel, parameters)), sum(_numel(p) for p in parameters if p.requires_grad)

    def save(self, folder: Path, state: Mapping[str, torch.Tensor] | None = None, *, home: Path | None = None) -> None:
        """Write weights (safetensors) and tokenizer to `folder`, for plain transformers or peft to load.

        `state`: whole CPU tensors named as in `model.state_dict()`, tied ones under any of their names; with LoRA the
        trainable ones are enough. `home`: where the folder will lie in the end, when it is renamed after writing.

        A full model loads with `AutoModelForCausalLM.from_pretrained(folder)`, and so does an adapter where peft is
        installed, or with `AutoPeftModelForCausalLM`: its config names the base model by hub name and revision, or by
        absolute path. A built-in base model exists nowhere else and is saved in `folder/base`. peft reads a relative path
        from the working directory, so the absolute one is written; for a folder that was moved, name the base:
        `PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder / "base"), folder)`.

        Raises: RuntimeError when weights are missing, empty or other than in memory.
        """
        folder = Path(folder)
        if self.is_lora:
            if self.build_base is not None:
                base = self.build_base()
                base.save_pretrained(folder / "base")
                self.tokenizer.save_pretrained(folder / "base")
                place = str((home or folder).absolute() / "base")
            else:
                local = Path(self.name).expanduser()
                place = str(local.absolute()) if local.is_dir() else self.name
            save_adapter(self.model, folder, state, base=place, revision=None if Path(place).is_dir() else self.revision)
        else:
            whole = None if state is None else _whole_state(self.model, state)
            settings = self.model.generation_config
            # An answer may end with another token than the base model's texts, as the end of a chat turn.
            settings.eos_token_id = self.eos_ids if len(self.eos_ids) > 1 else self.eos_ids[0]
            self.model.save_pretrained(folder, state_dict=whole, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        _share(folder)


def _share(folder: Path) -> None:
    """Weights are written for their owner only; a saved model may be read by all who may read the folder's other files."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o666 & ~mask)


def _whole_state(model: Any, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`state` with every parameter, tied ones as one tensor. Raises: RuntimeError for missing, empty or misshapen ones."""
    tied: dict[int, list[str]] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        tied.setdefault(id(p), []).append(name)
        shapes[id(p)] = tuple(getattr(p, "ds_shape", p.shape))
    out, problems = dict(state), []
    for key, group in tied.items():
        given = [state[name] for name in group if name in state]
        if not given:
            problems.append(f"{group[0]} is missing")
        elif any(tuple(tensor.shape) != shapes[key] for tensor in given):
            problems.append(f"{group[0]} has shape {tuple(given[0].shape)} instead of {shapes[key]}")
        elif any(not torch.equal(tensor, given[0]) for tensor in given[1:]):
            problems.append(f"{' and '.join(group)} are tied but differ")
        else:
            out |= dict.fromkeys(group, given[0])
    kept = model.state_dict().keys() - out.keys()
    out |= {name: buffer.detach().cpu() for name, buffer in model.named_buffers() if name in kept}
    if problems:
        raise RuntimeError(f"{len(problems)} weights were not gathered for saving: {'; '.join(problems[:3])}")
    return out


def _numel(p: torch.Tensor) -> int:
    """Elements of a parameter: all of one that is sharded (DeepSpeed), each of several packed into one (4-bit)."""
    count = int(getattr(p, "ds_numel", p.numel()))
    return count * 2 * p.element_size() if type(p).__name__ == "Params4bit" else count


def _cast(model: Any, dtype: torch.dtype | None) -> Any:
    """Parameters in `dtype`; buffers stay, for rotary frequencies lose too much in bf16."""
    if dtype is not None:
        for p in model.parameters():
            p.data = p.data.to(dtype)
        model.config.dtype = dtype
    return model
