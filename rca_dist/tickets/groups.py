"""Near-duplicate groups: MinHash over word 3-grams finds candidate pairs, exact Jaccard decides."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from rca_dist.tickets.splitting.shingles import NUM_PERM, Array, Shingled, shingle
from rca_dist.tickets.splitting.shingles import bands_for as bands_for
from rca_dist.tickets.words import is_missing

_LARGE = 200
_ALL_PAIRS_UP_TO = 6_000
_FEWEST_NEIGHBOURS = 24
_PAIRS_IN_ALL = 100_000_000
_PIVOTS = 8
_SORTED_BY = 12
_PAIRS_AT_ONCE = 1 << 17
_ENTRIES_AT_ONCE = 1 << 22


@dataclass
class Groups:
    """`labels[i]` is the group of ticket i, numbered by each group's smallest ticket id; `capped_buckets` counts
    candidate buckets too large to compare pair by pair (their tickets were compared with their nearest in the bucket
    and with some of it)."""

    labels: list[int]
    capped_buckets: int

    def sizes(self) -> list[int]:
        """Number of tickets of each group, by label."""
        return np.bincount(np.asarray(self.labels, dtype=np.int64)).tolist()


def near_duplicate_groups(
    ids: Sequence[str], texts: Iterable[Sequence[str]], similarity: float = 0.7, keys: Iterable[Sequence[str]] = ()
) -> Groups:
    """Group tickets that are alike in any of `texts` (each one text a ticket) or share a value of `keys`.

    Alike: Jaccard similarity of the sets of word 3-grams at or above `similarity`. Empty keys and missing-value words (N/A,
    none...) join nothing. The groups do not depend on row order.
    """
    labels = np.arange(len(ids))
    capped = 0
    for column in texts:
        found = shingle(column, similarity)
        filled = np.flatnonzero(found.row_of >= 0)
        labels = _joined(labels, filled, found.first[found.row_of[filled]])
        labels, large = _join_alike(found, similarity, labels)
        capped += large
        del found
    for column in keys:
        first: dict[str, int] = {}
        pairs = [
            (row, first.setdefault(value.strip(), row))
            for row, value in enumerate(column)
            if value.strip() and not is_missing(value)
        ]
        rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        labels = _joined(labels, rows[:, 0], rows[:, 1])
    return Groups(_numbered(ids, labels), capped)


def _joined(labels: Array, one: Array, other: Array) -> Array:
    """Labels after joining the groups of each pair of rows."""
    if not len(one):
        return labels
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Only the groups that meet are looked at: this runs often, and mostly joins few of very many.
    met, places = np.unique(np.concatenate([labels[one], labels[other]]), return_inverse=True)
    edges = (places[: len(one)], places[len(one) :])
    graph = coo_array((np.ones(len(one), dtype=np.int8), edges), shape=(len(met), len(met)))
    _, component = connected_components(graph, directed=False)
    renamed = np.arange(len(labels))
    renamed[met] = met[np.unique(component, return_index=True)[1]][component]
    return renamed[labels]


def _numbered(ids: Sequence[str], labels: Array) -> list[int]:
    smallest: dict[int, str] = {}
    plain = labels.tolist()
    for label, identifier in zip(plain, ids, strict=True):
        smallest[label] = min(smallest.get(label, identifier), identifier)
    number = {label: place for place, label in enumerate(sorted(smallest, key=lambda label: smallest[label]))}
    return [number[label] for label in plain]


def _join_alike(texts: Shingled, similarity: float, labels: Array) -> tuple[Array, int]:
    """Labels after joining the rows of all texts that are alike, and how many buckets were capped."""
    capped, count = 0, len(texts.first)
    neighbours = min(_LARGE, max(_FEWEST_NEIGHBOURS, _PAIRS_IN_ALL // (1 + texts.keys.size)))
    for band in range(len(texts.keys) if count > 1 else 0):
        members, ends = _buckets(texts.keys[band], labels[texts.first])
        large = _large_buckets(ends)
        everyone = bool(large) and count <= _ALL_PAIRS_UP_TO
        if everyone:
            members, ends, large = np.arange(count), np.full(count, count), []
        for start, end in large:
            members[start:end] = _nearest_first(members[start:end], texts.sketches, band)
        capped += len(large)
        for one, other in _pairs(members, ends, large, neighbours):
            apart = labels[texts.first[one]] != labels[texts.first[other]]
            one, other = one[apart], other[apart]
            close = _alike(texts, one, other, similarity)
            labels = _joined(labels, texts.first[one[close]], texts.first[other[close]])
        if everyone:
            break
    return labels, capped


def _buckets(keys: Array, labels: Array) -> tuple[Array, Array]:
    """Texts in buckets of equal keys, one bucket after the other, and where the bucket of each place ends.

    Buckets of one text or of one group are left out: there is nothing to join in them.
    """
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts = np.concatenate([[0], edges])
    sizes = np.diff(np.concatenate([starts, [len(order)]]))
    ordered = labels[order]
    mixed = np.minimum.reduceat(ordered, starts) != np.maximum.reduceat(ordered, starts)
    kept = sizes[mixed]
    return order[np.repeat(mixed, sizes)], np.repeat(np.cumsum(kept), kept)


def _large_buckets(ends: Array) -> list[tuple[int, int]]:
    found, counts = np.unique(ends, return_counts=True)
    return [(int(end - count), int(end)) for end, count in zip(found, counts, strict=True) if count > _LARGE]


def _nearest_first(members: Array, sketches: Array, band: int) -> Array:
    """A bucket sorted by another part of the signature in each band: similar texts come to stand side by side."""
    columns = (np.arange(_SORTED_BY) * 11 + band * 7 + 1) % NUM_PERM
    return members[np.lexsort(sketches[members][:, columns[::-1]].T)]


def _pairs(members: Array, ends: Array, large: Sequence[tuple[int, int]], neighbours: int) -> Iterator[tuple[Array, Array]]:
    """Pairs to compare, in portions: all of a small bucket, of a large one the neighbours and some with everyone."""
    waiting: list[tuple[Array, Array]] = []
    held = 0
    for one, other in _runs_of_pairs(members, ends, large, neighbours):
        waiting.append((one, other))
        held += len(one)
        if held > _PAIRS_AT_ONCE:
            yield np.concatenate([pair[0] for pair in waiting]), np.concatenate([pair[1] for pair in waiting])
            waiting, held = [], 0
    if held:
        yield np.concatenate([pair[0] for pair in waiting]), np.concatenate([pair[1] for pair in waiting])


def _runs_of_pairs(
    members: Array, ends: Array, large: Sequence[tuple[int, int]], neighbours: int
) -> Iterator[tuple[Array, Array]]:
    is_large = np.zeros(len(members), dtype=bool)
    for start, end in large:
        is_large[start:end] = True
        for pivot in np.linspace(start, end - 1, _PIVOTS).astype(np.int64):
            yield np.full(end - start, members[pivot]), members[start:end]
    places = np.arange(len(members))
    distance = 1
    while len(places):
        places = places[places + distance < ends[places]]
        if distance == neighbours + 1:
            places = places[~is_large[places]]
        yield members[places], members[places + distance]
        distance += 1


def _alike(texts: Shingled, one: Array, other: Array, similarity: float) -> Array:
    """Places of the pairs that are alike: first by signature, with a wide margin, then exactly."""
    sizes = np.diff(texts.sets.indptr)
    # A hair below, so that 0.7 means 0.7 although 7/10 is not exact in binary.
    least = similarity - 1e-12
    fits = np.minimum(sizes[one], sizes[other]) >= least * np.maximum(sizes[one], sizes[other])
    places = np.flatnonzero(fits)
    # Five standard deviations of the estimate: one pair in a million is lost.
    expected = NUM_PERM * similarity - 5 * sqrt(NUM_PERM * similarity * (1 - similarity))
    places = np.concatenate(
        [
            part[(texts.sketches[one[part]] == texts.sketches[other[part]]).sum(axis=1) >= expected]
            for part in np.split(places, range(_PAIRS_AT_ONCE, len(places), _PAIRS_AT_ONCE))
        ]
    )
    total = np.cumsum(sizes[one[places]] + sizes[other[places]])
    cuts = np.searchsorted(total, np.arange(_ENTRIES_AT_ONCE, total[-1] if len(total) else 0, _ENTRIES_AT_ONCE))
    kept = []
    for part in np.split(places, cuts):
        common = np.diff(texts.sets[one[part]].multiply(texts.sets[other[part]]).tocsr().indptr)
        kept.append(part[common >= least * (sizes[one[part]] + sizes[other[part]] - common)])
    return np.concatenate(kept)
