"""The loss from the head: closed forms, equality with the path over logits, memory, wrappers, adapters, saving."""

import copy
import math
from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForCausalLM

from rca_dist.model import head, loss
from rca_dist.model.head import NLLHead, is_prepared, nll_of, prepare_head
from rca_dist.model.loss import causal_lm_step, ticket_nll

SIZE = {"vocab_size": 211, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = {
    "llama": {**SIZE, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen2": {**SIZE, "num_key_value_heads": 2, "tie_word_embeddings": False},
    "phi": SIZE,  # its head has a bias
    "gpt2": {
        "vocab_size": 211,
        "n_embd": 32,
        "n_head": 4,
        "n_layer": 2,
        "n_positions": 64,
        "eos_token_id": 1,
        "bos_token_id": 1,
    },
    "granite": {**SIZE, "num_key_value_heads": 2, "logits_scaling": 3.0},
}


def build(name, **changes):
    options = FAMILIES[name] | changes
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **options)).eval()
    for p in model.parameters():
        # Zeros and ones, as networks start with, would hide mistakes.
        p.data += 0.05 * torch.randn_like(p)
    return model


def padded(lengths, starts, vocabulary=211, seed=1):
    """A padded batch of random examples; `starts` is where the supervised part begins."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, vocabulary, (len(lengths), max(lengths)), generator=generator)
    labels = torch.full_like(ids, -100)
    for row, (length, start) in enumerate(zip(lengths, starts, strict=True)):
        ids[row, length:] = 0
        labels[row, start:length] = ids[row, start:length]
    keep = (labels[:, 1:] != -100).any(dim=0).nonzero()[:, 0] if starts else torch.zeros(1, dtype=torch.int64)
    return {"input_ids": ids, "keep": keep, "targets": labels[:, keep + 1]}


BATCH = padded([9, 14, 5], [4, 6, 2])
FILLER = {
    "input_ids": torch.ones(1, 2, dtype=torch.int64),
    "keep": torch.zeros(1, dtype=torch.int64),
    "targets": torch.full((1, 1), -100),
}


def step(model, batch):
    model.zero_grad()
    total, count = causal_lm_step(model, batch)
    (total / count.clamp(min=1)).backward()
    return (
        float(total.detach()),
        int(count),
        {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None},
    )


def distance(a, b):
    return float((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-30))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setitem(head.BUDGET, "cpu", 4 * 211)


@pytest.mark.parametrize("name", ["llama", "qwen2", "phi", "gpt2"])
def test_loss_and_gradients_are_those_of_the_logits(name, small_blocks):
    model = build(name)
    expected, count, gradients = step(model, BATCH)
    plain = ticket_nll(model, BATCH)
    assert prepare_head(model)
    got, again, fused = step(model, BATCH)
    assert (got, again) == (pytest.approx(expected, rel=1e-6), count)
    assert fused.keys() == gradients.keys() == dict(model.named_parameters()).keys()
    assert max(distance(fused[n], gradients[n]) for n in fused) < 1e-6
    nll, tokens, hits = ticket_nll(model, BATCH)
    assert nll.tolist() == pytest.approx(plain[0].tolist(), rel=1e-6)
    assert (tokens.tolist(), hits.tolist()) == (plain[1].tolist(), plain[2].tolist()) == ([5, 8, 3], hits.tolist())


def test_hits_count_argmax(small_blocks):
    model = build("llama")
    prepare_head(model)
    logits = model(input_ids=BATCH["input_ids"], use_cache=False).logits
    batch = BATCH | {"targets": torch.where(BATCH["targets"] == -100, -100, logits[:, BATCH["keep"]].argmax(-1))}
    batch["targets"][1, -1] = (batch["targets"][1, -1] + 1) % 211
    assert ticket_nll(model, batch)[2].tolist() == [5, 7, 3]


@pytest.mark.parametrize("bias", [False, True])
def test_fp32_is_within_1e_6_of_float64(bias, small_blocks):
    torch.manual_seed(2)
    hidden, weight, offset = torch.randn(333, 64), 0.3 * torch.randn(211, 64), torch.randn(211)
    targets = torch.randint(211, (333,))
    targets[::5] = -100
    leaves = [t.requires_grad_() for t in ([hidden, weight, offset] if bias else [hidden, weight])]
    total, nll, _ = nll_of(leaves[0], leaves[1], leaves[2] if bias else None, targets)
    (total / 7).backward()
    exact = [t.detach().double().requires_grad_() for t in leaves]
    reference = functional.cross_entropy(functional.linear(*exact), targets, reduction="sum")
    (reference / 7).backward()
    assert total.dtype == torch.float64
    assert float(total.detach()) == pytest.approx(float(reference.detach()), rel=1e-7)
    assert all(distance(a.grad, b.grad) < 1e-6 for a, b in zip(leaves, exact, strict=True))
    # What is masked takes no part at all.
    assert float(leaves[0].grad[::5].abs().max()) == 0.0 == float(nll[::5].abs().max())


def test_uniform_logits_give_log_of_the_vocabulary():
    model = build("qwen2")
    prepare_head(model)
    torch.nn.init.zeros_(model.lm_head.weight)
    total, count = causal_lm_step(model, BATCH)
    assert float(total.detach()) / int(count) == pytest.approx(math.log(211), rel=1e-7)
    assert ticket_nll(model, BATCH)[0].tolist() == pytest.approx([n * math.log(211) for n in (5, 8, 3)], rel=1e-7)


@pytest.mark.parametrize("fused", [True, False])
def test_filler_changes_no_bit_and_reaches_every_parameter(fused):
    model = build("llama")
    assert not fused or prepare_head(model)
    _, _, alone = step(model, BATCH)
    total, count = causal_lm_step(model, FILLER)
    total.backward()
    assert (float(total.detach()), int(count)) == (0.0, 0)
    assert all(torch.equal(p.grad, alone[name]) for name, p in model.named_parameters())
    _, _, zeros = step(model, FILLER)
    assert zeros.keys() == alone.keys()
    assert all(float(g.abs().max()) == 0.0 for g in zeros.values())


@pytest.mark.parametrize("how", ["autocast", "weights"])
def test_bf16_agrees_with_the_logits_and_keeps_its_sums_wide(how, small_blocks):
    model = build("qwen2")
    if how == "weights":
        model = model.bfloat16()
    context = torch.autocast("cpu", dtype=torch.bfloat16) if how == "autocast" else nullcontext()
    with context:
        expected, _, gradients = step(model, BATCH)
        assert prepare_head(model)
        got, _, fused = step(model, BATCH)
        total, nll, _, _ = loss.token_scores(model, BATCH)
    assert (total.dtype, nll.dtype) == (torch.float64, torch.float32)
    # The products are the same bf16 numbers; all that follows them is float32 on both paths.
    assert got == pytest.approx(expected, rel=1e-6)
    assert {n: g.dtype for n, g in fused.items()} == {n: g.dtype for n, g in gradients.items()}
    assert max(distance(fused[n], gradients[n]) for n in fused) < 0.02


class Largest(TorchDispatchMode):
    """The most numbers in any tensor with `columns` columns that an operation gave out, unless of one of the shapes `allowed`."""

    def __init__(self, columns, allowed):
        super().__init__()
        self.columns, self.allowed, self.numbers = columns, allowed, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if torch.is_tensor(t) and t.shape[-1:] == (self.columns,) and tuple(t.shape) not in self.allowed:
                self.numbers = max(self.numbers, t.numel())
        return out


def test_no_table_of_all_logits_is_made_forward_or_backward(monkeypatch):
    monkeypatch.setitem(head.BUDGET, "cpu", 3 * 211)
    batch = padded([40, 33], [2, 2])
    seen = {}
    for fused in (False, True):
        model = build("qwen2")
        assert not fused or prepare_head(model)
        with Largest(211, {(32, 211)}) as mode:
            step(model, batch)
        seen[fused] = mode.numbers
    assert seen == {False: 2 * 38 * 211, True: 3 * 211}


def test_a_model_that_changes_its_logits_takes_the_other_path():
    model = build("granite")
    assert not prepare_head(model)
    assert type(model.lm_head) is torch.nn.Linear
    logits = model(input_ids=BATCH["input_ids"], use_cache=False).logits[:, BATCH["keep"]]
    expected = functional.cross_entropy(logits.flatten(0, 1), BATCH["targets"].flatten(), reduction="sum")
    assert step(model, BATCH)[0] == pytest.approx(float(expected.detach()), rel=1e-6)


def test_without_preparation_nothing_is_changed():
    model = build("llama")
    assert not is_prepared(model)
    assert type(model.lm_head) is torch.nn.Linear


def test_the_head_s_weight_is_touched_in_its_own_forward_only():
    """Sharded training gathers a module's weights before its forward (and backward) and frees them after."""
    model = build("qwen2")
    expected = step(model, BATCH)
    model.zero_grad()
    assert prepare_head(model)
    weight, whole = model.lm_head.weight, model.lm_head.weight.data.clone()

    def gather(*args):
        weight.data = whole.clone()

    def free(*args):
        weight.data = torch.empty(0)

    free()
    model.lm_head.register_forward_pre_hook(gather)
    model.lm_head.register_forward_hook(free)
    model.lm_head.register_full_backward_pre_hook(gather)
    total = loss.token_scores(model, BATCH).total
    assert weight.numel() == 0
    (total / 16).backward()
    assert float(total.detach()) == pytest.approx(expected[0], rel=1e-6)
    assert distance(weight.grad, expected[2]["lm_head.weight"]) < 1e-6


