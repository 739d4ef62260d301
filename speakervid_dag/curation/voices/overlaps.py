"""Overlapping speech of two known voices: embeddings of short windows and one-voice-at-a-time turns in, overlaps out.

Belongs here: finding overlapping speech, and giving both speakers a turn over it. Does not belong here: how many voices
there are (clusters.py), speech regions and rows (diarization.py), the embedding network (models/voice.py).

A window that holds two voices has an embedding between theirs. So does a window across a change of speaker, but only
while it spans the change. So only the part of a run of mixed windows beyond that counts as an overlap. The rule favours
precision: overlaps that are short or one-sided (one voice much louder) are missed.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true, unit
from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval

Floats = NDArray[np.float32]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class SpeechTurn:
    """A stretch in which one speaker talks; half-open, s. Labels follow the order of first speech: A … Z, AA …"""

    speaker_id: str
    start_s: float
    end_s: float

    @property
    def span(self) -> Interval:
        return self.start_s, self.end_s


@dataclass(frozen=True)
class Overlap:
    """A stretch in which two speakers talk at once; half-open, s."""

    speakers: tuple[str, str]
    start_s: float
    end_s: float


def mixture(points: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return how well points fit as p * first + q * second, p, q >= 0, and the share of the weaker one.

    Args:
        points: (n, d) of unit length; first, second: (d,) of unit length, not the same.

    Returns:
        (n,) cosine to the best mixture; (n,) min(p, q) / (p + q) of the least-squares weights, 0 to 0.5.
    """
    alike = float(first @ second)
    a, b = points @ first, points @ second
    det = max(1 - alike**2, 1e-6)
    p, q = np.maximum(0, (a - alike * b) / det), np.maximum(0, (b - alike * a) / det)
    length = np.sqrt(np.maximum(p**2 + q**2 + 2 * p * q * alike, 1e-12))
    cosine = np.maximum((p * a + q * b) / length, np.maximum(a, b))
    return np.asarray(cosine, np.float32), np.asarray(np.minimum(p, q) / np.maximum(p + q, 1e-9), np.float32)


def find_overlaps(
    turns: Sequence[SpeechTurn], centres_s: NDArray[np.float64], embeddings: Floats, settings: DiarizationSettings
) -> list[Overlap]:
    """Return overlaps of any two speakers of `turns`, in order of time.

    Args:
        turns: one speaker at a time.
        centres_s: (m,) moments about settings.hop_s apart, in order.
        embeddings: (m, d) float32 of unit length, of windows of settings.overlap_window_s around these moments.
    """
    voices = voice_centres(turns, centres_s, embeddings, settings)
    found: list[Overlap] = []
    is_after_gap = np.diff(centres_s, prepend=-np.inf) > 2 * settings.hop_s
    for pair, share in _pair_shares(embeddings, voices).items():
        if float(voices[pair[0]] @ voices[pair[1]]) > settings.overlap_max_cosine:
            continue
        smooth = _running_median(share, settings.overlap_smoothing_windows)
        starts, ends = runs_of_true(smooth >= settings.overlap_share, begins=is_after_gap)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            low = centres_s[start] - settings.hop_s / 2 + settings.overlap_trim_s
            high = centres_s[end - 1] + settings.hop_s / 2 - settings.overlap_trim_s
            if high - low >= settings.overlap_min_s:
                found.append(Overlap(pair, float(low), float(high)))
    return sorted(found, key=lambda o: (o.start_s, o.speakers))


def voice_centres(
    turns: Sequence[SpeechTurn], centres_s: NDArray[np.float64], embeddings: Floats, settings: DiarizationSettings
) -> dict[str, Floats]:
    """Return each speaker's mean direction over windows inside their own turns, except those that seem mixed."""
    margin_s = settings.overlap_window_s / 2
    inside = {name: np.zeros(len(centres_s), np.bool_) for name in sorted({t.speaker_id for t in turns})}
    for turn in turns:
        inside[turn.speaker_id] |= (centres_s >= turn.start_s + margin_s) & (centres_s < turn.end_s - margin_s)
    for turn in turns:  # only short turns: their windows reach over the ends, but there are no better ones
        if not inside[turn.speaker_id].any():
            inside[turn.speaker_id] |= (centres_s >= turn.start_s) & (centres_s < turn.end_s)
    voices = _mean_directions(embeddings, inside)
    mixed = np.zeros(len(centres_s), np.bool_)
    for share in _pair_shares(embeddings, voices).values():
        mixed |= share >= settings.overlap_share
    return voices | _mean_directions(embeddings, {name: mask & ~mixed for name, mask in inside.items()})


def _mean_directions(embeddings: Floats, chosen: Mapping[str, Booleans]) -> dict[str, Floats]:
    sums = {name: embeddings[mask].sum(axis=0) for name, mask in chosen.items() if mask.any()}
    return {name: unit(total) for name, total in sums.items()}


def _pair_shares(embeddings: Floats, voices: Mapping[str, Floats]) -> dict[tuple[str, str], Floats]:
    """Return, per pair of voices, the weaker one's share in each window; 0 where another pair fits it better."""
    pairs = list(itertools.combinations(sorted(voices), 2))
    if not pairs or not len(embeddings):
        return {}
    fits = [mixture(embeddings, voices[a], voices[b]) for a, b in pairs]
    best = np.argmax([cosine for cosine, _ in fits], axis=0)
    return {
        pair: np.where(best == i, share, np.float32(0))
        for i, (pair, (_, share)) in enumerate(zip(pairs, fits, strict=True))
    }


def _running_median(values: Floats, count: int) -> Floats:
    padded = np.pad(values, count // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, count), axis=1), np.float32)


def with_overlaps(turns: Sequence[SpeechTurn], overlaps: Sequence[Overlap], max_pause_s: float) -> list[SpeechTurn]:
    """Return the turns with both speakers of each overlap talking through it, in order of time.

    A speaker's turn is extended by an overlap that it meets, or that begins or ends within `max_pause_s` of it.
    Otherwise the overlap becomes a turn of its own (somebody says "mhm" while the other goes on).
    """
    spans: dict[str, list[Interval]] = {}
    for turn in turns:
        spans.setdefault(turn.speaker_id, []).append(turn.span)
    for speaker in spans:
        said = [(o.start_s, o.end_s) for o in overlaps if speaker in o.speakers]
        for span in said:
            touched = [s for s in spans[speaker] if max(s[0] - span[1], span[0] - s[1]) < max_pause_s]
            rest = [s for s in spans[speaker] if s not in touched]
            spans[speaker] = [*rest, *intervals.merge([*touched, span], max_pause_s)]
    return sorted(
        (SpeechTurn(speaker, *span) for speaker, own in spans.items() for span in own),
        key=lambda t: (t.span, t.speaker_id),
    )


def clean_parts(turn: SpeechTurn, turns: Sequence[SpeechTurn]) -> list[Interval]:
    """Return the parts of a turn in which nobody else speaks."""
    return intervals.subtract([turn.span], [t.span for t in turns if t.speaker_id != turn.speaker_id])


def overlapped_parts(turn: SpeechTurn, turns: Sequence[SpeechTurn]) -> list[Interval]:
    """Return the parts of a turn in which somebody else speaks too."""
    return intervals.intersect([turn.span], [t.span for t in turns if t.speaker_id != turn.speaker_id])
