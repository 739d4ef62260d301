"""People's voices, learnt from a posterior, and which face tracks are one person by them.

Belongs here: voices of tracks and people, voices without a face, joining tracks. Does not belong here: states
(states.py), rounds (inference.py).

Who is the same is decided by voice: a face id that wrongly joins two people would merge their voices. A face id joins
only a track without a voice of its own to one that has it, and tracks of two face ids stay two people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint.evidence import Booleans, Floats
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

Doubles = NDArray[np.float64]
TOGETHER_FRAMES = 3  # two tracks that meet at a cut share a frame, and are not in view at once
LEAST_SHARE, MOST_WEIGHT = 0.3, 1.4  # a local speaker whom a person holds for less says nothing of their voice


@dataclass(frozen=True)
class People:
    """Who may talk: people with faces, then one unknown voice, then voices found where no face talks.

    Attributes:
        tracks: the tracks of each person with a face.
        centres: (p, d) float32 of unit length, everybody's voice; zeros where it is not known.
        known: (p,) bool.
    """

    tracks: tuple[tuple[int, ...], ...]
    centres: Floats
    known: Booleans

    @property
    def unknown(self) -> int:
        """Return the number of the unknown voice."""
        return len(self.tracks)

    @property
    def count(self) -> int:
        """Return the number of people, voices without a face among them."""
        return len(self.known)

    def unseen_prices(self, settings: JointSettings) -> Floats:
        """Return the price of each of the people without a face in a frame with faces: less for a known voice."""
        return np.where(self.known, settings.known_voice_price, settings.unknown_voice_price).astype(np.float32)


@dataclass(frozen=True)
class Held:
    """Who holds which local speaker, as a posterior says.

    Attributes:
        seen: (k, m) s, in which each track's person, seen in that track, talks alone as each local speaker.
        unseen: (m,) s, in which somebody unseen does.
        together: (k, k) int64, frames in which two tracks are in view at once.
    """

    seen: Doubles
    unseen: Doubles
    together: NDArray[np.int64]


def one_each(tracks: int, size: int) -> People:
    """Return a person per track and one unknown voice; nobody's voice, a vector of this size, is known."""
    count = tracks + 1
    return People(tuple((i,) for i in range(tracks)), np.zeros((count, size), np.float32), np.zeros(count, np.bool_))


def voice_fit(sound: VoiceEvidence, people: People, settings: JointSettings) -> Floats:
    """Return how well what is heard in each frame fits each person's voice: (p, n); 0 without a known voice.

    The mean over windows of what the local speakers who talk say for or against the person.
    """
    like = settings.voices[sound.embeddings.shape[1]]
    gains = like.scale * np.clip(
        people.centres @ sound.embeddings.T - like.neutral_cosine, -like.max_contrary, like.max_support
    )
    gains[~people.known] = 0
    total = np.zeros((people.count, sound.frames), np.float32)
    for speaker, first in enumerate(sound.firsts.tolist()):
        span = slice(first, min(first + sound.activity.shape[1], sound.frames))
        total[:, span] += gains[:, speaker, None] * sound.activity[speaker, : span.stop - first]
    return np.asarray(total / sound.looks, np.float32)


def learnt(sound: VoiceEvidence, held: Held, person_ids: Sequence[str | None], settings: JointSettings) -> People:
    """Return the people anew, by the voices that their tracks hold.

    Args:
        person_ids: of the tracks, by face.
    """
    total = np.maximum(sound.alone.sum(axis=1) / GRID_HZ, 1e-6)
    centres, known = _centres(held.seen, total, sound.embeddings, settings)
    heard = unit((held.seen @ sound.embeddings).astype(np.float32))
    tracks = joined(centres, known, heard, held.together >= TOGETHER_FRAMES, person_ids, settings)
    of_people = np.array([held.seen[list(own)].sum(axis=0) for own in tracks])
    seen, seen_known = _centres(of_people, total, sound.embeddings, settings)
    found = _unseen(held.unseen, total, sound.embeddings, seen[seen_known], settings)
    return People(
        tracks,
        np.concatenate([seen, np.zeros((1, seen.shape[1]), np.float32), found]),
        np.concatenate([seen_known, [False], np.ones(len(found), np.bool_)]),
    )


