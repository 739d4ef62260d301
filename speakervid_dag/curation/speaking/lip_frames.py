"""Input of the lip network from a face track: mouth and face pictures, lip coordinates and face state at 25 Hz.

Belongs here: the time grid, and where mouth and face lie in a stored face picture. Does not belong here: the network
(models/lip_network.py), cutting face pictures (faces/crops.py), training (speakervid_dag/training).

The grid is absolute: frame n is at n / 25 s of the container's clock, for all tracks and the sound of a video.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.crops import FACE, FaceCrops, square_view

FPS, SAMPLES = 25, 640  # frames per second, and samples of 16 kHz in a frame
MOUTH_PX, FACE_PX = 72, 64
MAX_DISTANCE_S = 2 / FPS  # from a grid time to the picture that stands for it
STATE = ("mesh_score", "face_px", "yaw_deg")
LIP_VALUES = 40  # of lip_shape

_MOUTH_OF_BOX = 0.6  # side of the mouth picture
_MIN_MESH_SCORE = 0.5
_MOST_AWAY = 0.8  # of the box side: no mouth is further from the box's centre
_FACE_CUT_PX = 160  # the face is first cut at this size: shrinking by steps of whole pixels would leave patterns
_DEFAULT_BELOW = 0.27  # of the box side: mouth below the box's centre where no mesh says where
_STEADY_FRAMES, _STEADY_SIGMA = 7, 1.5  # smoothing of the mouth's place inside the face

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LipFrames:
    """One track on the 25-Hz grid; frame i is at (first + i) / 25 s.

    Attributes:
        first: number of the first frame.
        mouths: (t, 72, 72) uint8 grey, upright, side 0.6 of the face box, centred on the mouth.
        faces: (t, 64, 64) uint8 grey, the whole face box.
        lips: (t, 40) float32, `lip_shape` of the track; 0 where the mesh is not trusted.
        state: (t, 3) float32: mesh score 0-1, longer side of the face box in px, yaw in degrees.
        is_seen: (t,) bool; where it is False the other arrays are 0.
    """

    first: int
    mouths: NDArray[np.uint8]
    faces: NDArray[np.uint8]
    lips: Floats
    state: Floats
    is_seen: NDArray[np.bool_]


def grid(times_s: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first frame of the grid inside a track whose frames are shown at these times, and how many there are.

    A track ends when its last frame has been shown as long as most of the others, a frame of the grid at most.
    """
    shown_s = min(float(np.median(np.diff(times_s))), 1 / FPS) if len(times_s) > 1 else 1 / FPS
    first = int(np.ceil(times_s[0] * FPS - 1e-6))
    return first, max(1, int(np.floor((times_s[-1] + shown_s) * FPS + 1e-6)) - first)


def lip_frames(track: Mapping[str, Any], crops: FaceCrops) -> LipFrames:
    """Return a track of `face_tracks` on the grid.

    Args:
        track: a row: frame_times_s, boxes, keypoints, lip_shape, mesh_score, yaw_deg.
        crops: its pictures.
    """
    times = np.asarray(track["frame_times_s"], np.float64)
    first, count = grid(times)
    wanted = (first + np.arange(count)) / FPS
    index, is_seen = nearest(times, wanted, MAX_DISTANCE_S)
    at, has_crop = nearest(crops.times_s, times, 1e-3)
    is_seen &= has_crop[index]
    if not is_seen.any():
        return _unseen(first, count)
    scores = np.nan_to_num(np.asarray(track["mesh_score"], np.float32))
    yaw = np.nan_to_num(np.asarray(track["yaw_deg"], np.float32))
    boxes = np.asarray([list(b) for b in track["boxes"]], np.float64)
    size = _frame_size(boxes[has_crop], crops.boxes[at[has_crop]])
    points = np.asarray([list(k) for k in track["keypoints"]], np.float64).reshape(-1, 5, 2) * size
    lips = np.nan_to_num(np.asarray([list(shape) for shape in track["lip_shape"]], np.float32))
    is_meshed = scores >= _MIN_MESH_SCORE
    squares = crops.squares(FACE)[at]
    mouths, faces = _pictures(crops, at, index, is_seen, squares, _mouth_matrices(points, squares, is_meshed))
    seen = is_seen[:, None]
    state = np.stack([scores, squares[:, 2], np.where(is_meshed, yaw, 0)], axis=1).astype(np.float32)
    return LipFrames(
        first,
        mouths,
        faces,
        np.where(seen & is_meshed[index][:, None], lips[index], 0).astype(np.float32),
        np.where(seen, state[index], 0).astype(np.float32),
        is_seen,
    )