class Wrapper(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


def test_wrappers_are_seen_through():
    model = build("llama")
    expected = step(model, BATCH)[0]
    assert prepare_head(Wrapper(Wrapper(model)))
    assert is_prepared(Wrapper(model))
    assert step(Wrapper(model), BATCH)[0] == pytest.approx(expected, rel=1e-6)


def lora(model, **options):
    torch.manual_seed(5)
    wrapped = get_peft_model(model, LoraConfig(r=2, init_lora_weights=False, **options))
    return wrapped.eval()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "options", [{"target_modules": ["q_proj"]}, {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}]
)
def test_lora_before_or_after(first, options):
    plain = lora(build("qwen2"), **options)
    expected = step(plain, BATCH)
    model = build("qwen2")
    if first:
        assert prepare_head(model)
    model = lora(model, **options)
    # modules_to_save hides the layer, so it can only be prepared before.
    assert prepare_head(model) == is_prepared(model) == (first or "modules_to_save" not in options)
    got = step(model, BATCH)
    assert got[0] == pytest.approx(expected[0], rel=1e-6)
    assert got[2].keys() == expected[2].keys()
    assert max(distance(got[2][n], expected[2][n]) for n in expected[2]) < 1e-6
    with plain.disable_adapter(), model.disable_adapter(), torch.no_grad():
        base = float(causal_lm_step(plain, BATCH)[0])
        assert float(causal_lm_step(model, BATCH)[0]) == pytest.approx(base, rel=1e-6) != expected[0]


