"""Blocking of face vectors, which limits the known faces that a new one is compared with.

Belongs here: blocking of unit vectors. Does not belong here: deciding which tracks are one person (clusters).

Sign-random-projection hashing (Charikar 2002): each bit records on which side of a random hyperplane through the centre
a vector lies, so similar vectors share more bits. Each of several tables reads a few of the bits as a bucket number. A
query also probes the buckets reached by flipping its least certain bits (multi-probe, Lv et al. 2007). The number of
bits grows with the logarithm of the number of vectors, which keeps the bucket size and the comparisons per query
constant. The centre is the mean of the vectors, because those of some models (dlib's) lie in one narrow cone.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import BlockingSettings

_BITS = 256  # hyperplanes; tables read different bits of them
_UNCERTAIN = 6  # bits of a table that a probe may flip, at most two at once
_CHUNK = 16_384  # vectors projected at once
_SEED = 20_050_412  # arbitrary but fixed, so that the same vectors always fall into the same blocks


class FaceBlocks:
    """Blocks of vectors in a fixed order, earlier people first.

    Args:
        vectors: float32 (n, d).

    `comparisons` counts the places returned so far.
    """

    def __init__(self, vectors: NDArray[np.float32], settings: BlockingSettings) -> None:
        self._vectors, self._settings = vectors, settings
        self.comparisons = 0
        self.is_exact = len(vectors) <= settings.exact_people
        if self.is_exact:
            return
        self._width = max(int(np.log2(len(vectors) / settings.bucket_people)), 1)
        rng = np.random.default_rng(_SEED)
        self._planes = rng.standard_normal((vectors.shape[1], _BITS)).astype(np.float32)
        self._reads = np.stack([rng.permutation(_BITS)[: self._width] for _ in range(settings.tables)])
        self._offset = vectors.mean(axis=0) @ self._planes
        keys = np.concatenate(
            [self._keys(self._project(vectors[i : i + _CHUNK]) > 0) for i in range(0, len(vectors), _CHUNK)]
        )
        order = np.argsort(keys, axis=None, kind="stable")
        self._sorted, self._who = keys.ravel()[order], (order // settings.tables).astype(np.int32)

    def earlier(self, place: int) -> NDArray[np.intp]:
        """Return the places before `place` to compare it with, ascending; all of them in a small lake."""
        found = np.arange(place) if self.is_exact else self._blocked(place)
        self.comparisons += len(found)
        return found

    def _blocked(self, place: int) -> NDArray[np.intp]:
        probes = self._probes(self._project(self._vectors[place : place + 1])[0])
        starts = np.searchsorted(self._sorted, probes, side="left")
        ends = np.searchsorted(self._sorted, probes, side="right")
        held = [self._who[a:b] for a, b in zip(starts, ends, strict=True) if a < b]
        found = np.unique(np.concatenate(held))
        return np.asarray(found[: np.searchsorted(found, place)], dtype=np.intp)

    def _project(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(vectors @ self._planes - self._offset, dtype=np.float32)

    def _keys(self, bits: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return (n, tables): the bucket number, with the table number in the bits above it."""
        weights = 1 << np.arange(self._width, dtype=np.int64)
        tables = np.arange(len(self._reads), dtype=np.int64) << self._width
        return np.asarray(
            np.stack([bits[:, reads] @ weights for reads in self._reads], axis=1) + tables, dtype=np.int64
        )

    def _probes(self, projection: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the buckets to probe: in each table its own, and those reached by flipping its least certain bits."""
        own = self._keys((projection > 0)[None])[0]
        margins = np.abs(projection[self._reads])
        least = np.argsort(margins, axis=1, kind="stable")[:, :_UNCERTAIN]
        doubts = np.take_along_axis(margins, least, axis=1) ** 2
        places = range(least.shape[1])
        turns = [(), *((i,) for i in places), *itertools.combinations(places, 2)]
        costs = np.stack([doubts[:, list(turn)].sum(axis=1) for turn in turns], axis=1)
        flips = np.stack([(1 << least[:, list(turn)]).sum(axis=1) for turn in turns], axis=1)
        chosen = np.argsort(costs, axis=1, kind="stable")[:, : self._settings.probes]
        return np.asarray(own[:, None] ^ np.take_along_axis(flips, chosen, axis=1), dtype=np.int64).ravel()
