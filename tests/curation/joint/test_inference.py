"""Who talks in each frame of made-up conversations."""

import tracemalloc

import numpy as np
import pytest
from joint.made_scenes import JOINT, Line, face, far_from_changes, heard, seen_talking, talkers, talks_of

from speakervid_dag.curation.joint.evidence import Booleans, TalkingFace
from speakervid_dag.curation.joint.inference import NO_TRACK, Block, block_edges, infer
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ, VoiceEvidence

SECONDS = 30
DIALOGUE: list[Line] = [(0, 1, 5), (1, 5.4, 9), (0, 9.2, 13), (1, 13.6, 18), (0, 18.4, 22.6), (1, 23, 29)]


def answer(sound: VoiceEvidence, faces: list[TalkingFace], block_s: float = JOINT.block_s) -> list[Block]:
    settings = JOINT.model_copy(update={"block_s": block_s})
    return infer(sound, faces, dict.fromkeys([each.track_id for each in faces]), settings)


def both_in_view(talks: Booleans) -> list[TalkingFace]:
    return [face(f"t{who}", own, seed=who) for who, own in enumerate(talks)]


@pytest.fixture(scope="module")
def dialogue() -> Booleans:
    return talks_of(DIALOGUE, SECONDS, 2)


@pytest.mark.parametrize("voices", [(0, 0), (0, 1)])
def test_faces_part_two_speakers_whether_sound_does_or_not(dialogue: Booleans, voices: tuple[int, int]) -> None:
    blocks = answer(heard(dialogue, voices), both_in_view(dialogue))

    found, sure = seen_talking(blocks, 2), far_from_changes(dialogue)
    assert (found == dialogue)[:, sure].all()
    assert (talkers(blocks) == dialogue.sum(axis=0))[sure].all()


def test_the_answer_says_who_may_talk_and_how_surely(dialogue: Booleans) -> None:
    (block,) = answer(heard(dialogue, (0, 1)), both_in_view(dialogue))

    people, frames = len(block.people), dialogue.shape[1]
    shapes = {part.shape for part in (block.log_odds, block.track, block.posterior, block.alone, block.talks)}
    assert shapes == {(people, frames)}
    assert (block.track == NO_TRACK).tolist() == np.isnan(block.log_odds).tolist()
    assert ((block.alone >= 0) & (block.alone <= block.posterior + 1e-6) & (block.posterior <= 1 + 1e-6)).all()
    assert block.alone.sum(axis=0).max() <= 1 + 1e-5
    assert ((block.posterior > 0.5) == block.talks).mean() > 0.98


def test_eight_people_at_a_table_are_told_apart() -> None:
    lines = [(who, 0.5 + 5 * who, 5 + 5 * who) for who in range(8)] + [
        (who, 41 + 2 * who, 42.6 + 2 * who) for who in range(8)
    ]
    talks = talks_of(lines, 60, 8)

    blocks = answer(heard(talks, range(8)), both_in_view(talks))

    sure = far_from_changes(talks)
    assert (seen_talking(blocks, 8) == talks)[:, sure].all()


@pytest.mark.heavy
def test_half_an_hour_takes_hardly_more_memory_than_ten_minutes() -> None:
    """Beside the evidence itself, which is given, and grows with the sound."""

    def peak_mb(minutes: int) -> float:
        lines = [(i % 2, 4 * i + 0.5, 4 * i + 3.8) for i in range(15 * minutes)]
        talks = talks_of(lines, 60 * minutes, 2)
        sound, faces = heard(talks, (0, 1)), both_in_view(talks)
        tracemalloc.start()
        answer(sound, faces)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 1e6

    short, long = peak_mb(10), peak_mb(30)
    assert long < short + 20


def test_narrators_over_two_still_faces_are_people_of_their_own() -> None:
    narrated = talks_of([(0, 1, 12), (1, 13, 22), (0, 22.5, 29)], SECONDS, 4)

    blocks = answer(heard(narrated, (0, 1, 2, 3)), [face(f"t{who}", narrated[who], seed=who) for who in (2, 3)])

    sure, (block,) = far_from_changes(narrated), blocks
    assert not seen_talking(blocks, 2).any()
    assert (talkers(blocks) == narrated.sum(axis=0))[sure].all()
    numbers = [set(block.people[block.talks[:, own & sure].any(axis=1)].tolist()) for own in narrated[:2]]
    assert sorted(numbers, key=min) == [{3}, {4}]  # 0 and 1 have faces, 2 is the unknown voice


