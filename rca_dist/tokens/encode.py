"""Tickets -> token ids and masks, encoded once and memory-mapped from a content-addressed cache.

An example is `[BOS] header ticket footer answer EOS`, in chat style with the end of a turn for EOS. The answer and EOS are
supervised, the rest is not. Prompt and answer are encoded apart, so that generation starts from exactly the ids that training
saw.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rca_dist.errors import UserError
from rca_dist.tokens.cache import Encoded, Limits, content_key, open_cached, write_cache
from rca_dist.tokens.collate import FILLER_TOKENS, IGNORE, collate_packed, collate_padded
from rca_dist.tokens.prompt import PromptFormat, encode_after

CHUNK = 2000


class RCADataset:
    """Encoded tickets of one split.

    Attributes: `lengths` (N,) tokens per example; `counts` (N,) supervised tokens per example (answer and EOS); `ticket_ids`
    the N ticket ids in order; `eos_id`, `pad_id`; `form` the text around a ticket where known. Items are dicts with
    `input_ids` and `labels`, both (T,) int64, labels -100 on the prompt (not shifted), and `ticket_id`.
    """

    def __init__(
        self, encoded: Encoded, ticket_ids: Sequence[str], *, eos_id: int, pad_id: int, form: PromptFormat | None = None
    ) -> None:
        self.encoded = encoded
        self.form = form
        self.ticket_ids = list(ticket_ids)
        self.eos_id = eos_id
        self.pad_id = pad_id
        self.lengths = np.diff(encoded.offsets)
        self.counts = self.lengths - encoded.prompt_lengths
        assert len(self.ticket_ids) == len(self.lengths)

    @classmethod
    def from_tickets(
        cls,
        ticket_ids: Sequence[str],
        prompts: Sequence[str],
        answers: Sequence[str],
        tokenizer: Any,
        *,
        eos_id: int,
        pad_id: int,
        template: str | PromptFormat,
        max_length: int,
        answer_room: int | None = None,
        context: int | None = None,
        cache_dir: Path | None = None,
    ) -> "RCADataset":
        """Encode N tickets, or open them from `cache_dir` where the same content was encoded before.

        `template` is text around `{ticket}` or a format; answers end with the format's own token, else with `eos_id`.

        For training leave `answer_room` out: it becomes the tokens of the longest answer (EOS included), at most half of
        `max_length`, and no prompt is longer than what it leaves; an answer that needs more makes its own ticket give way.
        For evaluation pass the training set's `answer_room`: prompts then do not depend on the true answers, which may reach
        beyond `max_length` up to `context`, the model's window.

        Raises: UserError when `max_length` cannot hold the fixed text of the prompt, one answer token and EOS.
        """
        prompt_format = PromptFormat.from_template(template) if isinstance(template, str) else template
        eos_id = eos_id if prompt_format.end_id is None else prompt_format.end_id
        limits = Limits(max_length, answer_room, context or max_length)
        key = content_key(prompts, answers, tokenizer, repr(prompt_format), limits, eos_id)
        path = cache_dir / f"tokens-{key}.safetensors" if cache_dir else None
        encoded = open_cached(path, len(prompts)) if path else None
        if encoded is None:
            encoded = _encode(prompts, answers, tokenizer, prompt_format, limits, eos_id)
            if path is not None:
                write_cache(path, encoded)
                encoded = open_cached(path, len(prompts)) or encoded
        return cls(encoded, ticket_ids, eos_id=eos_id, pad_id=pad_id, form=prompt_format)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, n: int) -> dict[str, Any]:
        if not -len(self) <= n < len(self):
            raise IndexError(f"example {n} of {len(self)}")
        n %= len(self)
        ids = self._ids(n)
        labels = ids.copy()
        labels[: self.encoded.prompt_lengths[n]] = IGNORE
        return {"input_ids": ids, "labels": labels, "ticket_id": self.ticket_ids[n]}

    def prompt_ids(self, n: int) -> np.ndarray:
        """The ids a model generates from: what precedes the answer, (P,) int64."""
        return self._ids(n)[: self.encoded.prompt_lengths[n]]

    def answer_ids(self, n: int) -> np.ndarray:
        """The supervised ids, EOS last, (A,) int64."""
        return self._ids(n)[self.encoded.prompt_lengths[n] :]

    @property
    def answer_room(self) -> int:
        """Tokens (EOS included) that every prompt leaves free for an answer."""
        return self.encoded.answer_room

    @property
    def truncations(self) -> dict[str, int]:
        """How many ticket texts and how many answers were cut to fit `max_length`."""
        prompts, answers = self.encoded.cut.sum(axis=0) if len(self) else (0, 0)
        return {"prompts": int(prompts), "answers": int(answers)}

    def collate(self, indices: Sequence[int], packed: bool = False) -> dict[str, Any]:
        """One micro-batch of torch tensors, as `collate_padded` or `collate_packed` describes it.

        With no index at all, a filler of either kind: a tiny batch, valid as input, with nothing supervised.
        """
        rows = [self._ids(n) for n in indices] or [np.full(FILLER_TOKENS, self.eos_id, dtype=np.int64)]
        starts = [int(self.encoded.prompt_lengths[n]) for n in indices] or [FILLER_TOKENS]
        return collate_packed(rows, starts) if packed else collate_padded(rows, starts, pad_id=self.pad_id)

    def _ids(self, n: int) -> np.ndarray:
        offsets = self.encoded.offsets
        return self.encoded.ids[offsets[n] : offsets[n + 1]].astype(np.int64)


def _encode(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Any, form: PromptFormat, limits: Limits, eos_id: int
) -> Encoded:
    header, footer = form.around(tokenizer, eos_id)
    around = len(header) + len(footer)
    if limits.max_length < around + 3:
        raise UserError(
            f"train.max_length={limits.max_length} is too short: the text around the ticket alone takes {around} tokens; "
            f"set it to {around + 64} or more"
        )
    targets = [
        np.asarray(ids, dtype=np.int32) for part in _chunks(answers) for ids in encode_after(tokenizer, form.footer, part)
    ]
    training = limits.answer_room is None
    answer_room = limits.answer_room
    if answer_room is None:
        answer_room = min(max(map(len, targets), default=0) + 1, limits.max_length // 2)
    room = max(0, limits.max_length - around - answer_room)
    flat: list[np.ndarray] = []
    lengths: list[int] = []
    prompt_lengths: list[int] = []
    cut: list[tuple[bool, bool]] = []
    rest = iter(targets)
    for texts in _chunks(prompts):
        for ticket, target in zip(encode_after(tokenizer, form.header, texts), rest, strict=False):
            left = limits.max_length - around - 1 - len(target) if training else room
            prompt = header + ticket[: max(0, min(room, left))] + footer
            answer = target[: (limits.max_length if training else limits.context) - len(prompt) - 1]
            flat.append(np.asarray([*prompt, *answer, eos_id], dtype=np.int32))
            lengths.append(len(flat[-1]))
            prompt_lengths.append(len(prompt))
            cut.append((len(prompt) < around + len(ticket), len(answer) < len(target)))
    return Encoded(
        ids=np.concatenate(flat) if flat else np.zeros(0, dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        prompt_lengths=np.asarray(prompt_lengths, dtype=np.int32),
        cut=np.asarray(cut, dtype=bool).reshape(-1, 2),
        answer_room=answer_room,
    )


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    return (list(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK))
