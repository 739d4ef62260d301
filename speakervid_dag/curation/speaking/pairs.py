"""Pairs of face track and speech turn, and what a backend of Sync-C says of each.

Belongs here: tracks that may speak, pairs, the scene given to a backend, the form of its answers. Does not belong here:
any backend (lip_synchrony.py, syncnet.py), rows of `sync_scores` (sync.py), what is said frame by frame
(talking_series.py), decisions (bindings.py).

Two backends have no common scale, so their scores are stored with their name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation.faces.crops import FaceCrops

Row = dict[str, object]
Key = tuple[str, str]
"""(track_id, turn_id) of a pair."""
CropSource = Callable[[str], FaceCrops | None]
"""track_id → the face pictures kept of it, if any."""
MAX_LAG = 15  # frames of 25 Hz on either side; SyncNet's scripts: 15


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


@dataclass(frozen=True, eq=False)
class Distances:
    """Distance of lips and sound at the lags -15 … +15 frames, (31,) float64: the least where they fit.

    Attributes:
        zero_frames: at lag 0 the sound is this late.
    """

    values: npt.NDArray[np.float64]
    zero_frames: float = 0.0


@dataclass(frozen=True)
class BackendAnswer:
    """A backend's answer about one pair: distances, or the reason why there are none."""

    distances: Distances | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Scene:
    """Input of a backend: the pairs of one video, and its sound (float32 mono, sample 0 at the start)."""

    pairs: list[Pair]
    audio: npt.NDArray[np.float32]
    rate_hz: int
    crops: CropSource = lambda _: None

    def tracks(self) -> dict[str, Row]:
        return {p.track_id: p.track for p in self.pairs}

    def problem(self, pair: Pair) -> str | None:
        """Return why no backend can measure a pair; None when one may try."""
        if pair.start_s >= len(self.audio) / self.rate_hz:
            return "no_sound"
        times: list[float] = pair.track["frame_times_s"]  # type: ignore[assignment]
        return None if any(pair.start_s <= t < pair.end_s for t in times) else "no_face_frames"


class SynchronyBackend(Protocol):
    """A measure of synchrony. `name` is stored with its scores."""

    @property
    def name(self) -> str: ...

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        """Return an answer for every pair of the scene."""
        ...


def speaking_tracks(tracks: pl.DataFrame) -> pl.DataFrame:
    """Return the tracks of people: no pictures of faces, no copies beside the original."""
    return tracks.filter(pl.col("person_id").is_not_null() & pl.col("copy_of").is_null())


def pairs_of(turns: pl.DataFrame, tracks: pl.DataFrame, settings: SyncSettings) -> list[Pair]:
    """Return each pair of a person's track and a turn that overlap by `min_overlap_s`, by turn and track; no copies."""
    faces = speaking_tracks(tracks).sort("track_id").to_dicts()
    found = []
    for turn in turns.select("turn_id", "speaker_id", "start_s", "end_s").sort("start_s", "turn_id").to_dicts():
        for face in faces:
            start, end = max(turn["start_s"], face["start_s"]), min(turn["end_s"], face["end_s"])
            if end - start >= settings.min_overlap_s:
                found.append(Pair(face, turn, start, end))
    return found
