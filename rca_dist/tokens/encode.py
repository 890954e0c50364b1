"""Tickets -> token ids and masks, encoded once and memory-mapped from a content-addressed cache.

An example is `[BOS] header ticket footer answer EOS`. The answer and EOS are supervised, the rest is not. Prompt and
answer are encoded apart, so that generation starts from exactly the ids that training saw.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rca_dist.errors import UserError
from rca_dist.tokens.prompt import PromptFormat, encode_plain, starts_with_bos

IGNORE = -100
CODE_VERSION = 1
CHUNK = 2000


@dataclass
class Encoded:
    """Flat storage of N examples: example n is `ids[offsets[n]:offsets[n + 1]]`, its first `prompt_lengths[n]` the prompt."""

    ids: np.ndarray  # (total tokens,) int32
    offsets: np.ndarray  # (N + 1,) int64
    prompt_lengths: np.ndarray  # (N,) int32
    cut: np.ndarray  # (N, 2) bool: ticket text cut, answer cut


class RCADataset:
    """Encoded tickets of one split.

    Attributes: `lengths` (N,) tokens per example; `counts` (N,) supervised tokens per example (answer and EOS);
    `ticket_ids` the N ticket ids in order; `eos_id`, `pad_id`. Items are dicts with `input_ids` and `labels`, both (T,)
    int64, labels -100 on the prompt (not shifted), and `ticket_id`.
    """

    def __init__(self, encoded: Encoded, ticket_ids: Sequence[str], *, eos_id: int, pad_id: int) -> None:
        self.encoded = encoded
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
        template: str,
        max_length: int,
        cache_dir: Path | None = None,
    ) -> "RCADataset":
        """Encode N tickets, or open them from `cache_dir` where the same content was encoded before.

        Raises: UserError when `max_length` cannot hold the fixed text of the prompt, one answer token and EOS.
        """
        prompt_format = PromptFormat.from_template(template)
        key = _content_key(prompts, answers, tokenizer, template, max_length, eos_id)
        path = cache_dir / f"tokens-{key}.safetensors" if cache_dir else None
        encoded = _open_cached(path, len(prompts)) if path else None
        if encoded is None:
            encoded = _encode(prompts, answers, tokenizer, prompt_format, max_length, eos_id)
            if path is not None:
                _write_cache(path, encoded)
                encoded = _open_cached(path, len(prompts)) or encoded
        return cls(encoded, ticket_ids, eos_id=eos_id, pad_id=pad_id)

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
    def truncations(self) -> dict[str, int]:
        """How many ticket texts and how many answers were cut to fit `max_length`."""
        prompts, answers = self.encoded.cut.sum(axis=0) if len(self) else (0, 0)
        return {"prompts": int(prompts), "answers": int(answers)}

    def collate(self, indices: Sequence[int]) -> dict[str, Any]:
        """Right-padded micro-batch of B examples; with no index at all, one masked filler row (zero weight).

        Returns torch tensors: `input_ids` (B, T); `keep` (K,) the positions whose logits any row needs; `targets` (B, K) the
        token that follows each kept position, -100 where a row is not supervised. There is no attention mask: under
        causal attention no token sees what stands to its right, and kernels are faster without one.
        """
        import torch

        rows = [self._ids(n) for n in indices] or [np.full(2, self.eos_id, dtype=np.int64)]
        starts = [int(self.encoded.prompt_lengths[n]) for n in indices] or [2]
        width = max(len(row) for row in rows)
        input_ids = np.full((len(rows), width), self.pad_id, dtype=np.int64)
        labels = np.full((len(rows), width), IGNORE, dtype=np.int64)
        for r, (row, start) in enumerate(zip(rows, starts, strict=True)):
            input_ids[r, : len(row)] = row
            # Masks come from lengths, never from comparing ids with the pad id: EOS stays supervised when they are equal.
            labels[r, start : len(row)] = row[start:]
        keep = np.flatnonzero((labels[:, 1:] != IGNORE).any(axis=0))
        if len(keep) == 0:
            keep = np.zeros(1, dtype=np.int64)
        return {
            "input_ids": torch.from_numpy(input_ids),
            "keep": torch.from_numpy(keep),
            "targets": torch.from_numpy(labels[:, keep + 1]),
        }

    def _ids(self, n: int) -> np.ndarray:
        offsets = self.encoded.offsets
        return self.encoded.ids[offsets[n] : offsets[n + 1]].astype(np.int64)


def _encode(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Any, form: PromptFormat, max_length: int, eos_id: int
) -> Encoded:
    bos = [tokenizer.bos_token_id] if starts_with_bos(tokenizer) else []
    header_ids, footer_ids = encode_plain(tokenizer, [form.header or " ", form.footer or " "])
    header, footer = bos + (header_ids if form.header else []), (footer_ids if form.footer else [])
    fixed = len(header) + len(footer) + 1
    if max_length < fixed + 2:
        raise UserError(
            f"train.max_length={max_length} is too short: the text around the ticket alone takes {fixed} tokens; "
            f"set it to {fixed + 64} or more"
        )
    flat: list[np.ndarray] = []
    lengths: list[int] = []
    prompt_lengths: list[int] = []
    cut: list[tuple[bool, bool]] = []
    for start in range(0, len(prompts), CHUNK):
        tickets = encode_plain(tokenizer, list(prompts[start : start + CHUNK]))
        targets = encode_plain(tokenizer, list(answers[start : start + CHUNK]))
        for ticket, target in zip(tickets, targets, strict=True):
            answer = target[: max_length - fixed]
            room = max_length - fixed - len(answer)
            prompt = header + ticket[:room] + footer
            # An empty prompt has no position to predict the first answer token from.
            prompt = prompt or [eos_id]
            flat.append(np.asarray([*prompt, *answer, eos_id], dtype=np.int32))
            lengths.append(len(flat[-1]))
            prompt_lengths.append(len(prompt))
            cut.append((len(ticket) > room, len(target) > len(answer)))
    return Encoded(
        ids=np.concatenate(flat) if flat else np.zeros(0, dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        prompt_lengths=np.asarray(prompt_lengths, dtype=np.int32),
        cut=np.asarray(cut, dtype=bool).reshape(-1, 2),
    )


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """sha256 over the tokenizer's vocabulary, rules and special tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    return hashlib.sha256(json.dumps([rules, sorted(special.items())]).encode()).hexdigest()


