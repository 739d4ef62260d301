"""Turns from speech probabilities and voice embeddings, on voices drawn from a model of GE2E's."""

import itertools
from typing import Any

import numpy as np
import pytest
from conversations import section_values
from hypothesis import given
from hypothesis import strategies as st
from made_voices import HOP_S, Script, embeddings_of, probabilities

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation.voices.clusters import cluster_voices, smoothed_path, without_mixtures
from speakervid_dag.curation.voices.diarization import (
    Diarization,
    SpeechTurn,
    overlapping_turns,
    own_sound,
    speaker_label,
    speaker_margins,
    speech_regions,
    speech_turns,
    turn_rows,
    window_centres,
)


@pytest.fixture
def settings() -> DiarizationSettings:
    return DiarizationSettings.model_validate(section_values()["diarization"] | {"overlap_min_s": 0.4})


def turns_of(script: Script, settings: DiarizationSettings, between: float = 0.6) -> list[SpeechTurn]:
    regions = speech_regions(probabilities(script), HOP_S, settings)
    centres_s = window_centres(regions, settings)
    return speech_turns(regions, centres_s, embeddings_of(script, centres_s, between), settings)


def assert_matches(turns: list[SpeechTurn], script: Script, within_s: float) -> None:
    assert [t.speaker_id for t in turns] == [name for name, _, _ in script]
    for turn, (_, start, end) in zip(turns, script, strict=True):
        assert turn.start_s == pytest.approx(start, abs=within_s)
        assert turn.end_s == pytest.approx(end, abs=within_s)


def test_alternating_voices_become_turns_with_exact_ends(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 4.9), ("B", 5.2, 9.8), ("A", 10.3, 13.0), ("B", 13.4, 18.0)]
    assert_matches(turns_of(script, settings), script, within_s=0.05)


def test_a_change_without_a_pause_is_found(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 5.0), ("B", 5.0, 9.0), ("A", 9.0, 14.0)]
    assert_matches(turns_of(script, settings), script, within_s=0.25)


def test_one_voice_stays_one(settings: DiarizationSettings) -> None:
    script = [("A", t, t + 3.2) for t in np.arange(0.4, 40, 4.4)]
    assert {t.speaker_id for t in turns_of(script, settings)} == {"A"}


def test_a_third_voice_keeps_its_own_letter(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 6.0), ("B", 6.4, 12.0), ("C", 12.3, 16.0), ("A", 16.4, 20.0), ("B", 20.3, 25.0)]
    assert_matches(turns_of(script, settings), script, within_s=0.1)


def test_letters_follow_first_speech_whatever_the_cluster_numbers(settings: DiarizationSettings) -> None:
    script = [("Z", 0.4, 5.0), ("B", 5.4, 12.0), ("Z", 12.4, 15.0), ("B", 15.4, 19.0)]
    assert [t.speaker_id for t in turns_of(script, settings)] == ["A", "B", "A", "B"]


def test_a_short_interjection_is_a_turn_of_a_known_voice(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 6.0), ("B", 6.4, 12.0), ("A", 12.5, 13.3), ("B", 13.8, 18.0)]
    assert_matches(turns_of(script, settings, between=0.5), script, within_s=0.3)


def test_pauses_of_one_speaker_are_bridged_up_to_the_limit(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 4.0), ("A", 4.8, 8.0), ("A", 9.1, 12.0)]
    turns = turns_of(script, settings)
    assert [(round(t.start_s, 1), round(t.end_s, 1)) for t in turns] == [(0.4, 8.0), (9.1, 12.0)]


def rows_of(turns: list[SpeechTurn], embeddings: list[Any], settings: DiarizationSettings) -> list[dict[str, Any]]:
    return turn_rows("v1", Diarization(turns, embeddings, [t.speaker_id for t in turns]), settings)


def test_a_repeated_recording_does_not_make_a_second_voice(settings: DiarizationSettings) -> None:
    times_s = np.arange(0.05, 16, 0.1)
    sentence = embeddings_of([("A", 0, 8)], times_s[:80], seed=3)
    twice = np.concatenate([sentence, sentence])
    assert cluster_voices(twice, times_s, settings).max() == 0


def test_silence_gives_nothing(settings: DiarizationSettings) -> None:
    assert speech_regions(np.zeros(100, np.float32), HOP_S, settings) == []
    assert speech_regions(np.zeros(0, np.float32), HOP_S, settings) == []
    assert speech_turns([], np.zeros(0), np.zeros((0, 256), np.float32), settings) == []


def test_regions_use_two_thresholds_and_close_short_holes(settings: DiarizationSettings) -> None:
    probs = np.array([0, 0.4, 0.6, 0.4, 0.4, 0.2, 0.9, 0.9, 0.2, 0.2, 0.2, 0.2, 0.6, 0.2], np.float32)
    assert speech_regions(probs, 0.05, settings) == [pytest.approx((0.1, 0.4))]  # the last blip has 0.05 s


