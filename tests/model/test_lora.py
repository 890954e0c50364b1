"""LoRA, rsLoRA and DoRA on Llama-, Qwen- and GPT-2-style models: start, training, saving, messages."""

import json
import warnings

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from rca_dist.errors import UserError
from rca_dist.model import lora as lora_module
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.lora import LoraSettings, attach, check_saved_adapter, four_bit_options, trainable_state

PLAIN = LoraSettings(r=4, alpha=8)
KINDS = {"lora": {}, "dora": {"use_dora": True}, "rslora": {"use_rslora": True}}
FAMILIES = ("llama", "qwen2", "gpt2")


def network(family):
    size = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    torch.manual_seed(1)
    if family == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=32, n_head=2, n_layer=2, vocab_size=2048, n_positions=512))
    if family == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(vocab_size=2304, tie_word_embeddings=True, **size))
    return LlamaForCausalLM(LlamaConfig(vocab_size=2048, **size))


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    """folder(family): a saved random model with a tokenizer of its own."""
    train = table.rows("train")
    tokenizer = HFModelAdapter.load("builtin:tiny", texts=[*train["prompt"], *train["answer"]]).tokenizer
    root = tmp_path_factory.mktemp("models")

    def make(family):
        if not (root / family).is_dir():
            network(family).save_pretrained(root / family)
            tokenizer.save_pretrained(root / family)
        return str(root / family)

    return make


def settings(kind="lora", **changes):
    return LoraSettings(**{"r": 4, "alpha": 8.0} | KINDS[kind] | changes)


def train(adapter, batch, steps=3):
    adapter.model.train()
    optimizer = torch.optim.AdamW(adapter.optimizer_groups(0.01), lr=1e-2)
    for _ in range(steps):
        total, count = adapter.step(adapter.model, batch)
        (total / count).backward()
        optimizer.step()
        optimizer.zero_grad()
    adapter.model.eval()
    return adapter


