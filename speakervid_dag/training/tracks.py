"""Face tracks of training clips, made by the pipeline's own detector, mesh, tracker and picture cutter.

Belongs here: one clip's tracks at full and at reduced size, its sound, and their cache on disk. Does not belong here:
their form for the network (curation/speaking/lip_frames.py).

A copy at a reduced size is tracked anew in the shrunk frames, so that its pictures and its mesh are those of a small
face.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings, TrackingSettings
from speakervid_dag.curation.faces.crops import FaceCrops
from speakervid_dag.curation.faces.tracking import FollowedFace, ShotTracker

MAX_CLIP_S = 30.0
_MIN_TRACK_FRAMES = 20
_CROP_ARRAYS = ("times_s", "boxes", "places")

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face of a clip: columns of face_tracks as arrays, its pictures, and the size of the frames (px)."""

    row: dict[str, NDArray[Any]]
    crops: FaceCrops
    width_px: int
    height_px: int

    @property
    def weight(self) -> float:
        """Return frames × size of the face, to rank the faces of a clip."""
        boxes = self.row["boxes"]
        return float(((boxes[:, 2] - boxes[:, 0]) * self.width_px).sum())


@dataclass(frozen=True, eq=False)
class TrackedClip:
    """The faces of a clip by the requested face size (0 = as in the file), largest first, and its sound at 16 kHz."""

    faces: dict[int, list[TrackedFace]]
    samples: NDArray[np.float32]


class NoIdentity:
    """An embedder that finds everybody alike: a training clip's tracks end by place, not by identity."""

    def embed(self, image: NDArray[np.uint8], points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(128, 128**-0.5, np.float32)


class ClipTracker:
    """Tracks faces in clips as the picture pass does.

    Args:
        tracking, identity: of a profile.
        threads: CPU threads of the models.
    """

    def __init__(self, tracking: TrackingSettings, identity: IdentitySettings, threads: int = 1) -> None:
        from speakervid_dag.models.faces import FaceDetector
        from speakervid_dag.models.mesh import FaceMesh

        self._tracking = tracking
        self._identity = identity
        self._detector = FaceDetector(None, tracking.detector_long_side_px, tracking.min_detection_score, threads)
        self._mesh = FaceMesh(threads)

    def track(self, path: Path, face_sides_px: Sequence[int] = ()) -> TrackedClip:
        """Return the faces of the first 30 s of a clip, also in copies whose largest face has these sides, px.

        A copy that would not be smaller is left out.

        Raises:
            PermanentFailure: the file has no picture or no sound, or cannot be decoded.
        """
        import cv2

        from speakervid_dag.curation.frames.log import Rhythm
        from speakervid_dag.media.audio import read_audio
        from speakervid_dag.media.budget import MediaBudget
        from speakervid_dag.media.decode import read_frames
        from speakervid_dag.media.probe import probe

        budget = MediaBudget(decoder_threads=1)
        info = probe(path, budget)
        samples = read_audio(path, info, budget)[: round((MAX_CLIP_S + 1) * 16_000)]
        trackers, scales = {0: self._tracker()}, {0: 1.0}
        sizes: dict[int, tuple[int, int]] = {}
        rhythm = Rhythm(self._tracking.max_mesh_hz)
        with read_frames(path, info, budget, max_long_side_px=self._tracking.long_side_px) as reader:
            for frame in reader:
                if frame.time_s > MAX_CLIP_S:
                    break
                if not rhythm.is_due(frame.time_s):
                    continue
                height, width = frame.image.shape[:2]
                for side, tracker in list(trackers.items()):
                    scale = scales[side]
                    size = round(width * scale), round(height * scale)
                    image = frame.image if scale == 1 else cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
                    in_view = tracker.feed(frame.time_s, np.asarray(image, np.uint8))
                    sizes[side] = size
                    if side == 0 and in_view and len(trackers) == 1:
                        largest = max(max(t.box[2] - t.box[0], t.box[3] - t.box[1]) for t in in_view)
                        scales |= {px: px / largest for px in face_sides_px if px < 0.9 * largest}
                        trackers |= {px: self._tracker() for px in scales if px}
        return TrackedClip({px: _faces(trackers[px], *sizes[px]) for px in trackers if px in sizes}, samples)

    def _tracker(self) -> ShotTracker:
        return ShotTracker(self._detector, self._mesh, NoIdentity(), self._tracking, self._identity)


def _faces(tracker: ShotTracker, width_px: int, height_px: int) -> list[TrackedFace]:
    faces = [_face(track, width_px, height_px) for track in tracker.finish() if len(track.kept()) >= _MIN_TRACK_FRAMES]
    return sorted(faces, key=lambda face: -face.weight)


def _face(track: FollowedFace, width_px: int, height_px: int) -> TrackedFace:
    samples = track.kept()
    if track.crops is None:
        raise ValueError("training needs a tracker that keeps face pictures")
    count = len(samples)
    size = np.array([width_px, height_px], np.float32)
    row = {
        "frame_times_s": np.array([s.time_s for s in samples]),
        "boxes": np.clip(np.array([s.box for s in samples], np.float32) / np.tile(size, 2), 0, 1),
        "keypoints": (np.stack([s.five_points for s in samples]) / size).reshape(count, 10).astype(np.float32),
        "lip_shape": np.stack([s.lip_shape for s in samples]),
        "mesh_score": np.array([s.mesh_score for s in samples], np.float32),
        "yaw_deg": np.array([s.pose.yaw_deg for s in samples], np.float32),
    }
    return TrackedFace(row, track.crops.done().first(count), width_px, height_px)


def save(clip: TrackedClip, path: Path) -> None:
    """Write a clip to an .npz file; nothing is pickled."""
    arrays: dict[str, NDArray[Any]] = {"samples": clip.samples}
    for side, faces in clip.faces.items():
        for number, face in enumerate(faces):
            at = f"{side}/{number}/"
            arrays |= {at + name: values for name, values in face.row.items()}
            arrays[at + "size"] = np.array([face.width_px, face.height_px])
            arrays |= {at + "crops/" + name: getattr(face.crops, name) for name in _CROP_ARRAYS}
            arrays[at + "lengths"] = np.array([len(jpeg) for jpeg in face.crops.jpegs], np.int64)
            arrays[at + "jpegs"] = np.frombuffer(b"".join(face.crops.jpegs), np.uint8)
        arrays[f"{side}/count"] = np.array(len(faces))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.npz")
    np.savez(unfinished, **arrays)  # type: ignore[arg-type]
    unfinished.replace(path)


def load(path: Path) -> TrackedClip:
    """Read a file written by `save`."""
    with np.load(path, allow_pickle=False) as kept:
        faces: dict[int, list[TrackedFace]] = {}
        for name in kept.files:
            if not name.endswith("/count"):
                continue
            side = name.split("/")[0]
            faces[int(side)] = [_loaded(kept, f"{side}/{number}/") for number in range(int(kept[name]))]
        return TrackedClip(faces, kept["samples"])


def _loaded(kept: Any, at: str) -> TrackedFace:
    names = ("frame_times_s", "boxes", "keypoints", "lip_shape", "mesh_score", "yaw_deg")
    data, ends = kept[at + "jpegs"].tobytes(), np.cumsum(kept[at + "lengths"]).tolist()
    jpegs = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    width, height = (int(n) for n in kept[at + "size"])
    times_s, boxes, places = (kept[at + "crops/" + name] for name in _CROP_ARRAYS)
    crops = FaceCrops(times_s, boxes, places, jpegs)
    return TrackedFace({n: kept[at + n] for n in names}, crops, width, height)
