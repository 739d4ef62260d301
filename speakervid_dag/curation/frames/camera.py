"""Camera movement between two frames, and point survival, by sparse optical flow.

Belongs here: following points on small pictures, the background's similarity transform. Does not belong here: naming a
clip's movement (scores/camera.py), thresholds.

Corners (Shi-Tomasi 1994) are followed by pyramidal Lucas-Kanade. A point counts as long as following it back ends where
it began (forward-backward error, Kalal 2010). Points on people are excluded from the camera's movement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.geometry import Box

Luma = NDArray[np.float32]
Points = NDArray[np.float32]

MAX_POINTS, MIN_POINTS = 120, 8
_CORNER_QUALITY, _CORNER_DISTANCE_PX = 0.01, 4
_WINDOW_PX, _PYRAMID_LEVELS = 11, 3
_MAX_BACKWARD_ERROR_PX = 0.5
_SEED_EVERY_S = 1.0  # points are chosen again every second, so that survival always covers the same time
_BODY_WIDTHS = 1.0  # a person's silhouette: a face width to either side of the face, from above it to the bottom


@dataclass(frozen=True)
class CameraStep:
    """Movement from one sampled frame to the next.

    Attributes:
        time_s: of the later frame.
        x, y: shift of the background's middle, shares of the picture's long side; NaN without enough background.
        zoom: natural log of the background's scale (positive = nearer); NaN likewise.
        survival: share of the points chosen up to 1 s ago that are still followed, 0-1; NaN with fewer than 8 corners.
    """

    time_s: float
    x: float
    y: float
    zoom: float
    survival: float


class CameraWatch:
    """Camera movement of one shot. Feed its small lumas (pixels.small_luma) in order."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._points: Points = np.zeros((0, 2), np.float32)
        self._seeded_s, self._seeded = -np.inf, 0

    def feed(self, time_s: float, luma: Luma, faces: Sequence[Box]) -> CameraStep | None:
        """Return the step to this frame; None for the first one.

        Args:
            luma: (h, w) float32, 0-255.
            faces: normalised boxes of the faces in view.
        """
        picture = np.clip(luma, 0, 255).astype(np.uint8)
        before, self._before = self._before, picture
        step = None
        is_cut_alike = before is not None and before.shape == picture.shape
        if before is not None and is_cut_alike:
            step = self._step(time_s, before, picture, faces)
        if not is_cut_alike or time_s - self._seeded_s >= _SEED_EVERY_S or len(self._points) < MIN_POINTS:
            self._points = corners(picture, faces)
            self._seeded_s, self._seeded = time_s, len(self._points)
        return step

    def _step(
        self, time_s: float, before: NDArray[np.uint8], picture: NDArray[np.uint8], faces: Sequence[Box]
    ) -> CameraStep:
        start = self._points
        if self._seeded < MIN_POINTS:
            return CameraStep(time_s, np.nan, np.nan, np.nan, np.nan)
        end, held = follow(before, picture, start)
        self._points = end[held]
        survival = float(held.sum()) / self._seeded
        height, width = picture.shape
        behind = held & ~on_people(np.asarray(start / (width, height), dtype=np.float32), faces)
        return CameraStep(time_s, *background_step(start[behind], end[behind], width, height), survival)


def corners(picture: NDArray[np.uint8], faces: Sequence[Box]) -> Points:
    """Return at most 120 corners of a grey picture, half reserved for the background: (n, 2) float32 x, y in px."""
    import cv2

    height, width = picture.shape
    behind = np.full(picture.shape, 255, np.uint8)
    for box in faces:
        x1, y1, x2 = _silhouette(box)
        behind[max(0, round(y1 * height)) :, max(0, round(x1 * width)) : max(0, round(x2 * width))] = 0
    parts = []
    for area in (behind, 255 - behind):
        found = cv2.goodFeaturesToTrack(picture, MAX_POINTS // 2, _CORNER_QUALITY, _CORNER_DISTANCE_PX, mask=area)
        parts.append(np.zeros((0, 2), np.float32) if found is None else found.reshape(-1, 2))
    return np.concatenate(parts).astype(np.float32)


def follow(before: NDArray[np.uint8], after: NDArray[np.uint8], points: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Return where (n, 2) points moved, and (n,) True for those that pass the forward-backward check."""
    import cv2

    if not len(points):
        return points, np.zeros(0, dtype=np.bool_)
    how: dict[str, Any] = {"winSize": (_WINDOW_PX, _WINDOW_PX), "maxLevel": _PYRAMID_LEVELS}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **how)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **how)
    error = np.linalg.norm(back - points, axis=1)
    height, width = after.shape
    inside = ((there >= 0) & (there < (width, height))).all(axis=1)
    held = (found.ravel() == 1) & (found_back.ravel() == 1) & inside & (error <= _MAX_BACKWARD_ERROR_PX)
    return there, held


def on_people(points: Points, faces: Sequence[Box]) -> NDArray[np.bool_]:
    """Return (n,) True for the (n, 2) normalised points on the silhouette of a person with one of these faces."""
    inside = np.zeros(len(points), dtype=np.bool_)
    for box in faces:
        x1, y1, x2 = _silhouette(box)
        inside |= (points[:, 0] > x1) & (points[:, 0] < x2) & (points[:, 1] > y1)
    return inside


def _silhouette(face: Box) -> tuple[float, float, float]:
    """Return left, top and right of the person with this face; the bottom is the picture's."""
    x1, y1, x2, y2 = face
    side = _BODY_WIDTHS * (x2 - x1)
    return x1 - side, y1 - (y2 - y1) / 2, x2 + side


def background_step(start: Points, end: Points, width: int, height: int) -> tuple[float, float, float]:
    """Return x, y and zoom of CameraStep from the similarity transform that most points fit (RANSAC), or NaN."""
    import cv2

    nothing = (np.nan, np.nan, np.nan)
    if len(start) < MIN_POINTS:
        return nothing
    found, agree = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=0.7)
    if found is None or int(agree.sum()) < MIN_POINTS:
        return nothing
    middle = np.array([width / 2, height / 2])
    moved = found[:, :2] @ middle + found[:, 2] - middle
    long_side = max(width, height)
    zoom = float(np.log(np.hypot(found[0, 0], found[1, 0])))
    return float(moved[0] / long_side), float(moved[1] / long_side), zoom
