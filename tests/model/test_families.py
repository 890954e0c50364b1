"""Families of models, tiny and random, through our whole path, against plain transformers one ticket at a time in float64."""

import family_zoo as zoo
import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from rca_dist.errors import UserError
from rca_dist.model import packing
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.head import prepare_head
from rca_dist.model.lora import LoraSettings, trainable_state
from rca_dist.model.loss import causal_lm_step, ticket_nll

# What cannot be packed says so, and these are all that say so: name -> part of the reason.
PADDED = {
    "gemma2": "'eager'",
    "falcon": "cannot be exchanged",
    "falcon-alibi": "cannot be exchanged",
    "stablelm": "borders",
    "gptj": "'eager'",
    "bloom": "'eager'",
    "mpt": "'eager'",
    "gpt-neo": "'eager'",
    "qwen3-5": "does not take packed rows",
    "mamba": "'eager'",
    "lfm2": "differently",
}
# Heads whose logits are changed after them, or wrapped.
LOGITS = ("gemma2", "granite", "cohere", "opt", "mamba")
ROWS = list(range(len(zoo.TICKETS)))
NEW = 10


class Family:
    """A saved model and what plain transformers says of it."""

    def __init__(self, name, folder):
        kind, options = (zoo.FAMILIES | zoo.LESS_COMMON)[name]
        self.name = name
        self.folder = zoo.save(folder, zoo.network(kind, options), zoo.wrap(zoo.rules(), eos_token="<eos>"))
        self.data = zoo.dataset(self.load())
        self.exact = plain(self.folder).double()
        self.nll = []
        total = int(self.data.counts.sum())
        for n in ROWS:
            loss = alone(self.exact, self.data[n])
            (loss / total).backward()
            self.nll.append(float(loss.detach()))
        self.gradients = {name: p.grad for name, p in self.exact.named_parameters() if p.grad is not None}

    def load(self, **options):
        adapter = HFModelAdapter.load(self.folder, **options)
        adapter.model.eval()
        return adapter

    def ways(self):
        """(name, model, batch) of every way to compute: padded and packed, from logits and from the head."""
        for head in (False, True):
            model = self.load().model
            if head:
                assert prepare_head(model) == (self.name not in LOGITS)
            yield f"padded, head {head}", model, self.data.collate(ROWS)
            if packing.support(model, torch.device("cpu")) is None:
                packing.enable(model)
                yield f"packed, head {head}", model, self.data.collate(ROWS, packed=True)


def plain(folder):
    # Experts in one product of many matrices are not there in float64.
    return AutoModelForCausalLM.from_pretrained(folder, experts_implementation="eager").eval()


def alone(model, item):
    ids, labels = torch.as_tensor(item["input_ids"])[None], torch.as_tensor(item["labels"])
    logits = model(input_ids=ids, use_cache=False).logits[0].double()
    return functional.cross_entropy(logits[:-1], labels[1:], ignore_index=-100, reduction="sum")


def greedy(model, prompt, ends):
    """Greedy continuation by whole forward passes, without a cache."""
    ids = torch.as_tensor(prompt)[None]
    with torch.no_grad():
        for _ in range(NEW):
            best = int(model(input_ids=ids, use_cache=False).logits[0, -1].argmax())
            if best in ends:
                break
            ids = torch.cat([ids, torch.tensor([[best]])], dim=1)
    return ids[0, len(prompt) :].tolist()


MARKED = [*zoo.FAMILIES, *(pytest.param(name, marks=pytest.mark.slow) for name in zoo.LESS_COMMON)]


@pytest.fixture(scope="module", params=MARKED)
def family(request, tmp_path_factory):
    return Family(request.param, tmp_path_factory.mktemp("family"))


def test_every_ticket_s_loss_is_its_lone_loss(family):
    seen = []
    for name, model, batch in family.ways():
        nll, tokens, _ = ticket_nll(model, batch)
        assert nll.tolist() == pytest.approx(family.nll, rel=1e-6), name
        assert tokens.tolist() == family.data.counts.tolist(), name
        seen.append(name)
    assert len(seen) == (2 if family.name in PADDED else 4)
    reason = packing.support(family.load().model, torch.device("cpu"))
    assert PADDED[family.name] in reason if family.name in PADDED else reason is None


