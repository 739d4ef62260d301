"""Active-speaker detection: its two tasks (talking, synchrony), the backend protocol, and a backend's input.

Belongs here: pairs of track and turn, the scene given to a backend, the form of its answers. Does not belong here:
any backend (lip_backends.py, light_asd.py, syncnet.py, models/lake_synchrony.py), rows of `sync_scores` (sync.py),
decisions (bindings.py).

`talking`: is this face talking? A mouth that talks under somebody else's voice counts too. `synchrony`: does this voice
belong to these lips? Only the second one can detect a dubbed face. No backend answers both, and two backends for one
task have no common scale, so their answers are stored with their name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.speaking import sync_regression as regression
from speakervid_dag.curation.speaking.sync_regression import Array, LipSeries

Question = Literal["talking", "synchrony"]
Row = dict[str, object]
Key = tuple[str, str]
"""(track_id, turn_id) of a pair."""
CropSource = Callable[[str], FaceCrops | None]
"""track_id → the face pictures kept of it, if any."""

_LABELS = ("batch", "video_id", "track_id", "person_id", "start_s", "end_s")
_SERIES = ("frame_times_s", "lip_shape", "mesh_score", "yaw_deg")


@dataclass(frozen=True)
class Pair:
    """One track and one turn that overlap in [start_s, end_s)."""

    track: Row
    turn: Row
    start_s: float
    end_s: float

    @property
    def key(self) -> Key:
        return self.track_id, str(self.turn["turn_id"])

    @property
    def track_id(self) -> str:
        return str(self.track["track_id"])

    @property
    def person_id(self) -> str:
        return str(self.track["person_id"])

    @property
    def speaker_id(self) -> str:
        return str(self.turn["speaker_id"])

    def cells(self, settings: SyncSettings, context_s: float = 0.0) -> tuple[int, int]:
        """Return the first and last (exclusive) grid cell of the common time, widened by the context."""
        first = round((self.start_s - context_s) * settings.grid_hz)
        return max(0, first), round((self.end_s + context_s) * settings.grid_hz)


@dataclass(frozen=True)
class Curve:
    """Agreement of one pair's lips and sound per lag, -max_lag … +max_lag frames: bigger = better.

    Attributes:
        own: of the pair itself.
        pooled: of all pairs of the same speaker and person (`own` where a backend does not pool).
        cells: grid cells that the pair's curve is measured on.
        is_lag_shared: the peak is searched near the lag that the whole video agrees on.
    """

    own: Array
    pooled: Array
    cells: int
    is_lag_shared: bool = True


@dataclass(frozen=True)
class BackendAnswer:
    """A backend's answer about one pair: a talking score 0-1, a synchrony curve, or the reason why there is none."""

    talking: float | None = None
    curve: Curve | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Scene:
    """Input of a backend: the pairs of one video, and its sound (float32 mono, sample 0 at the start)."""

    pairs: list[Pair]
    audio: npt.NDArray[np.float32]
    rate_hz: int
    settings: SyncSettings
    crops: CropSource = lambda _: None

    def tracks(self) -> dict[str, Row]:
        return {p.track_id: p.track for p in self.pairs}

    def problem(self, pair: Pair) -> str | None:
        """Return why no backend can measure a pair; None when one may try."""
        if pair.cells(self.settings)[0] >= len(self.audio) * self.settings.grid_hz // self.rate_hz:
            return "no_sound"
        times: list[float] = pair.track["frame_times_s"]  # type: ignore[assignment]
        return None if any(pair.start_s <= t < pair.end_s for t in times) else "no_face_frames"

    def lips(self) -> dict[str, LipSeries]:
        """Return each track's lips on the common grid."""
        return {name: lips_of(track, self.settings) for name, track in self.tracks().items()}


class ActiveSpeakerBackend(Protocol):
    """A method for one of the two tasks. `name` is stored with its answers in the tables."""

    @property
    def name(self) -> str: ...
    @property
    def question(self) -> Question: ...

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return an answer for every pair of the scene."""
        ...


def speaking_tracks(tracks: pl.DataFrame) -> pl.DataFrame:
    """Return the tracks of people: no pictures of faces, no copies beside the original."""
    return tracks.filter(pl.col("person_id").is_not_null() & pl.col("copy_of").is_null())


def pairs_of(turns: pl.DataFrame, tracks: pl.DataFrame, settings: SyncSettings) -> list[Pair]:
    """Return each pair of a person's track and a turn that overlap by `min_overlap_s`, by turn and track; no copies."""
    faces = speaking_tracks(tracks).select(*_LABELS, *_SERIES).sort("track_id").to_dicts()
    found = []
    for turn in turns.select("turn_id", "speaker_id", "start_s", "end_s").sort("start_s", "turn_id").to_dicts():
        for face in faces:
            start, end = max(turn["start_s"], face["start_s"]), min(turn["end_s"], face["end_s"])
            if end - start >= settings.min_overlap_s:
                found.append(Pair(face, turn, start, end))
    return found


def lips_of(track: Row, settings: SyncSettings) -> LipSeries:
    """Return a track's lips on the common grid, without frames that have no good mesh or are turned away."""
    times = np.asarray(track["frame_times_s"], np.float64)
    points: list[list[float] | None] = track["lip_shape"]  # type: ignore[assignment]
    width = max((len(p) for p in points if p), default=0)
    shape = np.array([p if p and len(p) == width else [np.nan] * width for p in points], np.float64)
    mesh, yaw = (np.asarray(track[name], np.float64) for name in ("mesh_score", "yaw_deg"))
    good = (mesh >= settings.min_mesh_score) & (np.abs(yaw) <= settings.max_abs_yaw_deg)
    return regression.lip_series(times, shape.reshape(len(times), width), good, settings)
