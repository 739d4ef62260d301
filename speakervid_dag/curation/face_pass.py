"""The one pass over the full frames: face tracks of every shot and what each frame looks like.

Belongs here: the order of work over frames and shots, and the rows that come of it. Does not belong here: decoding,
following faces inside a shot (tracking), models. Holds one frame, a few crops per face, and numbers.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings, TrackingSettings
from speakervid_dag.curation import frame_measures
from speakervid_dag.curation.face_crops import FaceCrops
from speakervid_dag.curation.face_geometry import normalised
from speakervid_dag.curation.frame_measures import Image
from speakervid_dag.curation.person_clusters import TrackFace, cluster_tracks
from speakervid_dag.curation.portraits import Embedder
from speakervid_dag.curation.tracking import DetectedFace, Detector, MeshedFace, Mesher, Sample, ShotTracker, Track

Row = dict[str, Any]
_EPSILON_S = 1e-6


class TimedImage(Protocol):
    """A decoded frame: time in seconds, (height, width, 3) BGR uint8."""

    @property
    def time_s(self) -> float: ...
    @property
    def image(self) -> Image: ...


@dataclass(frozen=True)
class Shot:
    """A row of shots."""

    shot_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class FacePassResult:
    """Rows of face_tracks and frame_series without batch and video_id; seconds inside each model."""

    tracks: list[Row]
    frames: list[Row]
    model_s: dict[str, float]


class FacePass:
    """One video's faces.

    Args:
        video_id: makes person ids.
        shots: in order, touching.
        tracking, identity: thresholds.
        detector, mesher, embedder: models.faces.FaceDetector, models.mesh.FaceMesh, models.identity.FaceEmbedder.
        keep_crops: gets each track's id and face pictures, if the profile collects them.
    """

    def __init__(
        self,
        video_id: str,
        shots: Sequence[Shot],
        tracking: TrackingSettings,
        identity: IdentitySettings,
        detector: Detector,
        mesher: Mesher,
        embedder: Embedder,
        keep_crops: Callable[[str, FaceCrops], None] = lambda _, __: None,
    ) -> None:
        self._video_id, self._shots = video_id, list(shots)
        self._keep_crops = keep_crops
        self._tracking, self._identity = tracking, identity
        self._clock = ModelClock(detector, mesher, embedder)

    def run(self, frames: Iterable[TimedImage]) -> FacePassResult:
        """Follow the faces of all frames. Frames outside every shot are left out."""
        tracks: list[Row] = []
        faces: list[TrackFace] = []
        series: list[Row] = []
        for shot, inside in _by_shot(frames, self._shots):
            tracker = ShotTracker(self._clock, self._clock, self._tracking, self._identity)
            log = FrameLog(shot)
            for frame in inside:
                log.note(frame)
                if log.is_due(frame.time_s, self._tracking.max_mesh_hz):
                    log.count_faces(tracker.feed(frame.time_s, frame.image))
            series.append(log.row())
            for number, track in enumerate(tracker.finish()):
                row, face = self._describe(shot, number, track, log)
                if track.crops is not None:
                    self._keep_crops(row["track_id"], track.crops.done())
                tracks.append(row)
                faces.append(face)
        for row, person in zip(tracks, cluster_tracks(faces, self._identity), strict=True):
            row["person_id"] = f"{self._video_id}-p{person:02d}"
        return FacePassResult(tracks, series, dict(self._clock.spent_s))

    def _describe(self, shot: Shot, number: int, track: Track, log: "FrameLog") -> tuple[Row, TrackFace]:
        samples = track.kept()
        vector, status = track.album.embedding(self._clock)
        boxes = [normalised(s.box, log.width_px, log.height_px) for s in samples]
        end_s = min(shot.end_s, samples[-1].time_s + log.step_s)
        row = {
            "shot_id": shot.shot_id,
            "track_id": f"{shot.shot_id}-t{number:02d}",
            "start_s": samples[0].time_s,
            "end_s": end_s,
            "detection_score": float(np.mean(track.scores)),
            "boxes": _nested(np.array(boxes, dtype=np.float32)),
            "embedding": None if vector is None else _floats(vector),
            "embedding_status": status,
            **_series(samples),
        }
        first, last = ((b[0], b[1], b[2], b[3]) for b in (boxes[0], boxes[-1]))
        return row, TrackFace(shot.shot_id, samples[0].time_s, end_s, first, last, vector)


@dataclass
class FrameLog:
    """What every frame of a shot looks like, and which of them the tracker saw."""

    shot: Shot
    width_px: int = 1
    height_px: int = 1
    _times_s: list[float] = field(default_factory=list)
    _luma: list[float] = field(default_factory=list)
    _motion: list[float] = field(default_factory=list)
    _faces: list[int] = field(default_factory=list)
    _before: NDArray[np.float32] | None = None
    _due_s: float = -np.inf

    def note(self, frame: TimedImage) -> None:
        small = frame_measures.small_luma(frame.image)
        self.height_px, self.width_px = frame.image.shape[:2]
        self._times_s.append(frame.time_s)
        self._luma.append(float(small.mean()))
        self._motion.append(frame_measures.motion(self._before, small))
        self._faces.append(self._faces[-1] if self._faces else 0)
        self._before = small

    def is_due(self, time_s: float, max_hz: float) -> bool:
        """Is this a frame for the tracker? On average at most `max_hz` are; a quarter of a step early is in time."""
        step_s = 1.0 / max_hz
        if time_s < self._due_s - step_s / 4:
            return False
        self._due_s = (self._due_s if time_s - self._due_s < step_s else time_s) + step_s
        return True

    def count_faces(self, count: int) -> None:
        self._faces[-1] = count

    @property
    def step_s(self) -> float:
        """Usual time between frames, s; 0 for a single frame."""
        return float(np.median(np.diff(self._times_s))) if len(self._times_s) > 1 else 0.0

    def row(self) -> Row:
        return {
            "shot_id": self.shot.shot_id,
            "frame_times_s": pl.Series(self._times_s, dtype=pl.Float64),
            "luma": _floats(self._luma),
            "motion": _floats(self._motion),
            "face_count": _floats(self._faces),
        }


class ModelClock:
    """The three models behind one face that adds up the seconds spent in each."""

    def __init__(self, detector: Detector, mesher: Mesher, embedder: Embedder) -> None:
        self._detector, self._mesher, self._embedder = detector, mesher, embedder
        self.spent_s = {"detector": 0.0, "mesh": 0.0, "embedder": 0.0}

    def detect(self, images: list[Image]) -> Sequence[Sequence[DetectedFace]]:
        with self._timed("detector"):
            return self._detector.detect(images)

    def landmarks(
        self, image: Image, boxes_px: Sequence[Any], rolls_deg: Sequence[float] | None = None
    ) -> Sequence[MeshedFace]:
        with self._timed("mesh"):
            return self._mesher.landmarks(image, boxes_px, rolls_deg)

    def embed(self, image: Image, points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._timed("embedder"):
            return self._embedder.embed(image, points_px)

    @contextmanager
    def _timed(self, model: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s[model] += time.perf_counter() - start


def _by_shot(frames: Iterable[TimedImage], shots: Sequence[Shot]) -> Iterator[tuple[Shot, Iterator[TimedImage]]]:
    """The frames of each shot, streamed; a shot without frames comes empty, so that every shot has its row."""
    stream = iter(frames)
    waiting: list[TimedImage] = []

    def inside(shot: Shot) -> Iterator[TimedImage]:
        while True:
            frame = waiting.pop() if waiting else next(stream, None)
            if frame is None:
                return
            if frame.time_s >= shot.end_s - _EPSILON_S:
                waiting.append(frame)
                return
            if frame.time_s >= shot.start_s - _EPSILON_S:
                yield frame

    for shot in shots:
        yield shot, inside(shot)


def _series(samples: list[Sample]) -> Row:
    """The per-frame columns of a track."""
    return {
        "frame_times_s": pl.Series([s.time_s for s in samples], dtype=pl.Float64),
        "yaw_deg": _floats([s.pose.yaw_deg for s in samples]),
        "pitch_deg": _floats([s.pose.pitch_deg for s in samples]),
        "roll_deg": _floats([s.pose.roll_deg for s in samples]),
        "mouth_opening": _floats([s.mouth_opening for s in samples]),
        "lip_shape": _nested(np.stack([s.lip_shape for s in samples])),
        "face_sharpness": _floats([s.sharpness for s in samples]),
        "mesh_score": _floats([s.mesh_score for s in samples]),
    }


def _floats(values: Sequence[float] | NDArray[np.float32]) -> pl.Series:
    return pl.Series(np.asarray(values, dtype=np.float32), dtype=pl.Float32)


def _nested(rows: NDArray[np.float32]) -> pl.Series:
    """(n, k) as a series of lists: an order of magnitude smaller than Python floats."""
    return pl.Series(rows).cast(pl.List(pl.Float32))
