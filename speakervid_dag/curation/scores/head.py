"""TalkVid's six head scores (arXiv 2508.13618), with its formulas.

Belongs here: the formulas over sampled frames of a clip. Does not belong here: computing points and angles
(faces/geometry.py), thresholds (profile talkvid). Every score lies in 0-100, 100 is best; mean and minimum over the
samples.

TalkVid does not state its sampling rate. Movement and rotation compare neighbouring samples, so the rate matters:
`ScoreSettings.head_sample_hz`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.faces.geometry import WHOLE, Box, area
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.measurement import Measurement
from speakervid_dag.curation.scores.picture import picture_box

Row = Mapping[str, Any]
Array = NDArray[np.float64]

PARTS = ("movement", "rotation", "orientation", "resolution", "completeness")
NAMES = (*(f"head_{p}{end}" for p in PARTS for end in ("", "_min")), "face_consistency")
_PART_WEIGHTS = (0.15, 0.15, 0.4, 0.15, 0.15)  # of the five points: eyes .3, nose .4, mouth .3


def head_scores(
    track: Row | None, series: Row | None, span: Interval, video: Row, settings: ScoreSettings
) -> dict[str, Measurement]:
    """Return the scores of one clip from its rows of face_tracks, frame_series and videos.

    Reasons: no_picture_size, too_few_frames (fewer than two sampled frames with a trusted mesh).
    """
    found: dict[str, Measurement] = {"face_consistency": face_consistency(series, span, settings)}
    names = [n for n in NAMES if n not in found]
    width, height = video["width_px"], video["height_px"]
    picture = picture_box(series)
    if not width or not height:
        return found | dict.fromkeys(names, (None, "no_picture_size"))
    if track is None or not len(track["frame_times_s"]):
        return found | dict.fromkeys(names, (None, "too_few_frames"))
    points = np.asarray(track["keypoints"], dtype=np.float64).reshape(-1, 5, 2)
    boxes = np.asarray(track["boxes"], dtype=np.float64)
    angles = np.stack([_array(track[f"{a}_deg"]) for a in ("pitch", "yaw", "roll")], axis=1)
    trusted = _array(track["mesh_score"]) >= settings.min_mesh_score
    usable = np.flatnonzero(trusted & np.isfinite(angles).all(axis=1) & np.isfinite(points).all(axis=(1, 2)))
    chosen = usable[_spaced(_array(track["frame_times_s"])[usable], span, settings.head_sample_hz)]
    if len(chosen) < 2:
        return found | dict.fromkeys(names, (None, "too_few_frames"))
    points, boxes, angles = points[chosen], boxes[chosen], angles[chosen]
    values = {
        "movement": movement(points * (width, height), _short_side_px(picture, width, height)),
        "rotation": rotation(angles),
        "orientation": orientation(angles),
        "resolution": resolution(boxes, picture),
        "completeness": completeness(points),
    }
    for part, each in values.items():
        found[f"head_{part}"] = float(each.mean()), "ok"
        found[f"head_{part}_min"] = float(each.min()), "ok"
    return found


def movement(points_px: Array, short_side_px: float) -> Array:
    """Return 100 - 100 · mean |Δ point| / min(width, height): (n, 5, 2) points → (n - 1,)."""
    moved = np.linalg.norm(np.diff(points_px, axis=0), axis=2).mean(axis=1)
    return _score(100.0 - 100.0 * moved / short_side_px)


def rotation(angles_deg: Array) -> Array:
    """Return 100 - √(Δpitch² + Δyaw² + Δroll²): (n, 3) pitch, yaw, roll → (n - 1,)."""
    return _score(100.0 - np.linalg.norm(np.diff(angles_deg, axis=0), axis=1))


def orientation(angles_deg: Array) -> Array:
    """Return 100 - √Σ (|angle| / 180 · 100)²: (n, 3) pitch, yaw, roll → (n,)."""
    return _score(100.0 - np.linalg.norm(np.abs(angles_deg) / 180.0 * 100.0, axis=1))


def resolution(boxes: Array, picture: Box = WHOLE) -> Array:
    """Return 30 · the face's share of the frame (without its bars) in %: (n, 4) normalised boxes → (n,)."""
    size = boxes[:, 2:] - boxes[:, :2]
    return _score(30.0 * 100.0 * size.prod(axis=1) / area(picture))


def completeness(points: Array) -> Array:
    """Return the weight of points in the frame (eyes .3, nose .4, mouth .3): (n, 5, 2) normalised points → (n,)."""
    inside = ((points >= 0.0) & (points <= 1.0)).all(axis=2)
    return _score(100.0 * inside @ np.array(_PART_WEIGHTS))


def face_consistency(series: Row | None, span: Interval, settings: ScoreSettings) -> Measurement:
    """Return 100 minus 20 for each sampled frame of the clip without exactly one face, at least 0."""
    if series is None:
        return None, "too_few_frames"
    chosen = _spaced(_array(series["frame_times_s"]), span, settings.head_sample_hz)
    faces = _array(series["face_count"])[chosen]
    faces = faces[np.isfinite(faces)]
    if len(faces) < 2:
        return None, "too_few_frames"
    return float(max(0.0, 100.0 - 20.0 * (faces != 1).sum())), "ok"


def _short_side_px(picture: Box, width_px: int, height_px: int) -> float:
    return min((picture[2] - picture[0]) * width_px, (picture[3] - picture[1]) * height_px)


def _spaced(times_s: Array, span: Interval, rate_hz: float) -> NDArray[np.intp]:
    """Return the indices of the first time at or after each of span[0], span[0] + 1 / rate …, without repeats."""
    moments = np.arange(span[0], span[1], 1.0 / rate_hz)
    at = np.unique(np.searchsorted(times_s, moments - 1e-6))
    return at[(at < len(times_s)) & (times_s[np.minimum(at, len(times_s) - 1)] < span[1])] if len(times_s) else at[:0]


def _score(values: Array) -> Array:
    return np.clip(values, 0.0, 100.0)


def _array(values: Iterable[float | None]) -> Array:
    return np.asarray(list(values), dtype=np.float64)
