"""Texts as sets of hashed word 3-grams, with MinHash signatures cut into bands: what near-duplicates are found by."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rca_dist.tickets.words import words

Array = np.ndarray[Any, Any]

NUM_PERM = 128
SHINGLE = 3
_RECALL = 0.99
_CHUNK = 4096
_MOST_WORDS_KEPT = 500_000
# Sparse matrices take 4 bytes an entry up to 2**31 - 1 columns, 8 above.
_HASH_BITS = 30
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))

# Chinese, Japanese, Thai, Lao, Burmese, Khmer: written without spaces between words.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(f"[{UNSPACED}\U00020000-\U0003134f]|[^\\W{UNSPACED}\U00020000-\U0003134f]+")


def tokens(text: str) -> list[str]:
    """Case-folded words; each character is one where a script puts no spaces; a text of signs only is one token."""
    if text.isascii():
        found = words(text)
    else:
        found = _TOKEN.findall(unicodedata.normalize("NFC", text.casefold()))
    return found or [text.strip()] * bool(text.strip())


def bands_for(similarity: float) -> tuple[int, int]:
    """(bands, rows) of the LSH table: the most selective one that finds a pair at `similarity` with at least 99 %."""
    for rows in range(NUM_PERM, 0, -1):
        bands = NUM_PERM // rows
        if 1 - (1 - similarity**rows) ** bands >= _RECALL:
            return bands, rows
    return NUM_PERM, 1


@dataclass
class Shingled:
    """The distinct texts of a column, in an order that depends on their content only.

    `first` (n,) is a row that holds each of the n distinct texts, `row_of` (rows,) the place of each row's text (-1 where it
    is empty). `sets` is a sparse (n, 2**30) matrix with one entry per shingle, `keys` (bands, n) a hash of each band of the
    MinHash signature, `sketches` (n, NUM_PERM) the low 8 bits of it.
    """

    first: Array
    row_of: Array
    sets: Any
    keys: Array
    sketches: Array


def shingle(column: Sequence[str], similarity: float) -> Shingled:
    """Shingles and bands of the distinct texts of `column`; texts with equal words are one."""
    place: dict[bytes, int] = {}
    first: list[int] = []
    row_of = np.full(len(column), -1, dtype=np.int64)
    waiting: list[list[str]] = []
    parts: list[list[Any]] = []
    hasher, bands = _WordHashes(), bands_for(similarity)
    for row, text in enumerate(column):
        found = tokens(text)
        if not found:
            continue
        digest = hashlib.blake2b("\x1f".join(found).encode("utf-8", "replace"), digest_size=16).digest()
        row_of[row] = place.setdefault(digest, len(place))
        if len(place) > len(first):
            first.append(row)
            waiting.append(found)
            if len(waiting) == _CHUNK:
                parts.append(_sketch(waiting, hasher, *bands))
                waiting = []
    parts.append(_sketch(waiting, hasher, *bands))
    # Whatever breaks ties later must not see the order of rows.
    order = np.argsort(np.frombuffer(b"".join(place), dtype="S16"), kind="stable")
    turned = np.empty(len(order) + 1, dtype=np.int64)
    turned[order], turned[-1] = np.arange(len(order)), -1
    return _collect(parts, order, np.array(first, dtype=np.int64)[order], turned[row_of])


def _collect(parts: list[list[Any]], order: Array, first: Array, row_of: Array) -> Shingled:
    from scipy.sparse import csr_array

    def whole(field: int) -> Array:
        found = np.concatenate([part[field] for part in parts])
        for part in parts:
            part[field] = None  # never two copies of all fields at once
        return found

    sizes, hashes = whole(0), whole(1)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32 if len(hashes) < 2**31 else np.int64)
    sets = csr_array((np.ones(len(hashes), dtype=np.int8), hashes, starts), shape=(len(sizes), 2**_HASH_BITS))[order]
    return Shingled(first, row_of, sets, np.ascontiguousarray(whole(2)[order].T), whole(3)[order])


class _WordHashes:
    """64-bit hashes of words, the same in every process; forgets words when there are too many to keep."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def __call__(self, text: Iterable[str]) -> list[int]:
        known, result = self.known, []
        for word in text:
            value = known.get(word)
            if value is None:
                if len(known) >= _MOST_WORDS_KEPT:
                    known.clear()
                digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
                value = known[word] = int.from_bytes(digest, "little")
            result.append(value)
        return result


def _shingles(hashed: Array) -> Array:
    """Sorted distinct 30-bit hashes of the word 3-grams of one text, of all its words where it has fewer."""
    size = min(SHINGLE, len(hashed))
    total = np.zeros(len(hashed) - size + 1, dtype=np.uint64)
    for place in range(size):
        total ^= (hashed[place : len(hashed) - size + 1 + place] + np.uint64(place)) * _MIX[place]
    total ^= total >> np.uint64(29)
    return np.unique((total & np.uint64(2**_HASH_BITS - 1)).astype(np.int32))


def _sketch(texts: Sequence[list[str]], hasher: _WordHashes, bands: int, width: int) -> list[Any]:
    """[sizes (n,), hashes (total,), keys (n, bands), sketches (n, NUM_PERM)] of texts given as words."""
    from datasketch import MinHash

    empty = MinHash(num_perm=NUM_PERM, seed=1, hashfunc=int)
    sets = [_shingles(np.array(hasher(text), dtype=np.uint64)) for text in texts]
    signatures = np.zeros((len(texts), NUM_PERM), dtype=np.uint64)
    for number, hashes in enumerate(sets):
        minhash = empty.copy()
        minhash.update_batch(hashes.tolist())
        signatures[number] = minhash.hashvalues
    keys = np.zeros((len(texts), bands), dtype=np.uint64)
    for place in range(width):
        keys = (keys ^ signatures[:, place : bands * width : width]) * _MIX[0]
        keys ^= keys >> np.uint64(32)
    sizes = np.array([len(hashes) for hashes in sets], dtype=np.int64)
    flat = np.concatenate(sets) if sets else np.zeros(0, dtype=np.int32)
    return [sizes, flat, keys.astype(np.uint32), signatures.astype(np.uint8)]
