"""Cuts that follow the voice: in shot and reverse shot, a new voice comes with a cut to another face.

Belongs here: the faces that shots show, changes of voice, and how far cuts at these changes exceed chance. Does not
belong here: lips and sound (sync.py), the joint decision (bindings.py).

Two explanations of the changes of voice are compared. Following: in `follow_share` of the changes, the picture cuts
from the face of the speaker before to that of the speaker after. Chance: cuts between those two faces fall anywhere, at
the video's own rate. The evidence is the log-likelihood ratio, less a penalty for choosing among all assignments of
speakers to people. A voice-over cannot have it: within one shot no cut coincides with a change, and a single
coincidence is not enough (`min_coincidences`).
"""

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl

from speakervid_dag.config.sections import BindingSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval

Faces = tuple[str, str]


@dataclass(frozen=True)
class FaceCut:
    """A cut from a shot that shows one person to a shot that shows another."""

    at_s: float
    faces: Faces


@dataclass(frozen=True)
class VoiceChange:
    """A change from one speaker to another; `within` is the pause (or the overlap) between them, s."""

    speakers: Faces
    within: Interval


def co_visibility(
    shots: pl.DataFrame, tracks: pl.DataFrame, turns: pl.DataFrame, settings: BindingSettings
) -> dict[tuple[str, str], float]:
    """Return the evidence, nats, that a speaker is a person, for the pairs that cuts support; empty if there are none.

    Args:
        shots, tracks, turns: rows of shots, face_tracks and speech_turns of one video.

    Returns:
        (speaker_id, person_id) -> log-likelihood ratio of the whole video times the share of the speaker's changes
        that meet a cut.
    """
    cuts, changes = face_cuts(shots, tracks, settings), voice_changes(turns)
    if not cuts or not changes:
        return {}
    people = _likeliest(cuts, changes, settings)
    met = [_met(c, people, cuts, settings) for c in changes]
    if sum(met) < settings.min_coincidences:
        return {}
    seen_s = float(str(shots["end_s"].max())) - float(str(shots["start_s"].min()))
    total = sum(_ratio(c, m, people, cuts, seen_s, settings) for c, m in zip(changes, met, strict=True))
    total -= math.log(math.perm(max(len(_everyone(cuts)), len(people)), len(people)))
    if total <= 0:
        return {}
    own: dict[str, list[bool]] = defaultdict(list)
    for change, hit in zip(changes, met, strict=True):
        for speaker in change.speakers:
            own[speaker].append(hit)
    return {(s, p): total * float(np.mean(own[s])) for s, p in people.items() if any(own[s])}


def face_cuts(shots: pl.DataFrame, tracks: pl.DataFrame, settings: BindingSettings) -> list[FaceCut]:
    """Return cuts between neighbouring shots that each show one person, not the same one."""
    found = []
    seen: dict[str, dict[str, list[Interval]]] = defaultdict(lambda: defaultdict(list))
    people = tracks.filter(pl.col("person_id").is_not_null())
    for shot_id, person, start, end in people.select("shot_id", "person_id", "start_s", "end_s").iter_rows():
        seen[shot_id][person].append((start, end))
    shown = []
    for shot_id, start, end in shots.sort("start_s").select("shot_id", "start_s", "end_s").iter_rows():
        share = {p: intervals.total_s(spans) / (end - start) for p, spans in seen[shot_id].items()}
        present = [p for p, part in share.items() if part >= settings.min_shown_share]
        shown.append((start, present[0] if len(present) == 1 else None))
    for (_, before), (at_s, after) in itertools.pairwise(shown):
        if before and after and before != after:
            found.append(FaceCut(at_s, (before, after)))
    return found


def voice_changes(turns: pl.DataFrame) -> list[VoiceChange]:
    """Return changes of speaker between consecutive turns."""
    ordered = turns.sort("start_s", "turn_id").select("speaker_id", "start_s", "end_s").iter_rows()
    return [
        VoiceChange((a, b), (min(end, start), max(end, start)))
        for (a, _, end), (b, start, _) in itertools.pairwise(ordered)
        if a != b
    ]


def _everyone(cuts: list[FaceCut]) -> set[str]:
    return {p for cut in cuts for p in cut.faces}


def _near(change: VoiceChange, cuts: list[FaceCut], settings: BindingSettings) -> list[FaceCut]:
    low, high = change.within[0] - settings.cut_tolerance_s, change.within[1] + settings.cut_tolerance_s
    return [cut for cut in cuts if low <= cut.at_s <= high]


def _likeliest(cuts: list[FaceCut], changes: list[VoiceChange], settings: BindingSettings) -> dict[str, str]:
    """Return speaker -> person, one to one, that agrees with most cuts near changes; omit speakers without any."""
    from scipy.optimize import linear_sum_assignment

    votes = Counter(
        side
        for change in changes
        for cut in _near(change, cuts, settings)
        for side in zip(change.speakers, cut.faces, strict=True)
    )
    speakers, people = (sorted({pair[i] for pair in votes}) for i in (0, 1))
    table = np.array([[votes[s, p] for p in people] for s in speakers], np.float64).reshape(len(speakers), len(people))
    rows, columns = linear_sum_assignment(table, maximize=True)
    return {speakers[r]: people[c] for r, c in zip(rows, columns, strict=True) if table[r, c] > 0}


def _faces(change: VoiceChange, people: dict[str, str]) -> tuple[str | None, str | None]:
    return people.get(change.speakers[0]), people.get(change.speakers[1])


def _met(change: VoiceChange, people: dict[str, str], cuts: list[FaceCut], settings: BindingSettings) -> bool:
    return any(cut.faces == _faces(change, people) for cut in _near(change, cuts, settings))


def _ratio(
    change: VoiceChange,
    is_met: bool,
    people: dict[str, str],
    cuts: list[FaceCut],
    seen_s: float,
    settings: BindingSettings,
) -> float:
    """Return the log-likelihood ratio of one change of voice: following against chance."""
    same = sum(cut.faces == _faces(change, people) for cut in cuts)
    length = change.within[1] - change.within[0] + 2 * settings.cut_tolerance_s
    chance = 1 - math.exp(-same * length / seen_s)
    follow = settings.follow_share
    return math.log(follow / chance) if is_met else math.log((1 - follow) / (1 - chance))
