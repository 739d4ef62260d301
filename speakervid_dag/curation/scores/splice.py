"""Jump-cut score of a clip: evidence of a splice inside one person's take.

Belongs here: the score, from series that are stored anyway. Does not belong here: cuts between takes
(sources/shots.py), thresholds (gates of a profile).

A jump cut removes a stretch of one take. Place and people stay, so no shot boundary is found, but picture and head jump
in one frame, while both move normally just before and after. A quick gesture moves the head over several frames, a
flash does not move the head, and tracker jitter does not move the picture.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.measurement import Measurement

Row = Mapping[str, Any]
Array = NDArray[np.float64]
_NEAR = 12  # frames on either side, which show the usual movement
_FEWEST = 8  # of these frames must be known
_BUSY = 90  # percentile of these frames to which a jump is compared
# steps per frame that are only jitter: picture in luma of 0-255, face centre in face sizes, head in degrees
_STILL_LUMA, _STILL_FACE, _STILL_DEG = 0.3, 0.004, 0.5


def splice_jump(track: Row | None, series: Row | None, span: Interval, settings: ScoreSettings) -> Measurement:
    """Return the largest jump of picture and head in one frame, as a multiple of the movement around it.

    Each frame counts with the smaller of two ratios: the picture's motion, and the head's (position or angles).

    Args:
        track: row of face_tracks.
        series: row of frame_series of its shot.

    Returns:
        About 1-2 in an uncut take, mostly 3 and more over a jump cut; or None and the reason: too_few_frames.
    """
    if track is None or series is None:
        return None, "too_few_frames"
    times = np.asarray(track["frame_times_s"], dtype=np.float64)
    inside = np.flatnonzero((times >= span[0]) & (times < span[1]))
    if len(inside) < max(settings.min_frames, _FEWEST + 2):
        return None, "too_few_frames"
    seen = slice(inside[0], inside[-1] + 1)
    times = times[seen]
    pace = np.diff(times) / np.median(np.diff(times))
    boxes = np.asarray(track["boxes"], dtype=np.float64)[seen]
    angles = np.stack([_floats(track[f"{axis}_deg"])[seen] for axis in ("yaw", "pitch", "roll")], axis=1)
    angles[_floats(track["mesh_score"])[seen] < settings.min_mesh_score] = np.nan
    place = _ratio(_steps(_centres(boxes)) / pace, _STILL_FACE)
    turn = _ratio(_steps(angles) / pace, _STILL_DEG)
    picture = _ratio(_motion(series, times[1:]) / pace, _STILL_LUMA)
    jumps = np.fmin(picture, np.fmax(place, turn))
    known = np.isfinite(picture) & (np.isfinite(place) | np.isfinite(turn))
    return (float(jumps[known].max()), "ok") if known.any() else (None, "too_few_frames")


def _ratio(steps: Array, still: float) -> Array:
    """Return each step over the `_BUSY` percentile of its neighbours; NaN where there are too few."""
    padded = np.pad(steps, _NEAR, constant_values=np.nan)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1).copy()
    near[:, _NEAR] = np.nan
    enough = np.isfinite(near).sum(axis=1) >= _FEWEST
    ratio = np.full(len(steps), np.nan)
    ratio[enough] = steps[enough] / np.maximum(np.nanpercentile(near[enough], _BUSY, axis=1), still)
    return ratio


def _centres(boxes: Array) -> Array:
    """Return the face's centre in face widths and heights, (n, 2); NaN for a box without extent."""
    size = np.median(boxes[:, 2:] - boxes[:, :2], axis=0)
    return (boxes[:, :2] + boxes[:, 2:]) / 2 / np.where(size > 0, size, np.nan)


def _steps(places: Array) -> Array:
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=1))


def _motion(series: Row, times: Array) -> Array:
    """Return the picture's motion in the frames at these times; NaN where there is no such frame."""
    frames = np.asarray(series["frame_times_s"], dtype=np.float64)
    if not len(frames):
        return np.full(len(times), np.nan)
    at = np.clip(np.searchsorted(frames, times - 1e-6), 0, len(frames) - 1)
    return np.where(np.abs(frames[at] - times) < 1e-3, _floats(series["motion"])[at], np.nan)


def _floats(values: Any) -> Array:
    """Return the values as float64, missing ones as NaN."""
    return np.asarray(list(values), dtype=np.float64)
