"""Scores of a clip's person: framing, hands, motion, expression, and coding loss on the face.

Belongs here: formulas over a row of poses. Does not belong here: sampling pictures (frames/person.py), head scores
(head.py), gates.

Every score is (value, "ok") or (None, reason): off, weights_missing, too_few_frames, no_body, no_hands, frozen (no
frame moved), no_face_pixels (a face below 32 px, or none in the clip).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.frames.person import COORDINATE_SCALE, VISIBILITY_SCALE
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.camera import array
from speakervid_dag.curation.scores.measurement import Measurement
from speakervid_dag.curation.scores.picture import sharpness_index

Row = Mapping[str, Any]
Array = NDArray[np.float64]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
BODY = ("framing", "motion_speed", "motion_degree")
HANDS = ("hand_blur", "hand_blur_left", "hand_blur_right")
EXPRESSION = ("emotion", "emotion_probability")
NAMES = (*BODY, *HANDS, *EXPRESSION, "face_repeat_share")
_SHOULDERS, _LEGS = [11, 12], [25, 26, 27, 28]  # MediaPipe: legs are knees and ankles
_MOVING = [0, 11, 12, 13, 14, 15, 16]  # nose, shoulders, elbows, wrists
_MAX_GAP_STEPS = 1.5  # samples further apart than this many usual steps give no movement


def person_scores(
    pose: Row | None, track: Row | None, series: Row | None, span: Interval, video: Row, settings: ScoreSettings
) -> dict[str, Measurement]:
    """Return the scores of one clip from its rows of poses, face_tracks, frame_series and videos."""
    times = array(pose["sample_times_s"] if pose else [])
    inside = np.flatnonzero((times >= span[0]) & (times < span[1]))
    if pose is None or len(inside) < settings.min_samples:
        return dict.fromkeys(NAMES, (None, "too_few_frames"))
    found: dict[str, Measurement] = {"face_repeat_share": _face_repeat(pose, inside, times, track, settings)}
    for part, names in (("body", BODY), ("hands", HANDS), ("emotion", EXPRESSION)):
        if (status := pose[f"{part}_status"]) != "ok":
            found |= dict.fromkeys(names, (None, status))
    if "emotion" not in found:
        found |= _emotion([pose["emotion"][i] for i in inside if len(pose["emotion"][i])], settings)
    if "hand_blur" not in found:
        found |= _hands(pose, inside, settings)
    if "framing" not in found:
        bodies = {float(times[i]): _skeleton(pose["body"][i]) for i in inside if len(pose["body"][i])}
        found |= _framing(bodies, settings) | _motion(bodies, track, series, span, video, settings)
    return found


def motion_degree(speed: float, still: float, lively: float) -> float:
    """Return the degree of a speed, 1-5: 1 up to `still`, 5 from `lively`, linear in its logarithm between."""
    if speed <= still:
        return 1.0
    return float(min(5.0, 1.0 + 4.0 * np.log(speed / still) / np.log(lively / still)))


def _skeleton(numbers: Sequence[int]) -> Array:
    """Return a stored skeleton as (33, 3): x, y in 0-1 of the picture, visibility 0-1."""
    return np.asarray(numbers, dtype=np.float64).reshape(-1, 3) / (COORDINATE_SCALE, COORDINATE_SCALE, VISIBILITY_SCALE)


def _seen(body: Array, points: Sequence[int], min_visibility: float) -> NDArray[np.bool_]:
    chosen = body[list(points)]
    return (chosen[:, 2] >= min_visibility) & ((chosen[:, :2] >= 0) & (chosen[:, :2] <= 1)).all(axis=1)


def _framing(bodies: Mapping[float, Array], settings: ScoreSettings) -> dict[str, Measurement]:
    """Return the framing of most samples: full_body (a knee or ankle is seen), half_body (a shoulder) or head."""
    if len(bodies) < settings.min_samples:
        return {"framing": (None, "no_body")}

    def name(body: Array) -> str:
        if _seen(body, _LEGS, settings.min_visibility).any():
            return "full_body"
        return "half_body" if _seen(body, _SHOULDERS, settings.min_visibility).any() else "head"

    return {"framing": (Counter(name(b) for b in bodies.values()).most_common(1)[0][0], "ok")}


def _motion(
    bodies: Mapping[float, Array],
    track: Row | None,
    series: Row | None,
    span: Interval,
    video: Row,
    settings: ScoreSettings,
) -> dict[str, Measurement]:
    """Return the mean speed of visible points between neighbouring samples, minus the camera's movement if known."""
    names = ("motion_speed", "motion_degree")
    width, height = video["width_px"], video["height_px"]
    if not width or not height:
        return dict.fromkeys(names, (None, "no_picture_size"))
    if track is None or len(bodies) < settings.min_samples:
        return dict.fromkeys(names, (None, "no_body"))
    moments = np.array(sorted(bodies))
    boxes, seen_s = np.asarray(track["boxes"], dtype=np.float64), array(track["frame_times_s"])
    inside = (seen_s >= span[0]) & (seen_s < span[1])
    face_px = float(np.median((boxes[inside, 3] - boxes[inside, 1]) * height)) if inside.any() else 0.0
    if face_px <= 0:
        return dict.fromkeys(names, (None, "no_face_pixels"))
    usual_s = float(np.median(np.diff(moments)))
    speeds = []
    for before_s, after_s in pairwise(moments.tolist()):
        before, after = bodies[before_s], bodies[after_s]
        both = _seen(before, _MOVING, settings.min_visibility) & _seen(after, _MOVING, settings.min_visibility)
        if after_s - before_s > _MAX_GAP_STEPS * usual_s or not both.any():
            continue
        way = (after - before)[_MOVING][both, :2] * (width, height)
        way -= _camera_way(series, before_s, after_s) * max(width, height)
        speeds.append(float(np.linalg.norm(way, axis=1).mean()) / face_px / (after_s - before_s))
    if not speeds:
        return dict.fromkeys(names, (None, "no_body"))
    speed = float(np.mean(speeds))
    degree = motion_degree(speed, settings.still_speed, settings.lively_speed)
    return {"motion_speed": (speed, "ok"), "motion_degree": (degree, "ok")}


