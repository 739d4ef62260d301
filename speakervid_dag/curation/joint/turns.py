"""From the answer by frame to speech turns, and to the stretches of each turn in which one face may be the speaker.

Belongs here: which people are one speaker, turns, stretches with their figures. Does not belong here: the inference
(inference.py), the decision which stretches are bound (speaking/bindings.py), rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true
from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.evidence import Booleans, Floats
from speakervid_dag.curation.joint.inference import NO_TRACK, Block
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ


@dataclass(frozen=True)
class FaceStretch:
    """A stretch of a turn in which the same face of the speaker, or none, is in view.

    Attributes:
        track: the number of the track; None where no face of the speaker is in view.
        start, end: frames of the grid.
        probability: mean posterior that the speaker talks, 0-1; not calibrated.
        talking: mean log odds that the face talks; None without a face.
        seen_share: share of the stretch in which the face is seen, 0-1.
        has_overlap: somebody else talks too.
        is_contradicted: another face leads in talking.
    """

    track: int | None
    start: int
    end: int
    probability: float
    talking: float | None
    seen_share: float
    has_overlap: bool
    is_contradicted: bool


@dataclass(frozen=True)
class SpokenTurn:
    """A speaker's turn, [start, end) in frames of the grid, and its stretches in order."""

    speaker: int
    start: int
    end: int
    stretches: tuple[FaceStretch, ...]


def spoken_turns(blocks: Sequence[Block], settings: JointSettings) -> list[SpokenTurn]:
    """Return the turns of all people, in order of time.

    A pause shorter than `max_pause_s` in which nobody else talks does not end a turn; shorter turns than `min_turn_s`
    are dropped.

    Args:
        blocks: all of a video, in order.
    """
    frames = blocks[-1].start + blocks[-1].talks.shape[1]
    count = np.zeros(frames, np.int64)
    talks: dict[int, Booleans] = {}
    for block in blocks:
        end = block.start + block.talks.shape[1]
        count[block.start : end] = block.talks.sum(axis=0)
        for row in np.flatnonzero(block.talks.any(axis=1)):
            own = talks.setdefault(int(block.people[row]), np.zeros(frames, np.bool_))
            own[block.start : end] = block.talks[row]
    contradicted = [_contradicted(block.log_odds, settings) for block in blocks]
    turns = []
    for person, own in talks.items():
        others = np.asarray(count > own)
        for start, end in _spans(own, others, settings):
            if end - start >= settings.min_turn_s * GRID_HZ:
                seen = _seen(blocks, contradicted, person, start, end)
                turns.append(SpokenTurn(person, start, end, _stretches(seen, others[start:end], start, settings)))
    return sorted(turns, key=lambda t: (t.start, t.end, t.speaker))


@dataclass(frozen=True)
class _Seen:
    """What the blocks say of a person frame by frame, (n,) each: see Block."""

    track: NDArray[np.int64]
    log_odds: Floats
    posterior: Floats
    contradicted: Booleans


def _seen(blocks: Sequence[Block], contradicted: Sequence[Booleans], person: int, start: int, end: int) -> _Seen:
    """Return it for the frames from start to end - 1; a block in which the person has no part shows nothing."""
    length = end - start
    track, odds = np.full(length, NO_TRACK, np.int64), np.full(length, np.nan, np.float32)
    posterior, against = np.zeros(length, np.float32), np.zeros(length, np.bool_)
    for block, led in zip(blocks, contradicted, strict=True):
        low, high = max(start, block.start), min(end, block.start + block.talks.shape[1])
        rows = np.flatnonzero(block.people == person)
        if low < high and len(rows):
            here, there = slice(low - start, high - start), slice(low - block.start, high - block.start)
            row = int(rows[0])
            track[here], odds[here] = block.track[row, there], block.log_odds[row, there]
            posterior[here], against[here] = block.posterior[row, there], led[row, there]
    return _Seen(track, odds, posterior, against)


