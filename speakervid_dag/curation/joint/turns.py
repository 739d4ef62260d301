"""From the answer by frame to speech turns, and to the stretches of each turn in which one face may be the speaker.

Belongs here: which people are one speaker, turns, stretches with their figures. Does not belong here: the inference
(inference.py), the decision which stretches are bound (speaking/bindings.py), rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true
from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.evidence import GRID_HZ, Booleans, Floats
from speakervid_dag.curation.joint.inference import NO_TRACK, Block


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
    """
    turns = []
    for block in blocks:
        contradicted = _contradicted(block.log_odds, settings)
        for row, person in enumerate(block.people.tolist()):
            others = np.asarray(np.delete(block.talks, row, axis=0).any(axis=0))
            for start, end in _spans(block.talks[row], others, settings):
                if end - start >= settings.min_turn_s * GRID_HZ:
                    found = _stretches(block, row, slice(start, end), others, contradicted[row], settings)
                    turns.append(SpokenTurn(person, block.start + start, block.start + end, tuple(found)))
    return sorted(turns, key=lambda t: (t.start, t.end, t.speaker))


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
        np.array([np.convolve(row, kernel, mode="same")[: len(row)] for row in part]).reshape(seen.shape)
        for part in (np.nan_to_num(log_odds), seen.astype(np.float32))
    )
    return np.where(seen, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _contradicted(log_odds: Floats, settings: JointSettings) -> Booleans:
    """Return where another face in view leads in talking: (g, n) bool."""
    smooth = _smoothed(log_odds, settings.contradiction_frames)
    filled = np.where(np.isnan(smooth), -np.inf, smooth)
    best = [np.delete(filled, face, axis=0).max(axis=0, initial=-np.inf) for face in range(len(smooth))]
    return np.array([b > own + settings.contradiction_lead for b, own in zip(best, smooth, strict=True)], np.bool_)


def _stretches(
    block: Block, row: int, span: slice, others: Booleans, contradicted: Booleans, settings: JointSettings
) -> list[FaceStretch]:
    """Cut a turn where its figures change; slivers join what is before them.

    The figures: the track in view, whether somebody else talks too, whether another face leads, whether the mouth has
    long been still.
    """
    track, odds, overlap = block.track[row, span], block.log_odds[row, span], others[span]
    with np.errstate(invalid="ignore"):
        still = _smoothed(odds[None], settings.still_frames)[0] < settings.still_log_odds
    key = np.stack([track, overlap, contradicted[span] & ~overlap, still], axis=1)
    cuts = _without_slivers(np.flatnonzero((np.diff(key, axis=0) != 0).any(axis=1)) + 1, len(track), settings)
    found = []
    for low, high in zip([0, *cuts], [*cuts, len(track)], strict=True):
        number, is_double, is_contradicted, _ = _most(key[low:high]).tolist()
        own = odds[low:high][track[low:high] == number] if number != NO_TRACK else odds[:0]
        found.append(
            FaceStretch(
                number if number != NO_TRACK else None,
                block.start + span.start + low,
                block.start + span.start + high,
                float(block.posterior[row, span][low:high].mean()),
                float(own.mean()) if len(own) else None,
                len(own) / (high - low),
                bool(is_double),
                bool(is_contradicted),
            )
        )
    return found


def _most(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the most frequent row."""
    rows, counts = np.unique(keys, axis=0, return_counts=True)
    return np.asarray(rows[counts.argmax()])


def _without_slivers(cuts: NDArray[np.int64], length: int, settings: JointSettings) -> Sequence[int]:
    """Return the cuts without those that end a piece shorter than `sliver_s`."""
    kept: list[int] = []
    least = settings.sliver_s * GRID_HZ
    for cut in cuts.tolist():
        if cut - (kept[-1] if kept else 0) >= least:
            kept.append(cut)
    if kept and length - kept[-1] < least:
        kept.pop()
    return kept
