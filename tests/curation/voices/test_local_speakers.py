"""Local speakers joined: canned windows whose voices are numbered anew each time, and made-up embeddings."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.config.sections import LocalSpeakerSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.voices import local_speakers as local
from speakervid_dag.curation.voices.diarization import heard_as_speech
from speakervid_dag.curation.voices.overlaps import SpeechTurn

SETTINGS = load_profile("laptop").diarization.local_speakers
CLOCK = local.FrameClock(first_s=0.0, step_s=0.02)
SETS = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
MEL_HZ, FRAMES = 100, 500  # of a window of 10 s
Line = tuple[int, float, float]  # who, from, to
Talks = NDArray[np.bool_]


class Ear:
    """Encoder of made-up sound, in which each band of the mels is one person's voice."""

    def __init__(self, room: float = 0.2) -> None:
        self.room = room  # what all voices have in common

    def embed_mels(self, mels: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return unit(np.stack([piece.mean(axis=0) + self.room for piece in mels]).astype(np.float32))


def told(lines: Sequence[Line], seconds: float, step_s: float = 1.0) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """What a perfect segmentation network says of each window; its voices are numbered in the order of first speech."""
    talks = spoken(lines, seconds, 1 / CLOCK.step_s)
    for start_s in np.arange(0, seconds - 10 + 1e-6, step_s):
        part = talks[round(start_s / CLOCK.step_s) :][:FRAMES]
        people = sorted(np.flatnonzero(part.any(axis=0)), key=lambda who: int(part[:, who].argmax()))[:3]
        classes = [SETS.index(tuple(i for i, who in enumerate(people) if row[who])[:2]) for row in part]
        yield float(start_s), np.eye(len(SETS), dtype=np.float32)[classes]


def spoken(lines: Sequence[Line], seconds: float, rate_hz: float) -> Talks:
    talks = np.zeros((round(seconds * rate_hz), 1 + max(who for who, *_ in lines)), np.bool_)
    for who, start, end in lines:
        talks[round(start * rate_hz) : round(end * rate_hz), who] = True
    return talks


def turns_of(lines: Sequence[Line], seconds: float, settings: LocalSpeakerSettings = SETTINGS) -> list[SpeechTurn]:
    windows = local.windows_of(told(lines, seconds), SETS, CLOCK)
    assert windows is not None
    return found_in(windows, spoken(lines, seconds, MEL_HZ).astype(np.float32), settings)


def found_in(
    windows: local.Windows, mels: NDArray[np.float32], settings: LocalSpeakerSettings = SETTINGS
) -> list[SpeechTurn]:
    return local.turns_by_voice(windows, local.local_speakers(windows, mels, MEL_HZ, Ear(), settings), settings)


def by_speaker(turns: Sequence[SpeechTurn]) -> list[list[tuple[float, float]]]:
    names = dict.fromkeys(turn.speaker_id for turn in turns)
    return [[(round(t.start_s, 1), round(t.end_s, 1)) for t in turns if t.speaker_id == name] for name in names]


def test_voices_numbered_anew_in_each_window_are_the_same_speakers() -> None:
    lines = [(0, 1, 5), (1, 6, 13), (0, 14, 17), (2, 18, 24), (1, 24.5, 29)]

    assert by_speaker(turns_of(lines, 30)) == [[(1, 5), (14, 17)], [(6, 13), (24.5, 29)], [(18, 24)]]


def test_two_at_once_both_have_a_turn() -> None:
    lines = [(0, 0.5, 8), (1, 7, 15), (0, 16, 19), (1, 17, 17.6)]

    assert by_speaker(turns_of(lines, 20)) == [[(0.5, 8), (16, 19)], [(7, 15), (17, 17.6)]]


@pytest.mark.parametrize(("doubt", "both"), [(0.25, False), (0.35, True)])
def test_two_talk_where_that_is_likely_enough_though_one_is_likelier(doubt: float, both: bool) -> None:
    lines = [(0, 1, 8), (1, 9, 16)]
    windows = []
    for start_s, classes in told(lines, 20):
        at = slice(*(max(0, round((edge_s - start_s) / CLOCK.step_s)) for edge_s in (5, 7)))
        classes[at] = classes[at] * (1 - doubt) + doubt * np.eye(len(SETS), dtype=np.float32)[SETS.index((0, 1))]
        windows.append((start_s, classes))
    heard = local.windows_of(windows, SETS, CLOCK)
    assert heard is not None

    turns = found_in(heard, spoken(lines, 20, MEL_HZ).astype(np.float32))

    found = by_speaker(turns)
    assert found[0] == [(1, 8)]
    assert found[1] == ([(5, 7), (9, 16)] if both else [(9, 16)])


def test_a_short_pause_ends_a_turn_only_if_somebody_else_talks_in_it() -> None:
    lines = [(0, 1, 4), (0, 4.3, 7), (1, 7.2, 7.5), (0, 7.6, 9), (1, 11, 14)]

    assert by_speaker(turns_of(lines, 15)) == [[(1, 7), (7.6, 9)], [(7.2, 7.5), (11, 14)]]


def test_a_turn_shorter_than_the_shortest_is_dropped() -> None:
    assert by_speaker(turns_of([(0, 1, 6), (1, 8, 8.14), (0, 9, 10)], 12)) == [[(1, 6), (9, 10)]]


def test_one_voice_is_one_speaker_and_never_two_in_one_window() -> None:
    """A window's two voices go to two speakers, or the second to none: never both to one."""
    windows = local.windows_of([(0.0, np.eye(len(SETS), dtype=np.float32)[:4])], SETS, CLOCK)
    assert windows is not None
    alike = np.array([[1, 0], [0.99, 0.141]], np.float32)
    both = local.LocalSpeakers(np.array([0, 0]), np.array([0, 2]), np.array([5.0, 1.0]), alike)

    one = local.speakers_of_voices(windows, both, local.voice_centres(both, SETTINGS))
    two = local.speakers_of_voices(windows, both, np.eye(2, dtype=np.float32))

    assert sorted(one[0]) == [local.NOBODY, local.NOBODY, 0]
    assert two.tolist() == [[0, local.NOBODY, 1]]


def test_many_voices_are_clustered_by_a_sample() -> None:
    few = SETTINGS.model_copy(update={"max_clustered": 6})
    lines = [(i % 2, 4 * i + 0.5, 4 * i + 4) for i in range(12)]

    assert len(by_speaker(turns_of(lines, 48, few))) == 2
    assert turns_of(lines, 48, few) == turns_of(lines, 48)


def test_voices_too_short_to_vote_vote_where_there_are_no_others() -> None:
    assert by_speaker(turns_of([(0, 1, 1.4), (1, 5, 5.4)], 10)) == [[(1, 1.4)], [(5, 5.4)]]


def test_no_window_and_silence_give_nothing() -> None:
    silent = local.windows_of([(0.0, np.eye(7, dtype=np.float32)[[0] * FRAMES])], SETS, CLOCK)

    assert local.windows_of([], SETS, CLOCK) is None
    assert silent is not None
    assert not len(local.local_speakers(silent, np.zeros((1000, 2), np.float32), MEL_HZ, Ear(), SETTINGS).window)


def test_noise_that_another_network_does_not_hear_as_speech_is_no_turn() -> None:
    turns = [SpeechTurn("0", 0.0, 1.0), SpeechTurn("1", 1.0, 2.0), SpeechTurn("0", 9.0, 12.0)]
    probs = np.array([0.0, 0.3, 0.05, 0.05], np.float32)  # 0.5 s each; the last turn lies behind its end

    assert heard_as_speech(turns, probs, 0.5, 0.1) == [True, False, False]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 180), st.integers(3, 60)), min_size=1, max_size=9))
def test_turns_are_in_order_and_a_speaker_never_overlaps_himself(script: list[tuple[int, int, int]]) -> None:
    seconds = 25.0
    lines = [(who, start / 10, min(seconds, (start + length) / 10)) for who, start, length in script]

    turns = turns_of(lines, seconds)

    assert turns == sorted(turns, key=lambda turn: turn.span)
    for speaker in {turn.speaker_id for turn in turns}:
        own = [turn.span for turn in turns if turn.speaker_id == speaker]
        assert sum(end - start for start, end in own) == pytest.approx(intervals.total_s(own))
    said = intervals.total_s([(start, end) for _, start, end in lines])
    pauses = SETTINGS.max_pause_s * len(turns) + SETTINGS.max_pause_s
    told_s = intervals.total_s([turn.span for turn in turns])
    assert told_s <= said + pauses + 0.2 * len(lines)
