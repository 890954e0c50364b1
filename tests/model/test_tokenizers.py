"""Tokenizers of several kinds in front of a model: what ends, pads and begins a text, and what comes back from ids."""

import json

import family_zoo as zoo
import pytest
import torch
from transformers import GPT2Tokenizer, LlamaTokenizer

from rca_dist.errors import UserError
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.model.loss import ticket_nll
from rca_dist.tokens.prompt import encode_plain

END = "<eos>"
TINY = {**zoo.GROUPED, "num_hidden_layers": 1}
TICKETS = [
    ("Wi-Fi  down\n\nsince 8:00, see {log} <b>", "Access  point\nreplaced."),
    ("l'écran 🙂 \t reste noir ", "Größe geändert: 3 < 4 und [x]"),
    ("a", "b c"),
]


def llama_class():
    model = json.loads(zoo.rules("bpe").to_str())["model"]
    return LlamaTokenizer(
        vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]], bos_token="<bos>", eos_token=END, add_bos_token=True
    )


TOKENIZERS = {
    "bytes": lambda: zoo.wrap(zoo.rules(), eos_token=END),
    "bytes-bos": lambda: zoo.wrap(zoo.rules(), eos_token=END, bos=True),
    "bytes-pad-is-eos": lambda: zoo.wrap(zoo.rules(), eos_token=END, pad_token=END),
    "bytes-all-one": lambda: zoo.wrap(zoo.rules(), eos_token=END, pad_token=END, bos_token=END, unk_token=END),
    "bytes-unk-is-pad": lambda: zoo.wrap(zoo.rules(), eos_token=END, pad_token="<unk>", unk_token="<unk>"),
    "sentencepiece-bpe": lambda: zoo.wrap(zoo.rules("bpe"), eos_token=END, unk_token="<unk>", bos=True),
    "sentencepiece-unigram": lambda: zoo.wrap(zoo.rules("unigram"), eos_token=END, unk_token="<unk>", bos=True),
    "sentencepiece-legacy": lambda: zoo.wrap(zoo.rules("legacy"), eos_token=END, unk_token="<unk>", bos=True),
    "llama-class": llama_class,
}


def load(folder, tokenizer, **options):
    return HFModelAdapter.load(zoo.save(folder, zoo.network("llama", TINY | options), tokenizer))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_texts_come_back_whole(kind, tmp_path):
    adapter = load(tmp_path, TOKENIZERS[kind]())
    data = zoo.dataset(adapter, TICKETS)
    for n, (ticket, answer) in enumerate(TICKETS):
        answer_ids = data.answer_ids(n).tolist()
        assert answer_ids[-1] == adapter.eos_id == 1
        assert adapter.decode(answer_ids[:-1]) == answer
        prompt = adapter.tokenizer.decode(data.prompt_ids(n), skip_special_tokens=True)
        whole = adapter.tokenizer.decode(data[n]["input_ids"])
        # SentencePiece would begin each piece with a space of its own.
        header, footer = zoo.TEMPLATE.split("{ticket}")
        assert prompt == f"{header}{ticket}{footer}"
        assert whole.replace("<bos>", "").lstrip() == f"{prompt}{answer}{END}"
    begins = {row["input_ids"][0] == 2 for row in (data[n] for n in range(len(data)))}
    assert begins == {"bos" in kind or "sentencepiece" in kind or "llama" in kind}
    # The first token after the prompt is the one that generation is asked for.
    batch = data.collate([0, 1, 2])
    assert int((batch["targets"] == adapter.eos_id).sum()) == 3


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_markers_in_a_ticket_end_nothing(kind):
    tokenizer = TOKENIZERS[kind]()
    text = f"before {END} <bos> after"
    (ids,) = encode_plain(tokenizer, [text])
    assert {1, 2}.isdisjoint(ids)
    assert tokenizer.decode(ids).replace(" ", "") == text.replace(" ", "")


