"""Scores of camera, coding, borders and burnt-in text of a clip, from frame_series.

Belongs here: formulas over the sampled series of a shot. Does not belong here: how a frame is sampled
(frames/camera.py, frames/texture.py), luminance and motion of every frame (picture.py), gates.

Every score is (value, "ok") or (None, reason): off, too_few_frames, no_background (people fill the picture, or it is
bare), no_corners, too_dark, weights_missing, shrunk (coded larger than it was decoded), too_small.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.measurement import Measurement

Row = Mapping[str, Any]
Array = NDArray[np.float64]

CAMERA = ("camera_movement", "camera_pan", "camera_zoom", "camera_shake", "point_track_ratio")
TEXT = ("text_share",)
TEXTURE = {"blur_effect": "too_small", "noise_sigma": "too_small", "blockiness": "shrunk", "border_share": "too_dark"}
_MIN_SEEN_SHARE = 0.5  # a camera whose steps are mostly unknown has no path


def picture_scores(
    series: Row | None, span: Interval, settings: ScoreSettings, disabled: Collection[str], reason: str
) -> dict[str, Measurement]:
    """Return scores of one clip; `disabled`: parts of the sampling that were off, `reason`: why there is no series."""
    found: dict[str, Measurement] = {}
    for part, names in (("camera", CAMERA), ("texture", tuple(TEXTURE)), ("text", TEXT)):
        if part in disabled:
            found |= dict.fromkeys(names, (None, "off"))
        elif series is None:
            found |= dict.fromkeys(names, (None, reason))
        elif part == "camera":
            found |= _camera(series, span, settings)
        elif part == "text":
            found |= {"text_share": _text(series, span, settings)}
        else:
            found |= _texture(series, span, settings)
    return found


def _camera(series: Row, span: Interval, settings: ScoreSettings) -> dict[str, Measurement]:
    times = array(series["camera_times_s"])
    inside = (times > span[0]) & (times < span[1])
    if inside.sum() < settings.min_frames:
        return dict.fromkeys(CAMERA, (None, "too_few_frames"))
    survival = array(series["point_survival"])[inside]
    survival = np.asarray(survival[np.isfinite(survival)])
    enough = survival.size >= settings.min_frames
    ratio: Measurement = (float(survival.mean()), "ok") if enough else (None, "no_corners")
    steps = np.stack([array(series[f"camera_{axis}"])[inside] for axis in ("x", "y", "zoom")], axis=1)
    seen = np.isfinite(steps).all(axis=1)
    if np.count_nonzero(seen) < max(settings.min_frames, _MIN_SEEN_SHARE * len(steps)):
        return {**dict.fromkeys(CAMERA, (None, "no_background")), "point_track_ratio": ratio}
    pan, zoom, shake = camera_path(times[inside][seen], steps[seen], settings.shake_window_s)
    name = (
        "shake"
        if shake >= settings.shake_share
        else "zoom"
        if zoom >= settings.zoom_per_s
        else "pan"
        if pan >= settings.pan_per_s
        else "static"
    )
    return {
        "camera_movement": (name, "ok"),
        "camera_pan": (pan, "ok"),
        "camera_zoom": (zoom, "ok"),
        "camera_shake": (shake, "ok"),
        "point_track_ratio": ratio,
    }


def camera_path(times_s: Array, steps: Array, window_s: float) -> tuple[float, float, float]:
    """Return pan (long sides/s), zoom (natural log/s) and shake (RMS from the path's running mean, long sides).

    Args:
        times_s: (n,) end of each step.
        steps: (n, 3) x, y, zoom of each step.
    """
    interval_s = float(np.median(np.diff(times_s)))
    duration_s = interval_s * len(times_s)
    pan = float(np.hypot(*steps[:, :2].sum(axis=0))) / duration_s
    zoom = abs(float(steps[:, 2].sum())) / duration_s
    path = np.cumsum(steps[:, :2], axis=0)
    width = min(len(path), 2 * round(window_s / interval_s / 2) + 1)
    smooth = np.stack([np.convolve(axis, np.ones(width) / width, mode="valid") for axis in path.T], axis=1)
    start = (width - 1) // 2
    rest = path[start : start + len(smooth)] - smooth
    return pan, zoom, float(np.sqrt((rest**2).sum(axis=1).mean()))


def _texture(series: Row, span: Interval, settings: ScoreSettings) -> dict[str, Measurement]:
    times = array(series["texture_times_s"])
    inside = (times >= span[0]) & (times < span[1])
    if inside.sum() < settings.min_samples:
        return dict.fromkeys(TEXTURE, (None, "too_few_frames"))
    found: dict[str, Measurement] = {}
    for name, gap in TEXTURE.items():
        values = array(series[name])[inside]
        values = values[np.isfinite(values)]
        # only what is black in every frame is a bar; black in one frame may be a dark scene
        summary = np.min if name == "border_share" else np.mean
        enough = len(values) >= settings.min_samples
        found[name] = (float(summary(values)), "ok") if enough else (None, gap)
    return found


def _text(series: Row, span: Interval, settings: ScoreSettings) -> Measurement:
    """Return the median over the samples: a caption stays, a hand mistaken for writing passes."""
    if series["text_status"] != "ok":
        return None, str(series["text_status"])
    times = array(series["text_times_s"])
    values = array(series["text_share"])[(times >= span[0]) & (times < span[1])]
    if len(values) < settings.min_samples:
        return None, "too_few_frames"
    values = values[np.isfinite(values)]
    return (float(np.median(values)), "ok") if len(values) >= settings.min_samples else (None, "too_small")


def array(values: Iterable[float | None]) -> Array:
    """Return the values as float64, missing ones as NaN."""
    return np.asarray(list(values), dtype=np.float64)