def loss(model, batch):
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], use_cache=False).logits[:, batch["keep"]]
    return float(
        torch.nn.functional.cross_entropy(logits.double().flatten(0, 1), batch["targets"].flatten(), ignore_index=-100)
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_adapter_changes_nothing(folder, encode, family, kind):
    batch = encode("test").collate([0, 1, 2])
    plain = HFModelAdapter.load(folder(family)).model.eval()
    wrapped = HFModelAdapter.load(folder(family), lora=settings(kind)).model.eval()
    with torch.no_grad():
        before, after = (model(input_ids=batch["input_ids"]).logits for model in (plain, wrapped))
    if kind == "dora":
        assert float((before - after).abs().max() / before.abs().max()) < 1e-6
    else:
        assert torch.equal(before, after)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_is_every_linear_layer_but_the_head(folder, family):
    adapter = HFModelAdapter.load(folder(family), lora=PLAIN)
    plain = network(family)
    weights = {n.removesuffix(".weight") for n, p in plain.named_parameters() if p.ndim == 2 and n.endswith(".weight")}
    expected = {n for n in weights if not n.endswith(("lm_head", "embed_tokens", "wte", "wpe"))}
    found = {
        n.split(".lora_A.")[0].removeprefix("base_model.model.") for n in trainable_state(adapter.model) if ".lora_A." in n
    }
    assert found == expected
    assert len(found) == {"llama": 14, "qwen2": 14, "gpt2": 8}[family]


def test_all_linear_tells_a_layer_from_a_head_of_the_same_name():
    model = network("llama")
    model.model.layers[0].mlp.lm_head = torch.nn.Linear(32, 32)
    wrapped = attach(model, PLAIN, seed=0)
    assert isinstance(wrapped.get_base_model().lm_head, torch.nn.Linear)
    assert "base_model.model.model.layers.0.mlp.lm_head.lora_A.default.weight" in trainable_state(wrapped)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_adapter_learns_and_it_can_be_taken_off(folder, encode, family, kind):
    batch = encode("train").collate([0, 1, 2, 3])
    adapter = HFModelAdapter.load(folder(family), lora=settings(kind))
    frozen = {n: p.clone() for n, p in adapter.model.named_parameters() if not p.requires_grad}
    start = {n: p.clone() for n, p in trainable_state(adapter.model).items()}
    untouched = loss(adapter.model, batch)
    train(adapter, batch)
    assert all(torch.equal(p, frozen[n]) for n, p in adapter.model.named_parameters() if n in frozen)
    assert all(not torch.equal(p, start[n]) for n, p in trainable_state(adapter.model).items())
    learnt = loss(adapter.model, batch)
    assert learnt < untouched - 0.01
    with adapter.base_weights():
        assert loss(adapter.model, batch) == pytest.approx(untouched, rel=1e-7)
    assert loss(adapter.model, batch) == learnt
    assert trainable_state(adapter.model).keys() == start.keys()


def test_full_fine_tuning_has_no_base_to_go_back_to(adapter):
    assert not adapter.is_lora
    with pytest.raises(RuntimeError, match="load the base model again"), adapter.base_weights():
        pass


def test_the_adapter_is_a_function_of_the_seed():
    before = torch.get_rng_state()
    models = [attach(network("llama"), PLAIN, seed=seed) for seed in (5, 5, 6)]
    torch.manual_seed(1)  # as network() leaves it
    network("llama")
    states = [trainable_state(model) for model in models]
    same, other = ([torch.equal(states[0][n], states[k][n]) for n in states[0]] for k in (1, 2))
    assert all(same)
    assert any(not equal for equal in other)
    drawn = torch.get_rng_state()
    attach(network("llama"), PLAIN, seed=5)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not torch.equal(before, drawn)


def test_scale_of_the_adapter(folder):
    def scale(kind):
        model = HFModelAdapter.load(folder("llama"), lora=settings(kind)).model
        return {m.scaling["default"] for m in model.modules() if hasattr(m, "scaling") and isinstance(m.scaling, dict)}

    assert scale("lora") == {2.0}  # alpha / r
    assert scale("rslora") == {4.0}  # alpha / sqrt(r)


def test_dropout_is_the_adapter_s_own(folder):
    adapter = HFModelAdapter.load(folder("gpt2"), lora=settings(dropout=0.25), dropout=0.0)
    rates = {n.split(".")[-2]: m.p for n, m in adapter.model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert rates.pop("lora_dropout") == 0.25
    assert set(rates.values()) == {0.0}


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_counts_and_decay(folder, kind):
    adapter = HFModelAdapter.load(folder("llama"), lora=settings(kind))
    sides = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]  # q k v o gate up down
    matrices = 2 * sum(4 * (inputs + outputs) for inputs, outputs in sides)
    vectors = 2 * sum(outputs for _, outputs in sides) if kind == "dora" else 0
    base = sum(p.numel() for p in network("llama").parameters())
    assert adapter.parameter_counts() == (base + matrices + vectors, matrices + vectors)
    groups = {g["weight_decay"]: sum(p.numel() for p in g["params"]) for g in adapter.optimizer_groups(0.3)}
    assert groups == {0.3: matrices} | ({0.0: vectors} if vectors else {})


@pytest.mark.parametrize("frozen", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["builtin:tiny", "llama", "gpt2"])
def test_frozen_weights_in_half_precision(folder, encode, name, frozen):
    source = name if name.startswith("builtin") else folder(name)
    adapter = HFModelAdapter.load(source, lora=PLAIN, frozen_dtype=frozen, texts=["abc"])
    types = {p.requires_grad: p.dtype for p in adapter.model.parameters()}
    assert types == {True: torch.float32, False: frozen}
    reference = HFModelAdapter.load(source, lora=PLAIN, texts=["abc"])
    pairs = zip(trainable_state(adapter.model).values(), trainable_state(reference.model).values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    batch = encode("train").collate([0, 1])
    with torch.no_grad():
        assert loss(adapter.model, batch) == pytest.approx(loss(reference.model, batch), rel=0.02)


def test_frozen_precision_without_an_adapter_is_a_mistake():
    with pytest.raises(ValueError, match="lora"):
        HFModelAdapter.load("builtin:tiny", frozen_dtype=torch.bfloat16)


@pytest.mark.parametrize("lora", [PLAIN, LoraSettings(r=4, alpha=8, use_dora=True), None])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_gradient_checkpointing_changes_no_gradient(folder, encode, family, lora):
    batch = encode("train").collate([0, 1, 2])
    grads = []
    for on in (False, True):
        adapter = HFModelAdapter.load(folder(family), lora=lora, gradient_checkpointing=on)
        assert any(getattr(module, "gradient_checkpointing", False) for module in adapter.model.modules()) == on
        adapter.model.train()
        if lora:  # with B = 0 no gradient would reach A
            with torch.no_grad():
                for name, p in adapter.model.named_parameters():
                    if "lora_B" in name:
                        p.fill_(0.01)
        adapter.step(adapter.model, batch)[0].backward()
        grads.append({n: p.grad for n, p in adapter.model.named_parameters() if p.requires_grad})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        assert grad is not None and grads[1][name] is not None, name
        torch.testing.assert_close(grads[1][name], grad, rtol=1e-5, atol=1e-6)
    assert all(float(g.abs().max()) > 0 for n, g in grads[1].items() if "lora" in n)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_adapter_loads_with_plain_peft_and_merges(folder, encode, tmp_path, family, kind):
    batch = encode("train").collate([0, 1, 2, 3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapter = HFModelAdapter.load(folder(family), lora=settings(kind))
        expected = loss(train(adapter, batch).model, batch)
        adapter.save(tmp_path / "a")
    assert not list(tmp_path.rglob("*.bin"))
    base = AutoModelForCausalLM.from_pretrained(folder(family))
    again = PeftModel.from_pretrained(base, tmp_path / "a").eval()
    assert loss(again, batch) == pytest.approx(expected, rel=1e-6)
    assert loss(AutoPeftModelForCausalLM.from_pretrained(tmp_path / "a").eval(), batch) == pytest.approx(expected, rel=1e-6)
    merged = again.merge_and_unload()
    assert not any("lora" in name for name in merged.state_dict())
    assert loss(merged, batch) == pytest.approx(expected, rel=1e-5)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert tokenizer("Résolu {x}")["input_ids"] == adapter.tokenizer("Résolu {x}")["input_ids"]


def test_a_saved_adapter_is_the_same_file_every_time(folder, tmp_path):
    for name in "ab":
        HFModelAdapter.load(folder("llama"), lora=PLAIN, seed=3).save(tmp_path / name)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == folder("llama")
    assert config["target_modules"] == ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
    assert (config["r"], config["lora_alpha"], config["bias"], config["task_type"]) == (4, 8, "none", "CAUSAL_LM")


def test_a_relative_base_path_and_a_hub_revision_are_written_so_that_others_find_them(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder("llama") + "/..")
    adapter = HFModelAdapter.load("./llama", lora=PLAIN)
    adapter.save(tmp_path / "a")
    read = lambda: json.loads((tmp_path / "a" / "adapter_config.json").read_text())  # noqa: E731
    assert read()["base_model_name_or_path"].startswith("/")
    monkeypatch.chdir(tmp_path)
    AutoPeftModelForCausalLM.from_pretrained(tmp_path / "a")
    adapter.name, adapter.revision = "org/model", "abc123"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # peft warns when it has looked for the base model on the hub in vain
        adapter.save(tmp_path / "a")
    assert (read()["base_model_name_or_path"], read()["revision"]) == ("org/model", "abc123")


def test_a_built_in_base_model_is_saved_beside_its_adapter(adapter, encode, table, tmp_path):
    train_rows = table.rows("train")
    tuned = HFModelAdapter.load("builtin:tiny", texts=[*train_rows["prompt"], *train_rows["answer"]], lora=PLAIN)
    batch = encode("train").collate([0, 1, 2])
    base_loss = loss(adapter.model, batch)
    expected = loss(train(tuned, batch).model, batch)
    temporary, home = tmp_path / ".tmp", tmp_path / "run" / "model"
    tuned.save(temporary, trainable_state(tuned.model), home=home)
    home.parent.mkdir()
    temporary.rename(home)
    assert loss(AutoPeftModelForCausalLM.from_pretrained(home).eval(), batch) == pytest.approx(expected, rel=1e-6)
    assert loss(AutoModelForCausalLM.from_pretrained(home).eval(), batch) == pytest.approx(expected, rel=1e-6)
    moved = tmp_path / "moved"
    home.rename(moved)
    base = AutoModelForCausalLM.from_pretrained(moved / "base").eval()
    assert loss(base, batch) == pytest.approx(base_loss, rel=1e-7)
    assert loss(PeftModel.from_pretrained(base, moved).eval(), batch) == pytest.approx(expected, rel=1e-6)
    assert len(AutoTokenizer.from_pretrained(moved / "base")) == len(tuned.tokenizer)


def test_an_adapter_that_was_not_gathered_is_refused(folder, tmp_path):
    adapter = HFModelAdapter.load(folder("llama"), lora=PLAIN)
    good = trainable_state(adapter.model)
    adapter.save(tmp_path / "good", good)
    for name, state, part in [
        ("shards", {n: torch.empty(0) for n in good}, "28 adapter weights.*shape \\(0,\\) instead of \\(4, 32\\)"),
        ("nothing", {}, "28 adapter weights.*is missing"),
        (
            "one",
            {n: p for n, p in good.items() if "layers.1.mlp.up_proj.lora_B" not in n},
            "1 adapter.*up_proj.lora_B.weight is missing",
        ),
        ("prefix", {f"module.{n}": p for n, p in good.items()}, "weights were not saved"),
    ]:
        with pytest.raises(RuntimeError, match=part):
            adapter.save(tmp_path / name, state)


def test_a_damaged_adapter_file_is_found(folder, tmp_path):
    adapter = HFModelAdapter.load(folder("gpt2"), lora=settings("dora"))
    state = trainable_state(adapter.model)
    adapter.save(tmp_path, state)
    check_saved_adapter(tmp_path, adapter.model, state)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(n for n in tensors if n.endswith("lora_magnitude_vector"))
    save_file(tensors | {name: tensors[name] + 1}, path)
    with pytest.raises(RuntimeError, match=f"{name} differs"):
        check_saved_adapter(tmp_path, adapter.model, state)
    save_file(tensors | {"extra": torch.ones(1)}, path)
    with pytest.raises(RuntimeError, match="extra does not belong"):
        check_saved_adapter(tmp_path, adapter.model, state)
    path.unlink()
    with pytest.raises(RuntimeError, match="was not written"):
        check_saved_adapter(tmp_path, adapter.model, state)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_come_from_the_adapter(folder, encode, family):
    data = encode("test")
    prompts = [data.prompt_ids(n)[-20:].tolist() for n in (0, 5, 9)]
    adapter = HFModelAdapter.load(folder(family), lora=PLAIN)
    adapter.model.eval()
    plain = HFModelAdapter.load(folder(family))
    plain.model.eval()
    before = plain.generate(plain.model, prompts, max_new_tokens=6)
    assert adapter.generate(adapter.model, prompts, max_new_tokens=6) == before
    with torch.no_grad():
        for name, p in adapter.model.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 1, generator=torch.Generator().manual_seed(len(name)))
    inner = adapter.model.get_base_model()
    inner.generation_config.repetition_penalty = 5.0
    together = adapter.generate(adapter.model, prompts, max_new_tokens=6)
    assert together != before
    assert together == [adapter.generate(adapter.model, [p], max_new_tokens=6)[0] for p in prompts]
    assert inner.generation_config.repetition_penalty == adapter.model.generation_config.repetition_penalty == 5.0
    with adapter.base_weights():
        assert adapter.generate(adapter.model, prompts, max_new_tokens=6) == before


@pytest.mark.parametrize("synced", [False, True])
def test_ranks_that_share_weights_generate_in_step(folder, monkeypatch, synced):
    adapter = HFModelAdapter.load(folder("llama"), lora=PLAIN)
    seen = {}

    def generate(**options):
        seen.update(options, inference=torch.is_inference_mode_enabled(), grad=torch.is_grad_enabled())
        return options["input_ids"]

    monkeypatch.setattr(adapter.model, "generate", generate)
    assert adapter.generate(adapter.model, [[5, 6]], max_new_tokens=1, synced_gpus=synced) == [[]]
    assert (seen["synced_gpus"], seen["inference"], seen["grad"]) == (synced, not synced, False)


@pytest.mark.parametrize(
    ("family", "targets", "parts"),
    [
        ("llama", ["query", "v_proj"], ["named query (", "q_proj (2)", "down_proj (2)", "all-linear"]),
        ("gpt2", "q_proj", ["named q_proj (", "c_attn (2), c_proj (4), c_fc (2)"]),
        ("qwen2", ["lm_head"], ["named lm_head (", "output head"]),
        ("llama", ["mlp"], ["named mlp ("]),
        ("llama", ["roj"], ["named roj ("]),
    ],
)
def test_targets_that_match_nothing(folder, family, targets, parts):
    with pytest.raises(UserError) as error:
        HFModelAdapter.load(folder(family), lora=settings(target_modules=targets))
    assert all(part in str(error.value) for part in ["lora.target_modules", folder(family), *parts])
    assert "v_proj," not in str(error.value).split("named")[1].split("(")[0]


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], "q_proj, v_proj", ("v_proj", "q_proj", "q_proj")])
def test_targets_by_name(folder, targets):
    adapter = HFModelAdapter.load(folder("llama"), lora=settings(target_modules=targets))
    assert {n.split(".")[-4] for n in trainable_state(adapter.model)} == {"q_proj", "v_proj"}
    assert len(trainable_state(adapter.model)) == 8


