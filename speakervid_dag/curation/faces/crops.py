"""Face crops for the active-speaker networks: cut during tracking, stored as JPEG, read on a time grid.

Belongs here: what is kept of each frame, the square that a network sees, packing and unpacking. Does not belong here:
file locations (stages/crops.py), following faces (tracking.py), the networks.

A picture is kept at the frame's own size, with a margin around the face. The square that a network sees is cut from it
when it is read, centred and sized by running medians of the boxes before and after: small faces lose nothing by being
scaled twice, and a face that moves is not behind its square. (Measured on 15 conversations, share of frames in which
Light-ASD gives the speaker the highest score: .94 with squares cut while tracking, .96 so.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.pixels import Image

MOST_PX = 224  # a larger picture is scaled down to this
_KEPT, _LOWER = 1.6, 0.2  # side and centre of what is kept, in longer sides of the box: holds each View
_CENTRE_FRAMES, _SIZE_FRAMES = (
    3,
    13,
)  # running medians, as in the scripts of the networks: a head hardly changes its size
_JPEG_QUALITY = 90
_GREY = 110  # fills the area outside the picture


@dataclass(frozen=True)
class View:
    """The square that a network sees.

    Attributes:
        scale: its side, in longer sides of the face box.
        lower: how far its centre lies below that of the box, in the same unit.
        side_px: its side in pixels, as the network takes it.
    """

    scale: float
    lower: float
    side_px: int


FACE = View(1.0, 0.0, 112)  # Light-ASD
HEAD = View(1.4, 0.2, 224)  # SyncNet: with b = half the longer side, 2.8 b (S3FD boxes, crop scale 0.40), with the chin


@dataclass(frozen=True, eq=False)
class FaceCrops:
    """One track's face pictures.

    Attributes:
        times_s: (n,) float64, time of each, s.
        boxes: (n, 3) float64, centre x, centre y and longer side of the face box, px of the frame.
        places: (n, 3) float64, left and top of the picture, px of the frame, and its pixels per px of the frame.
        jpegs: the pictures.
    """

    times_s: NDArray[np.float64]
    boxes: NDArray[np.float64]
    places: NDArray[np.float64]
    jpegs: list[bytes]

    def first(self, count: int) -> "FaceCrops":
        """Return the first `count` pictures."""
        return FaceCrops(self.times_s[:count], self.boxes[:count], self.places[:count], self.jpegs[:count])

    def at(
        self, wanted_s: NDArray[np.float64], max_distance_s: float, view: View
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the picture nearest to each time, (n, side, side, 3) BGR uint8, and (n,) if it is near enough."""
        out = np.zeros((len(wanted_s), view.side_px, view.side_px, 3), np.uint8)
        if not len(self.times_s):
            return out, np.zeros(len(wanted_s), bool)
        right = np.clip(np.searchsorted(self.times_s, wanted_s), 1, max(1, len(self.times_s) - 1))
        left = right - 1
        right = np.minimum(right, len(self.times_s) - 1)
        nearer = np.abs(self.times_s[right] - wanted_s) < np.abs(self.times_s[left] - wanted_s)
        index = np.where(nearer, right, left)
        is_near = np.abs(self.times_s[index] - wanted_s) <= max_distance_s
        squares = self.squares(view)
        for at in np.flatnonzero(is_near):
            (out[at],) = self.warped(int(index[at]), [square_view(squares[index[at]], view.side_px)])
        return out, is_near

    def squares(self, view: View) -> NDArray[np.float64]:
        """Return left, top and side of the square in each frame, px of the frame: (n, 3)."""
        from scipy.ndimage import median_filter

        x, y = (median_filter(self.boxes[:, i], _CENTRE_FRAMES, mode="nearest") for i in (0, 1))
        longer = median_filter(self.boxes[:, 2], _SIZE_FRAMES, mode="nearest")
        side = np.maximum(view.scale * longer, 1.0)
        return np.stack([x - side / 2, y + view.lower * longer - side / 2, side], axis=1)

    def warped(
        self, number: int, views: Sequence[tuple[NDArray[np.float64], int]], is_grey: bool = False
    ) -> list[NDArray[np.uint8]]:
        """Return views of one picture, (side, side, 3) BGR uint8 or (side, side) grey.

        Args:
            views: of each a matrix (2, 3) from px of the frame to px of the view, and the view's side in px.
        """
        import cv2

        kind = cv2.IMREAD_GRAYSCALE if is_grey else cv2.IMREAD_COLOR
        picture = cv2.imdecode(np.frombuffer(self.jpegs[number], np.uint8), kind)
        if picture is None:
            raise ValueError("a kept face picture cannot be read")
        left, top, density = self.places[number]
        found = []
        for matrix, side_px in views:
            turn = matrix[:, :2] / density
            # pixels are squares: their centres lie half a pixel inside
            move = matrix[:, :2] @ [left, top] + matrix[:, 2] + turn @ [0.5, 0.5] - 0.5
            place, size = np.column_stack([turn, move]), (side_px, side_px)
            cut = cv2.warpAffine(picture, place, size, flags=cv2.INTER_LINEAR, borderValue=(_GREY,) * 3)
            found.append(np.asarray(cut, np.uint8))
        return found


def square_view(square: NDArray[np.float64], side_px: int) -> tuple[NDArray[np.float64], int]:
    """Return the view, for `warped`, of a square: left, top and side in px of the frame."""
    scale = side_px / square[2]
    return np.array([[scale, 0, -scale * square[0]], [0, scale, -scale * square[1]]]), side_px


@dataclass(eq=False)
class CropCollector:
    """Face pictures of a track that is being followed."""

    _times_s: list[float] = field(default_factory=list)
    _boxes: list[tuple[float, float, float]] = field(default_factory=list)
    _places: list[tuple[float, float, float]] = field(default_factory=list)
    _jpegs: list[bytes] = field(default_factory=list)

    def add(self, time_s: float, image: Image, box: Box) -> None:
        """Add the face in `box` (px) of a frame (h, w, 3) BGR."""
        import cv2

        longer = max(box[2] - box[0], box[3] - box[1], 1.0)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        side = round(_KEPT * longer)
        left, top = round(x - side / 2), round(y + _LOWER * longer - side / 2)
        move = np.array([[1, 0, -left], [0, 1, -top]], np.float64)  # by whole pixels
        picture = cv2.warpAffine(image, move, (side, side), flags=cv2.INTER_NEAREST, borderValue=(_GREY,) * 3)
        density = min(1.0, MOST_PX / side)
        if density < 1:
            picture = cv2.resize(picture, (MOST_PX, MOST_PX), interpolation=cv2.INTER_AREA)
        done, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if not done:
            raise ValueError("a face picture could not be encoded")
        self._times_s.append(time_s)
        self._boxes.append((x, y, longer))
        self._places.append((left, top, density))
        self._jpegs.append(packed.tobytes())

    def since(self, time_s: float) -> "CropCollector":
        """Move the pictures from `time_s` on out of this collector into a new one, and return that."""
        first = int(np.searchsorted(self._times_s, time_s))
        kept = (self._times_s, self._boxes, self._places, self._jpegs)
        later = CropCollector(self._times_s[first:], self._boxes[first:], self._places[first:], self._jpegs[first:])
        for values in kept:
            del values[first:]
        return later

    def done(self) -> FaceCrops:
        """Return what was collected."""
        boxes, places = (np.array(v, np.float64).reshape(-1, 3) for v in (self._boxes, self._places))
        return FaceCrops(np.array(self._times_s, np.float64), boxes, places, self._jpegs)
