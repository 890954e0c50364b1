"""A batch of an evaluation that does not fit into memory is taken apart; the numbers stay the same, ticket by ticket."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from rca_dist.errors import OutOfMemory
from rca_dist.runtime import faults
from rca_dist.runtime.outofmemory import give_back, ran_out

log = logging.getLogger(__name__)
T = TypeVar("T")
# Environment variable by which `rca-dist train` hands a smaller budget to another start.
VARIABLE = "RCA_BATCH_TOKENS"


def allowed(batch_tokens: int) -> int:
    """`batch_tokens`, or less where an earlier start ran out of memory with more."""
    return min(batch_tokens, int(os.environ.get(VARIABLE, batch_tokens)))


class Pieces:
    """Runs work on batches, in `count` pieces each once memory has run out. Local to a rank."""

    def __init__(self, device: torch.device | None = None, *, batch_tokens: int = 0, collective: bool = False) -> None:
        """`collective`: ranks meet in the forward pass, so that one alone cannot take its batch apart."""
        self.device = device or torch.device("cpu")
        self.batch_tokens = batch_tokens
        self.collective = collective
        self.count = 1

    def run(self, work: Callable[[Sequence[int]], T], batch: Sequence[int], size: int) -> Iterator[tuple[Sequence[int], T]]:
        """(part, work(part)) for the parts of a batch of `size` positions.

        Raises: OutOfMemory on this rank when one ticket alone does not fit, or where ranks meet in the forward pass.
        """
        waiting = self._cut(batch, self.count)
        while waiting:
            part = waiting[0]
            try:
                faults.at("evaluate", size=size * len(part) // max(1, len(batch)))
                found = work(part)
            except Exception as error:
                if not ran_out(error):
                    raise
                self._refuse(error, len(part))
            else:
                yield waiting.pop(0), found
                continue
            give_back(self.device)
            self.count = max(self.count, 2 * -(-len(batch) // len(part)))
            waiting = [*self._cut(part, 2), *waiting[1:]]
            log.warning("warning: memory ran out while scoring %d tickets at once: in halves from here on", len(part))

    @staticmethod
    def _cut(batch: Sequence[int], parts: int) -> list[Sequence[int]]:
        """Up to `parts` pieces of about equal size, in order; an empty batch is one piece."""
        step = max(1, -(-len(batch) // parts))
        return [batch[start : start + step] for start in range(0, max(1, len(batch)), step)]

    def _refuse(self, error: Exception, tickets: int) -> None:
        if self.collective:
            less = max(16, self.batch_tokens // 2)
            raise OutOfMemory(
                f"memory ran out in the evaluation with eval.batch_tokens={self.batch_tokens}; start it again with "
                f"--eval.batch_tokens={less}",
                {VARIABLE: str(less)} if less < self.batch_tokens else None,
            ) from error
        if tickets <= 1:
            raise OutOfMemory(
                "memory ran out in the evaluation of a single ticket; lower train.max_length or eval.max_new_tokens, or shard "
                "with configs/accelerate/fsdp2.yaml"
            ) from error
