"""Small functions of NumPy arrays that several rooms need.

Belongs here: arithmetic without any meaning of faces, voices or pictures. Does not belong here: intervals of time
(curation/intervals.py).
"""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)
TINY = 1e-12  # the least length that a vector is divided by


def unit(vectors: NDArray[Float]) -> NDArray[Float]:
    """Return vectors (…, n) scaled to length 1 along the last axis, in the same dtype; zeros stay zeros."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), TINY)
    return np.asarray(vectors / lengths, dtype=vectors.dtype)


def runs_of_true(
    flags: NDArray[np.bool_], *, max_hole: int = 0, begins: NDArray[np.bool_] | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return starts and ends, [start, end), of the runs of True in `flags` (n,).

    Args:
        max_hole: gaps of at most this many False between two runs are bridged.
        begins: (n,) where True, a new run begins, whatever stands before.
    """
    places = np.flatnonzero(flags)
    if not len(places):
        return places, places
    is_new = np.diff(places) > max_hole + 1
    if begins is not None:
        is_new |= begins[places[1:]]
    breaks = np.flatnonzero(is_new)
    return places[[0, *(breaks + 1)]], places[[*breaks, len(places) - 1]] + 1
