"""Lips that move under another's voice: spans in which a face does not make the sound that it makes elsewhere.

Belongs here: finding these spans, faces and blocks without them. Does not belong here: videos in which nobody's lips
make the sound (speaking/bindings.py), margins of synchrony (speaking/lip_scores.py), the inference (inference.py).

Who goes on talking without sound, or is shown talking while somebody else is heard, has a voice of their own, and by it
the inference takes the other voice for theirs. How well a person's lips agree with their own sound is known from the
rest of the video; where they agree by far less for long, the sound is somebody else's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.evidence import Floats, TalkingFace, mean_around
from speakervid_dag.curation.joint.inference import NO_TRACK, Block
from speakervid_dag.curation.joint.turns import SpokenTurn
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ

_USUAL = 0.75  # quantile of a person's margins that is their own: under another's voice they are lower


class ForeignSpan(NamedTuple):
    """Frames [start, end) of the grid in which a face, by its number, moves its lips under another's voice."""

    face: int
    start: int
    end: int


@dataclass(frozen=True)
class _Passage:
    """The frames of one turn in which one face is its speaker's.

    Attributes:
        face: the number of the track.
        start: the first frame.
        margins: (n,) float32, margins of synchrony; NaN where the lips cannot be read or another face is the speaker's.
    """

    face: int
    start: int
    margins: Floats


def foreign_spans(
    faces: Sequence[TalkingFace], turns: Sequence[SpokenTurn], settings: JointSettings
) -> list[ForeignSpan]:
    """Return where mouths move under another's voice.

    People are told apart by voice and not by face: a wrong face id would ask one person's lips for another's margin.

    Args:
        faces: the tracks by number.
        turns: what a first inference says of them.
    """
    people: dict[int, list[_Passage]] = {}
    for speaker, passage in _passages(faces, turns):
        people.setdefault(speaker, []).append(passage)
    own = {speaker: _own_margin(passages, settings) for speaker, passages in people.items()}
    agreeing = {speaker for speaker, margin in own.items() if margin >= settings.min_own_margin}
    found = []
    for speaker, passages in people.items():
        for passage in passages:
            if speaker in agreeing:
                spans = _spans(passage.margins, own[speaker] * settings.foreign_share, settings)
            elif agreeing and _mean(passages, settings) < settings.foreign_margin:
                spans = [(0, len(passage.margins))]
            else:
                spans = []
            found += [ForeignSpan(passage.face, passage.start + low, passage.start + high) for low, high in spans]
    return found


def stilled(faces: Sequence[TalkingFace], spans: Sequence[ForeignSpan], settings: JointSettings) -> list[TalkingFace]:
    """Return the faces with log odds of mouths that certainly do not talk in these spans."""
    found = list(faces)
    for span in spans:
        face = found[span.face]
        log_odds = face.log_odds.copy()
        own = slice(max(0, span.start - face.first), max(0, span.end - face.first))
        log_odds[own] = np.minimum(log_odds[own], -2 * settings.max_face_score)  # keeps NaN
        found[span.face] = replace(face, log_odds=log_odds)
    return found


def unseen(blocks: Sequence[Block], spans: Sequence[ForeignSpan]) -> list[Block]:
    """Return the blocks with the speakers of these spans out of view: what is heard there is nobody's voice in view."""
    found = []
    for block in blocks:
        track, frames = block.track.copy(), np.arange(block.track.shape[1]) + block.start
        for span in spans:
            track[(track == span.face) & (span.start <= frames) & (frames < span.end)] = NO_TRACK
        found.append(replace(block, track=track))
    return found


def _passages(faces: Sequence[TalkingFace], turns: Sequence[SpokenTurn]) -> Iterator[tuple[int, _Passage]]:
    """Yield the speaker and each passage."""
    for turn in turns:
        for number in sorted({part.track for part in turn.stretches if part.track is not None}):
            face = faces[number]
            margins = np.full(turn.end - turn.start, np.nan, np.float32)
            for part in turn.stretches:
                low, high = max(part.start, face.first), min(part.end, face.last)
                if part.track == number and low < high:
                    seen = slice(low - face.first, high - face.first)
                    told = np.where(face.is_readable[seen], face.margins[seen], np.nan)
                    margins[low - turn.start : high - turn.start] = told
            yield turn.speaker, _Passage(number, turn.start, margins)


def _own_margin(passages: Sequence[_Passage], settings: JointSettings) -> float:
    """Return the margin of a person's lips and their own sound; -inf if they can be read nowhere."""
    frames = round(settings.min_foreign_s * GRID_HZ) | 1
    told = np.concatenate([mean_around(passage.margins, frames) for passage in passages])
    told = told[~np.isnan(told)]
    return float(np.quantile(told, _USUAL)) if len(told) else -np.inf


def _mean(passages: Sequence[_Passage], settings: JointSettings) -> float:
    """Return the mean margin of a person; inf where their lips can be read for less than the shortest span."""
    told = np.concatenate([passage.margins for passage in passages])
    told = told[~np.isnan(told)]
    return float(told.mean()) if len(told) >= settings.min_foreign_s * GRID_HZ else np.inf


def _spans(margins: Floats, least: float, settings: JointSettings) -> list[tuple[int, int]]:
    """Return the spans [start, end) in which margins lie below `least`, each where its sum of deficits is greatest.

    With normal margins around the person's own or around 0 that is where the likelihood ratio is greatest, for
    `least` = half of their own (a CUSUM; Page 1954).
    """
    deficits = np.nan_to_num(least - margins)
    found: list[tuple[int, int]] = []
    while True:
        low, high = _greatest_sum(deficits)
        if np.count_nonzero(~np.isnan(margins[low:high])) < settings.min_foreign_s * GRID_HZ:
            return found
        found.append((low, high))
        deficits[low:high] = -np.inf


def _greatest_sum(values: NDArray[np.floating]) -> tuple[int, int]:
    """Return the span [start, end) of the greatest sum; an empty one if no value is positive."""
    best = total = 0.0
    start, span = 0, (0, 0)
    for at, value in enumerate(values.tolist()):
        if total <= 0:
            total, start = 0.0, at
        total += value
        if total > best:
            best, span = total, (start, at + 1)
    return span
