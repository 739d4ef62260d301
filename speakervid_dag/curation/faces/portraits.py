"""Portraits: the few frames of a track by which a person is recognised.

Belongs here: choosing good portraits, keeping their crops, their mean vector. Does not belong here: following faces
(tracking), comparing people (clusters), the embedding model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings
from speakervid_dag.curation.faces.geometry import Box, HeadPose, Points
from speakervid_dag.curation.pixels import Image


class Embedder(Protocol):
    """See models.identity.FaceEmbedder."""

    def embed(self, image: Image, points_px: Points) -> NDArray[np.float32]: ...


@dataclass(frozen=True, eq=False)
class Portrait:
    """A candidate: box and mesh in image px, pose, sharpness (Laplacian variance), mesh score 0-1."""

    time_s: float
    box: Box
    pose: HeadPose
    sharpness: float
    mesh_score: float
    points: Points

    def quality(self, settings: IdentitySettings) -> float:
        """Return 0-1 for how frontal, large and sharp it is; each factor saturates. 0 = unusable."""
        height = self.box[3] - self.box[1]
        yaw, pitch = abs(self.pose.yaw_deg), abs(self.pose.pitch_deg)
        if (
            self.mesh_score < settings.min_portrait_mesh_score
            or height < settings.min_portrait_height_px
            or not self.sharpness >= settings.min_portrait_sharpness  # NaN: too little of the face is visible
            or yaw > settings.max_portrait_yaw_deg
            or pitch > settings.max_portrait_pitch_deg
        ):
            return 0.0
        frontal = float(np.cos(np.radians(yaw)) * np.cos(np.radians(pitch)))
        large = min(1.0, height / settings.good_portrait_height_px)
        sharp = self.sharpness / (self.sharpness + settings.good_portrait_sharpness)
        return frontal * large * sharp


@dataclass(frozen=True, eq=False)
class _Kept:
    time_s: float
    quality: float
    crop: Image
    points: Points


class PortraitAlbum:
    """The best portraits of one track, spread in time; holds at most `max_portraits` crops."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._settings = settings
        self._kept: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def times_s(self) -> list[float]:
        return sorted(k.time_s for k in self._kept)

    def offer(self, portrait: Portrait, image: Image) -> None:
        """Keep the portrait if it is better than one close in time, or than the worst of a full album."""
        quality = portrait.quality(self._settings)
        if quality > 0 and self._has_room(portrait.time_s, quality):
            crop, points = _crop(image, portrait.box, portrait.points)
            self._kept.append(_Kept(portrait.time_s, quality, crop, points))

    def absorb(self, other: "PortraitAlbum", since_s: float = 0.0) -> None:
        """Take over another album's portraits from `since_s` on, as if they had been offered here."""
        for kept in other._kept:
            if kept.time_s >= since_s and self._has_room(kept.time_s, kept.quality):
                self._kept.append(kept)

    def _has_room(self, time_s: float, quality: float) -> bool:
        """Return True if a portrait fits, after removing a worse one too close in time or the worst of a full album."""
        near = [k for k in self._kept if abs(k.time_s - time_s) < self._settings.portrait_spacing_s]
        full = len(self._kept) >= self._settings.max_portraits
        rivals = near or (self._kept if full else [])
        weakest = min(rivals, key=lambda k: k.quality, default=None)
        if weakest is not None:
            if weakest.quality >= quality:
                return False
            self._kept.remove(weakest)
        return True

    def embedding(self, embedder: Embedder) -> tuple[NDArray[np.float32] | None, str]:
        """Return the unit-length mean of the portraits' vectors and "ok", or None and the reason."""
        if not self._kept:
            return None, "no_good_portrait"
        vectors = [embedder.embed(k.crop, k.points) for k in sorted(self._kept, key=lambda k: k.time_s)]
        mean = mean_direction(vectors)
        return (mean, "ok") if mean is not None else (None, "portraits_disagree")


def mean_direction(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | None:
    """Return the unit-length mean of unit vectors; None if they cancel out."""
    total = np.sum(vectors, axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length, dtype=np.float32) if length > 1e-6 else None


def _crop(image: Image, box: Box, points: Points) -> tuple[Image, Points]:
    """Return a copy of the face with a margin of half its size, and the points in px of that crop."""
    height, width = image.shape[:2]
    margin = max(box[2] - box[0], box[3] - box[1]) / 2
    left, top = max(0, int(box[0] - margin)), max(0, int(box[1] - margin))
    right, bottom = min(width, int(box[2] + margin) + 1), min(height, int(box[3] + margin) + 1)
    moved = points.copy()
    moved[:, :2] -= np.array([left, top], dtype=np.float32)
    return image[top:bottom, left:right].copy(), moved
