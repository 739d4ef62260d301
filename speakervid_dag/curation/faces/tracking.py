"""Face tracking through one shot.

Belongs here: assigning faces to tracks, starting and ending tracks, the sample recorded per frame. Does not belong
here: shots and frame order (frames/frame_pass), geometry and pixels (geometry, curation/pixels), identity (clusters).

As in MediaPipe, a face is followed by running the mesh where the previous mesh was. A few times per second the detector
finds new faces and confirms the old ones, matched by overlap. A face whose mesh fails (a profile) is kept by detections
alone. A track ends when the detector has not confirmed it for a while, or when it jumps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings, TrackingSettings
from speakervid_dag.curation.faces import geometry
from speakervid_dag.curation.faces.crops import CropCollector
from speakervid_dag.curation.faces.geometry import Box, HeadPose, Points
from speakervid_dag.curation.faces.identity_watch import IdentityWatch
from speakervid_dag.curation.faces.portraits import Embedder, Portrait, PortraitAlbum
from speakervid_dag.curation.pixels import Image, face_sharpness

_EPSILON_S = 1e-6


class DetectedFace(Protocol):
    """A detection: x1, y1, x2, y2 in px, and a score 0-1."""

    @property
    def box_px(self) -> Box: ...
    @property
    def score(self) -> float: ...


class MeshedFace(Protocol):
    """A mesh: (468, 3) points in px, and the confidence 0-1 that it lies on a face."""

    @property
    def points_px(self) -> Points: ...
    @property
    def presence(self) -> float: ...


class Detector(Protocol):
    """See models.faces.FaceDetector."""

    def detect(self, images: list[Image]) -> Sequence[Sequence[DetectedFace]]: ...


class Mesher(Protocol):
    """See models.mesh.FaceMesh."""

    def landmarks(
        self, image: Image, boxes_px: Sequence[Box], rolls_deg: Sequence[float] | None = None
    ) -> Sequence[MeshedFace]: ...


@dataclass(frozen=True, eq=False)
class FaceSample:
    """One track in one frame. If `mesh_score` is low (see TrackingSettings), pose, mouth and lips are meaningless."""

    time_s: float
    box: Box
    pose: HeadPose
    mouth_opening: float
    lip_shape: NDArray[np.float32]
    five_points: NDArray[np.float32]
    sharpness: float
    mesh_score: float


@dataclass(eq=False)
class FollowedFace:
    """A face being followed: samples in order, and the state that decides when it ends (times in s)."""

    box: Box
    roll_deg: float
    detected_s: float
    confirmed_s: float
    album: PortraitAlbum
    watch: IdentityWatch
    doubtful: PortraitAlbum  # portraits since the watch has been in doubt
    crops: CropCollector = field(default_factory=CropCollector)
    samples: list[FaceSample] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def kept(self) -> list[FaceSample]:
        """Return the samples up to the last one in which the face was confirmed."""
        return [s for s in self.samples if s.time_s <= self.confirmed_s + _EPSILON_S]


class ShotTracker:
    """The tracks of one shot. Feed its frames in order, then `finish`.

    Args:
        detector, mesher, embedder: the models.
        tracking, identity: thresholds; `identity` decides which frames make portraits.
    """

    def __init__(
        self,
        detector: Detector,
        mesher: Mesher,
        embedder: Embedder,
        tracking: TrackingSettings,
        identity: IdentitySettings,
    ) -> None:
        self._detector, self._mesher, self._embedder = detector, mesher, embedder
        self._settings, self._identity = tracking, identity
        self._live: list[FollowedFace] = []
        self._done: list[FollowedFace] = []
        self._next_detection_s = -np.inf

    def feed(self, time_s: float, image: Image) -> list[FollowedFace]:
        """Follow all faces into the next frame and return those that are in it."""
        meshes = self._follow(time_s, image)
        if time_s >= self._next_detection_s - _EPSILON_S:
            self._next_detection_s = time_s + 1.0 / self._settings.detections_hz
            self._detect(time_s, image, meshes)
        lost = [t for t in self._live if self._is_lost(t, time_s)]
        self._end(lost)
        for track in self._live:
            track.crops.add(time_s, image, track.samples[-1].box)
        return [t for t in self._live if t.confirmed_s >= time_s - _EPSILON_S]

    def finish(self) -> list[FollowedFace]:
        """Return all tracks long enough to count, in order of their first frame, left to right."""
        self._end(list(self._live))
        kept = [t for t in self._done if self._counts(t)]
        return sorted(kept, key=lambda t: (t.samples[0].time_s, t.samples[0].box))

    def _follow(self, time_s: float, image: Image) -> dict[int, MeshedFace]:
        """Add one sample to each live track and return the trusted meshes by the track's id()."""
        rolls = [t.roll_deg for t in self._live]
        meshes = self._mesher.landmarks(image, [t.box for t in self._live], rolls) if self._live else []
        trusted = {}
        for track, mesh in zip(self._live, meshes, strict=True):
            box = geometry.mesh_box(mesh.points_px)
            if (
                mesh.presence >= self._settings.min_mesh_score
                and geometry.iou(box, track.box) >= self._settings.min_iou
            ):
                trusted[id(track)] = mesh
                self._settle(track, time_s, mesh)
            track.samples.append(_sample(time_s, image, track.box, mesh))
        return trusted

    def _detect(self, time_s: float, image: Image, meshes: dict[int, MeshedFace]) -> None:
        """Confirm live tracks by detections and start new ones."""
        found = [f for f in self._detector.detect([image])[0] if self._is_usable(f)]
        live = list(self._live)
        pairs = match([t.box for t in live], [f.box_px for f in found], self._settings.min_iou)
        for i, j in pairs:
            track = live[i]
            track.detected_s = track.confirmed_s = time_s
            track.scores.append(found[j].score)
            if (mesh := meshes.get(id(track))) is not None:
                self._offer_portrait(track, image, mesh)
            else:
                track.box = found[j].box_px
                last = track.samples[-1]
                again = self._mesher.landmarks(image, [track.box], [0.0])[0]
                track.samples[-1] = _sample(last.time_s, image, track.box, again)
        taken = {j for _, j in pairs}
        for j, face in enumerate(found):
            if j not in taken and not any(_covers(t.box, face.box_px, self._settings) for t in self._live):
                self._begin(time_s, image, face)
        self._end(self._doubles())

    def _begin(self, time_s: float, image: Image, face: DetectedFace) -> None:
        mesh = self._mesher.landmarks(image, [face.box_px], [0.0])[0]
        albums = PortraitAlbum(self._identity), PortraitAlbum(self._identity)
        watch = IdentityWatch(self._identity)
        track = FollowedFace(face.box_px, 0.0, time_s, time_s, albums[0], watch, albums[1], scores=[face.score])
        is_trusted = mesh.presence >= self._settings.min_mesh_score
        if is_trusted and geometry.iou(geometry.mesh_box(mesh.points_px), face.box_px) >= self._settings.min_iou:
            self._settle(track, time_s, mesh)
        track.samples.append(_sample(time_s, image, track.box, mesh))
        self._live.append(track)

    def _settle(self, track: FollowedFace, time_s: float, mesh: MeshedFace) -> None:
        track.box = geometry.mesh_box(mesh.points_px)
        track.roll_deg = geometry.eye_line_deg(mesh.points_px)
        track.confirmed_s = time_s

    def _offer_portrait(self, track: FollowedFace, image: Image, mesh: MeshedFace) -> None:
        last = track.samples[-1]
        portrait = Portrait(last.time_s, last.box, last.pose, last.sharpness, last.mesh_score, mesh.points_px)
        is_good = portrait.quality(self._identity) > 0
        if is_good and track.watch.is_due(last.time_s):
            if track.watch.see(last.time_s, self._embedder.embed(image, mesh.points_px)):
                self._part(track)
                return
            if not track.watch.is_in_doubt:
                track.album.absorb(track.doubtful)
                track.doubtful = PortraitAlbum(self._identity)
        (track.doubtful if track.watch.is_in_doubt else track.album).offer(portrait, image)

    def _part(self, track: FollowedFace) -> None:
        """Split a track whose person changed: it ends at its last match, a new track starts where the change began."""
        since_s = track.watch.since_s
        later = replace(
            track,
            album=PortraitAlbum(self._identity),
            watch=IdentityWatch(self._identity),
            doubtful=PortraitAlbum(self._identity),
            crops=track.crops.since(since_s),
            samples=[s for s in track.samples if s.time_s >= since_s],
            scores=track.scores[-self._identity.change_looks :],
        )
        later.album.absorb(track.doubtful, since_s)
        track.confirmed_s = track.watch.alike_s
        track.samples = track.kept()
        self._end([track])
        self._live.append(later)

    def _doubles(self) -> list[FollowedFace]:
        """Return the younger track of each pair that has come to lie on one face."""
        doubles = []
        for i, old in enumerate(self._live):
            for young in self._live[i + 1 :]:
                if _covers(old.box, young.box, self._settings):
                    doubles.append(young)
        return doubles

    def _is_lost(self, track: FollowedFace, time_s: float) -> bool:
        return (
            time_s - track.detected_s > self._settings.max_undetected_s
            or time_s - track.confirmed_s > self._settings.max_unseen_s
        )

    def _is_usable(self, face: DetectedFace) -> bool:
        height = face.box_px[3] - face.box_px[1]
        return face.score >= self._settings.min_detection_score and height >= self._settings.min_face_height_px

    def _counts(self, track: FollowedFace) -> bool:
        kept = track.kept()
        return (
            len(track.scores) >= self._settings.min_detections
            and kept[-1].time_s - kept[0].time_s >= self._settings.min_track_s
        )

    def _end(self, tracks: list[FollowedFace]) -> None:
        """Remove tracks from the live ones. Unconfirmed time at the end is not part of a lost track."""
        ended = {id(t) for t in tracks}
        self._done += [t for t in self._live if id(t) in ended]
        self._live = [t for t in self._live if id(t) not in ended]


def match(tracks: Sequence[Box], found: Sequence[Box], min_iou: float) -> list[tuple[int, int]]:
    """Return the one-to-one pairs (track, found) of greatest total overlap, each with an IoU of at least `min_iou`."""
    from scipy.optimize import linear_sum_assignment

    if not tracks or not found:
        return []
    overlap = np.array([[geometry.iou(t, f) for f in found] for t in tracks])
    overlap[overlap < min_iou] = 0.0
    rows, columns = linear_sum_assignment(-overlap)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlap[i, j] > 0]


def _covers(first: Box, second: Box, settings: TrackingSettings) -> bool:
    """Return True if the two boxes lie on one face."""
    larger = max(geometry.inside_share(first, second), geometry.inside_share(second, first))
    return larger >= settings.same_face_share


def _sample(time_s: float, image: Image, box: Box, mesh: MeshedFace) -> FaceSample:
    points = mesh.points_px
    return FaceSample(
        time_s=time_s,
        box=box,
        pose=geometry.head_pose(points),
        mouth_opening=geometry.mouth_opening(points),
        lip_shape=geometry.lip_shape(points),
        five_points=geometry.five_points(points),
        sharpness=face_sharpness(image, box),
        mesh_score=float(mesh.presence),
    )
