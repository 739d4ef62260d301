"""What is seen of each face in each frame of a video, on the grid of what is heard.

Belongs here: talking faces on that grid. Does not belong here: what is heard (voices/voice_evidence.py), the networks
(models/), states and decisions (states.py, inference.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ

Floats = NDArray[np.float32]
Booleans = NDArray[np.bool_]


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
