"""The single pass over the full frames: face tracks, poses and frame series of every shot.

Belongs here: the order of work over frames and shots, and the resulting rows. Does not belong here: decoding, following
faces inside a shot (faces/tracking), models. Holds one frame, a few crops per face, and numbers.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings, LivenessSettings, SamplingSettings, TrackingSettings
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.clusters import TrackFace, cluster_tracks
from speakervid_dag.curation.faces.copies import copies
from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.faces.geometry import normalised
from speakervid_dag.curation.faces.liveness import LifeWatch
from speakervid_dag.curation.faces.portraits import Embedder
from speakervid_dag.curation.faces.tracking import (
    DetectedFace,
    Detector,
    FaceSample,
    FollowedFace,
    MeshedFace,
    Mesher,
    ShotTracker,
)
from speakervid_dag.curation.frames.log import FrameLog, Rhythm, SampledFrame, ShotSpan, TextModel, floats, nested
from speakervid_dag.curation.frames.person import PersonModels, PersonSampler
from speakervid_dag.curation.frames.region import RegionWatch
from speakervid_dag.curation.pixels import Image

Row = dict[str, Any]
MODEL_PARTS = ("detector", "mesh", "embedder", "body", "hands", "emotion", "text")
_EPSILON_S = 1e-6


@dataclass(frozen=True)
class FacePassResult:
    """Rows of face_tracks, poses and frame_series without batch and video_id; seconds spent in each part."""

    tracks: list[Row]
    poses: list[Row]
    frames: list[Row]
    spent_s: dict[str, float]


class FacePass:
    """The frame pass over one video.

    Args:
        video_id: prefix of the person ids.
        shots: in order, touching.
        tracking, identity, liveness: thresholds.
        sampling: how often frames and people are sampled, and for what.
        people: models of body, hands and expression.
        detector, mesher, embedder: models.faces.FaceDetector, models.mesh.FaceMesh, models.identity.FaceEmbedder.
        text: models.text_detector.TextDetector, or the reason why text is not detected.
        keep_crops: receives each track's id and face crops, if the profile collects them.
    """

    def __init__(
        self,
        video_id: str,
        shots: Sequence[ShotSpan],
        tracking: TrackingSettings,
        identity: IdentitySettings,
        liveness: LivenessSettings,
        sampling: SamplingSettings,
        detector: Detector,
        mesher: Mesher,
        embedder: Embedder,
        people: PersonModels,
        keep_crops: Callable[[str, FaceCrops], None] = lambda _, __: None,
        *,
        text: TextModel | str = "off",
    ) -> None:
        self._video_id, self._shots = video_id, list(shots)
        self._keep_crops, self._text = keep_crops, text
        self._tracking, self._identity, self._liveness = tracking, identity, liveness
        self._sampling, self._people = sampling, people
        self._parts = PartClock()
        self._clock = ModelClock(detector, mesher, embedder, self._parts)

    def run(self, frames: Iterable[SampledFrame]) -> FacePassResult:
        """Follow the faces of all frames. Frames outside every shot are skipped."""
        tracks: list[Row] = []
        poses: list[Row] = []
        faces: list[tuple[Row, TrackFace]] = []
        series: list[Row] = []
        for shot, inside in _by_shot(frames, self._shots):
            watch = _ShotWatch(
                ShotTracker(self._clock, self._clock, self._clock, self._tracking, self._identity),
                FrameLog(shot, self._sampling, self._parts, self._text),
                PersonSampler(self._people, self._sampling, self._parts),
                RegionWatch(self._sampling.region_margin, self._parts),
                LifeWatch(self._liveness, self._parts),
                Rhythm(self._tracking.max_mesh_hz),
            )
            watch.run(inside)
            series.append(watch.log.row())
            for number, track in enumerate(watch.tracker.finish()):
                row, face = self._describe(shot, number, track, watch)
                self._keep_crops(row["track_id"], track.crops.done())
                tracks.append(row)
                if watch.life.is_alive(track):
                    faces.append((row, face))
                ids = {name: row[name] for name in ("shot_id", "track_id")}
                poses.append(ids | watch.sampler.row(track, row["end_s"]))
        people = cluster_tracks([face for _, face in faces], self._identity)
        for (row, _), person in zip(faces, people, strict=True):
            row["person_id"] = f"{self._video_id}-p{person:02d}"
        self._mark_copies(tracks)
        return FacePassResult(tracks, poses, series, dict(self._parts.spent_s))

    def _mark_copies(self, tracks: list[Row]) -> None:
        """Set `copy_of`, and give each copy the person_id of its original."""
        originals = copies([t for t in tracks if t["person_id"] is not None], self._identity)
        person = {t["track_id"]: t["person_id"] for t in tracks}
        for row in tracks:
            row["copy_of"] = originals.get(row["track_id"])
            row["person_id"] = person[row["copy_of"] or row["track_id"]]

    def _describe(self, shot: ShotSpan, number: int, track: FollowedFace, watch: "_ShotWatch") -> tuple[Row, TrackFace]:
        samples, log = track.kept(), watch.log
        vector, status = track.album.embedding(self._clock)
        boxes = [normalised(s.box, log.width_px, log.height_px) for s in samples]
        end_s = min(shot.end_s, samples[-1].time_s + log.step_s)
        liveness, liveness_status = watch.life.liveness(track)
        row = {
            "shot_id": shot.shot_id,
            "track_id": f"{shot.shot_id}-t{number:02d}",
            "person_id": None,
            "start_s": samples[0].time_s,
            "end_s": end_s,
            "detection_score": float(np.mean(track.scores)),
            "boxes": nested(np.array(boxes, dtype=np.float32)),
            "embedding": None if vector is None else floats(vector),
            "embedding_status": status,
            "keypoints": nested(_relative([s.five_points for s in samples], log)),
            "liveness": liveness,
            "liveness_status": liveness_status,
            **_series(samples),
            **watch.regions.series(track),
        }
        first, last = ((b[0], b[1], b[2], b[3]) for b in (boxes[0], boxes[-1]))
        return row, TrackFace(shot.shot_id, samples[0].time_s, end_s, first, last, vector)


@dataclass(frozen=True)
class _ShotWatch:
    """Everything that processes the frames of one shot."""

    tracker: ShotTracker
    log: FrameLog
    sampler: PersonSampler
    regions: RegionWatch
    life: LifeWatch
    rhythm: Rhythm

    def run(self, frames: Iterable[SampledFrame]) -> None:
        """Process every frame once."""
        in_view: list[FollowedFace] = []
        for frame in frames:
            self.log.note(frame)
            is_followed = self.rhythm.is_due(frame.time_s)
            if is_followed:
                in_view = self.tracker.feed(frame.time_s, frame.image)
                self.log.count_faces(len(in_view))
            self.log.look(frame, [t.box for t in in_view])
            self.sampler.feed(frame.time_s, frame.image, in_view)
            if is_followed:
                self.regions.feed(frame, in_view, self.log.picture_box)
                self.life.feed(frame.time_s, frame.image, in_view)


class ModelClock:
    """The three face models behind one interface, timed as `detector`, `mesh` and `embedder`."""

    def __init__(self, detector: Detector, mesher: Mesher, embedder: Embedder, clock: PartClock) -> None:
        self._detector, self._mesher, self._embedder, self._clock = detector, mesher, embedder, clock

    def detect(self, images: list[Image]) -> Sequence[Sequence[DetectedFace]]:
        with self._clock.timed("detector"):
            return self._detector.detect(images)

    def landmarks(
        self, image: Image, boxes_px: Sequence[Any], rolls_deg: Sequence[float] | None = None
    ) -> Sequence[MeshedFace]:
        with self._clock.timed("mesh"):
            return self._mesher.landmarks(image, boxes_px, rolls_deg)

    def embed(self, image: Image, points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        with self._clock.timed("embedder"):
            return self._embedder.embed(image, points_px)


def _by_shot(
    frames: Iterable[SampledFrame], shots: Sequence[ShotSpan]
) -> Iterator[tuple[ShotSpan, Iterator[SampledFrame]]]:
    """Yield each shot with a stream of its frames; a shot without frames gets an empty one, so every shot has a row."""
    stream = iter(frames)
    waiting: list[SampledFrame] = []

    def inside(shot: ShotSpan) -> Iterator[SampledFrame]:
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


def _series(samples: list[FaceSample]) -> Row:
    """Return the per-frame columns of a track."""
    return {
        "frame_times_s": pl.Series([s.time_s for s in samples], dtype=pl.Float64),
        "yaw_deg": floats([s.pose.yaw_deg for s in samples]),
        "pitch_deg": floats([s.pose.pitch_deg for s in samples]),
        "roll_deg": floats([s.pose.roll_deg for s in samples]),
        "mouth_opening": floats([s.mouth_opening for s in samples]),
        "lip_shape": nested(np.stack([s.lip_shape for s in samples])),
        "face_sharpness": floats([s.sharpness for s in samples]),
        "mesh_score": floats([s.mesh_score for s in samples]),
    }


def _relative(points_px: Sequence[NDArray[np.float32]], log: FrameLog) -> NDArray[np.float32]:
    """Return five points per frame, x and y in 0-1 of the picture, not clipped to it: (n, 10)."""
    size = np.array([log.width_px, log.height_px], dtype=np.float32)
    return np.asarray((np.stack(points_px) / size).reshape(len(points_px), -1), dtype=np.float32)
