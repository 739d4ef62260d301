"""Binding of turns to faces, stretch by stretch: which are sure enough.

Belongs here: that decision, rows of `speaker_bindings`. Does not belong here: the inference that says who talks
(curation/joint), clips (clips/boundaries.py).
"""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import BindingSettings
from speakervid_dag.curation.speaking.pairs import Row, speaking_tracks
from speakervid_dag.lake.schemas import SPEAKER_BINDINGS

_SURE = 0.999  # a calibrated probability is kept this far from 1 in its log odds


def bind_stretches(
    stretches: pl.DataFrame, tracks: pl.DataFrame, talking: pl.DataFrame, settings: BindingSettings
) -> pl.DataFrame:
    """Return the bindings of every stretch of one video.

    Args:
        stretches, tracks, talking: rows of turn_faces, face_tracks and active_speaker.
    """
    people = dict(tracks.select("track_id", "person_id").iter_rows())
    foreign = _foreign_speakers(stretches, settings)
    reasons = dict(talking.select("track_id", "reason").iter_rows())
    faces = speaking_tracks(tracks).sort("start_s", "track_id").select("track_id", "start_s", "end_s").rows()
    rows = []
    for stretch in stretches.sort("start_s", "turn_id").to_dicts():
        in_view = [name for name, start, end in faces if start < stretch["end_s"] and end > stretch["start_s"]]
        if stretch["probability"] is None and in_view:  # nobody looked at any face of the video
            why = next((reasons[name] for name in in_view if reasons.get(name)), "talking_not_measured")
            status, reason, detail = "not_evaluated", why, None
        else:
            status, reason, detail = _decision(stretch, bool(in_view), settings)
        if status == "bound" and (margin := foreign.get(stretch["speaker_id"])) is not None:
            status, reason, detail = "ambiguous", "foreign_sound", f"lips and sound agree by {margin:.2f} only"
        is_bound = status == "bound"
        base = {name: stretch[name] for name in ("batch", "video_id", "turn_id", "speaker_id", "start_s", "end_s")}
        rows.append(
            base
            | {
                "track_id": stretch["track_id"] if is_bound else None,
                "person_id": people[stretch["track_id"]] if is_bound else None,
                "probability": None if stretch["track_id"] is None else stretch["probability"],
                "margin": _log_odds(stretch["probability"]) if is_bound else None,
                "status": status,
                "reason": reason,
                "detail": detail,
            }
        )
    return SPEAKER_BINDINGS.frame(rows)


def _foreign_speakers(stretches: pl.DataFrame, settings: BindingSettings) -> dict[str, float]:
    """Return the speakers whose lips do not make the sound, with their mean margin of synchrony.

    All stretches of a speaker that would be bound count. A face whose lips cannot be read is refused only if somebody
    else's lips disagree with the sound, and nobody's agree: then nobody in the video makes it.
    """
    totals: dict[str, NDArray[np.float64]] = {}
    for stretch in stretches.filter(pl.col("sync_margin").is_not_null()).to_dicts():
        if _decision(stretch, True, settings)[0] == "bound":
            seconds = (stretch["end_s"] - stretch["start_s"]) * stretch["seen_share"]
            is_aligned = stretch["sound_offset_frames"] is not None
            least = settings.min_sync_margin if is_aligned else settings.min_sync_margin_unaligned
            told = np.array([1.0, stretch["sync_margin"], stretch["readable_share"], least])
            totals[stretch["speaker_id"]] = totals.get(stretch["speaker_id"], np.zeros(4)) + seconds * told
    found, agrees = {}, False
    for speaker, (seconds, *sums) in totals.items():
        margin, readable, least = (float(total / seconds) for total in sums)
        if seconds >= settings.min_sync_s:
            agrees |= margin >= least
            if margin < least and readable >= settings.min_readable_share:
                found[speaker] = margin
    if found and not agrees:
        return {speaker: float(total[1] / total[0]) for speaker, total in totals.items()}
    return found


def _decision(stretch: Row, some_face: bool, settings: BindingSettings) -> tuple[str, str | None, str | None]:
    """Return status, reason, and the figures behind an abstention."""
    is_seen = stretch["track_id"] is not None and stretch["talking"] is not None
    if not is_seen and not some_face:
        return "off_screen", "no_face_seen", None
    probability = float(str(stretch["probability"]))
    is_sure = probability >= settings.min_probability
    told = f"probability {probability:.2f} of the {settings.min_probability:.2f} that bind"
    if not is_seen:
        return ("off_screen", "other_voice", None) if is_sure else ("ambiguous", "weak_evidence", told)
    if not is_sure:
        return "ambiguous", "weak_evidence", told
    if float(str(stretch["seen_share"])) < settings.min_face_share:
        return "ambiguous", "mouth_not_visible", None
    if stretch["is_contradicted"]:
        return "ambiguous", "turn_disagrees", "another face in view leads in talking"
    talking = float(str(stretch["talking"]))
    least = settings.min_log_odds_in_overlap if stretch["has_overlap"] else settings.min_log_odds
    if talking < least:
        return "ambiguous", "lips_still", f"talking log odds {talking:.1f}; a face is bound from {least:.1f} on"
    return "bound", None, None


def _log_odds(probability: float) -> float:
    inside = min(max(probability, 1 - _SURE), _SURE)
    return math.log(inside / (1 - inside))
