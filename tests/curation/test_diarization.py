"""Turns from speech probabilities and voice embeddings, on voices drawn from a model of GE2E's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation.diarization import (
    Turn,
    letter,
    overlapping_turns,
    own_sound,
    speaker_margins,
    speech_regions,
    speech_turns,
    turn_rows,
    window_centres,
)
from speakervid_dag.curation.voice_clusters import cluster_voices, smoothed_path, without_mixtures

HOP_S = 0.032
Script = list[tuple[str, float, float]]


@pytest.fixture
def settings() -> DiarizationSettings:
    return DiarizationSettings(
        onset=0.5,
        offset=0.35,
        lead_s=0.0,
        tail_s=0.0,
        min_silence_s=0.1,
        min_speech_s=0.1,
        window_s=1.6,
        hop_s=0.1,
        first_clusters=10,
        max_windows=3000,
        score_scale=10,
        change_price=6,
        pause_scale_s=1.0,
        resegmentation_passes=5,
        same_voice=0.76,
        prior_pairs=20,
        repeat_cosine=0.93,
        separation=0.035,
        separation_visit=0.035,
        separation_s=0.12,
        over_hint_factor=1.5,
        mixture_cosine=0.84,
        mixture_share=0.25,
        overlap_window_s=0.8,
        overlap_share=0.25,
        overlap_smoothing_windows=5,
        overlap_trim_s=0.2,
        overlap_min_s=0.4,
        max_pause_s=0.9,
        min_embedding_s=0.6,
    )


def voices(names: str, between: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Centres with cosine `between` / 0.76 to each other, so that windows have cosine `between`."""
    shared, *own = np.linalg.qr(rng.standard_normal((256, len(names) + 1)))[0].T
    share = between / 0.76
    return {name: np.sqrt(share) * shared + np.sqrt(1 - share) * o for name, o in zip(names, own, strict=True)}


def embeddings_of(
    script: Script, centres_s: np.ndarray, between: float = 0.6, seed: int = 0, half_s: float = 0.8
) -> np.ndarray:
    """Windows of 2 * half_s: the mixture of voices under each, and noise that windows share as they share sound."""
    rng = np.random.default_rng(seed)
    centre = voices("".join(sorted({name for name, _, _ in script})), between, rng)
    grid = np.arange(0, max(end for _, _, end in script) + 2, 0.1)
    noise = rng.standard_normal((len(grid) + 16, 256)) / 16
    out = []
    for at in centres_s:
        shares = dict.fromkeys(centre, 0.0)
        for name, start, end in script:
            shares[name] += max(0.0, min(end, at + half_s) - max(start, at - half_s))
        total = sum(shares.values())
        first = round(at / 0.1)
        mean = sum(share / total * centre[n] for n, share in shares.items())
        vector = np.sqrt(0.76) * mean + np.sqrt(0.24) * noise[first : first + 16].sum(axis=0) / 4
        out.append(vector / np.linalg.norm(vector))
    return np.array(out, dtype=np.float32)


def probabilities(script: Script) -> np.ndarray:
    steps = (np.arange(int(max(end for _, _, end in script) / HOP_S) + 30) + 0.5) * HOP_S
    return np.max([(steps >= start) & (steps < end) for _, start, end in script], axis=0).astype(np.float32)


def turns_of(
    script: Script, settings: DiarizationSettings, between: float = 0.6, hint: int | None = None
) -> list[Turn]:
    regions = speech_regions(probabilities(script), HOP_S, settings)
    centres_s = window_centres(regions, settings)
    return speech_turns(regions, centres_s, embeddings_of(script, centres_s, between), settings, hint)


def assert_matches(turns: list[Turn], script: Script, within_s: float) -> None:
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


def test_the_hint_is_side_information_only(settings: DiarizationSettings) -> None:
    near = [("A", 0.4, 4.4), ("B", 4.8, 8.8)]
    assert len({t.speaker_id for t in turns_of(near, settings, between=0.645)}) == 2
    assert len({t.speaker_id for t in turns_of(near, settings, between=0.645, hint=1)}) == 1
    far = [("A", 0.4, 6.0), ("B", 6.4, 12.0)]
    assert len({t.speaker_id for t in turns_of(far, settings, between=0.45, hint=1)}) == 2


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
    assert [letter(i) for i in (0, 1, 25, 26, 27, 51, 52, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_margins_compare_with_the_best_other_voice() -> None:
    turns = [Turn("A", 0, 2), Turn("B", 2, 4), Turn("A", 4, 6), Turn("A", 6, 6.2)]
    x, y = np.eye(2, dtype=np.float32)
    margins = speaker_margins(turns, [x, y, x, None])
    assert margins[:3] == [pytest.approx(1.0)] * 3
    assert margins[3] is None
    assert speaker_margins(turns[:1], [x]) == [None]


def test_rows_say_why_there_is_no_embedding(settings: DiarizationSettings) -> None:
    turns = [Turn("A", 0.0, 2.0), Turn("B", 1.5, 2.0), Turn("A", 3.0, 5.0)]
    rows = turn_rows("v1", turns, [np.eye(4, dtype=np.float32)[0], None, np.eye(4, dtype=np.float32)[1]], settings)
    assert [r["turn_id"] for r in rows] == ["v1-u0000", "v1-u0001", "v1-u0002"]
    assert [r["embedding_status"] for r in rows] == ["ok", "turn_too_short", "ok"]
    assert rows[1]["embedding"] is None
    assert rows[2]["embedding"] == [0, 1, 0, 0]
    assert [r["has_overlap"] for r in rows] == [True, True, False]
    assert [r["overlap_s"] for r in rows] == [0.5, 0.5, 0.0]


def test_an_embedding_is_made_of_sound_in_which_nobody_else_speaks(settings: DiarizationSettings) -> None:
    turns = [Turn("A", 0.0, 2.0), Turn("B", 0.5, 1.0), Turn("C", 1.9, 3.0)]
    sound = np.arange(300, dtype=np.float32)
    own = own_sound(turns[0], turns, sound, 100, settings)
    assert own is not None
    assert own.tolist() == [*range(50), *range(100, 190)]
    assert own_sound(turns[1], turns, sound, 100, settings) is None
    rows = turn_rows("v1", [Turn("A", 0.0, 2.0), Turn("B", 0.5, 1.5)], [own, None], settings)
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
    rows = turn_rows("v1", found, [None] * len(found), settings)
    assert [r["has_overlap"] for r in rows] == [True] * 4
