"""How much a clip looks spliced: a jump cut inside one person's take.

Belongs here: the measure, from series that are stored anyway. Does not belong here: cuts between takes (shots.py),
thresholds (gates of a profile).

In a jump cut a stretch of one take is taken out: the place and the people stay, so that no shot boundary is found, and
picture and head jump in one frame while a moment before and after both move as they do. A quick gesture moves the
head over several frames, a flash moves no head, and the tracker's own jitter moves no picture.
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
_NEAR = 12  # frames on either side that say how much moves anyway
_FEWEST = 8  # of them, at least
_BUSY = 90  # percentile of these frames that a jump is measured by
# steps of a frame that are jitter: picture in luma of 0-255, face centre in face sizes, head in degrees
_STILL_LUMA, _STILL_FACE, _STILL_DEG = 0.3, 0.004, 0.5


def splice_jump(track: Row | None, series: Row | None, span: Interval, settings: ScoreSettings) -> Measurement:
    """The largest jump of picture and head in one frame, as a multiple of what moves around it.

    At each frame the lesser of two ratios: of the picture's motion, and of the head's (its place or its angles).

    Args:
        track: row of face_tracks.
        series: row of frame_series of its shot.

    Returns:
        About 1-2 in an uncut take, mostly 3 and more over a jump cut; or why there is none: too_few_frames.
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
    """Each step over the busiest of its neighbours (`_BUSY`), NaN where there are too few."""
    padded = np.pad(steps, _NEAR, constant_values=np.nan)
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEAR + 1).copy()
    near[:, _NEAR] = np.nan
    enough = np.isfinite(near).sum(axis=1) >= _FEWEST
    ratio = np.full(len(steps), np.nan)
    ratio[enough] = steps[enough] / np.maximum(np.nanpercentile(near[enough], _BUSY, axis=1), still)
    return ratio


def _centres(boxes: Array) -> Array:
    """(n, 2): the face's centre in face widths and heights; NaN of a box without extent."""
    size = np.median(boxes[:, 2:] - boxes[:, :2], axis=0)
    return (boxes[:, :2] + boxes[:, 2:]) / 2 / np.where(size > 0, size, np.nan)


def _steps(places: Array) -> Array:
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=1))


def _motion(series: Row, times: Array) -> Array:
    """The picture's motion in the frames at these times; NaN where there is no such frame."""
    frames = np.asarray(series["frame_times_s"], dtype=np.float64)
    if not len(frames):
        return np.full(len(times), np.nan)
    at = np.clip(np.searchsorted(frames, times - 1e-6), 0, len(frames) - 1)
    return np.where(np.abs(frames[at] - times) < 1e-3, _floats(series["motion"])[at], np.nan)


def _floats(values: Any) -> Array:
    """As float64, a missing value as NaN."""
    return np.asarray(list(values), dtype=np.float64)
