"""Diarization by local speakers: what a segmentation network says of short windows in, turns out.

Belongs here: joining the voices of all windows to speakers, and the turns of these. Does not belong here: the networks
(models/segmentation.py, models/campplus.py), rows (diarization.py), diarization without a segmentation network
(clusters.py).

In each window the network tells up to three voices apart and says when they talk, also at once. Such a voice is a local
speaker. Each gets an embedding of the sound in which it talks alone. The embeddings are clustered; then, in each
window, different local speakers are given to different clusters. At each moment as many clusters talk as the windows
say on average, the ones that most windows hear (Bredin 2023, pyannote.audio 2.1; thresholds: config).
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true, unit
from speakervid_dag.config.sections import LocalSpeakerSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.voices.overlaps import SpeechTurn

Floats = NDArray[np.float32]
NOBODY = -1
VOICES = 3  # of one window
EMBEDDED_AT_ONCE = 64  # pieces of mels; those of all windows would be ten times the sound


class MelEncoder(Protocol):
    """Voice embeddings of unit length from log mel energies at 100 Hz: models/campplus.py."""

    def embed_mels(self, mels: Sequence[Floats]) -> Floats:
        """Return one embedding per piece (frames, bands): (n, d) float32."""
        ...


@dataclass(frozen=True)
class FrameClock:
    """Frames of the segmentation network on the clock of the signal: frame i is centred at first_s + i * step_s."""

    first_s: float
    step_s: float

    def span_s(self, start: int, end: int) -> Interval:
        """Return what the frames start to end - 1 cover, s."""
        return self.first_s + (start - 0.5) * self.step_s, self.first_s + (end - 0.5) * self.step_s

    def frame_of(self, start_s: float) -> int:
        """Return the frame of the signal at which a window that starts at `start_s` has its first frame."""
        return round(start_s / self.step_s)


@dataclass(frozen=True)
class Windows:
    """Who talks in each window.

    Attributes:
        firsts: (w,) int64, frame of the signal at which each window begins.
        talks: (w, f, 3) bool, which of the window's voices talk in each of its frames, by the likeliest set of them.
        likely: (w, f, 3) float32, the probability that each of them talks.
        alone: (w, f, 3) float32, the probability that each of them talks and no other does.
        overlap: (w, f) float32, the probability that two talk at once.
        clock: of the frames.
    """

    firsts: NDArray[np.int64]
    talks: NDArray[np.bool_]
    likely: Floats
    alone: Floats
    overlap: Floats
    clock: FrameClock

    @property
    def frames(self) -> int:
        """Return the number of frames of the signal."""
        return int(self.firsts[-1] + self.talks.shape[1])


def windows_of(
    told: Iterable[tuple[float, Floats]], sets: Sequence[Sequence[int]], clock: FrameClock
) -> Windows | None:
    """Return who talks in each window; None without a window.

    Args:
        told: start in s and (f, c) class probabilities of each window, in order; all have as many frames.
        sets: the voices that talk in each of the c classes.
    """
    members = np.zeros((len(sets), VOICES), np.bool_)
    for row, voices in enumerate(sets):
        members[row, list(voices)] = True
    several = members.sum(axis=1) > 1
    single = members & ~several[:, None]
    parts = [
        (
            clock.frame_of(start_s),
            members[shares.argmax(axis=1)],
            shares @ members,
            shares @ single,
            shares[:, several].sum(axis=1),
        )
        for start_s, shares in told
    ]
    if not parts:
        return None
    firsts, talks, likely, alone, overlap = zip(*parts, strict=True)
    return Windows(np.array(firsts), np.stack(talks), np.stack(likely), np.stack(alone), np.stack(overlap), clock)


@dataclass(frozen=True)
class LocalSpeakers:
    """The voices of windows that talk long enough for an embedding.

    Attributes:
        window, voice: (m,) int64, whose they are.
        alone_s: (m,) float64, time in which each talks alone.
        embeddings: (m, d) float32 of unit length.
    """

    window: NDArray[np.int64]
    voice: NDArray[np.int64]
    alone_s: NDArray[np.float64]
    embeddings: Floats


def local_speakers(
    windows: Windows, mels: Floats, mel_hz: int, encoder: MelEncoder, settings: LocalSpeakerSettings
) -> LocalSpeakers:
    """Return the local speakers, each embedded by the sound in which it is alone, or by all of it where that is short.

    Args:
        mels: (n, bands) float32, log mel energies of the signal.
        mel_hz: their rate.
    """
    found = list(_voices(windows, settings))
    vectors = []
    for at in range(0, len(found), EMBEDDED_AT_ONCE):
        pieces = [_mels_of(mels, mel_hz, windows, row, used) for row, _, _, used in found[at : at + EMBEDDED_AT_ONCE]]
        vectors.append(encoder.embed_mels(pieces))
    window, voice = (np.array([each[i] for each in found], np.int64) for i in (0, 1))
    alone_s = np.array([each[2] for each in found])
    embeddings = np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)
    return LocalSpeakers(window, voice, alone_s, embeddings)


def _voices(windows: Windows, settings: LocalSpeakerSettings) -> Iterator[tuple[int, int, float, NDArray[np.bool_]]]:
    """Yield window, voice, time in which it is alone (s), and its frames to embed, of each long enough voice."""
    step_s = windows.clock.step_s
    for row, talks in enumerate(windows.talks):
        is_alone = talks & (talks.sum(axis=1) == 1)[:, None]
        for voice in np.flatnonzero(talks.any(axis=0)).tolist():
            alone_s = float(is_alone[:, voice].sum() * step_s)
            used = is_alone[:, voice] if alone_s >= settings.min_clean_s else talks[:, voice]
            if used.sum() * step_s >= settings.min_voice_s:
                yield row, voice, alone_s, used


def _mels_of(mels: Floats, mel_hz: int, windows: Windows, row: int, used: NDArray[np.bool_]) -> Floats:
    """Return the mels of the frames of a window that are True, joined."""
    (starts, ends), first, clock = runs_of_true(used), int(windows.firsts[row]), windows.clock
    spans = [clock.span_s(first + a, first + b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return np.concatenate([mels[max(0, round(a * mel_hz)) : max(0, round(b * mel_hz))] for a, b in spans])


def voice_centres(local: LocalSpeakers, settings: LocalSpeakerSettings) -> Floats:
    """Return the centre of each speaker's voice: (k, d) float32 of unit length.

    Average linkage on cosine distance. Only local speakers that talk alone for long vote, where there are any. Of many
    a regular sample is clustered, because the cost is quadratic.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    votes = next(chosen for least in (*settings.vote_s, 0.0) if (chosen := np.flatnonzero(local.alone_s >= least)).size)
    votes = votes[:: -(-len(votes) // settings.max_clustered)]
    vectors, weights = local.embeddings[votes], np.maximum(local.alone_s[votes], settings.min_clean_s)
    labels = np.ones(1, np.int64)
    if len(votes) > 1:
        tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
        labels = fcluster(tree, settings.join_distance, criterion="distance")
    sums = [(vectors[labels == k] * weights[labels == k, None]).sum(axis=0) for k in np.unique(labels)]
    return unit(np.stack(sums).astype(np.float32))


def speakers_of_voices(windows: Windows, local: LocalSpeakers, centres: Floats) -> NDArray[np.int64]:
    """Return the speaker of each window's voices, NOBODY where none: (w, 3) int64.

    The voices of one window are different people: the assignment with the highest sum of cosines.
    """
    from scipy.optimize import linear_sum_assignment

    speakers = np.full((len(windows.firsts), VOICES), NOBODY, np.int64)
    cosines = local.embeddings @ centres.T
    edges = np.searchsorted(local.window, np.arange(len(windows.firsts) + 1))
    for row, (start, end) in enumerate(itertools.pairwise(edges.tolist())):
        own, cluster = linear_sum_assignment(-cosines[start:end])
        speakers[row, local.voice[start:end][own]] = cluster
    return speakers


def activity(
    windows: Windows, speakers: NDArray[np.int64], count: int, settings: LocalSpeakerSettings
) -> NDArray[np.bool_]:
    """Return which speakers talk in each frame of the signal: (frames, count) bool.

    As many as the windows hear on average, and two where the mean probability of two reaches a threshold.

    Args:
        speakers: (w, 3), from speakers_of_voices.
        count: number of speakers.
    """
    length = windows.talks.shape[1]
    heard, talking, double, looks = (np.zeros((windows.frames, n)) for n in (count, 1, 1, 1))
    for row, (first, own) in enumerate(zip(windows.firsts.tolist(), speakers, strict=True)):
        span = slice(first, first + length)
        looks[span, 0] += 1
        talking[span, 0] += windows.talks[row].sum(axis=1)
        double[span, 0] += windows.overlap[row]
        for voice in np.flatnonzero(own != NOBODY).tolist():
            heard[span, own[voice]] += windows.likely[row, :, voice]
    looks = np.maximum(looks, 1)
    wanted = np.rint(talking / looks)
    wanted = np.where(double / looks >= settings.min_overlap_probability, np.maximum(wanted, 2), wanted)
    rank = np.argsort(np.argsort(-heard, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((rank < wanted) & (heard / looks >= settings.min_voice_probability))


def turns_of(talks: NDArray[np.bool_], clock: FrameClock, max_pause_s: float, min_turn_s: float) -> list[SpeechTurn]:
    """Return the turns of each speaker, in order of time; turns of different speakers may overlap.

    A pause shorter than `max_pause_s` in which nobody else talks does not end a turn; shorter turns than `min_turn_s`
    are dropped.

    Args:
        talks: (frames, k) bool.
    """
    turns = []
    for speaker in range(talks.shape[1]):
        starts, ends = runs_of_true(talks[:, speaker])
        others = np.concatenate([[0], np.cumsum(np.delete(talks, speaker, axis=1).any(axis=1))])
        pauses_s = (starts[1:] - ends[:-1]) * clock.step_s
        bridged = np.flatnonzero((pauses_s < max_pause_s) & (others[starts[1:]] == others[ends[:-1]]))
        for start, end in zip(np.delete(starts, bridged + 1), np.delete(ends, bridged), strict=True):
            start_s, end_s = clock.span_s(start, end)
            if end_s - start_s >= min_turn_s:
                turns.append(SpeechTurn(str(speaker), max(0.0, start_s), end_s))
    return sorted(turns, key=lambda turn: (turn.span, turn.speaker_id))


def turns_by_voice(windows: Windows, local: LocalSpeakers, settings: LocalSpeakerSettings) -> list[SpeechTurn]:
    """Return who speaks when, with overlaps; speakers are numbered, labels are given by diarization.relabelled.

    Args:
        local: at least one.
    """
    centres = voice_centres(local, settings)
    speakers = speakers_of_voices(windows, local, centres)
    talks = activity(windows, speakers, len(centres), settings)
    return turns_of(talks, windows.clock, settings.max_pause_s, settings.min_turn_s)
