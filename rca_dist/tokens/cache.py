"""Encoded tickets on disk: flat arrays in a safetensors file, memory-mapped, named by a hash of their content."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

CODE_VERSION = 3


@dataclass
class Encoded:
    """Flat storage of N examples: example n is `ids[offsets[n]:offsets[n + 1]]`, its first `prompt_lengths[n]` the prompt."""

    ids: np.ndarray  # (total tokens,) int32
    offsets: np.ndarray  # (N + 1,) int64
    prompt_lengths: np.ndarray  # (N,) int32
    cut: np.ndarray  # (N, 2) bool: ticket text cut, answer cut
    answer_room: int  # tokens that every prompt leaves for an answer


@dataclass(frozen=True)
class Limits:
    """Lengths in tokens: of an example in training, left for an answer (None: find it), of the model's window."""

    max_length: int
    answer_room: int | None
    context: int


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """sha256 over the tokenizer's vocabulary, rules and special tokens."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else json.dumps(sorted(tokenizer.get_vocab().items()))
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    return hashlib.sha256(json.dumps([rules, sorted(special.items())]).encode()).hexdigest()


def content_key(
    prompts: Sequence[str], answers: Sequence[str], tokenizer: Any, template: str, limits: Limits, eos_id: int
) -> str:
    """24 hex digits over texts, tokenizer, template, limits and `CODE_VERSION`."""
    digest = hashlib.sha256(
        json.dumps([CODE_VERSION, tokenizer_fingerprint(tokenizer), template, *astuple(limits), eos_id, len(prompts)]).encode()
    )
    for text in (*prompts, *answers):
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:24]


def write_cache(path: Path, encoded: Encoded) -> None:
    """Write a cache file, complete or not at all, readable by its owner only."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        arrays = {"ids": encoded.ids, "offsets": encoded.offsets, "prompt_lengths": encoded.prompt_lengths}
        save_file(arrays | {"cut": encoded.cut.astype(np.uint8), "answer_room": np.array([encoded.answer_room])}, aside)
        aside.chmod(0o600)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def open_cached(path: Path, expected: int) -> Encoded | None:
    """Memory-map a cache file; None when there is none, or it is damaged or of another shape."""
    kinds = {"I32": np.int32, "I64": np.int64, "U8": np.uint8}
    try:
        with path.open("rb") as handle:
            size = int.from_bytes(handle.read(8), "little")
            header = json.loads(handle.read(size))
        arrays = {}
        for name in ("ids", "offsets", "prompt_lengths", "cut", "answer_room"):
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
    return Encoded(
        arrays["ids"],
        offsets,
        np.array(arrays["prompt_lengths"]),
        np.array(arrays["cut"]).astype(bool),
        int(arrays["answer_room"][0]),
    )
