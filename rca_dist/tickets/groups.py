"""Near-duplicate groups: MinHash over word 3-grams finds candidate pairs, exact Jaccard decides, union-find joins."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rca_dist.tickets.words import words

NUM_PERM = 128
SHINGLE = 3
_RECALL = 0.99
_MOST_PAIRS = 20_000
_NEIGHBOURS = 24
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))


@dataclass
class Groups:
    """`labels[i]` is the group of ticket i, numbered by each group's smallest ticket id; `capped_buckets` counts
    candidate buckets too large to compare pair by pair (their tickets were compared with their nearest in the
    bucket)."""

    labels: list[int]
    capped_buckets: int

    def sizes(self) -> list[int]:
        """Number of tickets of each group, by label."""
        return np.bincount(np.asarray(self.labels, dtype=np.int64)).tolist()


def near_duplicate_groups(
    ids: Sequence[str], texts: Iterable[Sequence[str]], similarity: float = 0.7, keys: Iterable[Sequence[str]] = ()
) -> Groups:
    """Group tickets that are alike in any of `texts` (each one text a ticket) or share a non-empty value of `keys`.

    Alike: Jaccard similarity of the sets of word 3-grams at or above `similarity`. The groups do not depend on row
    order.
    """
    union = _Union(len(ids))
    capped = 0
    for column in texts:
        by_words: dict[tuple[str, ...], list[int]] = {}
        for row, text in enumerate(column):
            if found := tuple(words(text)):
                by_words.setdefault(found, []).append(row)
        for rows in by_words.values():
            union.join_all(rows)
        # In one fixed order, so that the cap below does not depend on row order.
        unique = sorted(by_words)
        capped += _join_alike(unique, [by_words[key][0] for key in unique], similarity, union)
    for column in keys:
        by_value: dict[str, list[int]] = {}
        for row, value in enumerate(column):
            if value.strip():
                by_value.setdefault(value.strip(), []).append(row)
        for rows in by_value.values():
            union.join_all(rows)
    return Groups(_labels(ids, union), capped)


class _Union:
    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, item: int) -> int:
        root = item
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[item] != root:
            self.parent[item], item = root, self.parent[item]
        return root

    def join(self, one: int, other: int) -> None:
        self.parent[self.find(other)] = self.find(one)

    def join_all(self, rows: Sequence[int]) -> None:
        for row in rows[1:]:
            self.join(rows[0], row)


def _labels(ids: Sequence[str], union: _Union) -> list[int]:
    smallest: dict[int, str] = {}
    for row, identifier in enumerate(ids):
        root = union.find(row)
        smallest[root] = min(smallest.get(root, identifier), identifier)
    number = {root: place for place, root in enumerate(sorted(smallest, key=lambda root: smallest[root]))}
    return [number[union.find(row)] for row in range(len(ids))]


def _shingles(texts: Sequence[tuple[str, ...]]) -> list[np.ndarray[Any, Any]]:
    """Sorted distinct 64-bit hashes of each text's word 3-grams (of all its words where it has fewer)."""
    vocabulary: dict[str, int] = {}
    result = []
    for text in texts:
        for word in text:
            if word not in vocabulary:
                vocabulary[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
        hashed = np.array([vocabulary[word] for word in text], dtype=np.uint64)
        size = min(SHINGLE, len(hashed))
        total = np.zeros(len(hashed) - size + 1, dtype=np.uint64)
        for place in range(size):
            total ^= (hashed[place : len(hashed) - size + 1 + place] + np.uint64(place)) * _MIX[place]
        total ^= total >> np.uint64(29)
        result.append(np.unique(total))
    return result


def bands_for(similarity: float) -> tuple[int, int]:
    """(bands, rows) of the LSH table: the most selective one that finds a pair at `similarity` with at least 99 %."""
    for rows in range(NUM_PERM, 0, -1):
        bands = NUM_PERM // rows
        if 1 - (1 - similarity**rows) ** bands >= _RECALL:
            return bands, rows
    return NUM_PERM, 1


def _signatures(shingles: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """MinHash signatures (texts, NUM_PERM)."""
    from datasketch import MinHash

    empty = MinHash(num_perm=NUM_PERM, seed=1, hashfunc=int)
    low = np.uint64(0xFFFFFFFF)
    rows = []
    for hashes in shingles:
        sketch = empty.copy()
        sketch.update_batch((hashes & low).tolist())
        rows.append(sketch.hashvalues)
    return np.stack(rows)


def _join_alike(texts: Sequence[tuple[str, ...]], rows: Sequence[int], similarity: float, union: _Union) -> int:
    """Join the rows of all texts that are alike; returns how many buckets were capped."""
    if len(texts) < 2:
        return 0
    shingles = _shingles(texts)
    signatures = _signatures(shingles)
    sets = [frozenset(hashes.tolist()) for hashes in shingles]
    refused: set[int] = set()
    capped = 0
    bands, width = bands_for(similarity)

    def alike(one: int, other: int) -> bool:
        pair = (one << 32) | other if one < other else (other << 32) | one
        if pair in refused:
            return False
        first, second = sets[one], sets[other]
        small, large = sorted((len(first), len(second)))
        common = len(first & second) if small >= similarity * large else 0
        # A hair below, so that 0.7 means 0.7 although 7/10 is not exact in binary.
        if common and common / (small + large - common) >= similarity - 1e-12:
            return True
        refused.add(pair)
        return False

    for band in range(bands):
        part = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        for bucket in _buckets(part):
            capped += _join_bucket(bucket, rows, union, alike, signatures, band)
    return capped


def _buckets(part: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Index arrays of rows with equal values, two and more each."""
    packed = part.view(np.dtype((np.void, part.dtype.itemsize * part.shape[1]))).ravel()
    order = np.argsort(packed, kind="stable")
    ordered = packed[order]
    edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return [bucket for bucket in np.split(order, edges) if len(bucket) > 1]


def _join_bucket(
    bucket: np.ndarray[Any, Any],
    rows: Sequence[int],
    union: _Union,
    alike: Any,
    signatures: np.ndarray[Any, Any],
    band: int,
) -> int:
    """Join alike texts of one bucket; pairs already in one group need no look. Returns 1 where the bucket was
    capped."""
    members = bucket.tolist()
    too_many = len(members) * (len(members) - 1) // 2 > _MOST_PAIRS
    if too_many:
        # Sorted by another part of the signature in each band, the nearest ones stand side by side.
        turned = np.roll(signatures[bucket], -(band * 7 + 1), axis=1)
        members = bucket[np.lexsort(turned.T[::-1])].tolist()
    for place, one in enumerate(members):
        stop = place + 1 + _NEIGHBOURS if too_many else len(members)
        for other in members[place + 1 : stop]:
            if union.find(rows[one]) != union.find(rows[other]) and alike(one, other):
                union.join(rows[one], rows[other])
    return int(too_many)
