"""Packed and padded micro-batches say the same, and packed examples stay apart."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rca_dist.tokens.cache import Encoded
from rca_dist.tokens.encode import IGNORE, RCADataset

PAD, EOS = 0, 1
# Prompt and answer lengths; ids may equal those of padding and EOS.
shapes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8)


def dataset(shapes, seed=0, pad=PAD):
    ids = np.random.default_rng(seed).integers(0, 12, size=sum(a + b for a, b in shapes)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum([a + b for a, b in shapes])]).astype(np.int64)
    prompts = np.array([a for a, _ in shapes], dtype=np.int32)
    encoded = Encoded(ids, offsets, prompts, np.zeros((len(shapes), 2), dtype=bool), 9)
    return RCADataset(encoded, [str(n) for n in range(len(shapes))], eos_id=EOS, pad_id=pad)


def read_padded(batch):
    """Per row: (position, id at it, target) of each supervised token."""
    out = []
    for ids, targets in zip(batch["input_ids"], batch["targets"], strict=True):
        rows = zip(batch["keep"].tolist(), targets.tolist(), strict=True)
        out.append([(p, int(ids[p]), t) for p, t in rows if t != IGNORE])
    return out


def read_packed(batch):
    out = [[] for _ in range(len(batch["cu_seqlens"]) - 1)]
    for p, t, row in zip(batch["keep"].tolist(), batch["targets"][0].tolist(), batch["rows"].tolist(), strict=True):
        if t != IGNORE:
            out[row].append((int(batch["position_ids"][0, p]), int(batch["input_ids"][0, p]), t))
    return out


@settings(max_examples=150, deadline=None)
@given(shapes, st.integers(0, 9))
def test_packed_and_padded_hold_the_same_examples(shapes, seed):
    data = dataset(shapes, seed)
    order = np.random.default_rng(seed).permutation(len(shapes)).tolist()
    padded, packed = data.collate(order), data.collate(order, packed=True)
    assert read_packed(packed) == read_padded(padded)
    assert [len(rows) for rows in read_packed(packed)] == data.counts[order].tolist()
    borders = packed["cu_seqlens"].tolist()
    for row, n in enumerate(order):
        own = slice(borders[row], borders[row + 1])
        assert packed["input_ids"][0, own].tolist() == data[n]["input_ids"].tolist()
        assert packed["position_ids"][0, own].tolist() == list(range(data.lengths[n]))


@settings(max_examples=100, deadline=None)
@given(shapes)
def test_packed_rows_have_no_padding_and_keep_crosses_no_border(shapes):
    data = dataset(shapes)
    batch = data.collate(range(len(shapes)), packed=True)
    total = int(data.lengths.sum())
    assert batch["input_ids"].shape == batch["position_ids"].shape == (1, total)
    borders = batch["cu_seqlens"]
    assert (borders[0], borders[-1], borders.dtype) == (0, total, torch.int32)
    assert torch.equal(borders.diff(), torch.as_tensor(data.lengths, dtype=torch.int32))
    assert batch["max_seqlen"] == data.lengths.max()
    assert type(batch["max_seqlen"]) is int
    keep, rows = batch["keep"], batch["rows"]
    assert (borders[rows] <= keep).all()
    assert (keep + 1 < borders[rows + 1]).all()
    assert torch.equal(batch["input_ids"][0, keep + 1], batch["targets"][0])
    assert (keep.diff() > 0).all()
    assert {batch[name].dtype for name in ("input_ids", "position_ids", "keep", "targets", "rows")} == {torch.int64}


def test_smallest_examples():
    # Prompt of one token, answer of one token: one pair, predicted from the first position.
    data = dataset([(1, 1), (1, 3), (4, 1)])
    batch = data.collate([0, 1, 2], packed=True)
    assert batch["keep"].tolist() == [0, 2, 3, 4, 9]
    assert batch["rows"].tolist() == [0, 1, 1, 1, 2]
    assert batch["cu_seqlens"].tolist() == [0, 2, 6, 11]


def test_an_answer_without_prompt_has_nothing_to_predict_its_first_token_from():
    data = dataset([(2, 2), (0, 3)])
    packed = data.collate([0, 1], packed=True)
    assert packed["keep"].tolist() == [1, 2, 4, 5]
    assert read_packed(packed) == read_padded(data.collate([0, 1]))


def test_an_example_with_nothing_supervised_among_others():
    data = dataset([(3, 0), (2, 2)])
    batch = data.collate([0, 1], packed=True)
    assert batch["rows"].tolist() == [1, 1]
    alone = data.collate([0], packed=True)
    assert alone["targets"].tolist() == [[IGNORE]]
    assert (alone["keep"].tolist(), alone["rows"].tolist()) == ([0], [0])


@pytest.mark.parametrize("packed", [False, True])
def test_filler_is_valid_input_without_weight(packed):
    batch = dataset([(2, 2)]).collate([], packed=packed)
    assert batch["input_ids"].tolist() == [[EOS, EOS]]
    assert (batch["targets"] == IGNORE).all()
    assert batch["targets"].shape == (1, 1)
    assert ("cu_seqlens" in batch) == packed
    if packed:
        assert batch["cu_seqlens"].tolist() == [0, 2]
        assert batch["position_ids"].tolist() == [[0, 1]]
        assert batch["max_seqlen"] == 2
        assert batch["rows"].tolist() == [0]


def test_real_tickets_packed(encode):
    data = encode("test")
    batch = data.collate([4, 0, 2], packed=True)
    for row, n in enumerate([4, 0, 2]):
        assert batch["targets"][0][batch["rows"] == row].tolist() == data.answer_ids(n).tolist()
    assert batch["input_ids"].shape[1] == data.lengths[[4, 0, 2]].sum()


def test_shared_pad_and_end_id_changes_nothing_packed():
    shapes = [(2, 3), (1, 4)]
    one, two = (dataset(shapes, pad=pad).collate([0, 1], packed=True) for pad in (PAD, EOS))
    assert torch.equal(one["targets"], two["targets"])
    assert torch.equal(one["input_ids"], two["input_ids"])
