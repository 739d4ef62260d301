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

from speakervid_dag.curation.faces.crops import SIDE_PX, FaceCrops

FPS = 25
MOUTH_PX, FACE_PX = 72, 64
MAX_DISTANCE_S = 2 / FPS  # from a grid time to the picture that stands for it
STATE = ("mesh_score", "face_px", "yaw_deg")

_BOX_OF_SQUARE = 1 / 1.4  # longer side of the face box, of the side of a stored picture (faces/crops.py)
_LOWER = 0.2  # the stored picture's centre lies this much below the box's, of the box side
_MOUTH_OF_BOX = 0.6  # side of the mouth picture
_MIN_MESH_SCORE = 0.5
_DEFAULT_BELOW = 0.27  # of the box side: mouth below the box's centre where no mesh says where
_SIZES, _CENTRES = 13, 3  # frames of the running medians of faces/crops.py
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


def lip_frames(track: Mapping[str, Any], crops: FaceCrops, width_px: int, height_px: int) -> LipFrames:
    """Return a track of `face_tracks` on the grid.

    Args:
        track: a row: frame_times_s, boxes, keypoints, lip_shape, mesh_score, yaw_deg.
        crops: its pictures; the first len(frame_times_s) belong to the row's frames.
        width_px, height_px: size of the frames in which it was tracked.
    """
    times = np.asarray(track["frame_times_s"], np.float64)
    first = int(np.ceil(times[0] * FPS - 0.5))
    count = max(1, int(np.floor(times[-1] * FPS + 0.5)) - first + 1)
    wanted = (first + np.arange(count)) / FPS
    index, is_seen = nearest(times, wanted, MAX_DISTANCE_S)
    scores = np.nan_to_num(np.asarray(track["mesh_score"], np.float32))
    yaw = np.nan_to_num(np.asarray(track["yaw_deg"], np.float32))
    size = np.array([width_px, height_px] * 2)
    boxes = np.asarray([list(b) for b in track["boxes"]], np.float64) * size
    points = np.asarray([list(k) for k in track["keypoints"]], np.float64).reshape(-1, 5, 2) * size[:2]
    lips = np.nan_to_num(np.asarray([list(shape) for shape in track["lip_shape"]], np.float32))
    is_meshed = scores >= _MIN_MESH_SCORE
    centres, sides = crop_squares(boxes)
    places, rolls = _mouth_places(points, centres, sides, is_meshed)
    mouths, faces = _pictures(crops, times, index, is_seen, places, rolls)
    seen = is_seen[:, None]
    state = np.stack([scores, sides * _BOX_OF_SQUARE, np.where(is_meshed, yaw, 0)], axis=1).astype(np.float32)
    return LipFrames(
        first,
        mouths,
        faces,
        np.where(seen & is_meshed[index][:, None], lips[index], 0).astype(np.float32),
        np.where(seen, state[index], 0).astype(np.float32),
        is_seen,
    )


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


def crop_squares(boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre (n, 2) and side (n,), px, of the squares that faces/crops.py cut for boxes (n, 4), px."""
    longer = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    centre = np.stack([boxes[:, [0, 2]].mean(1), boxes[:, [1, 3]].mean(1) + _LOWER * longer], axis=1)
    sides = _running(longer[:, None] / _BOX_OF_SQUARE, _SIZES)[:, 0]
    return _running(centre, _CENTRES), np.maximum(sides, 1.0)


def _running(values: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Return the median of each row and up to `frames` - 1 before it."""
    padded = np.concatenate([np.full((frames - 1, values.shape[1]), np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, frames, axis=0)
    return np.asarray(np.nanmedian(windows, axis=-1))


def _mouth_places(
    points: NDArray[np.float64],
    centres: NDArray[np.float64],
    sides: NDArray[np.float64],
    is_meshed: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mouth's centre in px of the stored picture (n, 2) and the eye line's angle in radians (n,)."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    default = np.array([0.0, (_DEFAULT_BELOW - _LOWER) * _BOX_OF_SQUARE])
    place = np.where(is_meshed[:, None], (points[:, 3:].mean(1) - centres) / sides[:, None], default)
    across = points[:, 1] - points[:, 0]
    turn = np.where(is_meshed[:, None], across / np.maximum(np.linalg.norm(across, axis=1), 1e-6)[:, None], [1.0, 0.0])
    both = np.nan_to_num(np.concatenate([place, turn], axis=1))
    both = median_filter(both, size=(_STEADY_FRAMES, 1), mode="nearest")
    both = gaussian_filter1d(both, _STEADY_SIGMA, axis=0, mode="nearest")
    return np.clip(both[:, :2], -0.5, 0.5) * SIDE_PX + SIDE_PX / 2, np.arctan2(both[:, 3], both[:, 2])


def _pictures(
    crops: FaceCrops,
    times: NDArray[np.float64],
    index: NDArray[np.intp],
    is_seen: NDArray[np.bool_],
    places: NDArray[np.float64],
    rolls: NDArray[np.float64],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    import cv2

    mouths = np.zeros((len(index), MOUTH_PX, MOUTH_PX), np.uint8)
    faces = np.zeros((len(index), FACE_PX, FACE_PX), np.uint8)
    at, has_crop = nearest(crops.times_s, times, 1e-3)
    is_seen &= has_crop[index]
    box = SIDE_PX * _BOX_OF_SQUARE
    left, top = (SIDE_PX - box) / 2, (SIDE_PX - box) / 2 - _LOWER * box
    cut = slice(round(top), round(top + box)), slice(round(left), round(left + box))
    scale = MOUTH_PX / (_MOUTH_OF_BOX * box)
    drawn = -1  # the frame of the track in the last picture; a slow video repeats it
    for n, i in enumerate(index):
        if not is_seen[n]:
            continue
        if i == drawn:
            mouths[n], faces[n] = mouths[n - 1], faces[n - 1]
            continue
        drawn = i
        grey = cv2.imdecode(np.frombuffer(crops.jpegs[at[i]], np.uint8), cv2.IMREAD_GRAYSCALE)
        if grey is None:
            raise ValueError("a stored face picture cannot be read")
        cos, sin = scale * np.cos(rolls[i]), scale * np.sin(rolls[i])
        turn = np.array([[cos, sin], [-sin, cos]])
        place = np.column_stack([turn, MOUTH_PX / 2 - turn @ places[i]])
        mouths[n] = cv2.warpAffine(
            grey, place, (MOUTH_PX, MOUTH_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        faces[n] = cv2.resize(grey[cut], (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
    return mouths, faces
