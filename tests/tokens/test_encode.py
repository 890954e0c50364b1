"""What the model sees and what it learns, to the token."""

import numpy as np
import pytest
import torch

from rca_dist.errors import UserError
from rca_dist.tokens.encode import IGNORE, RCADataset
from rca_dist.tokens.prompt import PromptFormat, control_tokens, encode_plain


def test_learnt_text_is_answer_and_end_exactly(encode, adapter, table):
    data, rows = encode("test"), table.rows("test")
    for n in range(len(data)):
        item = data[n]
        learnt = item["input_ids"][item["labels"] != IGNORE]
        assert learnt[-1] == adapter.eos_id
        assert adapter.tokenizer.decode(learnt[:-1]) == rows["answer"][n]
        prompt = item["input_ids"][item["labels"] == IGNORE]
        assert adapter.tokenizer.decode(prompt) == f"Ticket:\n{rows['prompt'][n]}\n\nResolution:\n"
        assert np.array_equal(prompt, data.prompt_ids(n))
        assert data.counts[n] == len(learnt)


def test_items_are_guarded_like_a_list(encode):
    data = encode("test")
    assert data[-1]["ticket_id"] == data.ticket_ids[-1]
    with pytest.raises(IndexError):
        data[len(data)]


@pytest.mark.parametrize(
    "text", ["{ticket} {braces} %s $x", "a <|end|> b", "<|end|><|pad|>", "x<|end|><|end|>y", "<|en<|end|>d|>"]
)
def test_ticket_text_is_never_control(adapter, text):
    data = RCADataset.from_tickets(
        ["1"],
        [text],
        [text],
        adapter.tokenizer,
        eos_id=adapter.eos_id,
        pad_id=adapter.pad_id,
        template="T {ticket} R",
        max_length=400,
    )
    ids = data[0]["input_ids"]
    assert (ids == adapter.eos_id).sum() == 1
    assert ids[-1] == adapter.eos_id
    assert not (ids == adapter.pad_id).any()
    assert adapter.tokenizer.decode(ids[:-1]) == f"T {text} R{text}"


def test_every_control_token_is_known(adapter):
    assert set(control_tokens(adapter.tokenizer)) == {"<|end|>", "<|pad|>"}
    assert encode_plain(adapter.tokenizer, []) == []


def test_the_ticket_gives_way_first_and_every_cut_is_counted(adapter):
    long, answer = "word " * 500, "the fan was replaced"
    options = {"eos_id": adapter.eos_id, "pad_id": adapter.pad_id, "template": "Ticket: {ticket}\nAnswer: "}
    data = RCADataset.from_tickets(
        ["a", "b", "c"], [long, "short", "short"], [answer, answer, "very " * 300], adapter.tokenizer, max_length=64, **options
    )
    assert data.truncations == {"prompts": 2, "answers": 1}
    first = adapter.tokenizer.decode(data[0]["input_ids"])
    assert data.lengths.max() <= 64
    assert first.startswith("Ticket: word")
    assert first.endswith(f"\nAnswer: {answer}<|end|>")
    assert data[2]["input_ids"][-1] == adapter.eos_id
    assert "Answer: very" in adapter.tokenizer.decode(data[2]["input_ids"])


def test_an_evaluation_prompt_does_not_depend_on_its_answer(adapter):
    options = {"eos_id": adapter.eos_id, "pad_id": adapter.pad_id, "template": "T: {ticket}\nA: ", "max_length": 64}
    train = RCADataset.from_tickets(["a"], ["short"], ["nine words " * 4], adapter.tokenizer, **options)
    assert train.answer_room == train.counts[0]
    long = "word " * 300
    data = RCADataset.from_tickets(
        ["b", "c"],
        [long, long],
        ["yes", "very " * 90],
        adapter.tokenizer,
        answer_room=train.answer_room,
        context=600,
        **options,
    )
    assert data.prompt_ids(0).tolist() == data.prompt_ids(1).tolist()
    assert len(data.prompt_ids(0)) == 64 - train.answer_room
    assert data.truncations == {"prompts": 2, "answers": 0}
    assert data.lengths[1] > 64


def test_too_short_a_window_is_refused_with_the_number(adapter, encode):
    with pytest.raises(UserError, match=r"train\.max_length=16 is too short.*set it to"):
        encode("test", template="a long header " * 10 + "{ticket}", max_length=16)


def test_template_needs_its_marker_once():
    assert PromptFormat.from_template("a{ticket}b").text("{x}") == "a{x}b"
    for bad in ("none", "{ticket}{ticket}"):
        with pytest.raises(ValueError, match="exactly once"):
            PromptFormat.from_template(bad)


def test_padding_never_masks_eos(encode, adapter):
    data = encode("test", pad_id=adapter.eos_id)
    indices = np.argsort(data.lengths)[[0, -1]].tolist()
    batch = data.collate(indices)
    assert (batch["targets"] != IGNORE).sum(dim=1).tolist() == data.counts[indices].tolist()
    assert ((batch["targets"] == adapter.eos_id).sum(dim=1) == 1).all()


def test_collate_keeps_each_target_beside_its_position(encode):
    data = encode("test")
    batch = data.collate([0, 3, 5])
    for row, n in enumerate([0, 3, 5]):
        supervised = batch["targets"][row] != IGNORE
        assert batch["targets"][row][supervised].tolist() == data.answer_ids(n).tolist()
        first = int(batch["keep"][supervised.nonzero()[0]])
        assert first == len(data.prompt_ids(n)) - 1


def test_filler_has_no_weight(encode):
    batch = encode("test").collate([])
    assert batch["input_ids"].shape[0] == 1
    assert (batch["targets"] == IGNORE).all()


def test_cache_is_content_addressed_private_and_mended(encode, tmp_path, adapter):
    folder = tmp_path / "cache"
    first = encode("train", cache_dir=folder)
    (file,) = folder.glob("tokens-*")
    assert isinstance(first.encoded.ids, np.memmap)
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    stamp = file.stat().st_mtime_ns
    second = encode("train", cache_dir=folder)
    assert file.stat().st_mtime_ns == stamp
    assert np.array_equal(first.encoded.ids, second.encoded.ids)
    encode("train", cache_dir=folder, max_length=100)
    encode("train", cache_dir=folder, template="other {ticket} ")
    del second
    assert len(list(folder.glob("tokens-*"))) == 3
    expected = np.array(first.encoded.ids)
    for damage in (file.read_bytes()[:-50], b"", b"\xff" * 100):
        del first
        file.write_bytes(damage)
        first = encode("train", cache_dir=folder)
        assert np.array_equal(first.encoded.ids, expected)
    assert not list(folder.glob("*.tmp"))


def test_empty_split_is_a_dataset_of_none(adapter):
    data = RCADataset.from_tickets([], [], [], adapter.tokenizer, eos_id=1, pad_id=0, template="{ticket}", max_length=99)
    assert len(data) == 0
    assert data.truncations == {"prompts": 0, "answers": 0}


def test_bare_template_still_predicts_the_first_answer_token(adapter):
    data = RCADataset.from_tickets(
        ["a"], ["x"], ["yes"], adapter.tokenizer, eos_id=adapter.eos_id, pad_id=0, template="{ticket}", max_length=99
    )
    batch = data.collate([0])
    assert torch.equal(batch["targets"][0], torch.as_tensor(data.answer_ids(0)))
