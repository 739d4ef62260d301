"""Liveness of a tracked face: a living head, or a photograph, poster, still on a screen, statue or drawing.

Belongs here: evidence of life in a track's own pixels. Does not belong here: following faces (tracking.py), which
stages exclude such tracks, voices.

A picture of a face moves as a whole, however it is held, zoomed or panned: an affine map takes the face at one time to
the face at another, and only grain and coding remain. A living head turns, blinks, breathes and changes its shading,
also while listening, so more remains. The score is the residual beyond a small error of the map.
The faces are aligned by their pixels, because mesh points jitter as much over a grainy photograph as over a listener
who sits still. The alignment is that of Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004: inverse
compositional, with a linear change of appearance.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import LivenessSettings
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import Box
from speakervid_dag.curation.faces.tracking import FollowedFace
from speakervid_dag.curation.frames.log import Rhythm
from speakervid_dag.curation.pixels import Image

SIDE_PX = 64
_SMOOTHING_PX = 1.5  # sigma of the low-pass before comparison: removes grain, keeps eyelids and lips
_COARSE_PX = 3.0  # a second low-pass, for the second of two ways to start the alignment
_AXES = (0.42, 0.46)  # half axes of the compared ellipse, as shares of the side: the corners are background
_MIN_SEEN = 0.7  # share of the ellipse that must lie inside the picture in both samples
_MIN_CONTRAST = 4.0  # deviation of grey levels; less is too little for alignment
_MAP_ERROR_PX = 0.35  # error of the map, anywhere, that leaves no residual (0.5 % of the face)
_PART_PX = 12  # an eye with its lids
_STEPS, _SETTLED = 20, 0.003  # of an alignment: most steps; it stops when the rim moves less than this, px

Grey = NDArray[np.float32]
Map = NDArray[np.float64]
"""(3, 3) affine, px to px."""
_MAX_CONDITION = 1e3  # of one step; a step beyond it is invalid
_CENTRE = (SIDE_PX - 1) / 2
_TO_PX = np.array([[SIDE_PX / 2, 0, _CENTRE], [0, SIDE_PX / 2, _CENTRE], [0, 0, 1.0]])  # from -1 … 1 over the square
_FROM_PX = np.linalg.inv(_TO_PX)


@dataclass(frozen=True, eq=False)
class Face:
    """A face at one time: (64, 64) grey 0-255, upright and low-passed, and a mask of px inside picture and face."""

    time_s: float
    grey: Grey
    seen: NDArray[np.bool_]


def upright_face(time_s: float, image: Image, box: Box, roll_deg: float) -> Face:
    """Return the face in `box` (px) of a (height, width, 3) BGR frame, turned upright by `roll_deg`."""
    import cv2

    side = max(box[2] - box[0], box[3] - box[1], 1.0)
    scale = SIDE_PX / side
    cos, sin = scale * np.cos(np.radians(roll_deg)), scale * np.sin(np.radians(roll_deg))
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    # only the neighbourhood: converting a whole frame to grey per face would cost more than everything else
    x1, y1 = (max(0, int(c - side)) for c in middle)
    near = image[y1 : max(y1 + 1, int(middle[1] + side)), x1 : max(x1 + 1, int(middle[0] + side))]
    grey = np.asarray(cv2.cvtColor(near, cv2.COLOR_BGR2GRAY), np.float32)
    if scale < 1:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.5 / scale))  # prevents aliasing when shrinking
    place = np.column_stack([turn, SIDE_PX / 2 - turn @ (middle - (x1, y1))])
    cut = cv2.warpAffine(grey, place, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones_like(grey), place, (SIDE_PX, SIDE_PX))
    return Face(time_s, np.asarray(_smoothed(cut, _SMOOTHING_PX)), _ellipse() & (inside > 0.99))


def leftover(first: Face, second: Face) -> float:
    """Return the residual between two faces after the best affine map and change of brightness and contrast.

    Root mean square, in standard deviations of the face's grey levels, of the difference that a map error of
    `_MAP_ERROR_PX` cannot explain, over the part of the face where it is largest (a part is the size of an eye);
    0 = the same picture. NaN if the faces cannot be aligned: cut off by the picture's edge, flat, or too different.
    """
    if min(f.seen.sum() for f in (first, second)) < _MIN_SEEN * _ellipse().sum():
        return float("nan")
    if min(float(f.grey[f.seen].std()) for f in (first, second)) < _MIN_CONTRAST:
        return float("nan")
    soft = [_smoothed(f.grey, _COARSE_PX) for f in (first, second)]
    coarse = _aligned(soft[0], soft[1], first.seen, np.eye(3))
    found = [_left(first, second, _aligned(first.grey, second.grey, first.seen, s)) for s in (np.eye(3), coarse)]
    told = [each for each in found if np.isfinite(each)]
    return min(told, default=float("nan"))


def _aligned(first: Grey, second: Grey, seen: NDArray[np.bool_], start: Map) -> Map:
    """Return the map from px of `first` to px of `second` that agrees best over `seen`, starting from `start`."""
    x, y = (axis[seen] * 2 - 1 for axis in _places())
    template = first[seen]
    across, down = (slope[seen] for slope in _slopes(first))
    light = [template, np.ones_like(template)]
    jacobian = np.stack([across * x, across * y, across, down * x, down * y, down, *light], axis=1).astype(np.float64)
    solve = np.linalg.pinv(jacobian.T @ jacobian, hermitian=True) @ jacobian.T  # 8 x 8: cheap, and no threads
    found = start
    for _ in range(_STEPS):
        step = solve[:6] @ (_moved(second, found)[seen] - template)
        half = SIDE_PX / 2
        change = np.vstack([np.eye(2, 3) + step.reshape(2, 3) / half, (0.0, 0.0, 1.0)])
        if np.linalg.cond(change) > _MAX_CONDITION:
            break  # too different: the residual will show it
        found = found @ _TO_PX @ np.linalg.inv(change) @ _FROM_PX
        if np.abs(step).max() < _SETTLED:
            break
    return found


def _moved(grey: Grey, place: Map) -> Grey:
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(grey, place[:2], (SIDE_PX, SIDE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _slopes(grey: Grey) -> tuple[Grey, Grey]:
    """Return the gradients across and down, grey levels per px."""
    import cv2

    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _left(first: Face, second: Face, place: Map) -> float:
    import cv2

    seen = first.seen & (_moved(second.seen.astype(np.float32), place) > 0.99)
    if seen.sum() < _MIN_SEEN * _ellipse().sum():
        return float("nan")
    x, y = first.grey[seen], _moved(second.grey, place)[seen]
    if float(y.std()) < _MIN_CONTRAST:
        return float("nan")
    gain = float(np.cov(x, y)[0, 1] / y.var(ddof=1))
    rest = np.abs((x - x.mean()) - gain * (y - y.mean()))
    explained = _MAP_ERROR_PX * np.hypot(*_slopes(first.grey))[seen]
    left = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    left[seen] = np.maximum(rest - explained, 0.0) ** 2
    return float(np.sqrt(cv2.blur(left, (_PART_PX, _PART_PX)).max()) / x.std())


def _smoothed(grey: Any, deviation_px: float) -> Grey:
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), deviation_px), np.float32)


@cache
def _places() -> tuple[Grey, Grey]:
    """Return x and y of every px of a face's square, 0-1."""
    y, x = (np.mgrid[0:SIDE_PX, 0:SIDE_PX] + 0.5) / SIDE_PX
    return x, y