def test_speech_to_the_very_end_is_closed(settings: DiarizationSettings) -> None:
    assert speech_regions(np.ones(10, np.float32), 0.1, settings) == [pytest.approx((0.0, 1.0))]


@given(st.lists(st.floats(0, 1, width=32), max_size=200))
def test_regions_are_sorted_disjoint_and_windows_lie_inside(probs: list[float]) -> None:
    settings = DiarizationSettings.model_construct(
        onset=0.5, offset=0.35, lead_s=0.02, tail_s=0.02, min_silence_s=0.1, min_speech_s=0.1, hop_s=0.1
    )
    regions = speech_regions(np.array(probs, np.float32), HOP_S, settings)
    assert all(a < b for a, b in regions)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(regions))
    for centre in window_centres(regions, settings):
        assert any(a < centre < b for a, b in regions)


def test_a_change_costs_less_across_a_pause() -> None:
    scores = np.array([[1.0, 0.0]] * 5 + [[0.0, 1.0]] * 5)
    assert smoothed_path(scores, np.full(10, 8.0)).tolist() == [0] * 10
    price = np.full(10, 8.0)
    price[5] = 1.0
    assert smoothed_path(scores, price).tolist() == [0] * 5 + [1] * 5


def test_letters() -> None:
    assert [speaker_label(i) for i in (0, 1, 25, 26, 27, 51, 52, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_margins_compare_with_the_best_other_voice() -> None:
    turns = [SpeechTurn("A", 0, 2), SpeechTurn("B", 2, 4), SpeechTurn("A", 4, 6), SpeechTurn("A", 6, 6.2)]
    x, y = np.eye(2, dtype=np.float32)
    margins = speaker_margins(turns, [x, y, x, None])
    assert margins[:3] == [pytest.approx(1.0)] * 3
    assert margins[3] is None
    assert speaker_margins(turns[:1], [x]) == [None]


def test_rows_say_why_there_is_no_embedding(settings: DiarizationSettings) -> None:
    turns = [SpeechTurn("A", 0.0, 2.0), SpeechTurn("B", 1.5, 2.0), SpeechTurn("A", 3.0, 5.0)]
    rows = rows_of(turns, [np.eye(4, dtype=np.float32)[0], None, np.eye(4, dtype=np.float32)[1]], settings)
    assert [r["turn_id"] for r in rows] == ["v1-u0000", "v1-u0001", "v1-u0002"]
    assert [r["embedding_status"] for r in rows] == ["ok", "turn_too_short", "ok"]
    assert rows[1]["embedding"] is None
    assert rows[2]["embedding"] == [0, 1, 0, 0]
    assert [r["has_overlap"] for r in rows] == [True, True, False]
    assert [r["overlap_s"] for r in rows] == [0.5, 0.5, 0.0]


def test_an_embedding_is_made_of_sound_in_which_nobody_else_speaks(settings: DiarizationSettings) -> None:
    turns = [SpeechTurn("A", 0.0, 2.0), SpeechTurn("B", 0.5, 1.0), SpeechTurn("C", 1.9, 3.0)]
    sound = np.arange(300, dtype=np.float32)
    own = own_sound(turns[0], turns, sound, 100, settings)
    assert own is not None
    assert own.tolist() == [*range(50), *range(100, 190)]
    assert own_sound(turns[1], turns, sound, 100, settings) is None
    rows = rows_of([SpeechTurn("A", 0.0, 2.0), SpeechTurn("B", 0.5, 1.5)], [own, None], settings)
    assert rows[1]["embedding_status"] == "overlapped"


def test_two_voices_at_once_are_no_third_voice(settings: DiarizationSettings) -> None:
    a, b, c = np.eye(3, dtype=np.float32)
    both = (a + b) / np.float32(np.sqrt(2))
    heard = np.stack([a] * 40 + [both] * 10 + [b] * 40 + [both] * 10 + [a] * 20)
    times_s = np.arange(len(heard)) * 0.1
    labels = np.repeat([0, 2, 1, 2, 0], [40, 10, 40, 10, 20])
    assert set(without_mixtures(heard, times_s, labels, settings)) == {0, 1}
    heard[labels == 2] = c
    assert set(without_mixtures(heard, times_s, labels, settings)) == {0, 1, 2}


def test_both_speakers_have_a_turn_over_crosstalk(settings: DiarizationSettings) -> None:
    script = [("A", 0.4, 6.0), ("B", 4.4, 11.0), ("A", 11.4, 16.0), ("B", 13.0, 14.4)]
    regions = speech_regions(probabilities(script), HOP_S, settings)
    centres_s = window_centres(regions, settings)
    turns = speech_turns(regions, centres_s, embeddings_of(script, centres_s), settings)
    short = embeddings_of(script, centres_s, half_s=0.4)
    found = overlapping_turns(turns, centres_s, short, settings)
    assert_matches(found, script, within_s=0.4)
    rows = rows_of(found, [None] * len(found), settings)
    assert [r["has_overlap"] for r in rows] == [True] * 4
