"""Made-up conversations as arrays: who talks, what windows hear of it, and the faces in view.

Belongs here: input of the joint inference for its tests, and its answer by track. Does not belong here: rows of tables
(conversations.py).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.joint.evidence import Booleans, TalkingFace
from speakervid_dag.curation.joint.inference import Block
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

_OURS = load_profile("laptop").joint
LIKE = _OURS.voices[192]
JOINT = _OURS.model_copy(update={"voices": dict.fromkeys((2, 3, 8), LIKE)})  # by length of the made-up vectors
VOICES = unit(np.eye(8, dtype=np.float32) + np.float32(0.08))  # cosine of two of them: 0.18
Line = tuple[int, float, float]  # who, from, to, s


def talks_of(lines: Sequence[Line], seconds: float, people: int) -> Booleans:
    """Return who talks in each frame: (people, n)."""
    talks = np.zeros((people, round(seconds * GRID_HZ)), np.bool_)
    for who, start, end in lines:
        talks[who, round(start * GRID_HZ) : round(end * GRID_HZ)] = True
    return talks


def heard(talks: Booleans, voices: Sequence[int], step_s: float = 2.5, seed: int = 0) -> VoiceEvidence:
    """Return what windows of 10 s hear.

    Args:
        talks: (p, n).
        voices: the row of VOICES of each person; people with the same voice are one local speaker.
    """
    rng, frames, length = np.random.default_rng(seed), talks.shape[1], 10 * GRID_HZ
    shares = np.full((frames, 3), 0.05, np.float32)
    shares[np.arange(frames), np.minimum(talks.sum(axis=0), 2)] = 0.9
    looks, found = np.zeros(frames, np.float32), []
    for first in range(0, max(1, frames - length + 1), round(step_s * GRID_HZ)):
        looks[first : first + length] += 1
        for voice in sorted(set(voices)):
            is_own = np.array([v == voice for v in voices])
            own, others = talks[is_own].any(axis=0), talks[~is_own].any(axis=0)
            if own[first : first + length].any():
                padded = np.zeros((2, length), np.float32)
                part = np.stack([own, own & ~others])[:, first : first + length]
                padded[:, : part.shape[1]] = 0.9 * part
                found.append((first, *padded, VOICES[voice] + rng.normal(0, 0.05, 8)))
    firsts, activity, alone, vectors = zip(*found, strict=True)
    embeddings = unit(np.array(vectors, np.float32))
    return VoiceEvidence(
        shares, np.array(firsts), np.array(activity), np.array(alone), np.maximum(looks, 1), embeddings
    )


def face(name: str, talks: Booleans, start: int = 0, end: int | None = None, seed: int = 0) -> TalkingFace:
    """Return a face in view in the frames start to end - 1, whose mouth moves where `talks` (n,)."""
    own = talks[start:end]
    noise = np.random.default_rng(seed).normal(0, 0.8, len(own))
    margins, readable = np.full(len(own), 0.2, np.float32), np.ones(len(own), np.bool_)
    return TalkingFace(name, start, (np.where(own, 1.5, -3.0) + noise).astype(np.float32), margins, readable)


def seen_talking(blocks: Sequence[Block], tracks: int) -> Booleans:
    """Return where the person whom a track shows talks: (tracks, n)."""
    parts = [[(b.talks & (b.track == track)).any(axis=0) for track in range(tracks)] for b in blocks]
    return np.concatenate([np.array(part) for part in parts], axis=1)


def talkers(blocks: Sequence[Block]) -> NDArray[np.int64]:
    """Return how many people talk in each frame, seen or not: (n,)."""
    return np.concatenate([b.talks.sum(axis=0) for b in blocks])


def far_from_changes(talks: Booleans, frames: int = 5) -> Booleans:
    """Return the frames that are at least this far from any beginning or end of speech: (n,)."""
    changes = np.flatnonzero((np.diff(talks, axis=1)).any(axis=0)) + 1
    kept = np.ones(talks.shape[1], np.bool_)
    for change in changes.tolist():
        kept[max(0, change - frames) : change + frames] = False
    return kept
