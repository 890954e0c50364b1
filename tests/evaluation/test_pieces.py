"""Batches that do not fit are taken apart as far as needed, and no further."""

import torch

from rca_dist.evaluation.pieces import Pieces


def test_pieces_get_as_small_as_memory_asks():
    def work(part):
        if len(part) > 4:
            raise torch.OutOfMemoryError("out of memory")
        return sum(part)

    pieces = Pieces()
    for _ in range(2):
        found = list(pieces.run(work, list(range(32)), 320))
        assert [n for part, _ in found for n in part] == list(range(32))
        assert {len(part) for part, _ in found} == {4}
    assert pieces.count == 8
