"""Sound of a clip: own speech untouched, foreign speech silent, length exact to the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.curation.clips.sound import VoiceSpan, clip_sound, sample_range

RATE_HZ = 1000
SOUND = np.random.default_rng(0).uniform(0.1, 1, 20 * RATE_HZ).astype(np.float32)


def test_other_voices_are_silent_outside_their_overlap_with_the_own_one() -> None:
    turns = [VoiceSpan("A", 2, 6), VoiceSpan("B", 5, 8), VoiceSpan("C", 1, 2.5), VoiceSpan("A", 9, 10)]
    heard = clip_sound(SOUND, RATE_HZ, (1.0, 10.0), "A", turns)
    assert not heard[:1000].any()
    np.testing.assert_array_equal(heard[1000:5000], SOUND[2000:6000])
    assert not heard[5000:7000].any()
    np.testing.assert_array_equal(heard[7000:], SOUND[8000:10000])


def test_a_listener_without_a_voice_keeps_the_room_only() -> None:
    heard = clip_sound(SOUND, RATE_HZ, (0.0, 4.0), None, [VoiceSpan("A", 1, 2)])
    np.testing.assert_array_equal(heard[:1000], SOUND[:1000])
    assert not heard[1000:2000].any()


def test_sound_that_ends_early_is_filled_with_silence() -> None:
    heard = clip_sound(SOUND, RATE_HZ, (19.0, 22.0), "A", [])
    assert len(heard) == 3000
    np.testing.assert_array_equal(heard[:1000], SOUND[19000:])
    assert not heard[1000:].any()
    assert not clip_sound(SOUND, RATE_HZ, (30.0, 31.0), "A", []).any()


def test_the_video_is_not_changed() -> None:
    before = SOUND.copy()
    clip_sound(SOUND, RATE_HZ, (0.0, 5.0), "A", [VoiceSpan("B", 0, 5)])
    np.testing.assert_array_equal(SOUND, before)


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (-1.0, 2.0), (1.0, 1.0004)])
def test_an_empty_clip_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="samples"):
        clip_sound(SOUND, RATE_HZ, span, "A", [])


TIME_S = st.floats(0, 19, allow_nan=False)
TURN = st.tuples(st.sampled_from("ABC"), TIME_S, st.floats(0, 6)).map(lambda t: VoiceSpan(t[0], t[1], t[1] + t[2]))


@given(st.lists(TURN, max_size=8), TIME_S, st.floats(0.01, 14), st.sampled_from([1000, 4410, 8000]))
def test_every_sample_is_the_videos_or_zero_as_the_turns_say(
    turns: list[VoiceSpan], start_s: float, length_s: float, rate_hz: int
) -> None:
    span = (start_s, start_s + length_s)
    sound = np.arange(1, 20 * rate_hz + 1, dtype=np.float32) % 251 + 1
    heard = clip_sound(sound, rate_hz, span, "A", turns)
    first, after = sample_range(span, rate_hz)
    assert len(heard) == after - first
    given_sound = np.zeros(len(heard), np.float32)
    given_sound[: len(sound[first:after])] = sound[first:after]
    speaks = {name: np.zeros(40 * rate_hz, bool) for name in "ABC"}
    for turn in turns:
        low, high = sample_range((turn.start_s, turn.end_s), rate_hz)
        speaks[turn.speaker_id][low:high] = True
    own = speaks["A"][first:after]
    other = (speaks["B"] | speaks["C"])[first:after]
    np.testing.assert_array_equal(heard[own], given_sound[own])
    assert not heard[other & ~own].any()
    np.testing.assert_array_equal(heard[~other], given_sound[~other])


@given(TIME_S, st.floats(0.01, 5), st.floats(0.01, 5))
def test_neighbouring_clips_share_no_sample_and_lose_none(start_s: float, first_s: float, second_s: float) -> None:
    middle_s = start_s + first_s
    (a, b), (c, d) = (sample_range(s, 44100) for s in ((start_s, middle_s), (middle_s, middle_s + second_s)))
    assert a <= b == c <= d
