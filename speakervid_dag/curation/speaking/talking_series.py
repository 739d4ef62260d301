"""Rows of `active_speaker`: what a network says of each face track frame by frame; and what a turn can ask of them.

Belongs here: those rows, the share of a turn in which a face talks. Does not belong here: the network's input
(light_asd.py), a method without a network (lip_backends.py), who speaks (curation/joint).
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
import polars as pl

from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking.active_speaker import (
    ActiveSpeakerBackend,
    BackendAnswer,
    CropSource,
    Key,
    Pair,
    Row,
    Scene,
    speaking_tracks,
)
from speakervid_dag.curation.speaking.light_asd import FPS, Floats
from speakervid_dag.curation.speaking.lip_backends import LipMotion

NO_PICTURES = "no_face_pictures"


class TalkingBackend(Protocol):
    """A network that says of every frame whether a face talks. `name` is stored with its answers."""

    @property
    def name(self) -> str: ...

    def log_odds(self, track: Row, crops: FaceCrops, audio: Floats, rate_hz: int) -> Floats: ...


def talking_rows(
    tracks: pl.DataFrame, audio: Floats, rate_hz: int, crops: CropSource, backend: TalkingBackend
) -> list[Row]:
    """Return rows of active_speaker, one per track of a person.

    Args:
        tracks: rows of face_tracks of one video.
        audio: (n,) float32 mono, sample 0 at the start of the video.
        crops: the pictures kept of each track.
    """
    rows = []
    for track in speaking_tracks(tracks).sort("track_id").to_dicts():
        kept = crops(track["track_id"])
        found = None if kept is None else backend.log_odds(track, kept, audio, rate_hz)
        values = [] if found is None else [None if np.isnan(v) else float(v) for v in found]
        if any(value is not None for value in values):
            rows.append(
                _row(track, backend.name) | {"log_odds": values, "status": "ok", "reason": None, "detail": None}
            )
        else:
            reason = NO_PICTURES if kept is None else "no_face_frames"
            rows.append(_row(track, backend.name) | _not_evaluated(reason))
    return rows


def unknown_rows(tracks: pl.DataFrame, backend: str, reason: str, detail: str | None) -> list[Row]:
    """Return rows of active_speaker that say why no track was looked at."""
    people = speaking_tracks(tracks).sort("track_id").to_dicts()
    return [_row(track, backend) | _not_evaluated(reason, detail) for track in people]


def _row(track: Row, backend: str) -> Row:
    return {name: track[name] for name in ("batch", "video_id", "track_id", "start_s", "end_s")} | {"backend": backend}


def _not_evaluated(reason: str, detail: str | None = None) -> Row:
    return {"log_odds": [], "status": "not_evaluated", "reason": reason, "detail": detail}


def talking_of(rows: pl.DataFrame) -> ActiveSpeakerBackend:
    """Return the backend for `talking` that a video's rows of active_speaker allow: lip motion where there are none."""
    told = rows.filter(pl.col("status") == "ok")
    return LipMotion() if told.is_empty() else StoredTalking(told)


class StoredTalking:
    """Backend for `talking`, from rows of active_speaker."""

    question: Literal["talking"] = "talking"

    def __init__(self, rows: pl.DataFrame) -> None:
        self._series = {row["track_id"]: row for row in rows.to_dicts()}
        self.name = str(rows["backend"][0])

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return the share of each pair's frames in which the face talks: log odds above 0."""
        return {pair.key: self._answer(scene, pair) for pair in scene.pairs}

    def _answer(self, scene: Scene, pair: Pair) -> BackendAnswer:
        if problem := scene.problem(pair):
            return BackendAnswer(reason=problem)
        row = self._series.get(pair.track_id)
        if row is None:
            return BackendAnswer(reason=NO_PICTURES)
        first, last = (round((time_s - row["start_s"]) * FPS) for time_s in (pair.start_s, pair.end_s))
        told = [value for value in row["log_odds"][max(0, first) : max(1, last)] if value is not None]
        return (
            BackendAnswer(talking=sum(v > 0 for v in told) / len(told))
            if told
            else BackendAnswer(reason="no_face_frames")
        )