@pytest.mark.parametrize("hidden", [0, 1])
def test_a_hidden_speaker_is_not_bound_to_the_other(dialogue: Booleans, hidden: int) -> None:
    """Neither if their face is never seen, nor if it was in view before."""
    other, middle = 1 - hidden, 325  # frames: between two turns
    sound, shown = heard(dialogue, (0, 1)), face("t0", dialogue[other], seed=5)
    before = face("t1", dialogue[hidden], end=middle, seed=6)
    sure = far_from_changes(dialogue)

    never = answer(sound, [shown])
    later = answer(sound, [shown, before])

    for blocks, count in ((never, 1), (later, 2)):
        found = seen_talking(blocks, count)[0]
        assert (found & dialogue[hidden])[sure].sum() <= 3
        assert (found == dialogue[other])[sure].mean() > 0.98
        assert (talkers(blocks) == dialogue.sum(axis=0))[sure].mean() > 0.98
    assert (seen_talking(later, 2)[1] == dialogue[hidden])[: middle - 10][sure[: middle - 10]].all()


def test_who_left_the_view_is_known_by_voice_in_later_blocks(dialogue: Booleans) -> None:
    faces = [face("t0", dialogue[0], seed=5), face("t1", dialogue[1], end=325, seed=6)]

    blocks = answer(heard(dialogue, (0, 1)), faces, block_s=10)

    later = [block for block in blocks if block.start > 325]
    assert {number for block in later for number in block.people[block.talks.any(axis=1)].tolist()} == {0, 1}


def test_two_talk_at_once() -> None:
    talks = talks_of([(0, 1, 9), (1, 7, 15), (0, 16, 22), (1, 18, 20), (1, 23, 28)], SECONDS, 2)

    blocks = answer(heard(talks, (0, 1)), both_in_view(talks))

    sure = far_from_changes(talks)
    assert (seen_talking(blocks, 2) == talks)[:, sure].all()
    assert (talkers(blocks)[sure] == 2).any()


def test_small_blocks_give_the_same_talkers(dialogue: Booleans) -> None:
    twice = np.tile(dialogue, 2)
    sound, faces = heard(twice, (0, 1)), both_in_view(twice)

    one, several = answer(sound, faces), answer(sound, faces, block_s=10)

    assert len(one) == 1
    assert len(several) >= 6
    assert [b.start for b in several[1:]] == [b.start + b.talks.shape[1] for b in several[:-1]]
    same = (seen_talking(one, 2) == seen_talking(several, 2)).all(axis=0) & (talkers(one) == talkers(several))
    edges = [b.start for b in several[1:]]
    near = {frame for edge in edges for frame in range(edge - 5, edge + 5)}
    assert set(np.flatnonzero(~same).tolist()) <= near


def three_shots(dialogue: Booleans) -> list[TalkingFace]:
    """Speaker 0 in two shots, speaker 1 in the first and in the last, both at once only there."""
    spans = [("t0", 0, 0, 325), ("t1", 1, 0, 325), ("t2", 0, 325, 570), ("t3", 1, 570, None)]
    return [face(name, dialogue[who], start, end, seed=who) for name, who, start, end in spans]


def test_tracks_of_one_voice_are_one_person(dialogue: Booleans) -> None:
    faces = three_shots(dialogue)

    (block,) = answer(heard(dialogue, (0, 1)), faces)

    shown = [set(np.unique(row[row != NO_TRACK]).tolist()) for row in block.track]
    assert [own for own in shown if own] == [{0, 2}, {1, 3}]


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_tracks_does_not_matter(dialogue: Booleans, order: tuple[int, ...]) -> None:
    faces, sound = three_shots(dialogue), heard(dialogue, (0, 1))

    plain, moved = answer(sound, faces), answer(sound, [faces[number] for number in order])

    assert (seen_talking(moved, 4) == seen_talking(plain, 4)[list(order)]).all()
    assert (talkers(moved) == talkers(plain)).all()


def test_a_face_id_gives_a_silent_shot_to_its_person(dialogue: Booleans) -> None:
    faces = [*both_in_view(dialogue), face("t2", dialogue[0], 740, None)]  # the last half second: nobody talks
    faces[0] = face("t0", dialogue[0], 0, 740)

    blocks = infer(heard(dialogue, (0, 1)), faces, {"t0": "p0", "t1": "p1", "t2": "p0"}, JOINT)

    row = int(np.flatnonzero((blocks[0].track == 0).any(axis=1))[0])
    assert (blocks[0].track[row] == 2).any()


def test_blocks_end_at_pauses(dialogue: Booleans) -> None:
    twice = np.tile(dialogue, 2)
    settings = JOINT.model_copy(update={"block_s": 10})

    edges = block_edges(heard(twice, (0, 1)).shares, settings)

    assert (edges[0], edges[-1]) == (0, twice.shape[1])
    lengths = np.diff(edges)
    assert ((lengths > 0) & (lengths <= 10 * GRID_HZ)).all()
    pause, near = np.asarray(~twice.any(axis=0)), round(JOINT.max_pause_s * GRID_HZ)
    assert all(pause[edge - near : edge + near].any() for edge in edges[1:-1])
    assert block_edges(heard(dialogue, (0, 1)).shares, JOINT) == [0, dialogue.shape[1]]
