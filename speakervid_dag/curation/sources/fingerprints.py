"""A source's fingerprint: a hash of its picture twice per second, and the amount of change five times per second.

Belongs here: fingerprints from the thumbnails of the shot pass. Does not belong here: decoding, comparing two sources
(near_duplicates).

The hash is a 64-bit perceptual hash (pHash: the low frequencies of a cosine transform compared with their median,
Zauner 2010). It survives scaling, re-encoding, brightness changes and narrow cropping. A portrait before a still wall
keeps one hash for an hour; two such videos are distinguished by when the picture moves, which the activity records.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.sources.shots import FrameSignature

HASH_HZ = 2.0
ACTIVITY_HZ = 5.0
_GRID, _LOW = 32, 8


@dataclass(frozen=True)
class Fingerprint:
    """Hashes and activity by step from the container's start; None where no picture begins.

    `look_hashes[k]` is the hash of the first picture from k / 2 s on, `activity[k]` the change of the picture
    (deviations of luma) in the fifth of a second from k / 5 s on.
    """

    look_hashes: list[int | None]
    activity: list[float | None]


class Fingerprinter:
    """Builder of one source's fingerprint. Feed the signature of every frame in order, then `finish`."""

    def __init__(self) -> None:
        self._hashes: dict[int, int] = {}
        self._changes: dict[int, float] = {}
        self._before: FrameSignature | None = None

    def feed(self, look: FrameSignature) -> None:
        step = _step(look.time_s, HASH_HZ)
        if step not in self._hashes:
            self._hashes[step] = picture_hash(look.structure)
        change = 0.0 if self._before is None else float(np.abs(look.structure - self._before.structure).mean())
        fifth = _step(look.time_s, ACTIVITY_HZ)
        self._changes[fifth] = self._changes.get(fifth, 0.0) + change
        self._before = look

    def finish(self) -> Fingerprint:
        return Fingerprint(
            [self._hashes.get(k) for k in range(max(self._hashes, default=-1) + 1)],
            [self._changes.get(k) for k in range(max(self._changes, default=-1) + 1)],
        )


def picture_hash(structure: NDArray[np.float32]) -> int:
    """Return the signed 64-bit pHash of a (64, 64) thumbnail."""
    import cv2

    small = cv2.resize(structure, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    low = cv2.dct(small.astype(np.float32))[:_LOW, :_LOW].ravel()
    bits = low > np.median(low[1:])  # the first is the mean
    return int(np.packbits(bits).view(">i8")[0])


def _step(time_s: float, rate_hz: float) -> int:
    return max(int(np.floor(time_s * rate_hz + 1e-6)), 0)