@cache
def _ellipse() -> NDArray[np.bool_]:
    """Return the mask of the face in its square, (64, 64)."""
    x, y = (axis - 0.5 for axis in _places())
    return np.asarray((x / _AXES[0]) ** 2 + (y / _AXES[1]) ** 2 <= 1.0)


@dataclass
class LifeWatch:
    """The faces of one shot. Feed every frame that the tracker got, with the tracks seen in it; then `liveness`.

    Holds the faces of the longest lag, about a second, and two numbers per sample.
    """

    settings: LivenessSettings
    clock: PartClock
    _recent: dict[int, deque[Face]] = field(default_factory=dict)
    _leftovers: dict[int, list[float]] = field(default_factory=dict)
    _heights: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rhythm = Rhythm(self.settings.looks_hz)

    def feed(self, time_s: float, image: Image, tracks: Sequence[FollowedFace]) -> None:
        if not self._rhythm.is_due(time_s):
            return
        with self.clock.timed("liveness"):
            for track in tracks:
                self._look(time_s, image, track)

    def liveness(self, track: FollowedFace) -> tuple[float | None, str]:
        """Return the score and `ok`, or None and the reason: too_small, too_few_looks."""
        heights = self._heights.get(id(track), [])
        if heights and float(np.median(heights)) < self.settings.min_face_height_px:
            return None, "too_small"
        found = np.array(self._leftovers.get(id(track), []))
        found = found[np.isfinite(found)]
        if len(found) < self.settings.min_looks:
            return None, "too_few_looks"
        return float(np.quantile(found, self.settings.quantile)), "ok"

    def is_alive(self, track: FollowedFace) -> bool:
        """Return True unless the score says otherwise."""
        measured, _ = self.liveness(track)
        return measured is None or measured >= self.settings.min_leftover

    def _look(self, time_s: float, image: Image, track: FollowedFace) -> None:
        face = upright_face(time_s, image, track.box, track.roll_deg)
        self._heights.setdefault(id(track), []).append(track.box[3] - track.box[1])
        recent = self._recent.setdefault(id(track), deque())
        half_s = 0.5 / self.settings.looks_hz
        while recent and time_s - recent[0].time_s > max(self.settings.lags_s) + half_s:
            recent.popleft()
        # two lags: something that repeats (a looped pause) may look the same after one of them
        apart = [[f for f in recent if abs(time_s - f.time_s - lag_s) <= half_s] for lag_s in self.settings.lags_s]
        if all(apart):
            found = [leftover(faces[0], face) for faces in apart]
            told = [each for each in found if np.isfinite(each)]
            self._leftovers.setdefault(id(track), []).append(max(told, default=float("nan")))
        recent.append(face)
