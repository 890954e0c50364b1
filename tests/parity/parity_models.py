"""Tiny causal language models with one saved checkpoint each, and made-up examples for three awkward scenarios."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

VOCABULARY = 97  # odd, so that no sharding of the embedding is even
HIDDEN, HEADS, LAYERS, CONTEXT = 40, 4, 2, 512
EOS, PAD = 1, 0
MODELS = ("llama", "llama_untied", "qwen2", "gpt2")
BUDGETS = {"small": 48, "large": 400}
STEPS = 10
LORA = {"r": 4, "alpha": 12.0}


@dataclass(frozen=True)
class Scenario:
    """Examples and step size; `lengths` and `prompts` are tokens per example and of its unsupervised part."""

    lengths: tuple[int, ...]
    prompts: tuple[int, ...]
    global_batch_size: int
    seed: int = 0


SCENARIOS = {
    # Steps of 6, 6 and 5 examples of very different length: no split over ranks or micro-batches is even.
    "uneven": Scenario(
        (9, 31, 12, 44, 7, 26, 15, 38, 11, 8, 29, 19, 6, 41, 13, 23, 10),
        (4, 20, 9, 11, 5, 3, 14, 30, 2, 7, 8, 18, 1, 39, 6, 12, 9),
        6,
    ),
    # Steps of 3, 3 and 1: ranks without any example; example 0 is the longest and has no supervised token, so the rank that
    # it is dealt to has none.
    "idle": Scenario((40, 9, 14, 6, 11, 8, 12), (40, 4, 6, 1, 2, 2, 4), 3, seed=2),
    # Example 4 is longer than both budgets.
    "long": Scenario((12, 30, 9, 17, 420, 25, 40, 8), (5, 12, 8, 4, 300, 20, 10, 3), 3),
}


def config(name: str):
    """The transformers config of one of MODELS. Weights are drawn wide, so that attention matters to the loss."""
    from transformers import GPT2Config, LlamaConfig, Qwen2Config

    ids = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": EOS, "pad_token_id": PAD, "initializer_range": 0.15}
    if name == "gpt2":
        return GPT2Config(n_embd=HIDDEN, n_layer=LAYERS, n_head=HEADS, n_positions=CONTEXT, **ids)
    shape = {"hidden_size": HIDDEN, "intermediate_size": 72, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
             "max_position_embeddings": CONTEXT}  # fmt: skip
    if name == "qwen2":
        return Qwen2Config(num_key_value_heads=2, tie_word_embeddings=True, **shape, **ids)
    return LlamaConfig(num_key_value_heads=4 if name == "llama" else 2, tie_word_embeddings=name == "llama", **shape, **ids)


def save_models(folder: Path) -> None:
    """Write `folder/NAME`: model and tokenizer, and `folder/NAME-lora.safetensors`: the adapter that every run starts from."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    words = {"<pad>": PAD, "<eos>": EOS, "<unk>": 2} | {f"w{n}": n for n in range(3, VOCABULARY)}
    rules = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    rules.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=rules, eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")
    for number, name in enumerate(MODELS):
        torch.manual_seed(number)
        model = AutoModelForCausalLM.from_config(config(name), dtype=torch.float32)
        # Vectors start at 0 or 1, where a lost bias or scale would not show.
        for p in model.parameters():
            if p.ndim < 2:
                p.data += 0.1 * torch.randn_like(p)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        adapter = {}
        for path, (inside, outside) in linear_shapes(model).items():
            adapter[f"{path}.lora_A"] = torch.randn(LORA["r"], inside) / inside**0.5
            # Peft starts B at zero, where A has no gradient.
            adapter[f"{path}.lora_B"] = 0.1 * torch.randn(outside, LORA["r"])
        save_file(adapter, folder / f"{name}-lora.safetensors")


def linear_shapes(model) -> dict[str, tuple[int, int]]:
    """Path -> (inputs, outputs) of every linear map but the output head; GPT-2 stores them transposed."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head, found = model.get_output_embeddings(), {}
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            found[path] = (module.in_features, module.out_features)
        elif isinstance(module, Conv1D):
            found[path] = tuple(module.weight.shape)
    return found


def dataset(scenario: str):
    """The `RCADataset` of a scenario: random ids, EOS last."""
    from rca_dist.tokens.cache import Encoded
    from rca_dist.tokens.encode import RCADataset

    it = SCENARIOS[scenario]
    rng = np.random.default_rng(len(it.lengths))
    rows = [np.append(rng.integers(3, VOCABULARY, size=length - 1), EOS) for length in it.lengths]
    encoded = Encoded(
        ids=np.concatenate(rows).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(it.lengths)]).astype(np.int64),
        prompt_lengths=np.asarray(it.prompts, dtype=np.int32),
        cut=np.zeros((len(rows), 2), dtype=bool),
        answer_room=8,
    )
    return RCADataset(encoded, [str(n) for n in range(len(rows))], eos_id=EOS, pad_id=PAD)