def _content_key(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Any, template: str, max_length: int, eos_id: int
) -> str:
    digest = hashlib.sha256(
        json.dumps([CODE_VERSION, tokenizer_fingerprint(tokenizer), template, max_length, eos_id, len(prompts)]).encode()
    )
    for text in (*prompts, *answers):
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]


def _write_cache(path: Path, encoded: Encoded) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        arrays = {"ids": encoded.ids, "offsets": encoded.offsets, "prompt_lengths": encoded.prompt_lengths}
        save_file(arrays | {"cut": encoded.cut.astype(np.uint8)}, aside)
        aside.chmod(0o600)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _open_cached(path: Path, expected: int) -> Encoded | None:
    """Memory-map a cache file; None when there is none, or it is damaged or of another shape."""
    kinds = {"I32": np.int32, "I64": np.int64, "U8": np.uint8}
    try:
        with path.open("rb") as handle:
            size = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(size))
        arrays = {}
        for name in ("ids", "offsets", "prompt_lengths", "cut"):
            entry = header[name]
            begin, end = entry["data_offsets"]
            if 8 + size + end > path.stat().st_size:
                return None
            shape = tuple(entry["shape"])
            if begin == end:
                arrays[name] = np.zeros(shape, dtype=kinds[entry["dtype"]])
            else:
                arrays[name] = np.memmap(path, dtype=kinds[entry["dtype"]], mode="r", offset=8 + size + begin, shape=shape)
    except (OSError, ValueError, KeyError, OverflowError, MemoryError):
        return None
    offsets = np.array(arrays["offsets"])
    if len(offsets) != expected + 1 or offsets[-1] != len(arrays["ids"]):
        return None
    return Encoded(arrays["ids"], offsets, np.array(arrays["prompt_lengths"]), np.array(arrays["cut"]).astype(bool))
