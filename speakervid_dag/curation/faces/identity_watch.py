"""Detection of a person change inside one face track.

Belongs here: when a track has become another person's for good. Does not belong here: following faces (tracking), which
tracks are one person (clusters), the embedding model.

A tracker follows a position in the picture. If a transition that the shot detector missed puts another person there,
the track continues. So its face is compared with its earlier self a little more than once per second. A turned head or
bad light differs for a moment; another person keeps differing, consistently.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings
from speakervid_dag.curation.faces.clusters import threshold
from speakervid_dag.curation.faces.portraits import mean_direction

_EPSILON_S = 1e-6


class IdentityWatch:
    """The face of one track over time. Call `see` whenever a sample `is_due` and good enough for a portrait."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._known: NDArray[np.float64] | None = None  # sum of the person's vectors
        self._doubts: deque[tuple[float, NDArray[np.float32]]] = deque(maxlen=settings.change_looks)
        self._next_s = -np.inf
        self.alike_s = -np.inf  # time of the last sample that matched

    @property
    def is_in_doubt(self) -> bool:
        """Return True if the latest sample did not match the track's person."""
        return bool(self._doubts)

    @property
    def since_s(self) -> float:
        """Return the start of the current run of samples that do not match, s."""
        return self._doubts[0][0]

    def is_due(self, time_s: float) -> bool:
        return time_s >= self._next_s - _EPSILON_S

    def see(self, time_s: float, vector: NDArray[np.float32]) -> bool:
        """Take the face's unit vector at this time. Return True when it has become another person's for good."""
        self._next_s = time_s + self._settings.portrait_spacing_s * 2
        alike = threshold(self._settings.min_person_cosine, len(vector))
        if self._known is None or _cosine(self._known, vector) >= alike:
            self._known = vector.astype(np.float64) if self._known is None else self._known + vector
            self._doubts.clear()
            self.alike_s = time_s
            return False
        self._doubts.append((time_s, vector))
        recent = [v for _, v in self._doubts]
        other = mean_direction(recent)
        if len(recent) < self._settings.change_looks or other is None:
            return False
        is_somebody = all(_cosine(other, v) >= alike for v in recent)
        unlike = threshold(self._settings.max_other_cosine, len(vector))
        return is_somebody and _cosine(self._known, other) < unlike


def _cosine(total: NDArray[np.floating], unit: NDArray[np.floating]) -> float:
    """Return the cosine between a sum of vectors and a unit vector."""
    return float(total @ unit) / max(float(np.linalg.norm(total)), 1e-12)
