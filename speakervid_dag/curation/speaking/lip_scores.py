"""Answers of the lip network about the faces of one video: talking per frame, the sound's offset, margins of synchrony.

Belongs here: the video's offset, and margins. Does not belong here: the network (models/lip_network.py; it is an
argument), its input (lip_frames.py), rows (talking_series.py), what a margin decides (bindings).

A face whose lips cannot be read gives no margin for its own voice either: its sound is not foreign, but not measurable.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import FPS, SAMPLES, LipFrames

MAX_LAG = 15  # frames; column l of similarities is lag l - 15
_AWAY = 7  # lags this far from the right one are wrong ones
_MOST_OFFSET = 10  # frames
_MIN_OFFSET_S = 8.0  # talking time from which a video's offset is measured
_MIN_LAG_S = 1.0  # ... from which its faces are at least compared at the lag that suits all of them best
_MIN_PROFILE_MARGIN = 0.1  # videos under another's sound: at most 0.07; under their own, at least 0.12
_ZERO_FRAMES = 0.9  # lag 0 of the network is a sound this much late, by five files of known offset
_MAX_YAW_DEG, _MIN_FACE_PX, _MIN_MESH_SCORE = 45.0, 30.0, 0.5

Floats = NDArray[np.float32]


class LipModel(Protocol):
    """See models.lip_network.LipNetwork."""

    def sound(self, samples: Floats, frames: int) -> Any: ...
    def mouth(
        self,
        mouths: NDArray[np.uint8],
        faces: NDArray[np.uint8],
        lips: Floats,
        state: Floats,
        is_seen: NDArray[np.bool_],
    ) -> Any: ...
    def synchrony(self, mouth: Any, sound: Any, first: int) -> Floats: ...
    def talking(self, mouth: Any, sound: Any, first: int, lag: int = 0) -> Floats: ...


@dataclass(frozen=True, eq=False)
class FaceScores:
    """One track on the 25-Hz grid; frame i is at (first + i) / 25 s.

    Attributes:
        talking: (t,) logits, positive = talks; NaN where the face is not seen.
        margins: (t,) similarity at the video's lag, above lags 7 or more away; NaN where the face is not seen.
        is_readable: (t,) bool: the lips can be read: mesh trusted, at most 45 degrees of yaw, at least 30 px.
    """

    first: int
    talking: Floats
    margins: Floats
    is_readable: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VideoScores:
    """All faces of a video.

    Attributes:
        offset_frames: by how many frames the sound is late; None = not measurable.
        lag: the network's own lag at which the margins of all faces were taken: the one that suits the talking faces
            best, though that may be by chance if the offset is not measurable.
    """

    offset_frames: float | None
    lag: int
    faces: dict[str, FaceScores]


def video_scores(network: LipModel, tracks: Iterable[tuple[str, LipFrames]], samples: Floats) -> VideoScores:
    """Return the scores of all tracks of a video. `samples`: its sound at 16 kHz from the container's start.

    The tracks are read one after the other: the pictures of two are never held at once.
    """
    sound = network.sound(samples, max(1, len(samples) // SAMPLES))
    found: dict[str, _Face] = {}
    for name, track in tracks:
        mouth = network.mouth(track.mouths, track.faces, track.lips, track.state, track.is_seen)
        near = network.synchrony(mouth, sound, track.first)
        talking = network.talking(mouth, sound, track.first)
        found[name] = _Face(track.first, mouth, near, talking, track.is_seen, readable(track))
    profile, seconds = _profile([face.near[(face.talking > 0) & face.is_seen] for face in found.values()])
    best = best_lag(profile[MAX_LAG - _MOST_OFFSET : MAX_LAG + _MOST_OFFSET + 1]) if seconds >= _MIN_LAG_S else 0.0
    is_sure = seconds >= _MIN_OFFSET_S and margins(profile[None], round(best))[0] >= _MIN_PROFILE_MARGIN
    moved = round(best) if is_sure else 0
    faces = {}
    for name, face in found.items():
        logits = network.talking(face.mouth, sound, face.first, moved) if moved else face.talking
        above = margins(face.near, round(best))
        faces[name] = FaceScores(face.first, _seen(logits, face), _seen(above, face), face.is_readable)
    return VideoScores(best + _ZERO_FRAMES if is_sure else None, round(best), faces)


@dataclass(frozen=True, eq=False)
class _Face:
    """A track's side of the network, and what it says at lag 0."""

    first: int
    mouth: Any
    near: Floats
    talking: Floats
    is_seen: NDArray[np.bool_]
    is_readable: NDArray[np.bool_]


def _seen(values: Floats, face: _Face) -> Floats:
    return np.where(face.is_seen, values, np.nan).astype(np.float32)


def _profile(talking: list[Floats]) -> tuple[Floats, float]:
    """Return the mean similarities (31,) of the talking frames of a video, and how many seconds they are."""
    rows = np.concatenate([np.zeros((0, 2 * MAX_LAG + 1), np.float32), *talking])
    return rows.mean(axis=0) if len(rows) else np.zeros(2 * MAX_LAG + 1, np.float32), len(rows) / FPS


def margins(near: Floats, lag: int) -> Floats:
    """Return the margin of each row of similarities (n, 31): near `lag` (-15 to 15), against lags 7 or more away."""
    lags = np.arange(-MAX_LAG, MAX_LAG + 1)
    at, away = np.abs(lags - lag) <= 1, np.abs(lags - lag) >= _AWAY
    return np.asarray(near[:, at].mean(axis=1) - near[:, away].mean(axis=1), np.float32)


def best_lag(profile: Floats) -> float:
    """Return the lag at the greatest value of a profile over lags (odd length, middle = 0).

    The profile is smoothed over 3 lags; a parabola finds the place between lags.
    """
    smooth = np.convolve(np.pad(profile, 1, mode="edge"), np.ones(3) / 3, "valid")
    at, middle = int(np.argmax(smooth)), len(profile) // 2
    if 0 < at < len(smooth) - 1:
        before, peak, after = smooth[at - 1 : at + 2]
        bend = before - 2 * peak + after
        return at - middle + (0.5 * float(before - after) / float(bend) if bend < 0 else 0.0)
    return float(at - middle)


def readable(track: LipFrames) -> NDArray[np.bool_]:
    """Return whether the lips can be read in each frame."""
    score, side, yaw = track.state.T
    return np.asarray(
        track.is_seen & (score >= _MIN_MESH_SCORE) & (np.abs(yaw) <= _MAX_YAW_DEG) & (side >= _MIN_FACE_PX)
    )