def _camera_way(series: Row | None, start_s: float, end_s: float) -> Array:
    """Return the background's shift between two times, (2,) in long sides of the picture; 0 where it was not seen."""
    if series is None:
        return np.zeros(2)
    times = array(series["camera_times_s"])
    inside = (times > start_s) & (times <= end_s)
    steps = [array(series[f"camera_{axis}"])[inside] for axis in ("x", "y")]
    return np.array([np.nansum(step) for step in steps])


def _hands(pose: Row, inside: NDArray[np.intp], settings: ScoreSettings) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    means = []
    for side in ("left", "right"):
        values = array(pose[f"{side}_hand_sharpness"])[inside]
        values = sharpness_index(values[np.isfinite(values)], settings.sharpness_reference)
        enough = len(values) >= settings.min_samples
        found[f"hand_blur_{side}"] = (float(values.mean()), "ok") if enough else (None, "no_hands")
        means += [float(values.mean())] if enough else []
    found["hand_blur"] = (float(np.mean(means)), "ok") if means else (None, "no_hands")
    return found


def _emotion(looks: Sequence[Sequence[float]], settings: ScoreSettings) -> dict[str, Measurement]:
    if len(looks) < settings.min_samples:
        return dict.fromkeys(EXPRESSION, (None, "too_few_frames"))
    mean = np.asarray(looks, dtype=np.float64).mean(axis=0)
    best = int(mean.argmax())
    return {"emotion": (EMOTIONS[best], "ok"), "emotion_probability": (float(mean[best]), "ok")}


def _face_repeat(
    pose: Row, inside: NDArray[np.intp], times: Array, track: Row | None, settings: ScoreSettings
) -> Measurement:
    """Return the mean over samples in which the person moved: a repeated frame (12 fps in 25) is not coding loss."""
    if track is None or not len(track["frame_times_s"]):
        return None, "too_few_frames"
    values = array(pose["face_repeat"])[inside]
    at = np.searchsorted(array(track["frame_times_s"]), times[inside] - 1e-6)
    stood = array(track["region_motion"])[np.minimum(at, len(track["region_motion"]) - 1)] < settings.freeze_motion
    moved = ~stood
    measured = np.isfinite(values)
    if measured.sum() < settings.min_samples:
        return None, "no_face_pixels"
    if (measured & moved).sum() < settings.min_samples:
        return None, "frozen"
    return float(values[measured & moved].mean()), "ok"
