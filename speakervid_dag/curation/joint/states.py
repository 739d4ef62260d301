"""The states of the joint inference, sets of at most two people who talk, and what speaks for each in a frame.

Belongs here: states, transitions, emissions, the score of a face. Does not belong here: the arithmetic of the model
(hmm.py), voices of people, turns (inference.py, turns.py).

A person is a face track or a voice without a face. Tracks are not merged beforehand: a wrongly merged face id would
merge two people's voices; who is the same is decided by voice, afterwards.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.evidence import Floats

Doubles = NDArray[np.float64]
State = tuple[int, ...]
"""The people who talk, by number; () is nobody."""


def states_of(people: int, pairs: Sequence[tuple[int, int]]) -> list[State]:
    """Return nobody, each of the people alone, and these pairs."""
    return [(), *((i,) for i in range(people)), *pairs]


def pairs_of(log_odds: Floats, settings: JointSettings) -> list[tuple[int, int]]:
    """Return the pairs of people who may talk at once; of many people only those of whom both or one are never seen,
    and those who are seen together.

    Args:
        log_odds: (p, n) of the people's faces; NaN where one is not seen.
    """
    people = len(log_odds)
    found = [(i, j) for j in range(people) for i in range(j)]
    if people <= settings.max_all_pairs:
        return found
    seen = (~np.isnan(log_odds)).astype(np.float32)
    is_together = np.asarray(seen @ seen.T > 0)
    has_face = np.asarray(seen.any(axis=1))
    return [(i, j) for i, j in found if is_together[i, j] or not (has_face[i] and has_face[j])]


def members(states: Sequence[State], people: int) -> NDArray[np.bool_]:
    """Return who talks in which state: (p, s) bool."""
    table = np.zeros((people, len(states)), np.bool_)
    for column, state in enumerate(states):
        table[list(state), column] = True
    return table


def transitions(states: Sequence[State], settings: JointSettings) -> Doubles:
    """Return log probabilities of each step from state to state: (s, s), rows sum to 1 as probabilities."""
    member = members(states, 1 + max(max(state, default=0) for state in states)).T.astype(np.float64)
    size = member.sum(axis=1)
    shared = member @ member.T
    on, off = size[None, :] - shared, size[:, None] - shared  # who begins, who ends
    swapped = np.minimum(on, off)
    price = settings.swap * swapped + settings.begin * (on - swapped) + settings.end * (off - swapped)
    return np.asarray(-price - np.log(np.exp(-price).sum(axis=1, keepdims=True)))


def face_scores(log_odds: Floats, settings: JointSettings, beside: int | None = None) -> Floats:
    """Return the score of each face in each frame, cut to a range: (p, n), NaN where it is not seen.

    A logistic regression of talking log odds and their lead over the other faces in view (values: config).

    Args:
        log_odds: (p, n), NaN where a face is not seen.
        beside: a face that talks too: no other face has to lead over it.
    """
    rivals = log_odds if beside is None else np.delete(log_odds, beside, axis=0)
    names = np.arange(len(log_odds)) if beside is None else np.delete(np.arange(len(log_odds)), beside)
    filled = np.where(np.isnan(rivals), -np.inf, rivals)
    found = np.empty_like(log_odds)
    for face, own in enumerate(log_odds):
        best = filled[names != face].max(axis=0, initial=-np.inf)
        is_alone = ~np.isfinite(best)
        lead = np.where(is_alone, 0.0, own - np.where(is_alone, 0.0, best))
        found[face] = (
            settings.talking_weight * own
            + settings.lead_weight * lead
            + settings.alone_score * is_alone
            + settings.face_score
        )
    return np.asarray(np.clip(found, -settings.max_face_score, settings.max_face_score), np.float32)


def emissions(
    states: Sequence[State], shares: Floats, log_odds: Floats, voices: Floats, unseen: Floats, settings: JointSettings
) -> Doubles:
    """Return the log-likelihood of each frame in each state: (n, s).

    Args:
        shares: (n, 3), the probability that nobody, one, at least two talk.
        log_odds: (p, n) of the people's faces; NaN where one is not seen.
        voices: (p, n), how well what is heard fits each person's voice; 0 for a person without a known voice.
        unseen: (p,), the price of each person who has no face, while some face is in view.
    """
    in_view = ~np.isnan(log_odds)
    has_face, some_face = np.asarray(in_view.any(axis=1)), np.asarray(in_view.any(axis=0))
    heard = np.log(np.maximum(shares, settings.least_share)).astype(np.float64)
    scores: dict[int | None, Floats] = {None: face_scores(log_odds, settings)}
    for person in {p for state in states if len(state) > 1 for p in state if has_face[p]}:
        scores[person] = face_scores(log_odds, settings, beside=person)

    def seen(person: int, beside: int | None) -> Doubles:
        if not has_face[person]:
            return np.where(some_face, -unseen[person], 0.0)
        own = scores[beside if beside is not None and has_face[beside] else None][person]
        return np.where(in_view[person], settings.face_weight * own, -settings.hidden_price)

    found = np.empty((len(shares), len(states)))
    for column, state in enumerate(states):
        total = heard[:, len(state)].copy()
        for person in state:
            beside = next((other for other in state if other != person), None)
            total += seen(person, beside) + settings.voice_weight * voices[person] / len(state)
        found[:, column] = total - settings.pair_price * (len(state) > 1)
    return found
