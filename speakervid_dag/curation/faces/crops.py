"""Face crops for the active-speaker networks: cut during tracking, stored as JPEG, read on a time grid.

Belongs here: the crop square, its smoothing, packing and unpacking. Does not belong here: file locations
(stages/crops.py), following faces (tracking.py), the networks.

The geometry is the one on which Light-ASD and SyncNet were trained (S3FD boxes, crop scale 0.40): with b = half the
longer side of the box, a square of 2.8 b, 0.4 b lower than the box, so that it includes chin and jaw. SyncNet sees all
of it, Light-ASD its middle half.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.pixels import Image

SIDE_PX = 224
_SQUARE, _LOWER = 1.4, 0.2  # of the box's longer side
_SMOOTHED = 13  # frames of the running median, as in the scripts of both networks
_JPEG_QUALITY = 90
_GREY = 110  # fills the area outside the picture


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """One track's face pictures: time of each, s, and a JPEG of 224×224 px."""

    times_s: NDArray[np.float64]
    jpegs: list[bytes]

    def at(self, wanted_s: NDArray[np.float64], max_distance_s: float) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the picture nearest to each time, (n, 224, 224, 3) BGR uint8, and (n,) if it is near enough."""
        import cv2

        out = np.zeros((len(wanted_s), SIDE_PX, SIDE_PX, 3), np.uint8)
        if not len(self.times_s):
            return out, np.zeros(len(wanted_s), bool)
        right = np.clip(np.searchsorted(self.times_s, wanted_s), 1, max(1, len(self.times_s) - 1))
        left = right - 1
        right = np.minimum(right, len(self.times_s) - 1)
        nearer = np.abs(self.times_s[right] - wanted_s) < np.abs(self.times_s[left] - wanted_s)
        index = np.where(nearer, right, left)
        is_near = np.abs(self.times_s[index] - wanted_s) <= max_distance_s
        for at, (i, good) in enumerate(zip(index, is_near, strict=True)):
            if good:
                picture = cv2.imdecode(np.frombuffer(self.jpegs[i], np.uint8), cv2.IMREAD_COLOR)
                if picture is None:
                    raise ValueError("a kept face picture cannot be read")
                out[at] = picture
        return out, is_near


@dataclass(eq=False)
class CropCollector:
    """Face pictures of a track that is being followed."""

    _times_s: list[float] = field(default_factory=list)
    _jpegs: list[bytes] = field(default_factory=list)
    _squares: list[tuple[float, float, float]] = field(default_factory=list)  # the last few: centre x, y and side, px

    def add(self, time_s: float, image: Image, box: Box) -> None:
        """Add the face in `box` (px) of a frame (h, w, 3) BGR."""
        import cv2

        longer = max(box[2] - box[0], box[3] - box[1])
        square = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2 + _LOWER * longer, _SQUARE * longer
        self._squares = [*self._squares, square][-_SMOOTHED:]
        x, y = np.median([s[:2] for s in self._squares[-3:]], axis=0)  # the head moves, but its size hardly changes
        side = max(float(np.median([s[2] for s in self._squares])), 1.0)
        scale = SIDE_PX / side
        place = np.array([[scale, 0, SIDE_PX / 2 - scale * x], [0, scale, SIDE_PX / 2 - scale * y]])
        inter = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        crop = cv2.warpAffine(image, place, (SIDE_PX, SIDE_PX), flags=inter, borderValue=(_GREY,) * 3)
        done, packed = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not done:
            raise ValueError("a face picture could not be encoded")
        self._times_s.append(time_s)
        self._jpegs.append(packed.tobytes())

    def since(self, time_s: float) -> "CropCollector":
        """Move the pictures from `time_s` on out of this collector into a new one, and return that."""
        first = int(np.searchsorted(self._times_s, time_s))
        later = CropCollector(self._times_s[first:], self._jpegs[first:], list(self._squares))
        del self._times_s[first:], self._jpegs[first:]
        return later

    def done(self) -> FaceCrops:
        return FaceCrops(np.array(self._times_s, np.float64), self._jpegs)
