"""Adapter and loss: closed forms, padding, special tokens, saving, messages."""

import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForCausalLM

from rca_dist.errors import UserError
from rca_dist.model import builtin, names
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.loss import causal_lm_step, ticket_nll, token_scores
from rca_dist.model.parameters import decay_groups, set_dropout


def reference_nll(model, data, n):
    """One example alone, float64, all logits, plain cross-entropy: (nats, gradient-free)."""
    item = data[n]
    ids, labels = torch.as_tensor(item["input_ids"])[None], torch.as_tensor(item["labels"])
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0].double()
    log_probability = logits.log_softmax(-1)
    return -sum(float(log_probability[t - 1, labels[t]]) for t in range(1, len(labels)) if labels[t] != -100)


def family(name, vocabulary):
    shape = {"vocab_size": vocabulary, "num_hidden_layers": 2}
    torch.manual_seed(0)
    if name == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=32, n_head=2, n_layer=2, vocab_size=vocabulary, n_positions=512))
    return Qwen2ForCausalLM(
        Qwen2Config(hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1, **shape)
    )


@pytest.mark.parametrize("name", ["builtin", "gpt2", "qwen2"])
@pytest.mark.parametrize("rows", [[0], [1, 4, 7, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]])
def test_loss_of_a_padded_batch_is_the_sum_of_lone_losses(adapter, encode, name, rows):
    model = (adapter.model if name == "builtin" else family(name, len(adapter.tokenizer))).eval()
    data = encode("test")
    sums, counts, _ = ticket_nll(model, data.collate(rows))
    expected = [reference_nll(model.double(), data, n) for n in rows]
    model.float()
    assert sums.tolist() == pytest.approx(expected, rel=1e-6)
    assert counts.tolist() == data.counts[rows].tolist()
    total, count = causal_lm_step(model, data.collate(rows))
    assert float(total.detach()) == pytest.approx(sum(expected), rel=1e-6)
    assert int(count) == sum(counts)


def test_uniform_logits_give_log_of_the_vocabulary(adapter, encode):
    torch.nn.init.zeros_(adapter.model.model.norm.weight)
    data = encode("test")
    total, count = causal_lm_step(adapter.model, data.collate([0, 1, 2]))
    assert float(total.detach()) / int(count) == pytest.approx(math.log(adapter.model.config.vocab_size), rel=1e-7)


def test_logits_exist_for_supervised_positions_only(adapter, encode):
    data = encode("test")
    batch = data.collate([3])
    shapes = []
    adapter.model.get_output_embeddings().register_forward_hook(lambda head, inputs, output: shapes.append(inputs[0].shape[:2]))
    assert token_scores(adapter.model, batch).nll.shape == (data.counts[3],)
    assert shapes == [(1, data.counts[3])]


def test_prompt_tokens_beyond_the_context_of_the_loss_have_no_gradient(adapter, encode):
    data = encode("test")
    batch = data.collate([0, 1])
    embedded = adapter.model.get_input_embeddings()(batch["input_ids"]).detach().requires_grad_()
    output = adapter.model(inputs_embeds=embedded, logits_to_keep=batch["keep"], use_cache=False)
    masked = torch.nn.functional.cross_entropy(
        output.logits.flatten(0, 1), torch.full_like(batch["targets"], -100).flatten(), ignore_index=-100, reduction="sum"
    )
    masked.backward()
    assert float(embedded.grad.abs().max()) == 0.0


def test_filler_changes_nothing_and_has_a_graph(adapter, encode):
    total, count = causal_lm_step(adapter.model, encode("test").collate([]))
    total.backward()
    assert (float(total.detach()), int(count)) == (0.0, 0)
    assert all(p.grad is not None and float(p.grad.abs().max()) == 0.0 for p in adapter.model.parameters())