def _frame_size(boxes: NDArray[np.float64], cut: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return width and height, px, of the frames in which a face was tracked.

    Args:
        boxes: (n, 4), 0-1; cut off at the frame's edges.
        cut: (n, 3), `FaceCrops.boxes` of the same frames, px.
    """
    whole = ((boxes > 0) & (boxes < 1)).all(axis=1)
    whole = whole if whole.any() else np.ones(len(boxes), np.bool_)
    centres = (boxes[whole, :2] + boxes[whole, 2:]) / 2
    return np.asarray((centres * cut[whole, :2]).sum(axis=0) / np.maximum((centres**2).sum(axis=0), 1e-9))


def _unseen(first: int, count: int) -> LipFrames:
    mouths, faces = np.zeros((count, MOUTH_PX, MOUTH_PX), np.uint8), np.zeros((count, FACE_PX, FACE_PX), np.uint8)
    lips, state = np.zeros((count, LIP_VALUES), np.float32), np.zeros((count, len(STATE)), np.float32)
    return LipFrames(first, mouths, faces, lips, state, np.zeros(count, np.bool_))


def nearest(
    times: NDArray[np.float64], wanted: NDArray[np.float64], max_distance: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the index of the time nearest to each wanted one, and whether it is near enough."""
    if not len(times):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    right = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    index = np.where(np.abs(times[left] - wanted) <= np.abs(times[right] - wanted), left, right)
    return index, np.abs(times[index] - wanted) <= max_distance + 1e-9


def _mouth_matrices(
    points: NDArray[np.float64], squares: NDArray[np.float64], is_meshed: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return matrices (n, 2, 3) from px of the frame to px of the mouth picture, upright by the eye line."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    sides = squares[:, 2:]
    centres = squares[:, :2] + sides / 2
    place = np.where(is_meshed[:, None], (points[:, 3:].mean(1) - centres) / sides, [0.0, _DEFAULT_BELOW])
    across = points[:, 1] - points[:, 0]
    turn = np.where(is_meshed[:, None], across / np.maximum(np.linalg.norm(across, axis=1), 1e-6)[:, None], [1.0, 0.0])
    both = np.nan_to_num(np.concatenate([place, turn], axis=1))
    both = median_filter(both, size=(_STEADY_FRAMES, 1), mode="nearest")
    both = gaussian_filter1d(both, _STEADY_SIGMA, axis=0, mode="nearest")
    mouths = centres + np.clip(both[:, :2], -_MOST_AWAY, _MOST_AWAY) * sides
    roll = np.arctan2(both[:, 3], both[:, 2])
    scale = MOUTH_PX / (_MOUTH_OF_BOX * sides[:, 0])
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    turns = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
    moves = MOUTH_PX / 2 - (turns @ mouths[:, :, None])
    return np.concatenate([turns, moves], axis=2)


def _pictures(
    crops: FaceCrops,
    at: NDArray[np.intp],
    index: NDArray[np.intp],
    is_seen: NDArray[np.bool_],
    squares: NDArray[np.float64],
    matrices: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return mouths and faces on the grid.

    Args:
        at: (n,) the crop of each frame of the track; squares, matrices: where its face lies, and its mouth.
        index: (t,) the frame of the track for each of the grid.
    """
    import cv2

    mouths = np.zeros((len(index), MOUTH_PX, MOUTH_PX), np.uint8)
    faces = np.zeros((len(index), FACE_PX, FACE_PX), np.uint8)
    drawn = -1  # the frame of the track in the last picture; a slow video repeats it
    for n, i in enumerate(index):
        if not is_seen[n]:
            continue
        if i == drawn:
            mouths[n], faces[n] = mouths[n - 1], faces[n - 1]
            continue
        drawn = i
        face = square_view(squares[i], _FACE_CUT_PX)
        mouths[n], whole = crops.warped(int(at[i]), [(matrices[i], MOUTH_PX), face], is_grey=True)
        faces[n] = cv2.resize(whole, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    return mouths, faces
