"""Built-in models: a Llama-style network with random weights and a byte-level BPE tokenizer of its own.

They need no download. `tiny` trains in minutes on a laptop; `small` and `base` serve benchmarks. The vocabulary size
of the network is fixed whatever number of merges the tokenizer finds, so that shapes never depend on the data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    context: int


SIZES = {
    "tiny": Size(vocabulary=2048, hidden=128, layers=4, heads=4, intermediate=352, context=1024),
    "small": Size(vocabulary=32000, hidden=256, layers=8, heads=8, intermediate=704, context=2048),
    "base": Size(vocabulary=32000, hidden=768, layers=11, heads=12, intermediate=2048, context=2048),
}
EOS, PAD = "<|end|>", "<|pad|>"


def train_tokenizer(texts: Iterable[str], size: Size) -> str:
    """Byte-level BPE over `texts` (the training split only), of at most `size.vocabulary` tokens, as JSON."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return str(tokenizer.to_str())


def wrap_tokenizer(rules: str, size: Size) -> Any:
    """The `PreTrainedTokenizerFast` of a trained tokenizer's JSON."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(rules),
        eos_token=EOS,
        pad_token=PAD,
        model_max_length=size.context,
        clean_up_tokenization_spaces=False,
    )


def model_config(size: Size, *, eos_id: int | None = None, pad_id: int | None = None) -> Any:
    """The `LlamaConfig` of a size: tied embeddings, no grouped heads."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos_id,
        pad_token_id=pad_id,
    )


def build_model(size: Size, tokenizer: Any, *, seed: int, attn_implementation: str | None = None) -> Any:
    """A `LlamaForCausalLM` with weights drawn from `seed` alone; the caller's random state is left as it was."""
    import torch
    from transformers import LlamaForCausalLM

    config = model_config(size, eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id)
    if attn_implementation:
        config._attn_implementation = attn_implementation
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)
