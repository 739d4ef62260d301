"""Rows of `active_speaker`: what networks say of each face track frame by frame.

Belongs here: those rows. Does not belong here: the networks' input (light_asd.py, lip_frames.py), the offset of the
sound (lip_scores.py), Sync-C of whole turns (sync.py), who speaks (curation/joint).
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import polars as pl

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking.lip_frames import FPS, Floats, LipFrames, lip_frames
from speakervid_dag.curation.speaking.lip_scores import FaceScores, LipModel, video_scores
from speakervid_dag.curation.speaking.pairs import CropSource, Row, speaking_tracks

NO_PICTURES, NO_FRAMES = "no_face_pictures", "no_face_frames"
LIP_NETWORK = "lip_network"
# Light-ASD's log odds for one unit of the lip network's logits: regressions of who speaks on 15 labelled videos give
# the same weights after this
_LIP_UNIT = 0.78


class TalkingBackend(Protocol):
    """Another network that says of every frame whether a face talks. `name` is stored with its answers."""

    @property
    def name(self) -> str: ...

    def log_odds(self, crops: FaceCrops, audio: Floats, first: int, count: int) -> Floats: ...


def talking_rows(
    tracks: pl.DataFrame, audio: Floats, crops: CropSource, lips: LipModel, talking: TalkingBackend | None
) -> list[Row]:
    """Return rows of active_speaker, one per track of a person.

    Args:
        tracks: rows of face_tracks of one video.
        audio: (n,) float32 mono, 16 kHz, sample 0 at the start of the video.
        crops: the pictures kept of each track.
        lips: the lip network: synchrony, and talking if no other network is asked.
        talking: that other network.
    """
    people = speaking_tracks(tracks).sort("track_id").to_dicts()
    told: dict[str, Floats] = {}
    reasons: dict[str, str] = {}

    def frames() -> Iterator[tuple[str, str, LipFrames]]:
        for track in people:
            name, kept = track["track_id"], crops(track["track_id"])
            if kept is None:
                reasons[name] = NO_PICTURES
                continue
            seen = lip_frames(track, kept)
            if not seen.is_seen.any():
                reasons[name] = NO_FRAMES
                continue
            if talking is not None:
                told[name] = talking.log_odds(kept, audio, seen.first, len(seen.is_seen))
            yield name, track["person_id"], seen

    found = video_scores(lips, frames(), audio)
    backend = LIP_NETWORK if talking is None else talking.name
    rows = []
    for track in people:
        name = track["track_id"]
        if name in reasons:
            rows.append(_row(track, backend) | _not_evaluated(reasons[name]))
        else:
            face = found[name]
            log_odds = told.get(name, _LIP_UNIT * face.talking)
            rows.append(_row(track, backend) | _measured(face, log_odds, track["end_s"]))
    return rows


def _measured(face: FaceScores, log_odds: Floats, end_s: float) -> Row:
    return {
        "start_s": face.first / FPS,
        "end_s": min((face.first + len(log_odds)) / FPS, end_s),
        "sound_offset_frames": face.offset_frames,
        "log_odds": _nullable(log_odds),
        "sync_margins": _nullable(face.margins),
        "is_readable": face.is_readable.tolist(),
        "status": "ok",
        "reason": None,
        "detail": None,
    }


def _nullable(values: Floats) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]


def unknown_rows(tracks: pl.DataFrame, backend: str, reason: str, detail: str | None) -> list[Row]:
    """Return rows of active_speaker that say why no track was looked at."""
    people = speaking_tracks(tracks).sort("track_id").to_dicts()
    return [_row(track, backend) | _not_evaluated(reason, detail) for track in people]


def _row(track: Row, backend: str) -> Row:
    return {name: track[name] for name in ("batch", "video_id", "track_id", "start_s", "end_s")} | {"backend": backend}


def _not_evaluated(reason: str, detail: str | None = None) -> Row:
    empty: Row = {"log_odds": [], "sync_margins": [], "is_readable": [], "sound_offset_frames": None}
    return empty | {"status": "not_evaluated", "reason": reason, "detail": detail}