def test_a_target_by_its_path(folder):
    adapter = HFModelAdapter.load(folder("llama"), lora=settings(target_modules=["layers.1.mlp.up_proj"]))
    assert set(trainable_state(adapter.model)) == {
        f"base_model.model.model.layers.1.mlp.up_proj.lora_{side}.default.weight" for side in "AB"
    }


def test_four_bit_arguments(monkeypatch):
    import importlib.metadata

    found = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.50.0" if name == "bitsandbytes" else found(name))
    options = four_bit_options(3)
    config = options["quantization_config"]
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert {config.bnb_4bit_compute_dtype, config.bnb_4bit_quant_storage, options["dtype"]} == {torch.bfloat16}
    assert options["device_map"] == {"": 3}


def test_four_bit_needs_a_gpu_a_library_and_an_adapter(folder, monkeypatch):
    with pytest.raises(UserError, match=r"lora\.r"):
        HFModelAdapter.load(folder("llama"), load_in_4bit=True)
    with pytest.raises(UserError, match="pretrained"):
        HFModelAdapter.load("builtin:tiny", load_in_4bit=True, lora=PLAIN)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="needs a CUDA GPU"):
        HFModelAdapter.load(folder("llama"), load_in_4bit=True, lora=PLAIN)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(lora_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "rca_dist\[quant\]"'):
        HFModelAdapter.load(folder("llama"), load_in_4bit=True, lora=PLAIN)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_four_bit_training_on_a_gpu(folder, encode, tmp_path):
    pytest.importorskip("bitsandbytes")
    batch = {k: v.cuda() for k, v in encode("train").collate([0, 1, 2, 3]).items()}
    adapter = HFModelAdapter.load(folder("llama"), load_in_4bit=True, lora=PLAIN)
    full = HFModelAdapter.load(folder("llama"), lora=PLAIN)
    assert adapter.parameter_counts() == full.parameter_counts()
    assert {p.dtype for p in trainable_state(adapter.model).values()} == {torch.float32}
    frozen = {n: p.detach().view(torch.uint8).clone() for n, p in adapter.model.named_parameters() if not p.requires_grad}
    before = loss(adapter.model, batch)
    assert before == pytest.approx(loss(full.model.cuda(), batch), rel=0.05)
    with torch.autocast("cuda", torch.bfloat16):
        train(adapter, batch)
    assert loss(adapter.model, batch) < before
    assert all(torch.equal(p.detach().view(torch.uint8), frozen[n]) for n, p in adapter.model.named_parameters() if n in frozen)
    adapter.save(tmp_path / "a")
