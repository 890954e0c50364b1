"""Label smoothing, noise on embeddings, compiled blocks: closed forms, and nothing changes where they are off."""

import functools
import shutil

import pytest
import torch
from test_head import build, padded
from torch.nn import functional

from rca_dist.errors import UserError
from rca_dist.model import extras, packing
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.head import nll_of, prepare_head
from rca_dist.model.loss import causal_lm_step, ticket_nll
from rca_dist.tokens.collate import collate_packed


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("bias", [True, False])
def test_smoothed_loss_and_gradients_are_those_of_the_formula(smoothing, bias, monkeypatch):
    from rca_dist.model import head

    monkeypatch.setitem(head.BUDGET, "cpu", 3 * 17)  # several blocks
    torch.manual_seed(0)
    leaves = [
        torch.randn(8, 5, dtype=torch.float64),
        torch.randn(17, 5, dtype=torch.float64),
        torch.randn(17, dtype=torch.float64),
    ]
    targets = torch.tensor([3, -100, 0, 16, 5, 5, -100, 1])
    results = []
    for ours in (True, False):
        hidden, weight, add = (leaf.clone().requires_grad_() for leaf in leaves)
        if ours:
            total = nll_of(hidden, weight, add if bias else None, targets, smoothing=smoothing)[0]
        else:
            logits = hidden @ weight.T + (add if bias else 0)
            total = functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum", label_smoothing=smoothing)
        (2.5 * total).backward()
        results.append([total.detach(), hidden.grad, weight.grad, *([add.grad] if bias else [])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["llama", "granite"])
def test_both_paths_smooth_alike_and_scoring_never_does(name):
    model, batch = build(name), padded([9, 6], [3, 4])
    plain = causal_lm_step(model, batch, label_smoothing=0.2)[0]
    prepare_head(model)
    assert float(causal_lm_step(model, batch, label_smoothing=0.2)[0]) == pytest.approx(float(plain), rel=1e-6)
    assert float(causal_lm_step(model, batch)[0]) < float(plain)
    assert float(ticket_nll(model, batch)[0].sum()) == pytest.approx(float(causal_lm_step(model, batch)[0]), rel=1e-6)


def embeddings_seen(model, batch):
    """What the embedding layer hands on."""
    seen = []
    handle = model.get_input_embeddings().register_forward_hook(lambda m, i, output: seen.append(output.detach()))
    causal_lm_step(model, batch)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("packed", [False, True])
def test_noise_is_bounded_by_each_example_s_length_and_only_in_training(packed):
    alpha = 5.0
    rows = [torch.randint(1, 200, (n,)).numpy() for n in (4, 40)]
    model = build("llama")
    if packed:
        packing.enable(model)
        batch, lengths = collate_packed(rows, [2, 20]), torch.tensor([4.0] * 4 + [40.0] * 40)[None, :, None]
    else:
        batch, lengths = padded([40, 4], [20, 2]), torch.tensor(40.0)
    clean = embeddings_seen(model, batch)
    extras.add_embedding_noise(model, alpha)
    model.eval()
    assert torch.equal(embeddings_seen(model, batch), clean)
    model.train()
    noise = embeddings_seen(model, batch) - clean
    bound = alpha / (lengths * clean.shape[-1]) ** 0.5
    assert (noise.abs() <= bound + 1e-6).all()
    # Uniform: the standard deviation is the bound over the root of three.
    assert float((noise / bound).std()) == pytest.approx(3**-0.5, rel=0.05)
    assert not torch.equal(embeddings_seen(model, batch) - clean, noise)


def test_noise_in_fp16_is_that_of_fp32():
    # Length times width is beyond what fp16 can say.
    rows = [torch.randint(1, 200, (n,)).numpy() for n in (3000, 100)]
    largest = []
    for dtype in (torch.float32, torch.float16):
        model = build("llama")
        packing.enable(model)
        model.get_input_embeddings().to(dtype)
        extras.add_embedding_noise(model, 5.0)
        model.train()
        inputs = packing.model_inputs(collate_packed(rows, [2, 2]))
        with packing.packed_rows(inputs):
            noisy = model.get_input_embeddings()(inputs["input_ids"])
        largest.append(float((noisy - model.get_input_embeddings().weight[inputs["input_ids"]]).abs().max()))
    assert largest[1] == pytest.approx(largest[0], rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif(not any(shutil.which(name) for name in ("g++", "c++", "clang++")), reason="no C++ compiler here")
@pytest.mark.parametrize("packed", [True, False])
def test_compiling_and_recomputing_go_together(packed):
    """Both must happen: fewer numbers kept, blocks compiled, the same gradient."""
    rows = [torch.randint(3, 200, (n,)).numpy() for n in (12, 30, 7)]
    batch = collate_packed(rows, [4, 4, 4]) if packed else padded([12, 30, 7], [4, 4, 4])
    kept, gradients = [], []
    for compiled, recompute in ((False, False), (False, True), (True, True)):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        adapter = HFModelAdapter.load("builtin:tiny", texts=["the printer is down"], gradient_checkpointing=recompute)
        prepare_head(adapter.model)
        packing.enable(adapter.model)
        if compiled:
            extras.compile_blocks(adapter.model)
        adapter.model.train()
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            loss = adapter.step(adapter.model, batch)[0]
        loss.backward()
        kept.append(sum(sizes))
        gradients.append(torch.cat([p.grad.flatten() for p in adapter.model.parameters()]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert kept[1] < kept[0] / 2
    assert kept[2] < kept[0] / 2
    assert float((gradients[2] - gradients[0]).norm() / gradients[0].norm()) < 1e-5


@pytest.mark.slow
@pytest.mark.skipif(not any(shutil.which(name) for name in ("g++", "c++", "clang++")), reason="no C++ compiler here")
def test_compiled_blocks_give_the_same_loss_and_gradients():
    results, batches = [], []
    for lengths in ([12, 30, 7], [40, 9], [21]):
        rows = [torch.randint(3, 200, (n,)).numpy() for n in lengths]
        batches.append(collate_packed(rows, [4] * len(rows)))
    for compiled in (False, True):
        adapter = HFModelAdapter.load("builtin:tiny", texts=["the printer is down"])
        prepare_head(adapter.model)
        packing.enable(adapter.model)
        if compiled:
            assert extras.compile_blocks(adapter.model) == 4
        losses = []
        for batch in batches:
            loss = adapter.step(adapter.model, batch)[0]
            loss.backward()
            losses.append(float(loss.detach()))
        gradient = torch.cat([p.grad.flatten() for p in adapter.model.parameters()])
        adapter.model.eval()
        results.append((losses, gradient, adapter.generate(adapter.model, [[5, 6, 7], [8]], max_new_tokens=6)))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert results[1][0] == pytest.approx(results[0][0], rel=1e-6)
    assert float((results[1][1] - results[0][1]).norm() / results[0][1].norm()) < 1e-5
    assert results[1][2] == results[0][2]


def test_a_network_without_named_blocks_cannot_be_compiled():
    model = build("llama")
    type(model)._no_split_modules, kept = None, type(model)._no_split_modules
    model._no_split_modules = None
    try:
        with pytest.raises(UserError, match="torch_compile=true: LlamaForCausalLM does not say"):
            extras.compile_blocks(model)
    finally:
        type(model)._no_split_modules = kept


def test_the_adapter_s_step_takes_the_smoothing():
    adapter = HFModelAdapter.load("builtin:tiny", texts=["a b c"])
    step = functools.partial(adapter.step, label_smoothing=0.3)
    batch = padded([9, 6], [3, 4])
    assert float(step(adapter.model, batch)[0]) != pytest.approx(float(adapter.step(adapter.model, batch)[0]), rel=1e-4)
