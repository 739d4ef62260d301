"""People's voices from what their tracks hold, and which tracks are one person."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint.made_scenes import JOINT, LIKE, VOICES

from speakervid_dag.arrays import unit
from speakervid_dag.curation.joint.evidence import Floats
from speakervid_dag.curation.joint.voices import Held, People, joined, learnt, one_each, voice_fit
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

A, B, C = VOICES[:3]
NONE = np.zeros_like(A)


def near(voice: Floats, cosine: float) -> Floats:
    """A voice of this cosine to another."""
    across = unit(VOICES[7] - (VOICES[7] @ voice) * voice)
    return np.asarray(cosine * voice + np.sqrt(1 - cosine**2) * across, np.float32)


def groups(
    centres: Sequence[Floats],
    ids: Sequence[str | None] = (),
    heard: Sequence[Floats] = (),
    together: Sequence[tuple[int, int]] = (),
) -> tuple[tuple[int, ...], ...]:
    """Who is one person: tracks of these voices (zeros: not known); `heard`: in place of them."""
    table, count = np.array(centres), len(centres)
    apart = np.eye(count, dtype=np.bool_)
    for i, j in together:
        apart[i, j] = apart[j, i] = True
    sounds = np.array(heard) if len(heard) else table
    return joined(table, np.asarray(table.any(axis=1)), sounds, apart, ids or [None] * count, JOINT)


def test_tracks_with_one_voice_are_one_person() -> None:
    assert groups([A, B, A, NONE, near(A, 0.8)]) == ((0, 2, 4), (1,), (3,))
    assert groups([A, near(A, LIKE.join_cosine - 0.05)]) == ((0,), (1,))


def test_two_tracks_seen_together_are_two_people() -> None:
    assert groups([A, A], together=[(0, 1)]) == ((0,), (1,))
    assert groups([A, near(A, 0.7), A], together=[(0, 2)]) == ((0, 1), (2,))  # nor by way of a third


def test_the_most_alike_join_first() -> None:
    assert groups([near(A, 0.7), A, near(A, 0.9)], together=[(0, 2)]) == ((0,), (1, 2))


def test_a_face_id_joins_a_track_without_a_voice() -> None:
    assert groups([A, NONE, B, NONE], ["p0", "p0", "p1", None]) == ((0, 1), (2,), (3,))
    assert groups([NONE, A], ["p0", "p0"]) == ((0, 1),)
    assert groups([A, NONE], ["p0", "p0"], together=[(0, 1)]) == ((0,), (1,))
    assert groups([A, NONE], [None, None]) == ((0,), (1,))


def test_a_face_id_joins_no_track_in_which_another_voice_is_heard() -> None:
    assert groups([A, NONE], ["p0", "p0"], heard=[A, B]) == ((0,), (1,))
    assert groups([A, NONE], ["p0", "p0"], heard=[A, near(A, 0.8)]) == ((0, 1),)
    assert groups([A, NONE, B], ["p0"] * 3, heard=[A, near(B, 0.8), B]) == ((0,), (1, 2))


def test_a_merged_face_id_merges_no_voices() -> None:
    both_heard = [near(A, 0.7)] * 2  # mixtures that sound alike
    assert groups([A, B], ["p0", "p0"]) == groups([A, B], ["p0", "p0"], both_heard) == ((0,), (1,))
    assert groups([A, B, A], ["p0"] * 3) == ((0, 2), (1,))


def test_a_merged_face_id_merges_no_voices_through_a_silent_track() -> None:
    found = groups([A, B, NONE], ["p0"] * 3)

    assert not any({0, 1} <= set(own) for own in found)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 2, None]), st.sampled_from(["p0", "p1", None]), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))),
)
def test_each_track_is_in_one_person_and_none_beside_one_seen_with_it(
    tracks: list[tuple[int | None, str | None, bool]], pairs: set[tuple[int, int]]
) -> None:
    centres = [NONE if voice is None else VOICES[voice] for voice, _, _ in tracks]
    heard = [C if sound and voice is None else own for own, (voice, _, sound) in zip(centres, tracks, strict=True)]
    together = [(i, j) for i, j in pairs if i < len(tracks) and j < len(tracks) and i != j]

    found = groups(centres, [name for _, name, _ in tracks], heard, together)

    assert sorted(track for own in found for track in own) == list(range(len(tracks)))
    assert not any(i in own and j in own for own in found for i, j in together)


def sound_of(speakers: Sequence[tuple[Floats, float]]) -> VoiceEvidence:
    """Local speakers, one per window of 10 s behind the other, each alone for some seconds."""
    count, length = len(speakers), 10 * GRID_HZ
    activity = np.zeros((count, length), np.float32)
    for row, (_, alone_s) in enumerate(speakers):
        activity[row, : round(alone_s * GRID_HZ)] = 1
    frames = count * length
    shares = np.tile(np.eye(3, dtype=np.float32)[1], (frames, 1))
    firsts = np.arange(count) * length
    voices = np.array([voice for voice, _ in speakers], np.float32)
    return VoiceEvidence(shares, firsts, activity, activity, np.ones(frames, np.float32), voices)


def people_of(
    speakers: Sequence[tuple[Floats, float]],
    seen: Sequence[Sequence[float]],
    unseen: Sequence[float],
    together: int = 0,
    ids: Sequence[str | None] = (),
) -> People:
    """The people, by the seconds for which each track holds each local speaker."""
    held = Held(np.array(seen), np.array(unseen), np.full((len(seen), len(seen)), together))
    return learnt(sound_of(speakers), held, ids or [None] * len(seen), JOINT)


def test_a_track_has_the_voice_that_it_holds() -> None:
    people = people_of([(A, 4.0), (B, 4.0), (A, 2.0)], [[4, 0, 0], [0, 4, 0]], [0, 0, 0])

    assert people.tracks == ((0,), (1,))
    assert (people.unknown, people.count) == (2, 3)
    assert people.known.tolist() == [True, True, False]
    assert people.centres[:2] == pytest.approx(np.array([A, B]), abs=1e-5)
    assert not people.centres[2].any()


def test_a_voice_needs_seconds_and_most_of_a_local_speaker() -> None:
    short, shared = JOINT.min_voice_s / 3, 2.0

    people = people_of([(A, short), (B, 10.0)], [[short, 0], [0, shared]], [0, 0])

    assert people.known.tolist() == [False, False, False]


def test_tracks_never_seen_together_join_by_what_they_hold() -> None:
    speakers, seen = [(A, 4.0), (near(A, 0.8), 4.0)], [[4.0, 0.0], [0.0, 4.0]]

    assert people_of(speakers, seen, [0, 0]).tracks == ((0, 1),)
    assert people_of(speakers, seen, [0, 0], together=1).tracks == ((0, 1),)  # a frame shared at a cut
    assert people_of(speakers, seen, [0, 0], together=50).tracks == ((0,), (1,))


def test_voices_that_no_face_holds_are_people() -> None:
    people = people_of([(A, 4.0), (B, 2.0), (C, 3.0), (B, 2.0)], [[4, 0, 0, 0]], [0, 2, 3, 2])

    assert people.known.tolist() == [True, False, True, True]
    assert people.centres[2:] == pytest.approx(np.array([B, C]), abs=1e-5)  # the longest first
    assert people.unseen_prices(JOINT).tolist() == pytest.approx(
        [JOINT.known_voice_price, JOINT.unknown_voice_price, JOINT.known_voice_price, JOINT.known_voice_price]
    )


def test_an_unseen_voice_near_to_a_face_is_that_face() -> None:
    near_one, far_one = (near(A, LIKE.same_voice_cosine + move) for move in (0.05, -0.05))

    assert people_of([(A, 4.0), (near_one, 4.0)], [[4, 0]], [0, 4]).count == 2
    assert people_of([(A, 4.0), (far_one, 4.0)], [[4, 0]], [0, 4]).count == 3


def test_an_unseen_voice_needs_seconds_and_most_of_a_local_speaker() -> None:
    short = JOINT.min_unseen_s / 2

    assert people_of([(A, 4.0), (B, short)], [[4, 0]], [0, short]).count == 2
    assert people_of([(A, 4.0), (B, 4.0)], [[4, 2.1]], [0, 1.9]).count == 2
    assert people_of([(A, 4.0), (B, 4.0)], [[4, 0]], [0, 0]).count == 2


def test_only_the_longest_unseen_voices_are_people() -> None:
    count = JOINT.max_unseen + 2
    speakers = [(voice, 1.0 + row) for row, voice in enumerate(VOICES[:count])]

    people = people_of(speakers, [[0.0] * count], [length for _, length in speakers])

    assert people.centres[2:] == pytest.approx(VOICES[2:count][::-1], abs=1e-5)


def test_before_any_round_nobody_has_a_voice() -> None:
    people = one_each(2, 8)

    assert people.tracks == ((0,), (1,))
    assert (people.unknown, people.count) == (2, 3)
    assert not voice_fit(sound_of([(A, 4.0)]), people, JOINT).any()


def test_what_is_heard_speaks_for_and_against_people() -> None:
    people = People(((0,), (1,)), np.array([A, B, NONE]), np.array([True, True, False]))
    middle = near(A, LIKE.neutral_cosine + 0.1)

    fit = voice_fit(sound_of([(A, 4.0), (middle, 10.0)]), people, JOINT)

    most = LIKE.scale * np.array([LIKE.max_support, -LIKE.max_contrary])
    against = max(float(A @ B) - LIKE.neutral_cosine, -LIKE.max_contrary) * LIKE.scale
    assert fit[:, 0] == pytest.approx([most[0], against, 0], abs=1e-4)
    assert not fit[:, 4 * GRID_HZ : 10 * GRID_HZ].any()  # nobody talks
    assert fit[0, 12 * GRID_HZ] == pytest.approx(0.1 * LIKE.scale, abs=1e-4)
    assert (fit >= most[1] - 1e-5).all()


def test_a_fit_is_the_mean_over_windows() -> None:
    one = sound_of([(A, 10.0)])
    both = VoiceEvidence(one.shares, one.firsts, one.activity, one.alone, 2 * one.looks, one.embeddings)
    people = People(((0,),), np.array([A, NONE]), np.array([True, False]))

    assert voice_fit(both, people, JOINT) == pytest.approx(voice_fit(one, people, JOINT) / 2)


def test_a_window_past_the_end_of_the_grid_fits_as_far_as_it_goes() -> None:
    one = sound_of([(A, 10.0)])
    cut = VoiceEvidence(one.shares[:50], one.firsts, one.activity, one.alone, one.looks[:50], one.embeddings)
    people = People(((0,),), np.array([A, NONE]), np.array([True, False]))

    assert voice_fit(cut, people, JOINT) == pytest.approx(voice_fit(one, people, JOINT)[:, :50])
