"""Turns and their stretches, from made-up blocks."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint.made_scenes import JOINT
from numpy.typing import NDArray

from speakervid_dag.curation.joint.inference import NO_TRACK, Block
from speakervid_dag.curation.joint.turns import SpokenTurn, spoken_turns
from speakervid_dag.curation.voices.voice_evidence import GRID_HZ

Runs = Sequence[tuple[float, int]]  # values and their numbers of frames
NAN = np.nan
STILL, MOVING = JOINT.still_log_odds - 3, 1.0
PAUSE = round(JOINT.max_pause_s * GRID_HZ) - 2  # frames; short


def line(*runs: tuple[float, int]) -> NDArray[np.float64]:
    values, counts = zip(*runs, strict=True)
    return np.repeat(np.array(values, np.float64), counts)


def block(
    talks: Sequence[Runs],
    log_odds: Sequence[Runs] | None = None,
    track: Sequence[Runs] | None = None,
    start: int = 0,
    people: Sequence[int] | None = None,
) -> Block:
    """A block of the people's runs of talking, of their log odds, and of their tracks (their numbers by default)."""
    is_on = np.array([line(*runs) for runs in talks]) > 0
    odds = np.full(is_on.shape, NAN) if log_odds is None else np.array([line(*runs) for runs in log_odds])
    names = np.broadcast_to(np.arange(len(is_on))[:, None], is_on.shape)
    names = names if track is None else np.array([line(*runs) for runs in track]).astype(np.int64)
    posterior = np.where(is_on, 0.9, 0.1).astype(np.float32)
    return Block(
        start,
        np.arange(len(is_on)) if people is None else np.array(people),
        odds.astype(np.float32),
        np.where(np.isnan(odds), NO_TRACK, names),
        posterior,
        posterior,
        is_on,
    )


def spans(turns: Sequence[SpokenTurn]) -> list[tuple[int, int, int]]:
    return [(turn.speaker, turn.start, turn.end) for turn in turns]


def parts(turn: SpokenTurn) -> list[tuple[int | None, int, int]]:
    return [(part.track, part.start, part.end) for part in turn.stretches]


def test_a_short_pause_does_not_end_a_turn() -> None:
    on, off = 50, PAUSE
    long = round(JOINT.max_pause_s * GRID_HZ) + 2

    assert spans(spoken_turns([block([[(1, on), (0, off), (1, on)]])], JOINT)) == [(0, 0, 2 * on + off)]
    assert spans(spoken_turns([block([[(1, on), (0, long), (1, on)]])], JOINT)) == [
        (0, 0, on),
        (0, on + long, 2 * on + long),
    ]


def test_a_pause_in_which_somebody_else_talks_ends_a_turn() -> None:
    one: list[Runs] = [[(1, 50), (0, PAUSE), (1, 50)], [(0, 50), (1, 5), (0, PAUSE + 45)]]

    found = spoken_turns([block(one)], JOINT)

    assert spans(found) == [(0, 0, 50), (1, 50, 55), (0, 50 + PAUSE, 100 + PAUSE)]


def test_a_turn_shorter_than_the_shortest_is_dropped() -> None:
    least = round(JOINT.min_turn_s * GRID_HZ)

    found = spoken_turns([block([[(1, least - 1), (0, 50), (1, least), (0, 50)]])], JOINT)

    assert spans(found) == [(0, least + 49, 2 * least + 49)]


def test_frames_and_people_are_those_of_the_video() -> None:
    later = block([[(0, 10), (1, 50)]], [[(MOVING, 60)]], [[(7, 60)]], start=1000, people=[4])

    (turn,) = spoken_turns([block([[(0, 1000)]]), later], JOINT)

    assert (turn.speaker, turn.start, turn.end) == (4, 1010, 1060)
    assert parts(turn) == [(7, 1010, 1060)]


def test_a_stretch_has_its_figures() -> None:
    (turn,) = spoken_turns([block([[(1, 60)]], [[(1.0, 25), (2.0, 32), (NAN, 3)]])], JOINT)

    (part,) = turn.stretches
    assert part.track == 0
    assert part.probability == pytest.approx(0.9)
    assert part.talking == pytest.approx((25 + 64) / 57)
    assert part.seen_share == pytest.approx(57 / 60)
    assert not part.has_overlap
    assert not part.is_contradicted


