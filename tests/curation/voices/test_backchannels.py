"""Short words of a listener are told from turns that take the floor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.curation.voices.backchannels import backchannels
from speakervid_dag.curation.voices.overlaps import SpeechTurn

MAX_S = 0.7


def told(*turns: tuple[str, float, float]) -> list[bool]:
    return backchannels([SpeechTurn(*turn) for turn in turns], MAX_S)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("A", 0, 5), ("B", 5.1, 5.7), ("A", 6, 9)], [False, True, False]),
        ([("A", 0, 5), ("B", 5.1, 5.8), ("A", 6, 9)], [False, False, False]),  # long enough to hold the floor
        ([("A", 0, 5), ("B", 2, 2.5)], [False, True]),
        ([("A", 0, 5), ("B", 2, 3.5)], [False, False]),  # an interruption
        ([("A", 0, 5), ("B", 5.1, 5.5), ("B", 6, 9)], [False, False, False]),  # "No." and then the rest
        ([("A", 0, 5), ("B", 5.1, 5.5)], [False, False]),  # a short answer at the end
        ([("B", 0, 0.4), ("A", 0.5, 5)], [False, False]),
        ([("A", 0, 5), ("B", 5.1, 5.5), ("C", 6, 9)], [False, False, False]),
        ([("A", 0, 5), ("B", 5.1, 5.5), ("C", 5.6, 6.1), ("A", 6.5, 9)], [False, True, True, False]),
        ([("A", 0, 5), ("B", 1, 2), ("A", 5.2, 5.6), ("A", 6, 9)], [False, False, False, False]),
        ([], []),
    ],
)
def test_backchannels(turns: list[tuple[str, float, float]], expected: list[bool]) -> None:
    assert told(*turns) == expected


@given(st.lists(st.tuples(st.sampled_from("AB"), st.floats(0, 20), st.floats(0.1, 4)), max_size=8))
def test_only_short_turns_of_somebody_beside_another(drawn: list[tuple[str, float, float]]) -> None:
    turns = sorted((SpeechTurn(who, at, at + length) for who, at, length in drawn), key=lambda t: (t.start_s, t.end_s))
    for turn, is_backchannel in zip(turns, backchannels(turns, MAX_S), strict=True):
        if is_backchannel:
            assert turn.end_s - turn.start_s < MAX_S
            assert any(other.speaker_id != turn.speaker_id or other is not turn for other in turns)