def _spans(talks: Booleans, others: Booleans, settings: JointSettings) -> list[tuple[int, int]]:
    """Return the runs of a speaker's frames, short pauses bridged in which nobody else talks."""
    starts, ends = runs_of_true(talks)
    busy = np.concatenate([[0], np.cumsum(others)])
    pauses_s = (starts[1:] - ends[:-1]) / GRID_HZ
    bridged = np.flatnonzero((pauses_s < settings.max_pause_s) & (busy[starts[1:]] == busy[ends[:-1]]))
    return list(zip(np.delete(starts, bridged + 1).tolist(), np.delete(ends, bridged).tolist(), strict=True))


def _smoothed(log_odds: Floats, frames: int) -> Floats:
    """Return the running mean over the frames in which each face is seen: (g, n), NaN where one is not."""
    kernel, seen = np.ones(frames, np.float32), ~np.isnan(log_odds)
    total, count = (
        np.array([np.convolve(row, kernel)[frames // 2 :][: len(row)] for row in part]).reshape(seen.shape)
        for part in (np.nan_to_num(log_odds), seen.astype(np.float32))
    )
    return np.where(seen, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _contradicted(log_odds: Floats, settings: JointSettings) -> Booleans:
    """Return where another face in view leads in talking: (g, n) bool."""
    smooth = _smoothed(log_odds, settings.contradiction_frames)
    filled = np.where(np.isnan(smooth), -np.inf, smooth)
    best = [np.delete(filled, face, axis=0).max(axis=0, initial=-np.inf) for face in range(len(smooth))]
    return np.array([b > own + settings.contradiction_lead for b, own in zip(best, smooth, strict=True)], np.bool_)


def _stretches(seen: _Seen, overlap: Booleans, start: int, settings: JointSettings) -> tuple[FaceStretch, ...]:
    """Cut a turn where its figures change.

    The figures: the track in view, whether somebody else talks too, whether another face leads, whether the mouth has
    long been still.

    Args:
        overlap: (n,), where somebody else talks.
        start: the turn's first frame.
    """
    with np.errstate(invalid="ignore"):
        still = _smoothed(seen.log_odds[None], settings.still_frames)[0] < settings.still_log_odds
    keys = np.stack([seen.track, overlap, seen.contradicted & ~overlap, still], axis=1)
    edges = _without_slivers(keys, round(settings.sliver_s * GRID_HZ))
    return tuple(_stretch(seen, keys, low, high, start) for low, high in pairwise(edges))


def _stretch(seen: _Seen, keys: NDArray[np.int64], low: int, high: int, start: int) -> FaceStretch:
    number, is_double, is_contradicted, _ = _most(keys[low:high])
    own = seen.log_odds[low:high][seen.track[low:high] == number] if number != NO_TRACK else seen.log_odds[:0]
    return FaceStretch(
        number if number != NO_TRACK else None,
        start + low,
        start + high,
        float(seen.posterior[low:high].mean()),
        float(own.mean()) if len(own) else None,
        len(own) / (high - low),
        bool(is_double),
        bool(is_contradicted),
    )


def _most(keys: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the most frequent row."""
    rows, counts = np.unique(keys, axis=0, return_counts=True)
    return tuple(rows[counts.argmax()].tolist())


def _without_slivers(keys: NDArray[np.int64], least: int) -> list[int]:
    """Return the edges of the stretches of alike rows (n, 4), both ends among them.

    A piece shorter than `least` joins what is behind it, the last one what is before; then neighbours of which most is
    alike are one.
    """
    edges = [0]
    for cut in (np.flatnonzero((np.diff(keys, axis=0) != 0).any(axis=1)) + 1).tolist():
        if cut - edges[-1] >= least:
            edges.append(cut)
    if len(edges) > 1 and len(keys) - edges[-1] < least:
        edges.pop()
    edges.append(len(keys))
    alike = [edges[0]]
    for low, high in pairwise(edges[1:]):
        if _most(keys[alike[-1] : low]) != _most(keys[low:high]):
            alike.append(low)
    return [*alike, edges[-1]]