def test_a_turn_without_a_face_is_one_stretch_without_figures_of_it() -> None:
    (turn,) = spoken_turns([block([[(1, 60)]])], JOINT)

    (part,) = turn.stretches
    assert (part.track, part.talking, part.seen_share) == (None, None, 0.0)


def test_a_turn_is_cut_where_the_track_changes() -> None:
    one = block([[(1, 150)]], [[(MOVING, 100), (NAN, 50)]], [[(3, 40), (5, 110)]])

    (turn,) = spoken_turns([one], JOINT)

    assert parts(turn) == [(3, 0, 40), (5, 40, 100), (None, 100, 150)]


@pytest.mark.parametrize(("runs", "track"), [([(3, 3), (5, 97)], 5), ([(3, 97), (5, 3)], 3)])
def test_a_sliver_at_the_edge_of_a_turn_is_no_stretch(runs: Runs, track: int) -> None:
    (turn,) = spoken_turns([block([[(1, 100)]], [[(MOVING, 100)]], [runs])], JOINT)

    assert parts(turn) == [(track, 0, 100)]


def test_a_sliver_inside_a_turn_is_no_stretch() -> None:
    (turn,) = spoken_turns([block([[(1, 100)]], [[(MOVING, 40), (NAN, 3), (MOVING, 57)]])], JOINT)

    assert {part.track for part in turn.stretches} == {0}


def test_a_sliver_between_alike_stretches_parts_nothing() -> None:
    (turn,) = spoken_turns([block([[(1, 100)]], [[(MOVING, 40), (NAN, 3), (MOVING, 57)]])], JOINT)

    assert parts(turn) == [(0, 0, 100)]


def test_a_turn_is_cut_where_somebody_else_begins_to_talk() -> None:
    found = spoken_turns([block([[(1, 100)], [(0, 60), (1, 40)]])], JOINT)

    assert spans(found) == [(0, 0, 100), (1, 60, 100)]
    assert [(p.start, p.end, p.has_overlap) for p in found[0].stretches] == [(0, 60, False), (60, 100, True)]
    assert [p.has_overlap for p in found[1].stretches] == [True]


