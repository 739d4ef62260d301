"""Answers of the lip network about the faces of one video: talking per frame, the sound's offset, own or foreign sound.

Belongs here: the video's offset, margins, and their meaning over a stretch. Does not belong here: the network
(models/lip_network.py; it is an argument), its input (lip_frames.py), bindings.

A face whose lips cannot be read gives no margin for its own voice either. It is `not_measurable`, not `foreign`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import FPS, LipFrames

MAX_LAG = 15  # frames; column l of similarities is lag l - 15
_SAMPLES = 640  # of sound per frame
_AWAY = 7  # lags this far from the right one are wrong ones
_MOST_OFFSET = 10  # frames
_MIN_OFFSET_S = 8.0  # talking time from which a video's offset is measured
_MIN_PROFILE_MARGIN = 0.1  # videos under another's sound: at most 0.07; under their own, at least 0.12
_ZERO_FRAMES = 0.9  # lag 0 of the network is a sound this much late, by five files of known offset
_EVIDENCE_WEIGHT, _EVIDENCE_FRAMES = 4.0, 25
_NEUTRAL_MARGIN = 0.12  # 19 of 20 own seconds of people held out have more
_MAX_YAW_DEG, _MIN_FACE_PX, _MIN_READABLE = 45.0, 30.0, 0.6

Floats = NDArray[np.float32]
Verdict = Literal["own", "foreign", "not_measurable"]


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
        similarities: (t, 31) of lips and sound, -1 to 1; column l: the sound l - 15 frames later.
        margins: (t,) similarity at the video's lag, above lags 7 or more away; NaN where the face is not seen.
        evidence: (t,) `talking`, and if the video's offset is known four times the mean margin of the second around,
            above 0.12: does this mouth talk with this sound. NaN where the face is not seen.
        is_readable: (t,) bool: the lips can be read: mesh trusted, at most 45 degrees of yaw, at least 30 px.
    """

    first: int
    talking: Floats
    similarities: Floats
    margins: Floats
    evidence: Floats
    is_readable: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VideoScores:
    """All faces of a video.

    Attributes:
        offset_frames: by how many frames the sound is late; None = not measurable.
        lag: the network's own lag that belongs to it, used for all faces; 0 if the offset is not measurable.
    """

    offset_frames: float | None
    lag: int
    faces: dict[str, FaceScores]


def video_scores(network: LipModel, tracks: Mapping[str, LipFrames], samples: Floats) -> VideoScores:
    """Return the scores of all tracks of a video. `samples`: its sound at 16 kHz from the container's start."""
    count = max([1, len(samples) // _SAMPLES, *(t.first + len(t.is_seen) for t in tracks.values())])
    sound = network.sound(samples, count)
    mouths, near = {}, {}
    for name, track in tracks.items():
        mouths[name] = network.mouth(track.mouths, track.faces, track.lips, track.state, track.is_seen)
        near[name] = network.synchrony(mouths[name], sound, track.first)
    first = {name: network.talking(mouths[name], sound, track.first) for name, track in tracks.items()}
    best = video_lag([near[n][(first[n] > 0) & t.is_seen] for n, t in tracks.items()])
    lag = 0 if best is None else round(best)
    faces = {}
    for name, track in tracks.items():
        logits = network.talking(mouths[name], sound, track.first, lag) if lag else first[name]
        above = margins(near[name], lag)
        above_neutral = _mean_around(above, track.is_seen) - np.float32(_NEUTRAL_MARGIN)
        added = _EVIDENCE_WEIGHT * above_neutral if best is not None else np.float32(0)
        faces[name] = FaceScores(
            track.first,
            talking=_seen(logits, track),
            similarities=near[name],
            margins=_seen(above, track),
            evidence=_seen(logits + added, track),
            is_readable=readable(track),
        )
    return VideoScores(None if best is None else best + _ZERO_FRAMES, lag, faces)


def _seen(values: Floats, track: LipFrames) -> Floats:
    return np.where(track.is_seen, values, np.nan).astype(np.float32)


def _mean_around(values: Floats, is_seen: NDArray[np.bool_]) -> Floats:
    """Return the mean of the seen values in a window around each frame."""
    window = np.ones(_EVIDENCE_FRAMES)
    sums = np.convolve(np.pad(values * is_seen, _EVIDENCE_FRAMES // 2), window, "valid")
    counts = np.convolve(np.pad(is_seen.astype(float), _EVIDENCE_FRAMES // 2), window, "valid")
    return np.asarray(sums / np.maximum(counts, 1), np.float32)


def video_lag(talking: list[Floats]) -> float | None:
    """Return the best lag of a video from similarities (n, 31) of its talking frames; None if they do not tell."""
    rows = np.concatenate([np.zeros((0, 2 * MAX_LAG + 1), np.float32), *talking])
    if len(rows) < _MIN_OFFSET_S * FPS:
        return None
    profile = rows.mean(axis=0)
    lag = best_lag(profile[MAX_LAG - _MOST_OFFSET : MAX_LAG + _MOST_OFFSET + 1])
    return lag if margins(profile[None], round(lag))[0] >= _MIN_PROFILE_MARGIN else None


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
    return np.asarray(track.is_seen & (score >= 0.5) & (np.abs(yaw) <= _MAX_YAW_DEG) & (side >= _MIN_FACE_PX))


def verdict(scores: VideoScores, track: str, frames: slice, low: float) -> Verdict:
    """Return whether a face makes the sound in a stretch of two seconds or more in which it talks.

    If the offset of the video is not measurable, the face is asked at the lag that suits it best.

    Args:
        frames: of the face's own series.
        low: mean margin below which the sound is foreign. People held out have more than 0.17 in 19 of 20 stretches of
            2 s and than 0.20 of 5 s (the card); crosstalk lowers an own margin to 0.1.
    """
    face = scores.faces[track]
    seen = ~np.isnan(face.margins[frames])
    if not seen.any():
        return "not_measurable"
    profile, lag = face.similarities[frames][seen].mean(axis=0), scores.lag
    if scores.offset_frames is None:
        lag = round(best_lag(profile[MAX_LAG - _MOST_OFFSET : MAX_LAG + _MOST_OFFSET + 1]))
    if margins(profile[None], lag)[0] >= low:
        return "own"
    return "foreign" if face.is_readable[frames].mean() >= _MIN_READABLE else "not_measurable"
