"""Faces seen talking alone while something is said, as side information for telling voices apart.

Belongs here: pieces of speech, the one talking face of each, which face owns a cluster of voice windows, what that
means for two clusters. Does not belong here: whether a face talks (the backends of speaking/active_speaker.py), the
clustering of voices (clusters.py), the final choice of a turn's face (speaking/bindings.py).

Sound decides; faces only raise or lower the separation that two clusters need to stay two voices. Two that one face
owns need more. Two that different faces own, seen side by side and each silent while the other talks, need less (as in
3D-Speaker's audio-visual diarization). Faces that are never seen together are no evidence about each other: under a
narrator's voice, one interviewee after another may move their lips. Where nearly all speech has a talking face, the
number of talking faces is the number of voices to expect.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import FaceHintSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.speaking.active_speaker import BackendAnswer, Key, Pair

Labels = NDArray[np.int64]
NOBODY = -1


@dataclass(frozen=True)
class TalkingFaces:
    """Talking faces during one video's speech.

    Attributes:
        starts_s, ends_s: (n,) float64, pieces of speech in order of time.
        talkers: (n,) int64, number of the one person who talks in each; NOBODY where unclear.
        are_together: (p, p) bool, each of the two is mostly in view, not talking, while the other talks.
    """

    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    talkers: Labels
    are_together: NDArray[np.bool_]

    def at(self, times_s: NDArray[np.float64]) -> Labels:
        """Return who is seen talking at these moments: (t,) int64."""
        index = np.searchsorted(self.starts_s, times_s, side="right") - 1
        inside = (index >= 0) & (times_s < self.ends_s[np.maximum(index, 0)])
        return np.where(inside, self.talkers[np.maximum(index, 0)], NOBODY)


def pieces(regions: Sequence[Interval], settings: FaceHintSettings) -> pl.DataFrame:
    """Return stretches of speech of about `piece_s`, in the form of turns that a talking backend can measure."""
    rows = []
    for start, end in regions:
        edges = np.linspace(start, end, max(1, round((end - start) / settings.piece_s)) + 1)
        rows += [(float(a), float(b)) for a, b in itertools.pairwise(edges)]
    ids = [f"{i:08d}" for i in range(len(rows))]
    starts, ends = ([row[i] for row in rows] for i in (0, 1))
    return pl.DataFrame({"turn_id": ids, "speaker_id": [""] * len(ids), "start_s": starts, "end_s": ends})


def talking_faces(
    parts: pl.DataFrame, pairs: Sequence[Pair], answers: Mapping[Key, BackendAnswer], settings: FaceHintSettings
) -> TalkingFaces:
    """Return the one talking face of each piece.

    Args:
        parts: from `pieces`.
        pairs: tracks in view during them (active_speaker.pairs_of).
        answers: a `talking` backend's answers about these pairs.
    """
    people = {person: i for i, person in enumerate(sorted({p.person_id for p in pairs}))}
    seen: dict[str, dict[str, float | None]] = defaultdict(dict)
    for pair in pairs:
        score, known = answers[pair.key].talking, seen[pair.key[1]].get(pair.person_id)
        seen[pair.key[1]][pair.person_id] = score if known is None else max(known, score or 0.0)
    talkers = np.full(parts.height, NOBODY, np.int64)
    alone_s, beside_s = np.zeros(len(people)), np.zeros((len(people), len(people)))
    for i, (name, start, end) in enumerate(parts.select("turn_id", "start_s", "end_s").iter_rows()):
        talker = _talker(seen[name], settings)
        if talker is None:
            continue
        talkers[i] = me = people[talker]
        alone_s[me] += end - start
        for other in seen[name].keys() - {talker}:
            beside_s[me, people[other]] += end - start
    mostly = beside_s > 0.5 * alone_s[:, None]
    return TalkingFaces(parts["start_s"].to_numpy(), parts["end_s"].to_numpy(), talkers, mostly & mostly.T)


def _talker(scores: Mapping[str, float | None], settings: FaceHintSettings) -> str | None:
    """Return who talks while every other visible mouth is still.

    Somebody whose mouth is hidden may be the talker. Then the visible lips must move a lot, because listeners nod and
    smile.
    """
    ranked = sorted(((score, person) for person, score in scores.items() if score is not None), reverse=True)
    least = settings.min_talking if len(ranked) == len(scores) else settings.min_talking_beside_hidden
    if not ranked or ranked[0][0] < least:
        return None
    return ranked[0][1] if all(score <= settings.max_silent for score, _ in ranked[1:]) else None


def bars(
    labels: Labels, times_s: NDArray[np.float64], faces: TalkingFaces, hop_s: float, settings: FaceHintSettings
) -> NDArray[np.float64]:
    """Return (k, k) factors on the separation required of each two clusters.

    Args:
        labels: (t,) cluster of each window; times_s: (t,) its centre.
        hop_s: time that one window accounts for, s.
    """
    talkers = faces.at(times_s)
    count = int(labels.max()) + 1
    factors = np.ones((count, count))
    expected = _people_expected(talkers, settings)
    if expected is not None and count > expected:
        factors *= settings.spare_voice_factor
    owners = [_owner(talkers[labels == k], hop_s, settings) for k in range(count)]
    for i, mine in enumerate(owners):
        for j, other in enumerate(owners):
            if i == j or NOBODY in (mine, other):
                continue
            if mine == other:
                factors[i, j] *= settings.same_face_factor
            elif faces.are_together[mine, other]:
                factors[i, j] = settings.different_faces_factor
    return factors


def _people_expected(talkers: Labels, settings: FaceHintSettings) -> int | None:
    """Return how many people talk, if nearly all speech has a talking face; else None."""
    is_seen = talkers != NOBODY
    return len(np.unique(talkers[is_seen])) if is_seen.mean() >= settings.explained_share else None


def _owner(talkers: Labels, hop_s: float, settings: FaceHintSettings) -> int:
    """Return the face that talks in a cluster of windows: long enough, often enough, and hardly anybody else."""
    seen = talkers[talkers != NOBODY]
    if not len(seen):
        return NOBODY
    counts = np.bincount(seen)
    most = int(counts.argmax())
    is_clear = counts[most] * hop_s >= settings.owned_s and counts[most] >= settings.owned_share * len(talkers)
    return most if is_clear and counts[most] >= settings.sole_share * len(seen) else NOBODY
