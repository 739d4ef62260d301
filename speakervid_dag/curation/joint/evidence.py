"""What is heard and seen in each frame of a video, on one grid: the input of the joint inference.

Belongs here: the grid, speech and voices of a segmentation network on it, talking faces on it. Does not belong here:
the networks (models/), joining voices without faces (voices/local_speakers.py), states and decisions (states.py,
inference.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.voices.local_speakers import LocalSpeakers, Windows

Floats = NDArray[np.float32]
Booleans = NDArray[np.bool_]
GRID_HZ = 25  # frames per second of the grid; frame i is [i / 25, (i + 1) / 25) s
COUNTS = 3  # nobody, one, two or more at once


@dataclass(frozen=True)
class VoiceEvidence:
    """Who is heard.

    Attributes:
        shares: (n, 3) float32, the probability that nobody, one, or at least two talk in each frame.
        firsts: (m,) int64, the frame at which each local speaker's window begins; its activity is 0 elsewhere.
        activity: (m, f) float32, the probability that each local speaker talks in the frames of its window.
        alone: (m, f) float32, the probability that it talks and no other voice of its window does.
        looks: (n,) float32, the number of windows that see each frame, at least 1.
        embeddings: (m, d) float32 of unit length, the local speakers' voices.
    """

    shares: Floats
    firsts: NDArray[np.int64]
    activity: Floats
    alone: Floats
    looks: Floats
    embeddings: Floats

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return len(self.shares)


@dataclass(frozen=True)
class TalkingFace:
    """One face track on the grid.

    Attributes:
        track_id: its name.
        first: the frame at which it begins.
        log_odds: (t,) float32, log odds that the face talks in each frame from `first` on; NaN where it is not seen.
        margins: (t,) float32, synchrony of lips and sound; NaN where the face is not seen.
        is_readable: (t,) bool, the lips can be read.
        offset_frames: by how many frames of 25 Hz the sound is late for it; None = not known.
    """

    track_id: str
    first: int
    log_odds: Floats
    margins: Floats
    is_readable: Booleans
    offset_frames: float | None = None

    @property
    def last(self) -> int:
        """Return the frame behind its last one."""
        return self.first + len(self.log_odds)


def voice_evidence(windows: Windows, local: LocalSpeakers, frames: int) -> VoiceEvidence:
    """Return what the windows hear, on the grid.

    Args:
        windows: from local_speakers.windows_of.
        local: their voices with embeddings, from local_speakers.local_speakers.
        frames: length of the grid; what no window sees is silent.
    """
    clock, seen = windows.clock, windows.talks.shape[1]
    length = round(seen * clock.step_s * GRID_HZ)
    firsts = np.rint(windows.firsts * clock.step_s * GRID_HZ).astype(np.int64)
    shares, looks = np.zeros((frames, COUNTS)), np.zeros(frames)
    places = []
    for row, first in enumerate(firsts.tolist()):
        centres_s = (first + np.arange(length) + 0.5) / GRID_HZ
        place = np.rint((centres_s - clock.first_s) / clock.step_s).astype(np.int64) - int(windows.firsts[row])
        places.append(np.clip(place, 0, seen - 1))
        told = slice(first, min(first + length, frames))
        inside = places[-1][: told.stop - told.start]
        double = windows.overlap[row][inside]
        single = windows.alone[row][inside].sum(axis=1)
        shares[told] += np.stack([1 - single - double, single, double], axis=1)
        looks[told] += 1
    shares[looks == 0, 0] = 1
    looks = np.maximum(looks, 1)
    activity, alone = (
        np.array([part[w, places[w], v] for w, v in zip(local.window, local.voice, strict=True)], np.float32)
        for part in (windows.likely, windows.alone)
    )
    return VoiceEvidence(
        np.asarray(np.clip(shares / looks[:, None], 0, 1), np.float32),
        firsts[local.window],
        activity.reshape(-1, length),
        alone.reshape(-1, length),
        np.asarray(looks, np.float32),
        local.embeddings,
    )


def on_grid(row: Mapping[str, Any], rate_hz: int, frames: int, settings: JointSettings) -> TalkingFace | None:
    """Return a track on the grid, its log odds with the evidence of synchrony; None if nothing of it is inside.

    Where the offset of the video's sound is known, lips that agree with it better or worse than talking lips just do
    are evidence for and against: the mean margin around each frame.

    Args:
        row: a row of active_speaker, one value per step; None where the face is not seen.
        rate_hz: their rate.
        frames: length of the grid.
    """
    start_s = row["start_s"]
    log_odds, margins = (_with_nan(row[name]) for name in ("log_odds", "sync_margins"))
    if not len(log_odds):
        return None
    if row["sound_offset_frames"] is not None:
        above = mean_around(margins, settings.sync_frames) - settings.neutral_margin
        log_odds = log_odds + settings.sync_weight * np.nan_to_num(above)
    first = max(0, int(start_s * GRID_HZ))
    end = min(frames, int(np.ceil((start_s + len(log_odds) / rate_hz) * GRID_HZ)))
    centres_s = (np.arange(first, end) + 0.5) / GRID_HZ
    nearest = np.floor((centres_s - start_s) * rate_hz + 1e-6).astype(np.int64)
    is_inside = (nearest >= 0) & (nearest < len(log_odds))
    at = np.clip(nearest, 0, len(log_odds) - 1)
    odds, agreement = (np.where(is_inside, part[at], np.nan).astype(np.float32) for part in (log_odds, margins))
    readable = is_inside & np.array(row["is_readable"], np.bool_)[at]
    if not np.isfinite(odds).any():
        return None
    return TalkingFace(row["track_id"], first, odds, agreement, readable, row["sound_offset_frames"])


def _with_nan(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], np.float32)


def mean_around(values: Floats, frames: int) -> Floats:
    """Return the mean of the values that are there among `frames`, an odd number, around each; NaN where none is."""
    is_there = ~np.isnan(values)
    window, half = np.ones(frames), frames // 2
    sums, counts = (
        np.convolve(np.pad(part, half), window, "valid")
        for part in (np.nan_to_num(values), is_there.astype(np.float32))
    )
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)


def seen_faces(faces: Sequence[TalkingFace], start: int, end: int) -> Floats:
    """Return the log odds of each face in the frames start to end - 1: (k, end - start), NaN where it is not seen."""
    table = np.full((len(faces), end - start), np.nan, np.float32)
    for row, face in enumerate(faces):
        low, high = max(start, face.first), min(end, face.last)
        if low < high:
            table[row, low - start : high - start] = face.log_odds[low - face.first : high - face.first]
    return table
