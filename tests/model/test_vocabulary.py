"""Tokens that the network has no row for, and how long a text it can take."""

import logging

import family_zoo as zoo
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, Qwen2Tokenizer

from rca_dist.errors import UserError
from rca_dist.model import vocabulary
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.lora import LoraSettings
from rca_dist.model.loss import causal_lm_step, ticket_nll
from rca_dist.runtime.distributed import layout

END, ROWS = "<eos>", zoo.VOCABULARY
LORA = LoraSettings(r=2, alpha=4.0)
# Tied, untied, a head with a bias, a table of positions.
MODELS = ("llama-tied", "llama", "phi", "gpt2")


def folder(path, name="llama", words=(), special=(), pad=None):
    """A saved model of ROWS rows whose tokenizer has been given more tokens."""
    tokenizer = zoo.wrap(zoo.rules(), eos_token=END)
    assert len(tokenizer) == ROWS
    tokenizer.add_tokens(list(words))
    tokenizer.add_special_tokens({"extra_special_tokens": list(special)} if special else {})
    if pad:
        tokenizer.pad_token = pad
        tokenizer.add_special_tokens({"pad_token": pad})
    return zoo.save(path, zoo.network(*zoo.FAMILIES[name]), tokenizer)


@pytest.fixture
def lines(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("rca_dist"), "propagate", True)
    caplog.set_level(logging.INFO, logger="rca_dist")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "rca_dist.model.vocabulary"]


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_padding_token_alone_gets_no_row(tmp_path, lora, lines):
    place = folder(tmp_path, pad="<|pad|>")
    assert AutoTokenizer.from_pretrained(place).pad_token_id == ROWS
    adapter = HFModelAdapter.load(place, lora=lora)
    assert adapter.model.get_input_embeddings().num_embeddings == ROWS
    assert adapter.pad_id == adapter.tokenizer.pad_token_id == adapter.eos_id == 1
    plain = AutoModelForCausalLM.from_pretrained(place)
    assert torch.equal(plain.get_input_embeddings().weight, adapter.model.get_input_embeddings().weight)
    # Its text is text now.
    data = zoo.dataset(adapter, [("a <|pad|> b", "c")])
    assert data.encoded.ids.max() < ROWS
    assert "a <|pad|> b" in adapter.tokenizer.decode(data.prompt_ids(0))
    adapter.save(tmp_path / "again")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert max(tokenizer(["a", "a <|pad|> b"], padding=True)["input_ids"][0]) < ROWS
    assert lines() == []


@pytest.mark.parametrize("lora", [None, LORA])
def test_qwen2_s_own_padding_token(tmp_path, lora):
    # transformers gives this class <|endoftext|> for padding and unknown, whether the vocabulary has it or not.
    zoo.save(tmp_path, zoo.network(*zoo.FAMILIES["qwen2"]), zoo.wrap(zoo.rules(), eos_token=END))
    assert isinstance(loaded := AutoTokenizer.from_pretrained(tmp_path), Qwen2Tokenizer)
    assert loaded.pad_token_id == loaded.unk_token_id == ROWS
    for place in (str(tmp_path), str(tmp_path / "again")):
        adapter = HFModelAdapter.load(place, lora=lora if place == str(tmp_path) else None)
        assert adapter.model.get_input_embeddings().num_embeddings == ROWS
        assert (adapter.pad_id, adapter.eos_id) == (1, 1)
        assert max(adapter.tokenizer.get_vocab().values()) < ROWS
        data = zoo.dataset(adapter, [("a <|endoftext|> <eos> b", "c <|endoftext|> d <eos> e")])
        assert data.encoded.ids.max() < ROWS
        assert (data.encoded.ids == 1).sum() == 1
        if lora is None:
            adapter.save(tmp_path / "again")
        else:
            break


