"""What is heard in each frame of a recording, on one grid: how many talk, and whose voice it is like.

Belongs here: the grid, the evidence of a segmentation network's windows, and of windows of one voice. Does not belong
here: the networks (models/), joining voices to speakers (local_speakers.py, clusters.py), faces and decisions
(curation/joint).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.voices.local_speakers import LocalSpeakers, Windows

Floats = NDArray[np.float32]
GRID_HZ = 25  # frames per second of the grid; frame i is [i / 25, (i + 1) / 25) s
COUNTS = 3  # nobody, one, two or more at once
_PIECE_FRAMES = 10  # what one window of a single voice stands for: 0.4 s around its centre


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


def of_windows(windows: Windows, local: LocalSpeakers, frames: int) -> VoiceEvidence:
    """Return what a segmentation network's windows hear, on the grid.

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


def of_single_voices(
    speech: tuple[Floats, float],
    overlaps: Sequence[Interval],
    centres_s: NDArray[np.float64],
    embeddings: Floats,
    frames: int,
) -> VoiceEvidence:
    """Return what windows of one voice hear, on the grid: each stands for the 0.4 s around its centre.

    Args:
        speech: (k,) speech probabilities, and their step in s.
        overlaps: where two talk at once; there one and two are equally likely.
        centres_s: (m,) of the windows, in order; embeddings: (m, d) float32 of unit length, their voices.
        frames: length of the grid.
    """
    probs, hop_s = speech
    moments = (np.arange(frames) + 0.5) / GRID_HZ
    talks = np.interp(moments, (np.arange(len(probs)) + 0.5) * hop_s, probs)
    double = np.zeros(frames)
    for start_s, end_s in overlaps:
        double[(moments >= start_s) & (moments < end_s)] = 0.5
    shares = np.stack([1 - talks, talks * (1 - double), talks * double], axis=1)
    step_s = _PIECE_FRAMES / GRID_HZ
    spread = [0] if len(centres_s) else []
    for i, centre in enumerate(centres_s.tolist()):
        if i and centre - centres_s[spread[-1]] >= step_s - 1e-6:
            spread.append(i)
    firsts = np.rint(centres_s[spread] * GRID_HZ).astype(np.int64) - _PIECE_FRAMES // 2
    firsts = np.clip(firsts, 0, max(0, frames - _PIECE_FRAMES))
    inside = np.minimum(firsts[:, None] + np.arange(_PIECE_FRAMES), frames - 1)
    looks = np.zeros(frames)
    np.add.at(looks, inside, 1)
    return VoiceEvidence(
        np.asarray(shares, np.float32),
        firsts,
        np.asarray(talks[inside], np.float32),
        np.asarray((talks * (1 - double))[inside], np.float32),
        np.asarray(np.maximum(looks, 1), np.float32),
        embeddings[spread],
    )
