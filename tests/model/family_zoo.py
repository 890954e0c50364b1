"""Tiny random models of many families and small tokenizers of several kinds, saved to folders as their publishers would."""

import json

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 400
TICKETS = [
    ("VPN drops every 5 minutes since the upgrade of this morning, error 0x80", "Rolled the client back to 4.2."),
    ("Printer on floor 3 is offline", "Restarted the spooler; the queue was stuck on a broken job of 900 pages."),
    ("SAP: no access after a change of department", "Role added."),
    ("Outlook asks for the password again and again, also after a restart of the laptop; webmail works", "Cleared the cache."),
    ("Disk /var is 100 % full on db-07 (log {size} grows)", "Log rotation was off. Switched on, old logs deleted."),
    ("Wi-Fi", "Access point replaced."),
]
TEMPLATE = "Ticket:\n{ticket}\n\nResolution:\n"
SIZE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**SIZE, "num_key_value_heads": 2}
HEADS = {**GROUPED, "head_dim": 8}
GPT2 = {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 256}
# Shorter than any ticket here.
WINDOW = {"sliding_window": 6}
MIXED = {**WINDOW, "layer_types": ["sliding_attention", "full_attention"]}

# Name -> (model type, options of its config).
FAMILIES = {
    "llama": ("llama", {**GROUPED, "tie_word_embeddings": False}),
    "llama-tied": ("llama", {**GROUPED, "tie_word_embeddings": True}),
    "qwen2": ("qwen2", {**GROUPED, "tie_word_embeddings": True}),
    "qwen3": ("qwen3", {**HEADS, "tie_word_embeddings": True}),
    "mistral": ("mistral", {**GROUPED, **WINDOW}),
    "gemma": ("gemma", HEADS),
    # Caps so low that they bite.
    "gemma2": ("gemma2", {**HEADS, **MIXED, "final_logit_softcapping": 0.5, "attn_logit_softcapping": 0.5}),
    "gemma3": ("gemma3_text", {**HEADS, **MIXED}),
    "phi": ("phi", SIZE),
    "phi3": ("phi3", {**GROUPED, **WINDOW, "original_max_position_embeddings": 4096}),
    "gpt2": ("gpt2", GPT2),
    "gpt-neox": ("gpt_neox", SIZE),
    "olmo": ("olmo", {**GROUPED, "clip_qkv": 0.3}),
    "olmo2": ("olmo2", GROUPED),
}
LESS_COMMON = {
    "falcon": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}),
    "falcon-alibi": ("falcon", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "alibi": True}),
    "stablelm": ("stablelm", GROUPED),
    "granite": ("granite", {**GROUPED, "logits_scaling": 3.0, "residual_multiplier": 0.5}),
    "smollm3": ("smollm3", {**GROUPED, "no_rope_layers": [1, 0]}),
    "gptj": ("gptj", {**GPT2, "rotary_dim": 4}),
    "opt": ("opt", {**SIZE, "ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 256}),
    "bloom": ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpt": ("mpt", {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 256}),
    "gpt-neo": ("gpt_neo", {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]],
                            "window_size": 6, "max_position_embeddings": 256}),
    "starcoder2": ("starcoder2", {**GROUPED, **WINDOW}),
    "cohere": ("cohere", GROUPED),
    "olmo3": ("olmo3", {**GROUPED, **MIXED}),
    "gpt-bigcode": ("gpt_bigcode", GPT2),
    "mixtral": ("mixtral", {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "gemma3-vision": ("gemma3", {"text_config": {**HEADS, **MIXED, "vocab_size": VOCABULARY, "eos_token_id": 1},
                                 "vision_config": {**SIZE, "num_hidden_layers": 1, "image_size": 8, "patch_size": 4},
                                 "mm_tokens_per_image": 1, "image_token_id": 3, "boi_token_id": 4, "eoi_token_id": 5}),
    "qwen3-5": ("qwen3_5_text", {**HEADS, "layer_types": ["linear_attention", "full_attention"]}),
    "mamba": ("mamba", {"hidden_size": 32, "state_size": 4, "num_hidden_layers": 2}),
    "lfm2": ("lfm2", {**GROUPED, "layer_types": ["conv", "full_attention"]}),
    "qwen3-moe": ("qwen3_moe", {**HEADS, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}),
}  # fmt: skip


def network(kind, options, *, vocabulary=VOCABULARY, **more):
    """A model whose weights are random everywhere: zeros and ones, as networks start with, would hide mistakes."""
    torch.manual_seed(0)
    special = {"eos_token_id": 1, "bos_token_id": None, "pad_token_id": None}
    config = AutoConfig.for_model(kind, vocab_size=vocabulary, **special | options | more)
    model = AutoModelForCausalLM.from_config(config).eval()
    embedded = id(model.get_input_embeddings().weight)
    with torch.no_grad():
        for p in model.parameters():
            # Layers that weigh little beside the embeddings would leave a tied model repeating its last token.
            p += (0.1 if id(p) == embedded else 0.3) * torch.randn(p.shape)
    return model


def dataset(adapter, tickets=TICKETS, **options):
    """Encoded tickets, as a run would have them."""
    from rca_dist.tokens.encode import RCADataset

    options = {"template": TEMPLATE, "max_length": min(200, adapter.max_length)} | options
    ids, prompts, answers = [str(n) for n in range(len(tickets))], [p for p, _ in tickets], [a for _, a in tickets]
    return RCADataset.from_tickets(
        ids, prompts, answers, adapter.tokenizer, eos_id=adapter.eos_id, pad_id=adapter.pad_id, **options
    )


def save(folder, model, tokenizer):
    """A folder as on the hub."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def rules(kind="bytes", vocabulary=VOCABULARY):
    """A trained `tokenizers.Tokenizer` with <unk>, <eos>, <bos>, of at most `vocabulary` tokens.

    `bytes`: byte-level BPE, as GPT-2, Llama 3, Qwen. As SentencePiece's, spaces being letters: `bpe` and `unigram` with bytes
    for unknown letters (Gemma, Llama), `legacy` as `bpe` was written for Llama 2.
    """
    texts = [text for pair in TICKETS for text in pair] + [TEMPLATE, "a b c"]
    special = ["<unk>", "<eos>", "<bos>"]
    if kind == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        options = {"vocab_size": vocabulary, "special_tokens": special, "initial_alphabet": alphabet, "show_progress": False}
        tokenizer.train_from_iterator(texts, trainer=trainers.BpeTrainer(**options))
        return tokenizer
    special += [f"<0x{n:02X}>" for n in range(256)]
    first = Tokenizer(models.Unigram() if kind == "unigram" else models.BPE())
    first.pre_tokenizer = pre_tokenizers.Metaspace()
    options = {"vocab_size": vocabulary, "special_tokens": special, "show_progress": False}
    trainer = trainers.UnigramTrainer(unk_token="<unk>", **options) if kind == "unigram" else trainers.BpeTrainer(**options)
    first.train_from_iterator(texts, trainer=trainer)
    found = json.loads(first.to_str())["model"]
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram([tuple(pair) for pair in found["vocab"]], unk_id=0, byte_fallback=True))
    else:
        merges = [tuple(pair) for pair in found["merges"]]
        tokenizer = Tokenizer(models.BPE(found["vocab"], merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if kind == "legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    return tokenizer


def wrap(backend, **options):
    """The transformers tokenizer of a trained one; `bos=True` puts <bos> before every text."""
    if options.pop("bos", False):
        options["bos_token"] = "<bos>"
        backend.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False, **options)
