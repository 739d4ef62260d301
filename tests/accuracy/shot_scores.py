"""Shots compared with the truth of a clip: which joins are found, and which boundaries are none.

Belongs here: what counts as found, and the figures. Does not belong here: making clips (shot_kit.py), floors
(test_shots.py).

A boundary is the gap between two shots, from the end of the one to the start of the next; after a cut it has no length.
A transition is found if a boundary lies within it, widened by 0.25 s on both sides. One boundary finds one transition;
every other boundary is false, also a second one within the same transition.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from shot_kit import Clip, Transition

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.sources.shots import ShotFinder
from speakervid_dag.media.decode import Frame

TOLERANCE_S = 0.25
_EPSILON_S = 1e-6


def shots_of(clip: Clip, settings: ShotSettings) -> list[Interval]:
    """Return the shots that the product finds in the pictures of a clip."""
    finder = ShotFinder(settings)
    for number, image in enumerate(clip.images):
        finder.feed(Frame(number / clip.fps, image))
    return finder.finish()


def boundaries(shots: Sequence[Interval]) -> list[Interval]:
    """Return the gaps between shots (start_s, end_s); of no length where shots touch."""
    return [(before[1], after[0]) for before, after in itertools.pairwise(shots)]


@dataclass
class Outcome:
    """What was found of one clip.

    Args:
        clip: its name and its truth; the pictures may be gone.
        minutes: its duration.
        found: each transition with its boundary, or None.
        false: boundaries that are none.
    """

    clip: Clip
    minutes: float
    found: list[tuple[Transition, Interval | None]] = field(default_factory=list)
    false: list[Interval] = field(default_factory=list)


def compare(clip: Clip, shots: Sequence[Interval]) -> Outcome:
    """Match boundaries to transitions, in order."""
    spare, found = boundaries(shots), []
    for transition in clip.transitions:
        inside = [b for b in spare if _lies_in(b, transition)]
        middle_s = (transition.start_s + transition.end_s) / 2
        best = min(inside, key=lambda b: abs((b[0] + b[1]) / 2 - middle_s), default=None)
        found.append((transition, best))
        spare = [b for b in spare if b is not best]
    return Outcome(clip, clip.duration_s / 60, found, spare)


def _lies_in(boundary: Interval, transition: Transition) -> bool:
    reach_s = TOLERANCE_S + _EPSILON_S
    return transition.start_s - reach_s <= boundary[0] and boundary[1] <= transition.end_s + reach_s


@dataclass(frozen=True)
class Score:
    """Transitions found of those that are there, and false boundaries put down to them."""

    found: int
    wanted: int
    false: float = 0.0

    @property
    def recall(self) -> float:
        return self.found / self.wanted if self.wanted else float("nan")

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.found / (self.found + self.false + self.wanted)


def score(outcomes: Sequence[Outcome], kinds: Sequence[str], length_s: float | None = None) -> Score:
    """Return the score of some kinds of join (names), of one length or all.

    A false boundary has no kind. It belongs to cuts if it has no length and no fade or dissolve is within a second,
    else to the gradual transitions; by length, only what is found is counted. Of takes without a cut none is counted.
    """
    found = [
        boundary
        for outcome in outcomes
        for transition, boundary in outcome.found
        if transition.join.name in kinds and length_s in (None, transition.join.length_s)
    ]
    counted = sum(b is not None for b in found)
    if length_s is not None:
        return Score(counted, len(found))
    is_cut = all(kind.startswith("cut") for kind in kinds)
    false = [
        b
        for outcome in outcomes
        if outcome.clip.transitions
        for b in outcome.false
        if _is_gradual(b, outcome.clip) != is_cut
    ]
    return Score(counted, len(found), len(false))


def _is_gradual(boundary: Interval, clip: Clip) -> bool:
    near = [t for t in clip.transitions if t.start_s - 1 <= boundary[0] <= t.end_s + 1 and t.join.kind != "cut"]
    faded = any(start - 1 <= boundary[0] <= end + 1 for start, end in clip.faded_s)
    return boundary[1] - boundary[0] > _EPSILON_S or bool(near) or faded


def edge_errors(outcomes: Sequence[Outcome]) -> list[float]:
    """Return how far each end of the gap is from the end of the dissolve, s, of the dissolves found."""
    return [
        abs(mine - true)
        for outcome in outcomes
        for t, b in outcome.found
        if b is not None and t.join.kind == "dissolve"
        for mine, true in zip(b, (t.start_s, t.end_s), strict=True)
    ]


def mixed_share(outcomes: Sequence[Outcome]) -> float:
    """Return the share of the time of dissolves that is in a shot."""
    dissolves = [(t, b) for outcome in outcomes for t, b in outcome.found if t.join.kind == "dissolve"]
    total = sum(t.end_s - t.start_s for t, _ in dissolves)
    left_out = sum(max(0.0, min(b[1], t.end_s) - max(b[0], t.start_s)) for t, b in dissolves if b)
    return 1 - left_out / total if total else float("nan")


def false_per_minute(outcomes: Sequence[Outcome]) -> float:
    minutes = sum(outcome.minutes for outcome in outcomes)
    return sum(len(outcome.false) for outcome in outcomes) / minutes if minutes else float("nan")


def faded_false(outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Return the boundaries within fades at the start or end of a programme, and the number of such fades."""
    spans = [(outcome, span) for outcome in outcomes for span in outcome.clip.faded_s]
    hits = sum(any(s - TOLERANCE_S <= b[0] <= e + TOLERANCE_S for b in outcome.false) for outcome, (s, e) in spans)
    return hits, len(spans)