@pytest.mark.parametrize("name", MODELS)
def test_a_few_added_tokens_get_the_mean(tmp_path, name, lines):
    place = folder(tmp_path, name, words=["ServiceNow", "GLPI"], special=["<sep>"], pad="<|pad|>")
    state = torch.random.get_rng_state()
    adapter = HFModelAdapter.load(place)
    assert torch.equal(torch.random.get_rng_state(), state)
    (line,) = lines()
    assert "4 added tokens ('ServiceNow', 'GLPI'" in line
    old = AutoModelForCausalLM.from_pretrained(place)
    for get in ("get_input_embeddings", "get_output_embeddings"):
        before, after = getattr(old, get)(), getattr(adapter.model, get)()
        pairs = [(before.weight, after.weight)]
        if getattr(before, "bias", None) is not None:
            pairs.append((before.bias, after.bias))
        for a, b in pairs:
            assert b.shape[0] == ROWS + 4
            assert torch.equal(a, b[:ROWS])
            torch.testing.assert_close(b[ROWS:], a.mean(dim=0).expand_as(b[ROWS:]))
            assert b.requires_grad
    tied = adapter.model.get_input_embeddings().weight is adapter.model.get_output_embeddings().weight
    assert tied == (name in ("llama-tied", "gpt2")) == adapter.model.config.tie_word_embeddings
    assert adapter.model.config.vocab_size == ROWS + 4
    assert adapter.pad_id == ROWS + 3
    again = HFModelAdapter.load(place)
    assert all(torch.equal(a, b) for a, b in zip(again.model.parameters(), adapter.model.parameters(), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_what_was_resized_learns_and_loads_with_plain_transformers(tmp_path, name, lines):
    place = folder(tmp_path, name, words=["ServiceNow"])
    adapter = HFModelAdapter.load(place)
    data = zoo.dataset(adapter, [("ServiceNow is down", "Restarted ServiceNow."), ("b", "c")])
    assert (data.encoded.ids == ROWS).sum() == 2
    batch = data.collate([0, 1])
    total, count = causal_lm_step(adapter.model, batch)
    (total / count).backward()
    assert float(adapter.model.get_input_embeddings().weight.grad[ROWS].abs().max()) > 0
    torch.optim.SGD(adapter.model.parameters(), lr=0.01).step()
    expected = ticket_nll(adapter.model.eval(), batch)[0].tolist()
    adapter.save(tmp_path / "again", {key: tensor.clone() for key, tensor in adapter.model.state_dict().items()})
    model, info = AutoModelForCausalLM.from_pretrained(tmp_path / "again", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.config.vocab_size == ROWS + 1
    assert ticket_nll(model.eval(), batch)[0].tolist() == pytest.approx(expected, rel=1e-6)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert max(tokenizer.get_vocab().values()) == ROWS
    # Loaded once more, nothing is in excess.
    said = len(lines())
    HFModelAdapter.load(str(tmp_path / "again"))
    assert len(lines()) == said == 1


@pytest.mark.parametrize("name", MODELS)
def test_a_rank_without_weights_has_the_same_layout(tmp_path, name):
    for n, options in enumerate([{"words": ["ServiceNow"]}, {"pad": "<|pad|>"}]):
        place = folder(tmp_path / str(n), name, **options)
        whole, empty = HFModelAdapter.load(place), HFModelAdapter.load(place, weights=False)
        assert layout(empty.model) == layout(whole.model)
        for key in ("pad_id", "eos_ids", "max_length"):
            assert getattr(empty, key) == getattr(whole, key)
        assert empty.tokenizer.get_vocab() == whole.tokenizer.get_vocab()
        tied = [a.get_input_embeddings().weight is a.get_output_embeddings().weight for a in (empty.model, whole.model)]
        assert tied[0] == tied[1]


def test_an_eos_in_excess_gets_a_row(tmp_path):
    tokenizer = zoo.wrap(zoo.rules(), eos_token="<|im_end|>", pad_token="<|im_end|>")
    adapter = HFModelAdapter.load(zoo.save(tmp_path, zoo.network(*zoo.FAMILIES["llama"]), tokenizer))
    assert adapter.eos_id == adapter.pad_id == ROWS
    assert adapter.model.get_input_embeddings().num_embeddings == ROWS + 1


def test_under_an_adapter_the_base_would_not_fit_any_more(tmp_path):
    place = folder(tmp_path, words=["ServiceNow"], pad="<|pad|>")
    for weights in (True, False):
        with pytest.raises(
            UserError, match=r"2 added tokens .*'ServiceNow'.*resize_token_embeddings\(402\).*folder.*--lora\.r=0"
        ):
            HFModelAdapter.load(place, lora=LORA, weights=weights)


@pytest.mark.parametrize("case", ["many", "other vocabulary"])
def test_a_tokenizer_of_another_model_is_refused(tmp_path, case):
    if case == "many":
        place = folder(tmp_path, words=[f"word{n}" for n in range(vocabulary.MAX_ADDED + 1)])
    else:
        tokenizer = zoo.wrap(zoo.rules(), eos_token=END)
        place = zoo.save(tmp_path, zoo.network(*zoo.FAMILIES["llama"], vocabulary=ROWS - 3), tokenizer)
    for weights in (True, False):
        with pytest.raises(UserError, match=r"ids up to \d+ but the model has \d+ embeddings; the two do not belong together"):
            HFModelAdapter.load(place, weights=weights)


def test_spare_rows_are_left_alone(tmp_path):
    tokenizer = zoo.wrap(zoo.rules(), eos_token=END)
    adapter = HFModelAdapter.load(zoo.save(tmp_path, zoo.network(*zoo.FAMILIES["llama"], vocabulary=448), tokenizer))
    assert adapter.model.get_input_embeddings().num_embeddings == adapter.model.config.vocab_size == 448


NESTED = {"text_config": {"max_position_embeddings": 77}}
WINDOWS = {
    "llama": ({"max_position_embeddings": 50}, 50),
    "gpt2": ({"n_positions": 51}, 51),
    "gpt_neox": ({"max_position_embeddings": 52}, 52),
    "codegen": ({"n_positions": 53, "n_ctx": 53}, 53),
    "opt": ({"max_position_embeddings": 54}, 54),
    "mpt": ({"max_seq_len": 55}, 55),
    "bloom": ({}, vocabulary.NO_LIMIT),
    "mamba": ({}, vocabulary.NO_LIMIT),
    "gemma3": (NESTED, 77),
    "qwen2": ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0,
                                                                     "original_max_position_embeddings": 1024}}, 4096),
    "phi3": ({"max_position_embeddings": 4096, "original_max_position_embeddings": 256,
              "rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 48,
                                  "long_factor": [2.0] * 48}}, 256),
}  # fmt: skip