def test_lora_on_the_head_itself_takes_the_other_path():
    options = {"target_modules": ["q_proj", "lm_head"]}
    expected = step(lora(build("qwen2"), **options), BATCH)
    model = build("qwen2")
    assert prepare_head(model)
    model = lora(model, **options)
    assert not is_prepared(model)
    assert not prepare_head(model)
    got = step(model, BATCH)
    assert got[0] == expected[0]
    assert all(torch.equal(got[2][n], expected[2][n]) for n in expected[2])


def test_names_copies_files_and_answers_stay_the_same(tmp_path):
    model = build("llama")
    names, ids = list(model.state_dict()), BATCH["input_ids"][:, :5]
    logits, answer = model(ids).logits, model.generate(ids, max_new_tokens=6, do_sample=False, pad_token_id=0)
    model.save_pretrained(tmp_path / "before")
    assert prepare_head(model)
    assert list(model.state_dict()) == names
    assert torch.equal(model(ids).logits, logits)
    assert torch.equal(model.generate(ids, max_new_tokens=6, do_sample=False, pad_token_id=0), answer)
    twin = copy.deepcopy(model)
    assert isinstance(twin.lm_head, NLLHead)
    twin.lm_head.weight.data.zero_()
    assert step(twin, BATCH)[0] == pytest.approx(16 * math.log(211), rel=1e-6) != step(model, BATCH)[0]
    model.save_pretrained(tmp_path / "after")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path / "after").lm_head) is torch.nn.Linear


def test_preparing_draws_no_random_numbers_and_keeps_the_mode():
    model = build("llama").train()
    state = torch.random.get_rng_state()
    assert prepare_head(model)
    assert prepare_head(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training


def test_a_second_backward_pass_is_refused():
    model = build("llama")
    prepare_head(model)
    total, _ = causal_lm_step(model, BATCH)
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass"):
        total.backward()