def joined(
    centres: Floats,
    known: Booleans,
    heard: Floats,
    apart: Booleans,
    person_ids: Sequence[str | None],
    settings: JointSettings,
) -> tuple[tuple[int, ...], ...]:
    """Return the tracks of each person: most alike voices first, then tracks without a voice by their face id.

    Faces that clearly are two people's are never joined: a listener whose lips move has taken the speaker's voice.

    Args:
        centres, known: the tracks' voices.
        heard: (k, d) float32 of unit length, all that is heard while each talks; zeros where that is nothing.
        apart: (k, k), which tracks are never one person.
        person_ids: of the tracks, by face.
    """
    join_cosine = settings.voices[centres.shape[1]].join_cosine
    group = np.arange(len(known))
    apart = apart | np.array([[None not in (a, b) and a != b for b in person_ids] for a in person_ids], np.bool_)
    alike = np.where(known[:, None] & known[None, :], centres @ centres.T, -1.0)
    first, second = (part.tolist() for part in np.nonzero(np.triu(alike >= join_cosine, 1)))
    for i, j in sorted(zip(first, second, strict=True), key=lambda pair: -float(alike[pair])):
        _join(group, apart, i, j)
    is_silent = np.logical_not(heard.any(axis=1))
    agree = (heard @ heard.T >= join_cosine) | is_silent[:, None] | is_silent[None, :]
    for j in np.flatnonzero(np.logical_not(known)).tolist():
        for i in range(len(known)):
            is_free = not known[group == group[j]].any()  # else it would carry one voice to another
            if i != j and is_free and agree[i, j] and person_ids[j] is not None and person_ids[i] == person_ids[j]:
                _join(group, apart, i, j)
    return tuple(tuple(np.flatnonzero(group == name).tolist()) for name in np.unique(group))


def _join(group: NDArray[np.int64], apart: Booleans, i: int, j: int) -> None:
    """Make two groups one, unless two of their tracks are seen together."""
    first, second = np.flatnonzero(group == group[i]), np.flatnonzero(group == group[j])
    if group[i] != group[j] and not apart[np.ix_(first, second)].any():
        group[second] = group[i]


def _centres(held: Doubles, total: Doubles, embeddings: Floats, settings: JointSettings) -> tuple[Floats, Booleans]:
    """Return the mean voice of the local speakers that each holds mostly, weighted by seconds, and if it is known.

    Args:
        held: (p, m) s.
        total: (m,), the seconds in which each local speaker talks alone.
    """
    weights = held * np.clip((held / total - LEAST_SHARE) * 2, 0, MOST_WEIGHT)
    known = weights.sum(axis=1) >= settings.min_voice_s
    centres = unit((weights @ embeddings).astype(np.float32))
    centres[~known] = 0
    return centres, known


def _unseen(held: Doubles, total: Doubles, embeddings: Floats, seen: Floats, settings: JointSettings) -> Floats:
    """Return the voices, of unit length, of people who talk while no face does: (v, d).

    Args:
        held: (m,), the seconds of each local speaker that no face holds.
        seen: (g, d), the known voices of people with faces.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    own = np.flatnonzero((held / total > settings.unseen_share) & (held > 0))
    vectors, seconds = embeddings[own], held[own]
    if not len(own):
        return vectors
    like = settings.voices[vectors.shape[1]]
    labels = np.ones(len(own), np.int64)
    if len(own) > 1:
        tree = linkage(vectors.astype(np.float64), method="average", metric="cosine")
        labels = fcluster(tree, like.join_distance, criterion="distance")
    sizes = {int(k): float(seconds[labels == k].sum()) for k in np.unique(labels)}
    longest = sorted((k for k, s in sizes.items() if s >= settings.min_unseen_s), key=lambda k: -sizes[k])
    found = [unit((vectors[labels == k] * seconds[labels == k, None]).sum(axis=0)) for k in longest]
    new = [v for v in found if not (seen @ v >= like.same_voice_cosine).any()]
    return np.array(new[: settings.max_unseen], np.float32).reshape(-1, vectors.shape[1])