@pytest.mark.parametrize("kind", WINDOWS)
def test_the_window_stands_in_the_config(kind):
    options, expected = WINDOWS[kind]
    model = torch.nn.Module()
    model.config = AutoConfig.for_model(kind, **options)
    tokenizer = zoo.wrap(zoo.rules(), eos_token=END)
    assert tokenizer.model_max_length > 1e6
    assert vocabulary.window(model, tokenizer) == expected
    tokenizer.model_max_length = 40
    assert vocabulary.window(model, tokenizer) == 40


@pytest.mark.parametrize("name", ["gpt2", "opt", "mpt", "gpt-neo"])
def test_the_last_position_of_the_window_can_be_used(name, tmp_path):
    kind, options = (zoo.FAMILIES | zoo.LESS_COMMON)[name]
    key = {"gpt2": "n_positions", "mpt": "max_seq_len"}.get(name, "max_position_embeddings")
    network = zoo.network(kind, options | {key: 40})
    adapter = HFModelAdapter.load(zoo.save(tmp_path, network, zoo.wrap(zoo.rules(), eos_token=END)))
    assert adapter.max_length == 40
    data = zoo.dataset(adapter, context=adapter.max_length)
    assert data.lengths.max() == 40
    assert data.truncations["prompts"] > 0
    rows = list(range(len(data)))
    lone = [float(ticket_nll(adapter.model.eval(), data.collate([n]))[0]) for n in rows]
    assert ticket_nll(adapter.model, data.collate(rows))[0].tolist() == pytest.approx(lone, rel=1e-6)
    prompt = data.prompt_ids(0).tolist()
    room = 40 - len(prompt)
    assert 0 < len(adapter.generate(adapter.model, [prompt, prompt[:5]], max_new_tokens=room)[0]) <= room


def test_a_longrope_model_s_losses_do_not_depend_on_their_company(tmp_path):
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    kind, options = zoo.FAMILIES["phi3"]
    options = options | {"original_max_position_embeddings": 50, "max_position_embeddings": 256, "rope_parameters": rope}
    adapter = HFModelAdapter.load(zoo.save(tmp_path, zoo.network(kind, options), zoo.wrap(zoo.rules(), eos_token=END)))
    data = zoo.dataset(adapter)
    assert data.lengths.max() == adapter.max_length == 50
    rows = list(range(len(data)))
    lone = [float(ticket_nll(adapter.model.eval(), data.collate([n]))[0]) for n in rows]
    assert ticket_nll(adapter.model, data.collate(rows))[0].tolist() == pytest.approx(lone, rel=1e-6)
