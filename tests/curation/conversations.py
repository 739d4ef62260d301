"""Made-up conversations as frames: voices with a syllable rhythm, mouths that follow them or do not.

Belongs here: rows and signals for the tests of sync, bindings, people and clips. Does not belong here: media files.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt
import polars as pl
import yaml

from speakervid_dag.config.sections import BindingSettings, ClipSettings, SyncSettings
from speakervid_dag.lake.schemas import FACE_TRACKS, SHOTS, SPEAKER_BINDINGS, SPEECH_TURNS, SYNC_SCORES, Table

RATE_HZ = 16000
FINE_HZ = 200
Array = npt.NDArray[np.float64]


@cache
def section_values() -> dict[str, dict[str, object]]:
    """The sections that every profile inherits."""
    text = (resources.files("speakervid_dag.config") / "profiles" / "base.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def sync_settings() -> SyncSettings:
    return SyncSettings.model_validate(section_values()["sync"])


def binding_settings() -> BindingSettings:
    return BindingSettings.model_validate(section_values()["binding"])


def clip_settings() -> ClipSettings:
    return ClipSettings.model_validate(section_values()["clips"])


def loudness(seconds: float, seed: int) -> Array:
    """An envelope at FINE_HZ, 0-1: syllables of random length and height, about four a second."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round(seconds * FINE_HZ))
    at = 0
    while at < len(out):
        length = int(rng.integers(30, 70))
        syllable = np.sin(np.linspace(0, np.pi, length)) * rng.uniform(0.1, 1.0)
        out[at : at + length] = syllable[: len(out) - at]
        at += length + int(rng.integers(0, 20))
    return out


def sound(envelope: Array, seed: int = 0) -> npt.NDArray[np.float32]:
    """Noise with that envelope, 16 kHz."""
    noise = np.random.default_rng(seed).normal(0, 1, len(envelope) * RATE_HZ // FINE_HZ)
    loud = np.interp(np.arange(len(noise)) / RATE_HZ, np.arange(len(envelope)) / FINE_HZ, envelope)
    return (0.1 * noise * (loud + 0.003)).astype(np.float32)


def lips(envelope: Array, times_s: Array, seed: int = 0, late_s: float = 0.0) -> list[list[float]]:
    """20 lip points whose height follows the envelope, shown `late_s` before it is heard, with measuring noise."""
    # a frame is shown for 0.04 s: its picture was taken in the middle
    opening = np.interp(times_s + 0.02 + late_s, np.arange(len(envelope)) / FINE_HZ, envelope)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    x = 0.4 * np.cos(angle)[None, :] * (1 - 0.1 * opening[:, None])
    y = 1.1 + np.sin(angle)[None, :] * (0.08 + 0.12 * opening[:, None])
    points = np.stack([x, y], axis=-1).reshape(len(times_s), 40)
    noise = np.random.default_rng(seed).normal(0, 0.004, points.shape)
    return [[float(v) for v in row] for row in (points + noise).astype(np.float32)]


@dataclass
class Video:
    """Rows of one video; `add_*` give what the tables need."""

    video_id: str = "v1"
    rows: dict[str, list[dict[str, object]]] = field(
        default_factory=lambda: {"shots": [], "tracks": [], "turns": [], "bindings": [], "scores": []}
    )

    @property
    def _labels(self) -> dict[str, object]:
        return {"batch": "b1", "video_id": self.video_id}

    def add_shot(self, start: float, end: float) -> str:
        index = len(self.rows["shots"])
        shot_id = f"{self.video_id}-s{index:04d}"
        row = {"shot_id": shot_id, "shot_index": index, "start_s": start, "end_s": end}
        self.rows["shots"].append(self._labels | row)
        return shot_id

    def add_track(self, person: str, times_s: Array, shape: list[list[float]] | None = None, shot: int = 0) -> str:
        shot_id = f"{self.video_id}-s{shot:04d}"
        track_id = f"{shot_id}-t{len(self.rows['tracks']):02d}"
        count = len(times_s)
        zeros = [0.0] * count
        self.rows["tracks"].append(
            self._labels
            | {
                "shot_id": shot_id,
                "track_id": track_id,
                "person_id": f"{self.video_id}-{person}",
                "start_s": float(times_s[0]),
                "end_s": float(times_s[-1]) + 0.04,
                "frame_times_s": [float(t) for t in times_s],
                "boxes": [[0.2, 0.2, 0.4, 0.5]] * count,
                "detection_score": 0.9,
                **dict.fromkeys(("yaw_deg", "pitch_deg", "roll_deg", "mouth_opening", "face_sharpness"), zeros),
                "keypoints": [[0.3] * 10] * count,
                "lip_shape": shape or [[0.0] * 40] * count,
                "mesh_score": [1.0] * count,
                "embedding": None,
                "embedding_status": "no_good_frame",
                "copy_of": None,
            }
        )
        return track_id

    def add_turn(self, speaker: str, start: float, end: float) -> str:
        turn_id = f"{self.video_id}-u{len(self.rows['turns']):04d}"
        row = {"turn_id": turn_id, "speaker_id": speaker, "audio_speaker_id": speaker, "start_s": start, "end_s": end}
        rest = {
            "has_overlap": False,
            "is_backchannel": False,
            "overlap_s": 0.0,
            "speaker_margin": None,
            "embedding": None,
            "embedding_status": "ok",
        }
        self.rows["turns"].append(self._labels | row | rest)
        return turn_id

    def bind(
        self,
        turn_id: str,
        track_id: str | None,
        status: str = "bound",
        margin: float | None = 2.0,
        span: tuple[float, float] | None = None,
    ) -> None:
        """A row of speaker_bindings: over the whole turn, or a stretch of it."""
        turn = next(t for t in self.rows["turns"] if t["turn_id"] == turn_id)
        track = next((t for t in self.rows["tracks"] if t["track_id"] == track_id), None)
        start, end = span or (float(str(turn["start_s"])), float(str(turn["end_s"])))
        if track:
            start, end = max(start, float(str(track["start_s"]))), min(end, float(str(track["end_s"])))
        row = {"turn_id": turn_id, "speaker_id": turn["speaker_id"], "track_id": track_id, "start_s": start}
        row |= {"end_s": end, "person_id": track["person_id"] if track else None, "margin": margin}
        self.rows["bindings"].append(self._labels | row | {"status": status, "reason": None, "detail": None})

    def score(self, turn_id: str, track_id: str, talking: float, sync_conf: float | None = None) -> None:
        """A row of sync_scores: how much a mouth talks in a turn, and how well that fits its sound."""
        row = {"track_id": track_id, "turn_id": turn_id, "start_s": 0.0, "end_s": 1.0, "sync_conf": sync_conf}
        rest = dict.fromkeys(("sync_dist", "offset_frames", "lag_distances", "reason", "detail"))
        names = {"talking_score": talking, "backend": "b", "talking_backend": "t", "status": "ok"}
        self.rows["scores"].append(self._labels | row | rest | names)

    def _frame(self, table: Table, name: str) -> pl.DataFrame:
        return table.frame(self.rows[name])

    @property
    def shots(self) -> pl.DataFrame:
        return self._frame(SHOTS, "shots")

    @property
    def tracks(self) -> pl.DataFrame:
        return self._frame(FACE_TRACKS, "tracks")

    @property
    def turns(self) -> pl.DataFrame:
        return self._frame(SPEECH_TURNS, "turns")

    @property
    def bindings(self) -> pl.DataFrame:
        return self._frame(SPEAKER_BINDINGS, "bindings")

    @property
    def scores(self) -> pl.DataFrame:
        return self._frame(SYNC_SCORES, "scores")
