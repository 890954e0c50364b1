"""Packed rows: every example alone, in any architecture that we say can be packed, without a mask over the row."""

import json

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForCausalLM

from rca_dist.model import packing
from rca_dist.model.head import prepare_head
from rca_dist.model.loss import causal_lm_step, ticket_nll

CPU = torch.device("cpu")
GPT2 = {"vocab_size": 211, "n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 64, "eos_token_id": 1, "bos_token_id": 1}
GPT2 |= {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
SIZE = {"vocab_size": 211, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**SIZE, "num_key_value_heads": 2}
MIXED = {"sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]}
FAMILIES = {
    "llama": GROUPED,
    "qwen2": GROUPED,
    "qwen3": {**GROUPED, "head_dim": 8},
    "mistral": {**GROUPED, "sliding_window": 6},
    "gemma": {**GROUPED, "head_dim": 8},
    "gemma3_text": {**GROUPED, "head_dim": 8, **MIXED},
    "phi3": {**GROUPED, "sliding_window": 7, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1},
    "gpt2": GPT2,
    "gpt_neox": SIZE,
    "olmo2": {**GROUPED, "pad_token_id": 0, "eos_token_id": 1},
}
REFUSED = {
    "gemma2": ({**GROUPED, "head_dim": 8}, "'eager'"),
    "bloom": ({"vocab_size": 211, "hidden_size": 32, "n_layer": 1, "n_head": 4}, "'eager'"),
    "stablelm": (GROUPED, "borders"),
    "llama4_text": (
        {**GROUPED, "head_dim": 8, "attention_chunk_size": 4, "num_local_experts": 2, "pad_token_id": 0},
        "another way",
    ),
}
LENGTHS, STARTS = (9, 19, 2, 5), (4, 7, 1, 2)


def build(name, options=None):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **(options or FAMILIES[name])))
    for p in model.parameters():
        p.data += 0.05 * torch.randn_like(p)
    return model.eval()


def examples(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, 211, (n,), generator=generator) for n in LENGTHS]


def packed(rows, starts=STARTS):
    """The packed micro-batch of some examples, as `RCADataset.collate` describes it."""
    borders = torch.tensor([0, *[len(row) for row in rows]]).cumsum(0)
    keep = [torch.arange(start - 1, len(row) - 1) for row, start in zip(rows, starts, strict=True)]
    return {
        "input_ids": torch.cat(rows)[None],
        "position_ids": torch.cat([torch.arange(len(row)) for row in rows])[None],
        "cu_seqlens": borders.to(torch.int32),
        "max_seqlen": max(len(row) for row in rows),
        "keep": torch.cat([k + int(first) for k, first in zip(keep, borders, strict=False)]),
        "targets": torch.cat([row[k + 1] for row, k in zip(rows, keep, strict=True)])[None],
        "rows": torch.cat([torch.full_like(k, n) for n, k in enumerate(keep)]),
    }


def alone(row, start):
    keep = torch.arange(start - 1, len(row) - 1)
    return {"input_ids": row[None], "keep": keep, "targets": row[None, keep + 1]}


def gradients(model, batches, divisor=20):
    model.zero_grad()
    total = 0.0
    for batch in batches:
        part, _ = causal_lm_step(model, batch)
        (part / divisor).backward()
        total += float(part.detach())
    return total, {name: p.grad.clone() for name, p in model.named_parameters()}


def distance(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-30))


@pytest.mark.parametrize("name", FAMILIES)
def test_packed_examples_are_lone_examples(name):
    model, rows = build(name), examples()
    own = [ticket_nll(model, alone(row, start)) for row, start in zip(rows, STARTS, strict=True)]
    total, expected = gradients(model, [alone(row, start) for row, start in zip(rows, STARTS, strict=True)])
    assert packing.support(model, CPU) is None
    packing.enable(model)
    prepare_head(model)
    nll, tokens, hits = ticket_nll(model, packed(rows))
    assert nll.tolist() == pytest.approx([float(one[0]) for one in own], rel=1e-6)
    assert tokens.tolist() == [n - s for n, s in zip(LENGTHS, STARTS, strict=True)]
    assert hits.tolist() == [int(one[2]) for one in own]
    got, found = gradients(model, [packed(rows)])
    assert got == pytest.approx(total, rel=1e-6)
    # Keys have no gradient but noise where attention adds the same to all of a token's scores (a bias of keys).
    whole = [torch.cat([g.flatten() for g in grads.values()]) for grads in (found, expected)]
    assert distance(*whole) < 1e-6


@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2"])
def test_examples_of_a_row_do_not_see_each_other(name):
    model, rows = build(name), examples()
    packing.enable(model)
    before = ticket_nll(model, packed(rows))[0]
    rows[1] = (rows[1] + 1) % 211
    after = ticket_nll(model, packed(rows))[0]
    assert [bool(same) for same in before == after] == [True, False, True, True]


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_cannot_be_packed_say_why(name):
    options, reason = REFUSED[name]
    model = build(name, options)
    before = model.config._attn_implementation
    assert reason in packing.support(model, CPU)
    assert model.config._attn_implementation == before


def test_support_notices_examples_that_see_each_other(monkeypatch):
    model = build("llama")
    monkeypatch.setattr(packing, "_spans", lambda cu: [(0, int(cu[-1]))])
    assert "differently" in packing.support(model, CPU)


def test_support_notices_a_window_that_is_not_kept(monkeypatch):
    # No example of the trial is as long as this model's window.
    model = build("mistral", {**GROUPED, "sliding_window": 4096})
    assert packing.support(model, CPU) is None
    monkeypatch.setattr(packing, "_band", lambda *args: None)
    assert "differently" in packing.support(model, CPU)