def test_a_turn_is_cut_where_the_mouth_is_long_still() -> None:
    (turn,) = spoken_turns([block([[(1, 300)]], [[(MOVING, 150), (STILL, 150)]])], JOINT)

    moving, still = turn.stretches
    assert abs(moving.end - 150) <= JOINT.still_frames // 2
    assert moving.talking is not None
    assert still.talking is not None
    assert moving.talking > JOINT.still_log_odds > still.talking
    brief = [(MOVING, 100), (STILL, JOINT.still_frames // 10), (MOVING, 100)]
    (turn,) = spoken_turns([block([[(1, 200 + JOINT.still_frames // 10)]], [brief])], JOINT)
    assert len(turn.stretches) == 1


def test_another_face_that_leads_contradicts() -> None:
    lead = JOINT.contradiction_lead + 2
    odds = [[(MOVING, 150)], [(MOVING - 3, 50), (MOVING + lead, 50), (MOVING - 3, 50)]]

    (turn,) = spoken_turns([block([[(1, 150)], [(0, 150)]], odds)], JOINT)

    assert [p.is_contradicted for p in turn.stretches] == [False, True, False]
    assert turn.stretches[1].start == pytest.approx(50, abs=JOINT.contradiction_frames // 2)
    assert turn.stretches[1].end == pytest.approx(100, abs=JOINT.contradiction_frames // 2)


def test_who_talks_too_does_not_contradict() -> None:
    odds = [[(MOVING, 100)], [(MOVING + JOINT.contradiction_lead + 2, 100)]]

    found = spoken_turns([block([[(1, 100)], [(1, 100)]], odds)], JOINT)

    assert [p.is_contradicted for turn in found for p in turn.stretches] == [False, False]


def test_a_face_out_of_view_neither_contradicts_nor_is_contradicted() -> None:
    odds: list[Runs] = [[(MOVING, 50), (NAN, 50)], [(NAN, 50), (MOVING + 5, 50)]]

    (turn,) = spoken_turns([block([[(1, 100)], [(0, 100)]], odds)], JOINT)

    assert [(p.track, p.is_contradicted) for p in turn.stretches] == [(0, False), (None, False)]


def test_a_short_turn_backwards_is_cut_at_the_same_place() -> None:
    def cuts(runs: Runs) -> list[int]:
        (turn,) = spoken_turns([block([[(1, 30)]], [runs])], JOINT)
        return [part.end for part in turn.stretches[:-1]]

    forwards, backwards = [(STILL - 1, 15), (MOVING, 15)], [(MOVING, 15), (STILL - 1, 15)]
    assert JOINT.still_frames > 30
    assert cuts(forwards) == [30 - cut for cut in reversed(cuts(backwards))]


@pytest.mark.parametrize("pause", [0, PAUSE])
def test_the_edge_of_a_block_does_not_end_a_turn(pause: int) -> None:
    before, after = [(1, 100 - pause // 2), (0, pause // 2)], [(0, pause - pause // 2), (1, 100)]

    found = spoken_turns([block([before]), block([after], start=100)], JOINT)

    assert spans(found) == [(0, 0, 200 + pause - pause // 2)]


PEOPLE = 3
PIECE = st.tuples(
    st.integers(1, 40),
    st.lists(st.booleans(), min_size=PEOPLE, max_size=PEOPLE),
    st.lists(st.sampled_from([NO_TRACK, 0, 1]), min_size=PEOPLE, max_size=PEOPLE),
    st.lists(st.floats(-8, 8, width=32), min_size=PEOPLE, max_size=PEOPLE),
)
Piece = tuple[int, list[bool], list[int], list[float]]


def random_block(pieces: Sequence[Piece], start: int) -> Block:
    def row(person: int) -> tuple[Runs, Runs, Runs]:
        tracks = [(own[person] if own[person] == NO_TRACK else 2 * person + own[person], n) for n, _, own, _ in pieces]
        odds = [(NAN if own[person] == NO_TRACK else value[person], n) for n, _, own, value in pieces]
        return [(on[person], n) for n, on, _, _ in pieces], odds, tracks

    talks, odds, tracks = zip(*(row(person) for person in range(PEOPLE)), strict=True)
    return block(talks, odds, tracks, start)


@settings(max_examples=60)
@given(st.lists(st.lists(PIECE, min_size=1, max_size=6), min_size=1, max_size=2))
def test_stretches_part_each_turn_and_no_turn_is_lost(video: list[list[Piece]]) -> None:
    lengths = [sum(piece[0] for piece in pieces) for pieces in video]
    starts = [0, *np.cumsum(lengths)[:-1].tolist()]
    blocks = [random_block(pieces, start) for pieces, start in zip(video, starts, strict=True)]

    turns = spoken_turns(blocks, JOINT)

    assert turns == sorted(turns, key=lambda turn: turn.start)
    talks = np.concatenate([b.talks for b in blocks], axis=1)
    covered = np.zeros_like(talks, dtype=np.int64)
    for turn in turns:
        covered[turn.speaker, turn.start : turn.end] += 1
        edges = [(part.start, part.end) for part in turn.stretches]
        assert [turn.start, *(end for _, end in edges)] == [*(start for start, _ in edges), turn.end]
        assert all(start < end for start, end in edges)
        assert turn.end - turn.start >= JOINT.min_turn_s * GRID_HZ
        assert talks[turn.speaker, [turn.start, turn.end - 1]].all()
        for part in turn.stretches:
            assert (part.track is None) == (part.talking is None) == (part.seen_share == 0)
            assert 0 <= part.probability <= 1
            assert 0 <= part.seen_share <= 1
            assert len(edges) == 1 or part.end - part.start >= JOINT.sliver_s * GRID_HZ
    assert covered.max(initial=0) <= 1
    for person, own in enumerate(talks):
        others = np.delete(talks, person, axis=0).any(axis=0)
        assert not (covered[person].astype(bool) & ~own & others).any()  # only pauses of nobody else are bridged
        lost = np.flatnonzero(own & (covered[person] == 0))
        groups = np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1)
        assert all(len(group) < 2 * JOINT.min_turn_s * GRID_HZ for group in groups)  # twice: at the edge of blocks
