"""Loading and saving: attention kernels, checkpointing, gathered weights."""

import importlib.util

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

from rca_dist.errors import UserError
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.loading import check_causal


@pytest.fixture
def opt(tmp_path, adapter):
    size = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "word_embed_proj_dim": 32}
    OPTForCausalLM(OPTConfig(vocab_size=2048, **size)).save_pretrained(tmp_path / "opt")
    adapter.tokenizer.save_pretrained(tmp_path / "opt")
    return str(tmp_path / "opt")


@pytest.mark.parametrize("source", ["builtin:tiny", "opt"])
@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        ("no_such_kernel", "transformers knows no such kernel"),
        ("flash_attention_2", "needs a CUDA GPU"),
        ("flex_attention", "needs a CUDA GPU"),
        ("no-such-org/kernel", "kernels"),
    ],
)
def test_a_kernel_that_cannot_be_used(request, monkeypatch, source, kernel, reason):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    name = source if source.startswith("builtin") else request.getfixturevalue(source)
    with pytest.raises(UserError) as error:
        HFModelAdapter.load(name, attn_implementation=kernel)
    text = str(error.value)
    assert f"model.attn_implementation={kernel}" in text and name in text and reason in text
    assert "Here it can be eager, sdpa;" in text


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="flash_attn is installed")
def test_a_kernel_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(
        UserError, match=r"flash_attention_2 cannot be used with builtin:tiny: .*install.*Here it can be eager, sdpa"
    ):
        HFModelAdapter.load("builtin:tiny", attn_implementation="flash_attention_2")


def test_a_kernel_that_the_architecture_does_not_know(tmp_path, adapter, monkeypatch):
    monkeypatch.setattr(GPT2LMHeadModel, "_supports_sdpa", False)
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_head=2, n_layer=1, vocab_size=2048)).save_pretrained(tmp_path)
    adapter.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"sdpa cannot be used.*GPT2LMHeadModel does not support.*Here it can be eager"):
        HFModelAdapter.load(str(tmp_path), attn_implementation="sdpa")


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
def test_kernels_agree(opt, kernel):
    ids = torch.arange(20)[None]
    for name in (opt, "builtin:tiny"):
        asked, usual = (HFModelAdapter.load(name, attn_implementation=k, texts=["a"]).model.eval() for k in (kernel, None))
        assert asked.config._attn_implementation == kernel
        with torch.no_grad():
            torch.testing.assert_close(asked(ids).logits, usual(ids).logits, rtol=1e-4, atol=1e-5)


def test_the_causality_check_borrows_a_kernel_that_runs_anywhere(adapter, monkeypatch):
    used = []
    model = adapter.model
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda **inputs: (used.append(model.config._attn_implementation), forward(**inputs))[1]
    )
    monkeypatch.setattr(model, "set_attn_implementation", lambda name: setattr(model.config, "_attn_implementation", name))
    model.config._attn_implementation = "flash_attention_2"
    check_causal(model, "x")
    assert used == ["eager", "eager"]
    assert model.config._attn_implementation == "flash_attention_2"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_causality_is_seen_in_half_precision_too(adapter, dtype):
    from transformers import BertConfig, BertLMHeadModel

    check_causal(adapter.model.to(dtype), "x")
    torch.manual_seed(0)
    size = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "initializer_range": 0.5,
    }
    bert = BertLMHeadModel(BertConfig(vocab_size=2048, is_decoder=False, **size)).to(dtype)
    with pytest.raises(UserError, match="no causal language model"):
        check_causal(bert, "x")


def test_checkpointing_where_it_cannot_be(opt, monkeypatch):
    monkeypatch.setattr(OPTForCausalLM, "supports_gradient_checkpointing", False)
    with pytest.raises(UserError, match=r"train\.gradient_checkpointing=true.*OPTForCausalLM"):
        HFModelAdapter.load(opt, gradient_checkpointing=True)


@pytest.mark.parametrize(
    "names", [("lm_head.weight",), ("model.embed_tokens.weight",), ("lm_head.weight", "model.embed_tokens.weight")]
)
def test_gathered_weights_keep_tied_ones_tied(adapter, tmp_path, names):
    drop = {"lm_head.weight", "model.embed_tokens.weight"} - set(names)
    state = {n: p.detach().clone() for n, p in adapter.model.state_dict().items() if n not in drop}
    adapter.save(tmp_path / "m", state)
    again, info = AutoModelForCausalLM.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert again.lm_head.weight is again.model.embed_tokens.weight
    pairs = zip(again.parameters(), adapter.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    size = (tmp_path / "m" / "model.safetensors").stat().st_size
    assert size < 4 * sum(p.numel() for p in adapter.model.parameters()) + 20_000


def test_weights_that_were_not_gathered_are_refused(adapter, tmp_path):
    good = dict(adapter.model.state_dict())
    last = "model.norm.weight"
    head = good["lm_head.weight"]
    for state, part in [
        ({n: torch.empty(0) for n in good}, r"weights were not gathered.*shape \(0,\)"),
        ({}, "is missing"),
        ({n: p for n, p in good.items() if n != last}, f"1 weights were not gathered.*{last} is missing"),
        (good | {last: good[last][:5]}, f"{last} has shape \\(5,\\) instead of \\(128,\\)"),
        (good | {"lm_head.weight": head + 1}, "tied but differ"),
    ]:
        with pytest.raises(RuntimeError, match=part):
            adapter.save(tmp_path / "m", state)
    assert not (tmp_path / "m").exists()


def test_buffers_that_belong_to_the_weights_are_saved(adapter, tmp_path):
    adapter.model.model.register_buffer("extra", torch.tensor([3.0]))
    adapter.save(tmp_path, dict(adapter.model.named_parameters()))
    from safetensors.torch import load_file

    assert load_file(tmp_path / "model.safetensors")["model.extra"].tolist() == [3.0]


def test_a_saved_model_stops_where_its_answers_were_trained_to_end(adapter, tmp_path):
    adapter.ends_with(7)
    adapter.save(tmp_path / "model")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert plain.generation_config.eos_token_id == [adapter.eos_id, 7]


def test_a_saved_model_may_be_read_like_the_files_beside_it(adapter, tmp_path):
    adapter.save(tmp_path / "model")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert modes["model.safetensors"] == modes["config.json"], modes


def test_code_from_the_hub_is_loaded_by_every_rank_at_its_revision(opt):
    from rca_dist.model.loading import _without_weights

    config = AutoModelForCausalLM.from_pretrained(opt).config
    options = {"revision": "abc", "trust_remote_code": True, "config": config, "dtype": torch.float32}
    assert _without_weights(opt, options) is not None
    config.auto_map = {"AutoModelForCausalLM": "modeling.Model"}
    assert _without_weights(opt, options) is None


def test_an_adapter_folder_and_a_near_miss_are_named(tmp_path, monkeypatch):
    from rca_dist.model import names

    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text("{}")
    (tmp_path / "tiny-Instruct").mkdir()
    (tmp_path / "tiny-Instruct" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"is a LoRA adapter.*merge_and_unload"):
        names.check(str(tmp_path / "lora"))
    with pytest.raises(UserError, match=r"tiny-Instuct: no folder of that name; did you mean tiny-Instruct\?"):
        names.check("tiny-Instuct")