def test_builtin_model_is_a_function_of_its_seed(adapter):
    before = torch.random.get_rng_state()
    same, other = (builtin.build_model(builtin.SIZES["tiny"], adapter.tokenizer, seed=seed) for seed in (0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = list(zip(adapter.model.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    assert 1_000_000 <= sum(p.numel() for p in same.parameters()) <= 3_000_000


def test_network_shape_does_not_depend_on_the_data():
    few = HFModelAdapter.load("builtin:tiny", texts=["abc abc"])
    assert len(few.tokenizer) < 2048
    assert few.model.config.vocab_size == 2048


@pytest.mark.parametrize(("name", "millions"), [("small", 15), ("base", 100)])
def test_benchmark_sizes(name, millions):
    size = builtin.SIZES[name]
    with torch.device("meta"):
        count = sum(p.numel() for p in AutoModelForCausalLM.from_config(builtin.model_config(size)).parameters())
    assert count == pytest.approx(millions * 1e6, rel=0.1)
    assert size.vocabulary == 32000


def test_saved_model_loads_with_plain_transformers_and_gives_the_same_loss(adapter, encode, tmp_path):
    adapter.save(tmp_path / "m")
    data = encode("test")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path / "m"), AutoTokenizer.from_pretrained(tmp_path / "m")
    text = "Résolu : l’écran {x} <b>"
    assert tokenizer(text)["input_ids"] == adapter.tokenizer(text)["input_ids"]
    assert reference_nll(model, data, 0) == pytest.approx(float(ticket_nll(adapter.model, data.collate([0]))[0]), rel=1e-6)
    again = HFModelAdapter.load(str(tmp_path / "m"))
    assert (again.eos_id, again.pad_id) == (adapter.eos_id, adapter.pad_id)
    assert list((tmp_path / "m").glob("*.safetensors"))
    assert not list((tmp_path / "m").glob("*.bin"))


def test_batched_answers_equal_lone_ones(adapter, encode):
    data = encode("test")
    prompts = [data.prompt_ids(n).tolist() for n in (0, 5, 9, 2)]
    adapter.model.eval()
    together = adapter.generate(adapter.model, prompts, max_new_tokens=12)
    assert together == [adapter.generate(adapter.model, [p], max_new_tokens=12)[0] for p in prompts]
    assert all(0 < len(row) <= 12 for row in together)


def test_generation_ends_at_eos(adapter, encode):
    data = encode("test")
    head = adapter.model.get_output_embeddings()
    with torch.no_grad():
        adapter.model.model.norm.weight.zero_()
        head.weight.zero_()
    adapter.eos_ids = [0]  # argmax of equal logits
    adapter.model.eval()
    assert adapter.generate(adapter.model, [data.prompt_ids(0).tolist()], max_new_tokens=9) == [[]]


def test_decay_is_for_matrices():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4))
    model[1].bias.requires_grad_(False)
    groups = decay_groups(model, 0.5)
    assert [(g["weight_decay"], len(g["params"])) for g in groups] == [(0.5, 1), (0.0, 2)]


def test_dropout_is_set_in_modules_and_config(adapter):
    model = family("gpt2", 50)
    set_dropout(model, 0.0)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
    assert (model.config.attn_pdrop, model.config.embd_pdrop, model.config.resid_pdrop) == (0, 0, 0)
    model.train()
    ids = torch.arange(20)[None]
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_dropout_that_is_read_when_a_network_is_built(tmp_path, adapter):
    from transformers import OPTConfig, OPTForCausalLM

    size = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "word_embed_proj_dim": 32}
    OPTForCausalLM(OPTConfig(vocab_size=2048, dropout=0.5, **size)).save_pretrained(tmp_path)
    adapter.tokenizer.save_pretrained(tmp_path)
    model = HFModelAdapter.load(str(tmp_path)).model.train()
    ids = torch.arange(20)[None]
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_models_that_cannot_serve_are_refused(tmp_path, adapter):
    from transformers import BertConfig, BertLMHeadModel

    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertLMHeadModel(BertConfig(vocab_size=2048, is_decoder=False, **size)).save_pretrained(tmp_path / "bert")
    adapter.tokenizer.save_pretrained(tmp_path / "bert")
    with pytest.raises(UserError, match="no causal language model"):
        HFModelAdapter.load(str(tmp_path / "bert"))
    family("gpt2", 50).save_pretrained(tmp_path / "few")
    adapter.tokenizer.save_pretrained(tmp_path / "few")
    with pytest.raises(UserError, match="50 embeddings"):
        HFModelAdapter.load(str(tmp_path / "few"))


def test_a_config_that_does_not_fit_its_weights_is_one_message(tmp_path, adapter):
    adapter.save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 128', '"hidden_size": 64'))
    with pytest.raises(UserError, match="cannot be loaded"):
        HFModelAdapter.load(str(tmp_path / "m"))


def test_a_checkpoint_s_own_generation_settings_change_no_answer(adapter, encode):
    prompts = [encode("test").prompt_ids(n).tolist() for n in (0, 1)]
    adapter.model.eval()
    plain = adapter.generate(adapter.model, prompts, max_new_tokens=10)
    adapter.model.generation_config.repetition_penalty = 5.0
    assert adapter.generate(adapter.model, prompts, max_new_tokens=10) == plain
    assert adapter.model.generation_config.repetition_penalty == 5.0


def test_wrong_names_are_refused_before_loading(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name, part in [
        ("./nowhere", "no such folder"),
        (str(tmp_path / "empty"), "no config.json"),
        (str(tmp_path / "file"), "a file"),
    ]:
        with pytest.raises(UserError, match=part):
            names.check(name)
    with pytest.raises(UserError, match="org/model"):
        names.check("bad name here")
    names.check("builtin:tiny")


def test_a_missing_hub_model_says_what_to_do_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"no-such-org/no-such-model.*without internet"):
        HFModelAdapter.load("no-such-org/no-such-model")


def test_a_damaged_model_folder_is_one_clear_message(adapter, tmp_path):
    adapter.save(tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be loaded"):
        HFModelAdapter.load(str(tmp_path / "m"))
