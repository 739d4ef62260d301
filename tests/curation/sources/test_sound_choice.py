"""Which tracks and channels are taken, from levels alone: voices with signed gains in channels, as a room has them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.sources.sound_choice import Choice, HeardTrack, choose, lines
from speakervid_dag.media.audio import Taken, TrackLevels
from speakervid_dag.media.probe import SoundTrack
from speakervid_dag.media.sound_streams import downmix

SETTINGS = load_profile("laptop").sound
STEPS = 940  # 30 s
NAMES = {1: ["FC"], 2: ["FL", "FR"], 6: ["FL", "FR", "FC", "LFE", "SL", "SR"]}
NOISE = 10 ** (-70 / 20)
Gains = Sequence[Mapping[str, float]]  # of each channel: voice → gain


def _words(seed: int, *spans_s: tuple[float, float]) -> np.ndarray:
    """(STEPS,) amplitude of a voice: syllables of 0.2 s and pauses between words, in these spans."""
    rng, t = np.random.default_rng(seed), np.arange(STEPS) * 0.032
    syllables = np.repeat(rng.uniform(-16, 0, STEPS // 6 + 1) - 25 - 40 * (rng.random(STEPS // 6 + 1) < 0.15), 6)[
        :STEPS
    ]
    is_on = np.any([(t >= a) & (t < b) for a, b in spans_s], axis=0)
    return np.where(is_on, 10 ** (syllables / 20), 0.0)


ALL = (0.0, 30.0)
SOUNDS = {
    "ann": _words(1, (0, 6), (12, 18), (24, 30)),
    "bob": _words(2, (6, 12), (18, 24)),
    "host": _words(3, (0.0, 13.0), (15.0, 30.0)),
    "interpreter": _words(4, (2.0, 14.0), (16.0, 30.0)),
    "music": 10 ** (np.repeat(np.random.default_rng(5).uniform(-26, -20, 94), 10) / 20),
    "more music": 10 ** (np.repeat(np.random.default_rng(6).uniform(-26, -20, 94), 10) / 20),
}
SPEAKING = ("ann", "bob", "host", "interpreter")


def track(number: int, gains: Gains, names: Sequence[str] | None = None, **tags: object) -> tuple[HeardTrack, Gains]:
    names = list(names or NAMES.get(len(gains), ["NONE"] * len(gains)))
    weights = downmix(names)

    def level(mixed: Sequence[float], noise: float = NOISE) -> np.ndarray:
        power = np.full(STEPS, noise**2)
        for sound, envelope in SOUNDS.items():
            power += (sum(w * g.get(sound, 0) for w, g in zip(mixed, gains, strict=True)) * envelope) ** 2
        return (10 * np.log10(power)).astype(np.float32)

    channels = [level(one, NOISE if g else 1e-6) for one, g in zip(np.eye(len(gains)), gains, strict=True)]
    found = TrackLevels(np.stack(channels), level(weights), tuple(weights), tuple(names), 0.0, 30.0)
    return HeardTrack(SoundTrack(track=number, **tags), found), gains  # type: ignore[arg-type]


def decided(*tracks: tuple[HeardTrack, Gains], **settings: object) -> tuple[Choice, int]:
    """The choice, and how often the speech detector was asked."""
    gains, calls = {h.track.track: g for h, g in tracks}, 0

    def asked(taken: Sequence[Taken]) -> np.ndarray:
        nonlocal calls
        calls += 1
        power, speech = np.full(STEPS, NOISE**2), np.zeros(STEPS)
        for sound, envelope in SOUNDS.items():
            mixed = (sum(t.weight * gains[t.track][t.channel].get(sound, 0) for t in taken) * envelope) ** 2
            power += mixed
            speech += mixed if sound in SPEAKING else 0
        return speech > 0.4 * power

    choice = choose([h for h, _ in tracks], asked, SETTINGS.model_copy(update=settings))
    assert sum(t.weight**2 for t in choice.taken) <= 1 + 1e-6, "a mix adds no power"
    return choice, calls


def used(choice: Choice) -> dict[tuple[int, int], float]:
    return {(t.track, t.channel): pytest.approx(t.weight, abs=0.01) for t in choice.taken}


def found(choice: Choice) -> list[str]:
    return [row["found"] for row in choice.tracks]


def channels(choice: Choice, number: int = 0) -> list[str]:
    return list(choice.tracks[number]["channels_found"])


BOTH = {"ann": 1.0, "bob": 1.0}


@pytest.mark.parametrize(
    ("gains", "words", "taken"),
    [
        ([BOTH], ["taken"], {(0, 0): 1.0}),
        ([BOTH, BOTH], ["taken", "taken"], {(0, 0): 0.707, (0, 1): 0.707}),
        ([BOTH, {}], ["taken", "silent"], {(0, 0): 1.0}),
        ([{}, {"ann": 0.016, "bob": 0.016}], ["silent", "taken"], {(0, 1): 1.0}),  # 36 dB down
        ([BOTH, {"ann": 0.01}], ["taken", "faint"], {(0, 0): 1.0}),
        ([BOTH, {"ann": -1.0, "bob": -1.0}], ["taken", "inverted"], {(0, 0): 1.0}),
        ([{"ann": 0.8, "bob": 0.8}, {"ann": -1.0, "bob": -1.0}], ["inverted", "taken"], {(0, 1): 1.0}),
    ],
)
def test_what_levels_alone_say_is_not_asked(
    gains: Gains, words: list[str], taken: dict[tuple[int, int], float]
) -> None:
    choice, asked = decided(track(0, gains))
    assert (channels(choice), used(choice), found(choice), asked) == (words, taken, ["taken"], 0)


def test_a_voice_that_the_mix_loses_under_its_music_is_kept() -> None:
    inverted = {"ann": -1.0, "bob": -1.0, "music": 0.4}
    choice, asked = decided(track(0, [{**BOTH, "music": 0.4}, inverted]))
    assert (channels(choice), used(choice)) == (["taken", "same_speech"], {(0, 0): 1.0})
    assert asked == 3


def test_one_voice_per_channel_is_mixed() -> None:
    choice, _ = decided(track(0, [{"ann": 1.0}, {"bob": 1.0}]))
    assert used(choice) == {(0, 0): 0.5, (0, 1): 0.5}


@pytest.mark.parametrize("crosstalk", [0.0, 0.1, 0.3])
def test_two_microphones_on_two_tracks_are_mixed(crosstalk: float) -> None:
    one, other = {"ann": 1.0, "bob": crosstalk}, {"bob": 0.3, "ann": 0.3 * crosstalk}
    choice, _ = decided(track(1, [one]), track(2, [other]))
    assert (used(choice), found(choice)) == ({(1, 0): 0.5, (2, 0): 0.5}, ["taken", "taken"])


def test_the_first_track_is_silent() -> None:
    choice, asked = decided(track(1, [{}]), track(2, [BOTH, BOTH]))
    assert (used(choice), found(choice), asked) == ({(2, 0): 0.707, (2, 1): 0.707}, ["silent", "taken"], 0)


def test_the_first_track_is_music() -> None:
    choice, _ = decided(track(1, [{"music": 1.0}]), track(2, [BOTH]))
    assert (used(choice), found(choice)) == ({(2, 0): 1.0}, ["no_speech", "taken"])


def test_an_interpreter_is_left_out() -> None:
    choice, _ = decided(track(0, [{"host": 1.0}, {"interpreter": 1.0}]))
    assert (used(choice), channels(choice)) == ({(0, 0): 1.0}, ["taken", "other_speech"])
    choice, _ = decided(track(0, [{"host": 1.0}, {"interpreter": 1.0, "host": 0.15}]))
    assert (used(choice), channels(choice)) == ({(0, 0): 1.0}, ["taken", "other_speech"])


def test_another_language_is_left_out_unless_it_is_wanted() -> None:
    both = track(1, [{"host": 1.0}], language="eng"), track(2, [{"bob": 1.0}], language="deu")
    choice, _ = decided(*both)
    assert (used(choice), found(choice)) == ({(1, 0): 1.0}, ["taken", "other_language"])
    choice, _ = decided(*both, language=("fra", "DEU"))
    assert (used(choice), found(choice)) == ({(2, 0): 1.0}, ["other_language", "taken"])


def test_a_commentary_is_left_out_and_taken_where_nothing_else_speaks() -> None:
    comment = track(1, [{"bob": 1.0}], is_extra=True)
    choice, _ = decided(comment, track(2, [{"ann": 1.0}]))
    assert found(choice) == ["extra", "taken"]
    choice, _ = decided(comment, track(2, [{"music": 1.0}]))
    assert found(choice) == ["taken", "no_speech"]


def test_tracks_that_repeat_the_first_are_left_out() -> None:
    choice, _ = decided(track(1, [BOTH]), track(2, [{"ann": 0.5, "bob": 0.5}]))
    assert (used(choice), found(choice)) == ({(1, 0): 1.0}, ["taken", "same_speech"])


def test_speech_in_the_centre_of_music() -> None:
    surround = {"music": 1.0}, {"music": 1.0}, BOTH, {}, {"more music": 0.5}, {"more music": 0.5}
    choice, _ = decided(track(0, surround))
    assert (used(choice), channels(choice)[2]) == ({(0, 2): 1.0}, "taken")


def test_music_alone_stays_the_mix() -> None:
    choice, _ = decided(track(0, [{"music": 1.0}, {"more music": 1.0}]))
    assert (used(choice), found(choice)) == ({(0, 0): 0.707, (0, 1): 0.707}, ["taken"])
    assert choice.tracks[0]["speech_s"] == 0


def test_separate_microphones_are_asked_up_to_a_bound() -> None:
    gains = [{"ann": 1.0} if c == 3 else {"bob": 1.0} if c == 9 else {"music": 0.1} for c in range(64)]
    choice, asked = decided(track(0, gains))
    assert (used(choice), asked) == ({(0, 3): 0.5, (0, 9): 0.5}, 8)
    assert channels(choice).count("not_heard") == 56


def test_nothing_is_taken_where_there_is_nothing() -> None:
    choice, _ = decided(track(1, [{}, {}]))
    failed = HeardTrack(SoundTrack(track=2, codec="opus"), reason="unsupported_codec")
    both = choose([track(1, [{}, {}])[0], failed], lambda _: np.zeros(0, bool), SETTINGS)
    assert (choice.taken, both.taken, found(both)) == ([], [], ["silent", "unsupported_codec"])
    one, other = lines(both.tracks)
    assert all(word in one for word in ("track 1", "decoder", "0.00-30.00 s", "-120 dBFS", "silent"))
    assert all(word in other for word in ("track 2", "opus", "unsupported_codec"))
    assert "dBFS" not in other


def test_sound_that_ends_before_the_clock_begins_is_silent() -> None:
    empty = TrackLevels(np.zeros((1, 0), np.float32), np.zeros(0, np.float32), (1.0,), ("FC",), -2.0, -1.0)
    choice = choose([HeardTrack(SoundTrack(track=1), empty)], lambda _: np.zeros(0, bool), SETTINGS)
    assert (choice.taken, found(choice)) == ([], ["silent"])
