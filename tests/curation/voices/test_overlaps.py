"""Overlapping speech: windows that hold two voices, and what turns become of them."""

import numpy as np
import pytest
from conversations import section_values
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.voices.overlaps import (
    Overlap,
    SpeechTurn,
    clean_parts,
    find_overlaps,
    mixture,
    with_overlaps,
)

A, B, C = np.eye(3, dtype=np.float32)
TIMES_S = np.arange(0.05, 12, 0.1)


@pytest.fixture
def settings() -> DiarizationSettings:
    return DiarizationSettings.model_validate(section_values()["diarization"])


def windows(*spans: tuple[np.ndarray, float, float]) -> np.ndarray:
    """Unit mixtures of what is heard within 0.4 s of each time."""
    rows = []
    for at in TIMES_S:
        total = sum(max(0.0, min(end, at + 0.4) - max(start, at - 0.4)) * voice for voice, start, end in spans)
        rows.append(total / max(float(np.linalg.norm(total)), 1e-9))
    return np.array(rows, np.float32)


def test_a_mixture_tells_its_shares() -> None:
    point = (0.6 * A + 0.8 * B)[None]
    cosine, share = mixture(point, A, B)
    assert cosine[0] == pytest.approx(1)
    assert share[0] == pytest.approx(0.6 / 1.4)
    cosine, share = mixture(np.stack([A, C]), A, B)
    assert share[0] == 0
    assert cosine.tolist() == [1, 0]


def test_a_change_of_speaker_is_no_overlap(settings: DiarizationSettings) -> None:
    turns = [SpeechTurn("A", 0, 6), SpeechTurn("B", 6, 12)]
    assert find_overlaps(turns, TIMES_S, windows((A, 0, 6), (B, 6, 12)), settings) == []


@pytest.mark.parametrize("length_s", [1.2, 2.0, 3.0])
def test_an_overlap_is_found_with_its_speakers(settings: DiarizationSettings, length_s: float) -> None:
    turns = [SpeechTurn("A", 0, 6), SpeechTurn("B", 6, 12)]
    (found,) = find_overlaps(turns, TIMES_S, windows((A, 0, 6), (B, 6 - length_s, 12)), settings)
    assert found.speakers == ("A", "B")
    assert (found.start_s, found.end_s) == pytest.approx((6 - length_s, 6), abs=0.25)


def test_one_voice_alone_has_no_overlap(settings: DiarizationSettings) -> None:
    assert find_overlaps([SpeechTurn("A", 0, 12)], TIMES_S, windows((A, 0, 12)), settings) == []
    assert find_overlaps([], TIMES_S[:0], np.zeros((0, 3), np.float32), settings) == []


def test_the_third_voice_is_not_blamed(settings: DiarizationSettings) -> None:
    turns = [SpeechTurn("A", 0, 4), SpeechTurn("B", 4, 8), SpeechTurn("C", 8, 12)]
    heard = windows((A, 0, 4), (B, 4, 8), (C, 6, 12))
    assert [o.speakers for o in find_overlaps(turns, TIMES_S, heard, settings)] == [("B", "C")]


def test_a_turn_grows_over_the_overlap_it_meets() -> None:
    turns = [SpeechTurn("A", 0, 6), SpeechTurn("B", 6, 12)]
    assert with_overlaps(turns, [Overlap(("A", "B"), 5, 6.5)], 0.9) == [SpeechTurn("A", 0, 6.5), SpeechTurn("B", 5, 12)]


def test_a_word_in_between_is_a_turn_of_its_own() -> None:
    turns = [SpeechTurn("A", 0, 6), SpeechTurn("B", 6, 12)]
    found = with_overlaps(turns, [Overlap(("A", "B"), 2, 2.5)], 0.9)
    assert found == [SpeechTurn("A", 0, 6), SpeechTurn("B", 2, 2.5), SpeechTurn("B", 6, 12)]
    assert clean_parts(found[0], found) == [(0, 2), (2.5, 6)]


SPAN = st.tuples(st.floats(0, 50), st.floats(0.1, 10)).map(lambda p: (p[0], p[0] + p[1]))


@given(st.lists(SPAN, min_size=1, max_size=8), st.lists(SPAN, max_size=5))
def test_speech_is_only_added_where_it_overlaps(
    spoken: list[tuple[float, float]], both: list[tuple[float, float]]
) -> None:
    turns = [SpeechTurn("AB"[i % 2], *span) for i, span in enumerate(intervals.merge(spoken))]
    overlaps = [Overlap(("A", "B"), *s) for s in intervals.intersect(both, spoken)]
    found = with_overlaps(turns, overlaps, 0.0)
    for name in "AB":
        own = [t.span for t in turns if t.speaker_id == name]
        added = [(o.start_s, o.end_s) for o in overlaps] if own else []
        told = [t.span for t in found if t.speaker_id == name]
        assert intervals.subtract(told, [*own, *added]) == []
        assert intervals.subtract([*own, *added], told) == []
        assert told == intervals.merge(told)
