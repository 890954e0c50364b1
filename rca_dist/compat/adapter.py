"""`HFModelAdapter` around a loaded transformers model, and which networks have been trained on what."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

from rca_dist.compat.config import CfgNode, need_float, need_int
from rca_dist.compat.dataset import FOOTER, HEADER
from rca_dist.compat.networks import OWNER, check_network, forget_training, load_tokenizer
from rca_dist.errors import UserError
from rca_dist.model import adapter, vocabulary
from rca_dist.model.loading import check_causal
from rca_dist.model.parameters import set_dropout
from rca_dist.tokens.collate import IGNORE
from rca_dist.tokens.prompt import encode_plain, starts_with_bos
from rca_dist.training.optim import adamw

log = logging.getLogger(__name__)


class HFModelAdapter(adapter.HFModelAdapter):
    """A causal language model with its tokenizer.

    Old form: `HFModelAdapter(hf_model, 'name or folder it was loaded from')`. New form: `HFModelAdapter.load(name)`, see
    `rca_dist.model.adapter.HFModelAdapter`. Both have the old methods below.

    Unlike the predecessor's it is no `torch.nn.Module`: `parameters`, `state_dict` (same names), `to`, `train`, `eval` are
    handed to the model. Dropout is 0. Attributes: `hf_model`, `model_type`, `tokenizer`, and those of the new form.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Raises: UserError when the model cannot be used as it is, saying what to write instead."""
        old = kwargs.keys() & {"hf_model", "model_type"} or isinstance(next(iter(args[1:]), None), str | os.PathLike)
        self.sampling: dict[str, Any] | None = None
        if old:
            self._wrap(*args, **kwargs)
        else:
            super().__init__(*args, **kwargs)
        self.loaded_dtype: torch.dtype = next(self.model.parameters()).dtype

    def _wrap(self, hf_model: Any, model_type: str | os.PathLike[str]) -> None:
        name = str(model_type)
        check_network(hf_model, name)
        tokenizer = load_tokenizer(name)
        try:
            vocabulary.fit(hf_model, tokenizer, name, frozen=False, filled=True)
            check_causal(hf_model, name)
            super().__init__(hf_model, tokenizer, name=name)
        except UserError as error:
            # The message begins with the key of a configuration file, which there is none of here.
            problem = str(error).partition(": ")[2]
            raise UserError(
                f"{OWNER}: {problem}. Load model and tokenizer from one place: "
                f"HFModelAdapter(AutoModelForCausalLM.from_pretrained({name!r}), {name!r})"
            ) from None
        if any(module.p > 0 for module in hf_model.modules() if isinstance(module, torch.nn.Dropout)):
            log.warning("dropout of %s is set to 0: with any other rate losses and gradients are not exact", name)
        set_dropout(hf_model, 0.0)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(self.pad_id)
        hf_model.config.pad_token_id = self.pad_id
        if getattr(hf_model, "generation_config", None) is not None:
            hf_model.generation_config.pad_token_id = self.pad_id

    @property
    def hf_model(self) -> Any:
        """The transformers model."""
        return self.model

    @hf_model.setter
    def hf_model(self, model: Any) -> None:
        self.model = model

    @property
    def model_type(self) -> str:
        """Name or folder of the model."""
        return self.name

    @property
    def training(self) -> bool:
        """Whether the model is in training mode."""
        return bool(self.model.training)

    def train(self, mode: bool = True) -> "HFModelAdapter":
        """Put the model into training mode."""
        self.model.train(mode)
        return self

    def eval(self) -> "HFModelAdapter":
        """Put the model into evaluation mode."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> "HFModelAdapter":
        """Move the model."""
        self.model.to(*args, **kwargs)
        return self

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """The model's parameters."""
        return iter(self.model.parameters())

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """The model's parameters with their old names, `hf_model.` in front."""
        return ((f"hf_model.{name}", parameter) for name, parameter in self.model.named_parameters())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the model's gradients."""
        self.model.zero_grad(set_to_none=set_to_none)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The model's weights under their old names, `hf_model.` in front."""
        return {f"hf_model.{name}": tensor for name, tensor in self.model.state_dict().items()}

    def load_state_dict(self, state: dict[str, torch.Tensor], strict: bool = True) -> Any:
        """Take over weights saved under the old names; the model then counts as fresh and may be trained."""
        found = self.model.load_state_dict({name.removeprefix("hf_model."): t for name, t in state.items()}, strict=strict)
        forget_training(self.model)
        return found

    def __call__(self, idx: torch.Tensor, targets: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """See `forward`."""
        return self.forward(idx, targets)

    def forward(self, idx: torch.Tensor, targets: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits (B, T, V) of right-padded ids (B, T), and the mean NLL of the targets (B, T) that are not -100."""
        logits = self.model(input_ids=idx, use_cache=False).logits
        if targets is None:
            return logits, None
        wide, wanted = logits[:, :-1].flatten(0, 1).float(), targets[:, 1:].flatten()
        total = functional.cross_entropy(wide, wanted, ignore_index=IGNORE, reduction="sum")
        return logits, total / (wanted != IGNORE).sum().clamp(min=1)

    def configure_optimizers(self, train_config: CfgNode) -> torch.optim.Optimizer:
        """AdamW with weight decay on matrices only."""
        groups = self.optimizer_groups(train_config.weight_decay)
        device = next(self.model.parameters()).device
        return adamw(groups, learning_rate=train_config.learning_rate, betas=train_config.betas, device=device)

    def generate(self, *args: Any, **kwargs: Any) -> list[list[int]]:
        """As in the new form; inside `drawing`, tokens are drawn."""
        return super().generate(*args, **{"sampling": self.sampling} | kwargs)

    @contextmanager
    def drawing(self, sampling: dict[str, Any] | None) -> Iterator[None]:
        """Inside, `generate` draws with these settings; None is greedy."""
        before, self.sampling = self.sampling, sampling
        try:
            yield
        finally:
            self.sampling = before

    def generate_from_prompt(
        self,
        prompt: str,
        device: Any = None,
        max_new_tokens: int = 300,
        do_sample: bool = True,
        temperature: float = 1.0,
        top_k: int | None = None,
        return_new_text_only: bool = True,
        skip_special_tokens: bool = True,
    ) -> str:
        """The model's text after `prompt`, white space around it and the end-of-text token left out.

        A prompt made of the data set's own texts gets exactly the ids that training saw; any other is tokenized whole. Answers
        end where the model's window does. `device` only says where the model is thought to be. Raises: UserError.
        """
        if not isinstance(prompt, str) or not prompt.strip():
            raise UserError(f"generate_from_prompt: prompt={prompt!r}; give it a text to go on from")
        here = next(self.model.parameters()).device
        if device is not None and torch.device(device).type != here.type:
            raise UserError(
                f"generate_from_prompt: the model is on {here.type}, not on {device}; write model.to({str(device)!r}) first"
            )
        wanted = need_int({"max_new_tokens": max_new_tokens}, "max_new_tokens", 1, "generate_from_prompt")
        ids = self.prompt_ids(prompt)
        if (room := self.max_length - len(ids)) < 1:
            raise UserError(
                f"generate_from_prompt: the prompt takes {len(ids)} tokens, the model's window {self.max_length}; shorten it"
            )
        was_training = self.training
        self.eval()
        with self.drawing(sampling_settings(do_sample, temperature, top_k, "generate_from_prompt")):
            (new,) = self.generate(self.model, [ids], max_new_tokens=min(wanted, room))
        self.train(was_training)
        whole = new if return_new_text_only else [*ids, *new]
        return str(self.tokenizer.decode(whole, skip_special_tokens=skip_special_tokens)).strip()

    def prompt_ids(self, prompt: str) -> list[int]:
        """Ids of a prompt: piece by piece where it is the data set's text around a ticket, else as the tokenizer gives them."""
        if not (prompt.startswith(HEADER) and prompt.endswith(FOOTER) and len(prompt) >= len(HEADER) + len(FOOTER)):
            return list(self.tokenizer(prompt)["input_ids"])
        bos = [self.tokenizer.bos_token_id] if starts_with_bos(self.tokenizer) else []
        pieces = [HEADER, prompt[len(HEADER) : -len(FOOTER)], FOOTER]
        return [*bos, *(token for ids in encode_plain(self.tokenizer, pieces) for token in ids)]

    def hold_in_fp32(self) -> None:
        """Turn 16-bit weights into fp32 ones: 16 bits would round away most steps of a fine-tuning rate."""
        if any(p.dtype in (torch.bfloat16, torch.float16) for p in self.model.parameters()):
            self.model.float()
            self.model.config.dtype = torch.float32


def sampling_settings(do_sample: bool, temperature: float, top_k: int | None, owner: str) -> dict[str, Any] | None:
    """Settings for drawing, None for greedy answers. Raises: UserError."""
    values = {"temperature": temperature, "top_k": top_k}
    if not do_sample:
        if temperature != 1.0 or top_k is not None:
            log.warning("%s: temperature and top_k have no effect with do_sample=False", owner)
        return None
    heat = need_float(
        values, "temperature", 0.0, owner, above=True, hint=" to draw with; for greedy answers write do_sample=False"
    )
    # 0 switches the limit off, whatever a release's default is.
    return {"temperature": heat, "top_k": 0 if top_k is None else need_int(values, "top_k", 1, owner)}
