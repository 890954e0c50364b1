"""What the tests of the old form share: tickets in the old columns, a tiny saved model, and its losses by plain transformers."""

from pathlib import Path

import torch

from rca_dist import HFModelAdapter, RCADataset
from rca_dist.compat.dataset import FOOTER, HEADER

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "from_rca_llm.md").read_text(encoding="utf-8")
WHERE = ["Paris", "Lyon", "Boston", "the third floor"]
TICKETS = [
    (f"Bonjour, l'imprimante de {WHERE[n % 4]} n'affiche plus rien depuis la mise à jour {n}.",
     f"Le pilote {n} était trop ancien ; nous l'avons réinstallé à {WHERE[n % 3]}.")
    if n % 2 else
    (f"VPN drops every {n} minutes in {WHERE[n % 4]}, error {600 + n}.", f"Certificate {n} had expired. Renewed it on srv-0{n % 5}.")
    for n in range(24)
]  # fmt: skip


def make_tokenizer(texts, bos=False):
    from tokenizers.processors import TemplateProcessing

    from rca_dist.model import builtin

    size = builtin.SIZES["tiny"]
    tokenizer = builtin.wrap_tokenizer(builtin.train_tokenizer(texts, size), size)
    if bos:
        tokenizer.add_special_tokens({"bos_token": "<|pad|>"})
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<|pad|> $A", special_tokens=[("<|pad|>", 0)])
    return tokenizer


def save_model(place, tokenizer, window=256):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(5)
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, max_position_embeddings=window, tie_word_embeddings=False, initializer_range=0.1, bos_token_id=None,
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return str(place)


def fresh(folder, **options):
    from transformers import AutoModelForCausalLM

    return HFModelAdapter(AutoModelForCausalLM.from_pretrained(folder, **options), folder)


def settings(owner, **changes):
    config = owner.get_default_config()
    config.merge_from_dict(changes)
    return config


def sides(df, model, **options):
    options = {"seed": 3407, "block_size": 128} | options
    return RCADataset(df, "train", model.tokenizer, **options), RCADataset(df, "test", model.tokenizer, **options)


def exact_nll(model, dataset, rows):
    """(NLL sum, tokens) by plain transformers, one ticket at a time in float64, from texts encoded here."""
    network, tokenizer, total, count = model.hf_model.double().eval(), model.tokenizer, 0.0, 0
    for row in rows:
        question, answer = dataset.df.iloc[row][["ticket_description", "ticket_resolution"]]
        prompt = [i for text in (HEADER, question, FOOTER) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
        target = [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        labels = torch.tensor([[-100] * len(prompt) + target])
        with torch.no_grad():
            total += float(network(input_ids=torch.tensor([prompt + target]), labels=labels).loss) * len(target)
        count += len(target)
    network.float()
    return total, count