def test_support_leaves_the_model_as_it_was():
    model = build("mistral").train()
    state = torch.random.get_rng_state()
    assert packing.support(model, CPU) is None
    assert (model.config._attn_implementation, model.config.sliding_window, model.training) == ("sdpa", 6, True)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert packing.support(model, torch.device("mps")) == "packed rows have not been tried on mps"


class Squares(TorchDispatchMode):
    """Sizes of the last two dimensions of every boolean or floating tensor whose last two dimensions are both `length`."""

    def __init__(self, length):
        super().__init__()
        self.length, self.count = length, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.count += sum(tuple(t.shape[-2:]) == (self.length, self.length) for t in tree_leaves(out) if torch.is_tensor(t))
        return out


@pytest.mark.parametrize("name", ["llama", "mistral"])
def test_no_mask_over_the_row_is_built(name):
    model, batch = build(name), packed(examples())
    length = batch["input_ids"].shape[1]
    packing.enable(model)
    with Squares(length) as mode:
        gradients(model, [batch])
    assert mode.count == 0
    # The same positions without our attention: transformers finds the borders and builds the mask that we avoid.
    packing.disable(model)
    with Squares(length) as mode:
        model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
    assert mode.count > 0


@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2"])
@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_nothing(name, reentrant):
    model, batch = build(name).train(), packed(examples())
    prepare_head(model)
    packing.enable(model)
    expected = gradients(model, [batch])
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    if reentrant:
        model.enable_input_require_grads()
    got = gradients(model, [batch])
    assert got[0] == expected[0]
    assert all(distance(got[1][n], expected[1][n]) < 1e-6 for n in got[1])


@pytest.mark.parametrize("name", FAMILIES)
def test_padded_batches_and_generation_stay_as_they_were(name):
    model = build(name)
    ids = torch.stack([examples()[1], examples(2)[1]])
    mask = torch.ones_like(ids)
    mask[0, :5] = 0  # left padding
    ask = {"input_ids": ids, "attention_mask": mask, "max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    logits, answer = model(ids, use_cache=False).logits, model.generate(**ask)
    packing.enable(model)
    assert torch.equal(model(ids, use_cache=False).logits, logits)
    assert torch.equal(model.generate(**ask), answer)


def test_a_packed_filler_is_a_zero_with_a_graph():
    model = build("llama")
    prepare_head(model)
    packing.enable(model)
    _, expected = gradients(model, [packed(examples())])
    filler = packed([torch.ones(2, dtype=torch.int64)], [1])
    filler["targets"] = torch.full_like(filler["targets"], -100)
    _, found = gradients(model, [packed(examples()), filler])
    assert all(torch.equal(found[n], expected[n]) for n in found)
    assert gradients(model, [filler])[0] == 0.0
    nll, tokens, hits = ticket_nll(model, filler)
    assert (nll.tolist(), tokens.tolist(), hits.tolist()) == ([0.0], [0], [0])


def test_bf16_rows_agree_with_lone_ones_to_rounding():
    model, rows = build("llama"), examples()
    prepare_head(model)
    packing.enable(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = [float(ticket_nll(model, alone(row, start))[0]) for row, start in zip(rows, STARTS, strict=True)]
        assert ticket_nll(model, packed(rows))[0].tolist() == pytest.approx(own, rel=1e-2)


def test_a_saved_config_does_not_name_our_attention(tmp_path):
    model = build("llama")
    packing.enable(model)
    model.save_pretrained(tmp_path)
    assert packing.NAME not in json.dumps(json.loads((tmp_path / "config.json").read_text()))
    assert AutoModelForCausalLM.from_pretrained(tmp_path).config._attn_implementation == "sdpa"


def test_lora_models_can_be_packed():
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(4)
    model = get_peft_model(
        build("qwen2"), LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    ).eval()
    own = [float(ticket_nll(model, alone(row, start))[0]) for row, start in zip(examples(), STARTS, strict=True)]
    assert packing.support(model, CPU) is None
    packing.enable(model)
    assert prepare_head(model)
    assert ticket_nll(model, packed(examples()))[0].tolist() == pytest.approx(own, rel=1e-6)


def test_borders_that_do_not_arrive_are_an_error():
    model = build("llama")
    packing.enable(model)
    with packing.packed_rows({"max_length_q": 4}), pytest.raises(NotImplementedError, match="borders"):
        model(input_ids=torch.ones(1, 4, dtype=torch.int64), use_cache=False)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["llama", "mistral", "gpt2", "gemma3_text"])
def test_the_cuda_kernel_agrees_with_lone_examples(name, monkeypatch):
    if torch.cuda.get_device_capability() < (8, 0) or packing._varlen() is None:
        pytest.skip("variable-length attention needs compute capability 8.0 and a torch that has it")
    model = build(name).cuda()
    rows = [row.cuda() for row in examples()]
    with torch.autocast("cuda", dtype=torch.bfloat16):
        batches = [{k: v.cuda() for k, v in alone(r.cpu(), s).items()} for r, s in zip(rows, STARTS, strict=True)]
        _, expected = gradients(model, batches)
        own = [float(ticket_nll(model, batch)[0]) for batch in batches]
        assert packing.support(model, torch.device("cuda")) is None
        packing.enable(model)
        prepare_head(model)
        calls = []
        kernel = packing._one_kernel
        monkeypatch.setattr(packing, "_one_kernel", lambda *args: calls.append(1) or kernel(*args))
        batch = {k: v.cuda() if torch.is_tensor(v) else v for k, v in packed([r.cpu() for r in rows]).items()}
        assert ticket_nll(model, batch)[0].tolist() == pytest.approx(own, rel=2e-2)
        _, found = gradients(model, [batch])
    assert calls
    assert all(distance(found[n], expected[n]) < 0.1 for n in found if float(expected[n].norm()) > 1e-3)
