"""Answers of the lip network about the faces of one video: talking per frame, the sound's offset, margins of synchrony.

Belongs here: the video's offset, and margins. Does not belong here: the network (models/lip_network.py; it is an
argument), its input (lip_frames.py), rows (talking_series.py), what a margin decides (bindings).

A face whose lips cannot be read gives no margin for its own voice either: its sound is not foreign, but not measurable.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import FPS, SAMPLES, LipFrames
from speakervid_dag.curation.speaking.pairs import MAX_LAG

_AWAY = 7  # lags this far from the right one are wrong ones
_MOST_OFFSET = 10  # frames
_MIN_OFFSET_S = 8.0  # talking time from which a video's offset is measured
_MIN_LAG_S = 1.0  # ... from which a face is at least compared at the lag that suits it best
_MIN_OWN_S, _MIN_OWN_MARGIN = 4.0, 0.15  # for a person's own offset; 5 s of 19 in 20 foreign sounds have less
_MIN_AGREEING = 0.09  # a person with less does not share the video's offset
_MIN_PROFILE_MARGIN = 0.1  # videos under another's sound: at most 0.07; under their own, at least 0.12
ZERO_FRAMES = 0.9  # lag 0 of the network is a sound this much late, by five files of known offset
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
        offset_frames: by how many frames the sound is late for this face: the video's offset, or the person's own, as
            in a film cut from several sources; None = not measurable.
        talking: (t,) logits, positive = talks; NaN where the face is not seen.
        margins: (t,) similarity at the offset, or at the lag that suits the person best, above lags 7 or more away; NaN
            where the face is not seen.
        is_readable: (t,) bool: the lips can be read: mesh trusted, at most 45 degrees of yaw, at least 30 px.
    """

    first: int
    offset_frames: float | None
    talking: Floats
    margins: Floats
    is_readable: NDArray[np.bool_]


def video_scores(
    network: LipModel, tracks: Iterable[tuple[str, str, LipFrames]], samples: Floats
) -> dict[str, FaceScores]:
    """Return the scores of all tracks of a video by name.

    The tracks are read one after the other: the pictures of two are never held at once.

    Args:
        tracks: name, person and frames of each.
        samples: the video's sound at 16 kHz from the container's start.
    """
    sound = network.sound(samples, max(1, len(samples) // SAMPLES))
    found: dict[str, _Face] = {}
    for name, person, track in tracks:
        mouth = network.mouth(track.mouths, track.faces, track.lips, track.state, track.is_seen)
        near = network.synchrony(mouth, sound, track.first)
        talking = network.talking(mouth, sound, track.first)
        found[name] = _Face(person, track.first, mouth, near, talking, track.is_seen, readable(track))
    whole = _lag(found.values(), _MIN_OFFSET_S, _MIN_PROFILE_MARGIN)
    lags = {}
    for person in {face.person for face in found.values()}:
        own = [face for face in found.values() if face.person == person]
        lags[person] = _own_lag(own, whole)
    scores = {}
    for name, face in found.items():
        lag, is_sure = lags[face.person]
        moved = round(lag) if is_sure else 0
        logits = network.talking(face.mouth, sound, face.first, moved) if moved else face.talking
        offset = lag + ZERO_FRAMES if is_sure else None
        above = margins(face.near, round(lag))
        scores[name] = FaceScores(face.first, offset, _seen(logits, face), _seen(above, face), face.is_readable)
    return scores


@dataclass(frozen=True, eq=False)
class _Face:
    """A track's side of the network, and what it says at lag 0."""

    person: str
    first: int
    mouth: Any
    near: Floats
    talking: Floats
    is_seen: NDArray[np.bool_]
    is_readable: NDArray[np.bool_]


def _lag(faces: Iterable[_Face], min_s: float, least: float) -> tuple[float, bool]:
    """Return the lag that suits the talking frames of some faces best, and whether that is not by chance.

    Args:
        min_s: shortest talking time for that; least: least margin.
    """
    profile, seconds = _profile(faces)
    if seconds < _MIN_LAG_S:
        return 0.0, False
    lag = best_lag(profile[MAX_LAG - _MOST_OFFSET : MAX_LAG + _MOST_OFFSET + 1])
    return lag, seconds >= min_s and float(margins(profile[None], round(lag))[0]) >= least


def _own_lag(faces: Sequence[_Face], video: tuple[float, bool]) -> tuple[float, bool]:
    """Return the lag of a person's faces, and whether it is known: the video's, unless the lips disagree."""
    profile, seconds = _profile(faces)
    lag, is_sure = video
    if is_sure and (seconds < _MIN_OWN_S or margins(profile[None], round(lag))[0] >= _MIN_AGREEING):
        return video
    own, is_known = _lag(faces, _MIN_OWN_S, _MIN_OWN_MARGIN)
    return (own, is_known) if is_known or not is_sure else video


def _seen(values: Floats, face: _Face) -> Floats:
    return np.where(face.is_seen, values, np.nan).astype(np.float32)


def _profile(faces: Iterable[_Face]) -> tuple[Floats, float]:
    """Return the mean similarities (31,) of some faces over their talking frames, and how many seconds they are.

    Faces that hardly seem to talk are compared over all frames in which they are seen.
    """
    faces = list(faces)
    for chosen in ([(face.talking > 0) & face.is_seen for face in faces], [face.is_seen for face in faces]):
        rows = [face.near[frames] for face, frames in zip(faces, chosen, strict=True)]
        told = np.concatenate([np.zeros((0, 2 * MAX_LAG + 1), np.float32), *rows])
        if len(told) >= _MIN_LAG_S * FPS:
            return told.mean(axis=0), len(told) / FPS
    return np.zeros(2 * MAX_LAG + 1, np.float32), 0.0


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
