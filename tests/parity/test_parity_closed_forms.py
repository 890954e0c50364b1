"""What must hold exactly, without any reference: filler, masks, fresh adapters, frozen weights. And that the suite can fail."""

import math

import pytest
import torch
from parity_cells import CLIP, Cell, build_trainer, evaluator, load_adapter, run_cell
from parity_compare import deviations
from parity_groups import exact, excesses
from parity_models import LORA, MODELS, SCENARIOS, VOCABULARY, dataset, save_models

PACKED = pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    save_models(path)
    return path


def ready(folder, model, packed, distributed):
    """An adapter whose model a Trainer has prepared, and its examples."""
    adapter, data = load_adapter(folder, model, False, packed), dataset("uneven")
    build_trainer(adapter, Cell(model, False, "uneven", packed, "large"), data, distributed)
    return adapter, data


def gradients(adapter, batches):
    adapter.model.train()
    adapter.model.zero_grad(set_to_none=True)
    for batch in batches:
        loss, _ = adapter.step(adapter.model, batch)
        (loss / 7).backward()
    return {name: p.grad.clone() for name, p in adapter.model.named_parameters() if p.grad is not None}


@PACKED
@pytest.mark.parametrize("model", MODELS)
def test_filler_changes_no_bit_of_the_gradient(model, packed, folder, distributed):
    adapter, data = ready(folder, model, packed, distributed)
    batches = [data.collate(rows, packed=packed) for rows in ([0, 3, 5], [8, 2])]
    plain = gradients(adapter, batches)
    filler = data.collate([], packed=packed)
    filled = gradients(adapter, [filler, batches[0], filler, batches[1], filler])
    assert plain.keys() == filled.keys()
    assert all(torch.equal(plain[name], filled[name]) for name in plain)
    loss, count = adapter.step(adapter.model, filler)
    assert (float(loss.detach()), int(count)) == (0.0, 0)
    alone = gradients(adapter, [filler])
    assert alone.keys() == plain.keys(), "a loss without a graph would leave the other ranks waiting"
    assert all(not grad.any() for grad in alone.values())


@PACKED
@pytest.mark.parametrize("model", MODELS)
def test_masked_tokens_get_no_gradient(model, packed, folder, distributed):
    adapter, data = ready(folder, model, packed, distributed)
    norm = adapter.model.transformer.ln_f if model == "gpt2" else adapter.model.model.norm
    kept = []

    def keep(module, args, output):
        output.retain_grad()
        kept.append(output)

    norm.register_forward_hook(keep)
    rows = [3, 9, 1]
    gradients(adapter, [data.collate(rows, packed=packed)])
    grad = kept[0].grad.abs().sum(dim=-1)
    if packed:
        grad = torch.nn.utils.rnn.pad_sequence(grad[0].split([int(data.lengths[n]) for n in rows]), batch_first=True)
    expected = torch.zeros_like(grad, dtype=torch.bool)
    for row, n in enumerate(rows):
        # The token at p is predicted at p - 1.
        expected[row, SCENARIOS["uneven"].prompts[n] - 1 : data.lengths[n] - 1] = True
    assert torch.equal(grad > 0, expected)


@PACKED
@pytest.mark.parametrize("model", MODELS)
def test_uniform_logits_give_log_v(model, packed, folder, distributed):
    adapter, data = ready(folder, model, packed, distributed)
    with torch.no_grad():
        adapter.model.get_output_embeddings().weight.zero_()
    loss, count = adapter.step(adapter.model, data.collate([1, 2, 3], packed=packed))
    assert float(loss.detach() / count) == pytest.approx(math.log(VOCABULARY), rel=1e-7)


@pytest.mark.parametrize("model", MODELS)
def test_a_fresh_adapter_changes_nothing(model, folder, distributed):
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.lora import LoraSettings

    data, losses = dataset("uneven"), []
    for lora in (None, LoraSettings(r=LORA["r"], alpha=LORA["alpha"])):
        adapter = HFModelAdapter.load(str(folder / model), lora=lora)
        losses.append(evaluator(adapter, data, distributed).loss("train"))
    assert losses[0] == losses[1]


@pytest.fixture(scope="module")
def cell():
    return Cell("llama", True, "idle", False, "small", CLIP)


def judged(cell, folder, tmp_path, distributed, **changes):
    result = run_cell(cell, distributed, folder, tmp_path, **changes)
    return excesses({cell: deviations(cell, folder, tmp_path, [result], exact(folder, *cell.reference))})


def test_frozen_weights_stay_and_the_cell_passes(cell, folder, tmp_path, distributed):
    assert judged(cell, folder, tmp_path, distributed) == []


def test_a_loss_off_by_five_millionths_is_noticed(cell, folder, tmp_path, distributed):
    def step(model, batch):
        from rca_dist.model.loss import causal_lm_step

        loss, count = causal_lm_step(model, batch)
        return loss * (1 + 5e-6), count

    assert any(": losses " in line for line in judged(cell, folder, tmp_path, distributed, step=step))


def test_a_mean_of_means_is_noticed(cell, folder, tmp_path, distributed):
    def step(model, batch):
        from rca_dist.model.loss import causal_lm_step

        loss, count = causal_lm_step(model, batch)
        return loss / count.clamp(min=1) * 5, count

    lines = judged(cell, folder, tmp_path, distributed, step=step)
    assert all(any(f": {kind} " in line for line in lines) for kind in ("losses", "gradient", "norms", "weights"))


def test_a_changed_frozen_weight_is_noticed(cell, folder, tmp_path, distributed):
    def touch(trainer):
        frozen = next(p for p in trainer.model.parameters() if not p.requires_grad)
        frozen.data[0, 0] += 1e-6

    with pytest.raises(AssertionError, match="frozen weights changed"):
        judged(cell, folder, tmp_path, distributed, at_end=touch)
