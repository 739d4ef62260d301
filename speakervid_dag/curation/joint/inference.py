"""The joint inference: states of all frames from faces, voices and the number of speakers, in a few rounds.

Belongs here: rounds of posterior and voices, blocks of a long video, the answer by frame. Does not belong here: states
and what speaks for them (states.py), people's voices and who is the same (voices.py), turns (turns.py).

The first round knows faces only: each track is a person. From its posterior each track's voice is taken, where its
person talks alone and is seen. Tracks with one voice that are never in view at once are one person from then on, and
voices that talk while no face does are people of their own. Then the states are weighed again, with voices.

A long video is cut into blocks at pauses, where the model forgets anyway who talked. In a block may talk who is in view
there, and the few other people whose voices fit best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import JointSettings
from speakervid_dag.curation.joint import hmm
from speakervid_dag.curation.joint.evidence import Booleans, Floats, TalkingFace, seen_faces
from speakervid_dag.curation.joint.states import emissions, members, pairs_of, states_of, transitions
from speakervid_dag.curation.joint.voices import Held, People, learnt, one_each, voice_fit
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

Doubles = NDArray[np.float64]
NO_TRACK = -1


@dataclass(frozen=True)
class Block:
    """Who talks in the frames of one block.

    Attributes:
        start: its first frame.
        people: (p,) int64, who may talk in it, by number among all people of the video.
        log_odds: (p, n) float32, talking log odds of their faces; NaN where one is not seen.
        track: (p, n) int64, the track that shows each, NO_TRACK where none does.
        posterior: (p, n) float32, the probability that each talks.
        alone: (p, n) float32, the probability that each talks and nobody else does.
        talks: (p, n) bool, who talks on the likeliest path.
    """

    start: int
    people: NDArray[np.int64]
    log_odds: Floats
    track: NDArray[np.int64]
    posterior: Floats
    alone: Floats
    talks: Booleans


def infer(
    sound: VoiceEvidence,
    faces: Sequence[TalkingFace],
    person_ids: Mapping[str, str | None],
    settings: JointSettings,
    known: Sequence[Block] = (),
) -> list[Block]:
    """Return who talks in each frame, block by block.

    Args:
        sound: who is heard.
        faces: who is seen, at least one track.
        person_ids: person of each track by its face.
        known: blocks of an earlier inference, from which voices are taken before the first round.
    """
    ids = [person_ids.get(face.track_id) for face in faces]
    edges = block_edges(sound.shares, settings)
    blocks = list(known)
    for _ in range(settings.rounds):
        if blocks:
            people = learnt(sound, _held(sound, blocks, len(faces)), ids, settings)
        else:
            people = one_each(len(faces), sound.embeddings.shape[1])
        fit = voice_fit(sound, people, settings)
        blocks = [_block(sound, faces, people, fit[:, a:b], a, settings) for a, b in pairwise(edges)]
    return blocks


def block_edges(shares: Floats, settings: JointSettings) -> list[int]:
    """Return where blocks begin and end: at the surest pause in the second half of the longest block."""
    width, longest = round(settings.max_pause_s * GRID_HZ) | 1, round(settings.block_s * GRID_HZ)
    silence = np.convolve(shares[:, 0], np.ones(width) / width, mode="same")
    edges = [0]
    while len(shares) - edges[-1] > longest:
        low = edges[-1] + longest // 2
        edges.append(low + int(silence[low : edges[-1] + longest].argmax()))
    return [*edges, len(shares)]


def _block(
    sound: VoiceEvidence,
    faces: Sequence[TalkingFace],
    people: People,
    fit: Floats,
    start: int,
    settings: JointSettings,
) -> Block:
    """Return who talks in the frames from `start` on, as many as `fit` (p, n) has."""
    end = start + fit.shape[1]
    near = [i for i, face in enumerate(faces) if face.first < end and face.last > start]
    table = dict(zip(near, seen_faces([faces[i] for i in near], start, end), strict=True))
    seen = [g for g, tracks in enumerate(people.tracks) if any(i in table for i in tracks)]
    support = np.where(people.known, np.maximum(fit, 0).sum(axis=1), -1.0)
    support[seen] = -1
    absent = [int(p) for p in np.argsort(-support, kind="stable")[: settings.max_absent] if support[p] > 0]
    chosen = np.array([*seen, *sorted({*absent, people.unknown})], np.int64)
    log_odds, track = _shown(table, [people.tracks[g] for g in seen], len(chosen), fit.shape[1])
    states = states_of(len(chosen), pairs_of(log_odds, settings))
    prices = people.unseen_prices(settings)[chosen]
    emission = emissions(states, sound.shares[start:end], log_odds, fit[chosen], prices, settings)
    transition = transitions(states, settings)
    gamma, member = hmm.posterior(emission, transition), members(states, len(chosen))
    path = hmm.likeliest_path(emission, transition)
    return Block(
        start,
        chosen,
        log_odds,
        track,
        np.asarray(member @ gamma.T, np.float32),
        np.asarray(gamma[:, 1 : len(chosen) + 1].T, np.float32),
        member[:, path],
    )


def _shown(
    table: Mapping[int, Floats], people: Sequence[Sequence[int]], count: int, frames: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the log odds of each person, (count, frames), and the track that shows them.

    Args:
        table: log odds of each track in the block; NaN where it is not seen.
        people: the tracks of the people in view, the first of `count`.
    """
    log_odds = np.full((count, frames), np.nan, np.float32)
    track = np.full((count, frames), NO_TRACK, np.int64)
    for row, own in enumerate(people):
        for number in own:
            if number in table:
                is_seen = ~np.isnan(table[number])
                log_odds[row, is_seen], track[row, is_seen] = table[number][is_seen], number
    return log_odds, track


def _held(sound: VoiceEvidence, blocks: Sequence[Block], tracks: int) -> Held:
    """Return the time in which each track, seen and alone, and in which nobody seen holds each local speaker."""
    seen = np.zeros((tracks, len(sound.firsts)))
    unseen = np.zeros(len(sound.firsts))
    together = np.zeros((tracks, tracks))
    length = sound.alone.shape[1]
    for block in blocks:
        end = block.start + block.alone.shape[1]
        names = np.unique(block.track[block.track != NO_TRACK])
        shows = np.asarray(block.track[:, None, :] == names[:, None])  # (p, k, n)
        own = np.asarray(np.where(shows, block.alone[:, None, :], 0).sum(axis=0))
        rest = block.alone.sum(axis=0) - own.sum(axis=0)
        in_view = np.asarray(shows.any(axis=0), np.float64)
        together[np.ix_(names, names)] += in_view @ in_view.T
        for speaker in np.flatnonzero((sound.firsts < end) & (sound.firsts + length > block.start)):
            first = int(sound.firsts[speaker])
            low, high = max(first, block.start), min(first + length, end)
            heard = sound.alone[speaker, low - first : high - first]
            seen[names, speaker] += own[:, low - block.start : high - block.start] @ heard
            unseen[speaker] += rest[low - block.start : high - block.start] @ heard
    return Held(seen / GRID_HZ, unseen / GRID_HZ, together.astype(np.int64))
