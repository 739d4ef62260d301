"""Scores of a clip's picture and face from stored series.

Belongs here: formulas over the series of frame_series and face_tracks, and the source file's clarity. Does not belong
here: decoding, thresholds (gates of a profile), words and sound.

Every score is (value, "ok") or (None, reason): too_few_frames, no_picture_size, no_bit_rate, no_face_pixels (the face
has no height, or too little of it is visible).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true
from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.faces.geometry import WHOLE, Box, area
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.measurement import Measurement

Row = Mapping[str, Any]
Array = NDArray[np.float64]


def sharpness_index(variance: Array, reference: float) -> Array:
    """Return ln(1 + variance) / ln(1 + reference) of the Laplacian variance of a 128×128 face crop: 0 for a flat crop,
    1 at the reference, strictly rising. Logarithmic, because blur divides the variance."""
    return np.asarray(np.log1p(np.maximum(variance, 0.0)) / np.log1p(reference), dtype=np.float64)


def longest_run_s(times_s: Array, flags: NDArray[np.bool_], until_s: float) -> float:
    """Return the longest run of flagged frames, s; a frame lasts until the next one, the last until `until_s`."""
    if not flags.any():
        return 0.0
    bounds_s = np.append(times_s, until_s)
    starts, ends = runs_of_true(flags)
    return float(np.max(bounds_s[ends] - bounds_s[starts]))


def picture_box(series: Row | None) -> Box:
    """Return the shot's picture without its bars, x1, y1, x2, y2 in 0-1; the whole picture if it was not sampled."""
    found = _array((series and series["picture_box"]) or [])
    return (found[0], found[1], found[2], found[3]) if len(found) else WHOLE


def face_count(series: Row | None, span: Interval, settings: ScoreSettings, reason: str) -> Measurement:
    """Return the share of the clip's decoded frames with exactly one face."""
    if series is None:
        return None, reason
    times = _array(series["frame_times_s"])
    faces = _array(series["face_count"])[(times >= span[0]) & (times < span[1])]
    faces = faces[np.isfinite(faces)]
    return _mean((faces == 1).astype(np.float64), settings.min_frames)


def region_measures(track: Row | None, span: Interval, settings: ScoreSettings) -> dict[str, Measurement]:
    """Return luminance, its runs, motion and freezing of the person's region over the clip's tracked frames."""
    names = ("luminance", "dark_run_frames", "bright_run_frames", "motion", "freeze_share")
    times = _array(track["frame_times_s"] if track else [])
    inside = (times >= span[0]) & (times < span[1])
    if track is None or inside.sum() < settings.min_frames:
        return dict.fromkeys(names, (None, "too_few_frames"))
    luma, motion = _array(track["region_luma"])[inside], _array(track["region_motion"])[inside]
    motion = motion[np.isfinite(motion)]

    def run(flags: NDArray[np.bool_]) -> Measurement:
        if np.isfinite(luma).sum() < settings.min_frames:
            return None, "too_few_frames"
        return longest_run_s(times[inside], flags, span[1]) * settings.run_grid_hz, "ok"

    return {
        "luminance": _mean(luma, settings.min_frames),
        "dark_run_frames": run(luma < settings.dark_luma),
        "bright_run_frames": run(luma > settings.bright_luma),
        "motion": _mean(motion, settings.min_frames),
        "freeze_share": _mean((motion < settings.freeze_motion).astype(np.float64), settings.min_frames),
    }


def clarity(video: Row) -> Measurement:
    """Return SpeakerVid-5M's clarity: bit rate of the source file over the square root of its pixels."""
    rate, width, height = video["bit_rate_bps"], video["width_px"], video["height_px"]
    if not rate:
        return None, "no_bit_rate"
    if not width or not height:
        return None, "no_picture_size"
    return float(rate) / float(np.sqrt(width * height)), "ok"


def face_measures(
    track: Row | None, span: Interval, video: Row, settings: ScoreSettings, picture: Box = WHOLE
) -> dict[str, Measurement]:
    """Return sharpness, size, movement and pose of the face over the tracked frames of the clip.

    `picture`: the area between the bars, 0-1; shares refer to it.
    """
    names = (
        "face_blur",
        "face_motion",
        "head_yaw_deg",
        "head_pitch_deg",
        "head_roll_deg",
        "face_share",
        "face_height_px",
    )
    times = _array(track["frame_times_s"] if track else [])
    inside = (times >= span[0]) & (times < span[1])
    if track is None or inside.sum() < settings.min_frames:
        return dict.fromkeys(names, (None, "too_few_frames"))
    boxes = np.asarray(track["boxes"], dtype=np.float64)[inside]
    size = boxes[:, 2:] - boxes[:, :2]
    trusted = inside & (_array(track["mesh_score"]) >= settings.min_mesh_score)
    poses = {
        f"head_{axis}_deg": _mean(np.abs(_array(track[f"{axis}_deg"])[trusted]), settings.min_frames)
        for axis in ("yaw", "pitch", "roll")
    }
    sharpness = sharpness_index(_array(track["face_sharpness"])[inside], settings.sharpness_reference)
    width, height = video["width_px"], video["height_px"]
    sized: dict[str, Measurement] = dict.fromkeys(("face_motion", "face_height_px"), (None, "no_picture_size"))
    if width and height:
        heights = size[:, 1] * height
        centres = (boxes[:, :2] + size / 2) * (width, height)
        way = float(np.linalg.norm(np.diff(centres, axis=0), axis=1).sum()) / float(np.ptp(times[inside]))
        height_px = float(heights.mean())
        sized = {
            "face_motion": (way / height_px, "ok") if height_px > 0 else (None, "no_face_pixels"),
            "face_height_px": (float(np.median(heights)), "ok"),
        }
    return {
        "face_blur": _mean(sharpness, settings.min_frames, "no_face_pixels"),
        "face_share": _mean(size.prod(axis=1) / area(picture), settings.min_frames),
        **poses,
        **sized,
    }


def _mean(values: Array, min_count: int, reason: str = "too_few_frames") -> Measurement:
    finite = values[np.isfinite(values)]
    return (float(finite.mean()), "ok") if len(finite) >= min_count else (None, reason)


def _array(values: Iterable[float | None]) -> Array:
    """Return the values as float64, missing ones as NaN."""
    return np.asarray(list(values), dtype=np.float64)