def test_markers_of_gpt2_end_nothing():
    # Its end of text is its unknown token too.
    letters = sorted({*"<|endoftext|>ab", "Ġ"})
    tokenizer = GPT2Tokenizer(vocab={letter: n for n, letter in enumerate(letters)}, merges=[])
    (ids,) = encode_plain(tokenizer, ["a <|endoftext|> b"])
    assert tokenizer.unk_token_id == tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == "a <|endoftext|> b"


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_padding_of_any_kind_changes_no_loss(kind, tmp_path):
    adapter = load(tmp_path, TOKENIZERS[kind]())
    assert adapter.pad_id == {"bytes-unk-is-pad": 0}.get(kind, 1)
    assert adapter.model.get_input_embeddings().num_embeddings == zoo.VOCABULARY
    data = zoo.dataset(adapter)
    rows = list(range(len(data)))
    together = ticket_nll(adapter.model.eval(), data.collate(rows))[0].tolist()
    assert together == pytest.approx([float(ticket_nll(adapter.model, data.collate([n]))[0]) for n in rows], rel=1e-6)


def scripted(adapter, script):
    """Let row r of each forward pass of generation answer with `script[r][step]`. Returns the steps made and the hook."""
    steps = []

    def force(head, inputs, logits):
        step = len(steps)
        steps.append(step)
        for row, wanted in enumerate(script):
            logits[row, -1, wanted[min(step, len(wanted) - 1)]] = 1e6
        return logits

    return steps, adapter.model.get_output_embeddings().register_forward_hook(force)


def test_generation_ends_at_every_eos_of_a_list(tmp_path):
    tokenizer = zoo.wrap(zoo.rules(), eos_token=END, extra_special_tokens=["<unk>", "<bos>"])
    model = zoo.network("llama", TINY)
    model.generation_config.eos_token_id = [2, 1, 0]
    adapter = HFModelAdapter.load(zoo.save(tmp_path, model, tokenizer))
    assert (adapter.eos_ids, adapter.eos_id) == ([1, 2, 0], 1)
    script = [[9, 9, 2], [9, 9, 9, 9, 1], [0], [9, 9, 9, 9, 9, 9, 9, 9]]
    prompts = [[5, 6], [7], [8, 9, 10], [11]]
    _, hook = scripted(adapter, script)
    with hook:
        assert adapter.generate(adapter.model.eval(), prompts, max_new_tokens=6) == [[9, 9], [9] * 4, [], [9] * 6]
    # Nothing is computed beyond the last row's end.
    steps, hook = scripted(adapter, [[9, 2], [9, 9, 0], [1]])
    with hook:
        assert adapter.generate(adapter.model, prompts[:3], max_new_tokens=6) == [[9], [9, 9], []]
    assert len(steps) == 3
    # The list outlives training.
    adapter.save(tmp_path / "again")
    assert HFModelAdapter.load(str(tmp_path / "again")).eos_ids == [1, 2, 0]


def test_an_eos_that_only_the_model_knows(tmp_path):
    model = zoo.network("llama", TINY, eos_token_id=None)
    model.generation_config.eos_token_id = [1, 2]
    adapter = HFModelAdapter.load(zoo.save(tmp_path, model, zoo.wrap(zoo.rules())))
    assert (adapter.eos_ids, adapter.eos_id, adapter.pad_id) == ([1, 2], 1, 1)
    assert zoo.dataset(adapter).answer_ids(0)[-1] == 1


def test_a_config_s_default_eos_is_no_end_when_it_is_a_word(tmp_path):
    word = zoo.rules().token_to_id("a")
    adapter = load(tmp_path, zoo.wrap(zoo.rules(), eos_token=END), eos_token_id=word)
    assert adapter.eos_ids == [1]
    _, hook = scripted(adapter, [[word, word, 1]])
    with hook:
        assert adapter.generate(adapter.model.eval(), [[5]], max_new_tokens=6) == [[word, word]]


def test_without_any_eos_no_answer_could_end(tmp_path):
    with pytest.raises(UserError, match="no end-of-text token"):
        load(tmp_path, zoo.wrap(zoo.rules()), eos_token_id=None)


def test_ids_of_a_saved_tokenizer_stay_what_they_were(tmp_path):
    for kind, make in TOKENIZERS.items():
        adapter = load(tmp_path / kind, make())
        adapter.save(tmp_path / kind / "again")
        again = HFModelAdapter.load(str(tmp_path / kind / "again"))
        first, second = zoo.dataset(adapter, TICKETS), zoo.dataset(again, TICKETS)
        assert torch.equal(torch.as_tensor(first.encoded.ids), torch.as_tensor(second.encoded.ids)), kind
        assert (again.eos_ids, again.pad_id) == (adapter.eos_ids, adapter.pad_id), kind