def test_the_first_gradient_is_that_of_lone_tickets(family):
    whole = torch.cat([g.flatten() for g in family.gradients.values()]).norm()
    for name, model, batch in family.ways():
        model.zero_grad()
        total, count = causal_lm_step(model, batch)
        (total / count).backward()
        found = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
        assert found.keys() == family.gradients.keys(), name
        for key, expected in family.gradients.items():
            # Biases of keys have no gradient but noise.
            distance = (found[key].double() - expected).norm() / expected.norm().clamp(min=1e-3 * whole)
            assert float(distance) < 1e-4, (name, key)


def test_batched_answers_are_lone_answers(family):
    adapter = family.load()
    prompts = [family.data.prompt_ids(n).tolist() for n in ROWS]
    expected = [greedy(family.exact, prompt, adapter.eos_ids) for prompt in prompts]
    assert len({token for row in expected for token in row}) > 3
    for enabled in (False, True):
        if enabled:
            prepare_head(adapter.model)
            if family.name not in PADDED:
                packing.enable(adapter.model)
        assert adapter.generate(adapter.model, prompts, max_new_tokens=NEW) == expected
        assert [adapter.generate(adapter.model, [p], max_new_tokens=NEW)[0] for p in prompts] == expected


def test_plain_transformers_reads_what_was_saved(family, tmp_path):
    adapter = family.load()
    prepare_head(adapter.model)
    if family.name not in PADDED:
        packing.enable(adapter.model)
    adapter.save(tmp_path, adapter.model.state_dict())
    model, tokenizer = plain(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with torch.no_grad():
        assert [float(alone(model, family.data[n])) for n in ROWS] == pytest.approx(family.nll, rel=1e-6)
    text = "VPN  drops\nat 12:30, l'écran <eos>"
    assert tokenizer(text)["input_ids"] == adapter.tokenizer(text)["input_ids"]
    again = HFModelAdapter.load(str(tmp_path))
    for key in ("eos_ids", "pad_id", "max_length"):
        assert getattr(again, key) == getattr(adapter, key)


def test_a_fresh_adapter_changes_nothing_and_reaches_the_loss(family):
    if family.name == "mamba":
        with pytest.raises(UserError, match=r"lora\.target_modules.*out_proj.*incompatible with Mamba"):
            family.load(lora=LoraSettings(r=2, alpha=4.0))
        return
    adapter = family.load(lora=LoraSettings(r=2, alpha=4.0))
    for head in (False, True):
        if head:
            assert prepare_head(adapter.model) == (family.name not in LOGITS)
        batch = family.data.collate(ROWS)
        assert ticket_nll(adapter.model, batch)[0].tolist() == pytest.approx(family.nll, rel=1e-6)
        adapter.model.zero_grad()
        causal_lm_step(adapter.model, batch)[0].backward()
        trained = {name: p for name, p in adapter.model.named_parameters() if ".lora_B." in name}
        assert trained
        assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in trained.values())
    assert trainable_state(adapter.model).keys() == {n for n, p in adapter.model.named_parameters() if ".lora_" in n}


@pytest.mark.parametrize("lora", [None, LoraSettings(r=2, alpha=4.0)])
def test_a_tower_for_images_is_left_alone(tmp_path, lora):
    kind, options = zoo.LESS_COMMON["gemma3-vision"]
    zoo.save(tmp_path, zoo.network(kind, options), zoo.wrap(zoo.rules(), eos_token="<eos>"))
    adapter = HFModelAdapter.load(str(tmp_path), lora=lora)
    trained = {name for name, p in adapter.model.named_parameters() if p.requires_grad}
    assert any("language_model" in name for name in trained)
    assert not any("vision" in name or "projector" in name for name in trained)
    total, _ = causal_lm_step(adapter.model.train(), zoo.dataset(adapter).collate(ROWS))
    total.backward()
    assert all(p.grad is not None for p in adapter.model.parameters() if p.requires_grad)
