"""Diarization of real voices put together with known times: crosstalk, short turns, laughter, music.

Belongs here: sound made from packaged recordings. Does not belong here: turns from made-up embeddings (tests/curation).
"""

from collections.abc import Callable

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from speakervid_dag.config.sections import DiarizationSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.voices import diarization
from speakervid_dag.curation.voices.overlaps import SpeechTurn
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import registry, vad
from speakervid_dag.models.voice import RATE_HZ, VoiceEncoder

pytestmark = pytest.mark.weights
Sound = NDArray[np.float32]
Line = tuple[str, float, float]  # voice, start, length, s


@pytest.fixture(scope="module")
def settings() -> DiarizationSettings:
    from importlib import resources

    text = (resources.files("speakervid_dag.config") / "profiles" / "base.yaml").read_text(encoding="utf-8")
    return DiarizationSettings.model_validate(yaml.safe_load(text)["diarization"])


@pytest.fixture(scope="module")
def voices(need: Callable[..., None]) -> dict[str, Sound]:
    """Speech of two men without its pauses, at one level: what is laid somewhere is heard there."""
    need("demo-speech", "resemblyzer")
    reader = read_wav(registry.weight_path("demo-speech", "two_cities.wav"))
    nagg = read_wav(registry.weight_path("demo-speech", "endgame_nagg_nell.wav"))
    return {"reader": _speech(_resampled(*reader)), "nagg": _speech(_resampled(*nagg)[: 8 * RATE_HZ])}


def _speech(samples: Sound) -> Sound:
    probs, hop_s = vad.speech_probabilities(samples)
    spoken = np.repeat(probs >= 0.5, round(hop_s * RATE_HZ))[: len(samples)]
    return _level(samples[: len(spoken)][spoken])


def _resampled(samples: Sound, rate_hz: int) -> Sound:
    count = len(samples) * RATE_HZ // rate_hz
    at = np.arange(count) * rate_hz / RATE_HZ
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


def _level(samples: Sound) -> Sound:
    return samples * np.float32(0.05 / np.sqrt(np.mean(samples**2)))


def spoken(voices: dict[str, Sound], script: list[Line], seconds: float) -> Sound:
    """The lines laid over each other, on quiet noise; each voice goes on where it stopped."""
    out = np.random.default_rng(0).normal(0, 3e-4, round(seconds * RATE_HZ)).astype(np.float32)
    said = dict.fromkeys(voices, 0)
    for name, start_s, length_s in script:
        start, count = round(start_s * RATE_HZ), round(length_s * RATE_HZ)
        out[start : start + count] += np.take(voices[name], said[name] + np.arange(count), mode="wrap")
        said[name] += count
    return out


def diarized(samples: Sound, settings: DiarizationSettings) -> list[SpeechTurn]:
    sound = diarization.Sound(samples, RATE_HZ, vad.speech_probabilities(samples))
    heard = diarization.hear_regions(sound, VoiceEncoder(), settings)
    return diarization.diarize(heard, settings).turns if heard else []


def speech_of(turns: list[SpeechTurn], speaker: str) -> list[intervals.Interval]:
    return intervals.merge(t.span for t in turns if t.speaker_id == speaker)


CROSSTALK = [
    ("reader", 0.5, 6.5),
    ("nagg", 5.0, 7.0),
    ("reader", 12.5, 6.0),
    ("nagg", 19.0, 6.0),
    ("reader", 23.0, 5.0),
]


def test_planted_crosstalk_is_marked(voices: dict[str, Sound], settings: DiarizationSettings) -> None:
    turns = diarized(spoken(voices, CROSSTALK, 29), settings)
    assert {t.speaker_id for t in turns} == {"A", "B"}
    found = intervals.intersect(speech_of(turns, "A"), speech_of(turns, "B"))
    planted = [(5.0, 7.0), (23.0, 25.0)]
    assert intervals.total_s(intervals.intersect(found, planted)) >= 0.4 * 4.0
    assert intervals.total_s(intervals.subtract(found, [(a - 0.25, b + 0.25) for a, b in planted])) == 0


def test_the_same_lines_one_after_another_have_no_overlap(
    voices: dict[str, Sound], settings: DiarizationSettings
) -> None:
    script = [(name, 0.5 + 6 * i, 5.8) for i, (name, _, _) in enumerate(CROSSTALK)]
    turns = diarized(spoken(voices, script, 31), settings)
    assert intervals.intersect(speech_of(turns, "A"), speech_of(turns, "B")) == []


def test_a_turn_below_a_second_is_its_speakers(voices: dict[str, Sound], settings: DiarizationSettings) -> None:
    script = [("reader", 0.5, 6.0), ("nagg", 7.0, 6.0), ("reader", 13.6, 0.9), ("nagg", 15.0, 5.0)]
    turns = diarized(spoken(voices, script, 21), settings)
    assert {t.speaker_id for t in turns} == {"A", "B"}
    short = intervals.intersect(speech_of(turns, "A"), [(13.6, 14.5)])
    assert intervals.total_s(short) >= 0.4


def music(seconds: float) -> Sound:
    """Chords of decaying harmonics, two a second."""
    rng = np.random.default_rng(1)
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    since_s = times_s % 0.5
    roots_hz = rng.choice([220, 262, 294, 330, 392], int(seconds * 2) + 1)[(times_s * 2).astype(int)]
    notes = [np.sin(2 * np.pi * ratio * k * roots_hz * since_s) / k for ratio in (1, 1.25, 1.5) for k in (1, 2, 3, 4)]
    return _level((np.sum(notes, axis=0) * np.exp(-3 * since_s)).astype(np.float32))


def laughter(seconds: float) -> Sound:
    """Bursts of voiced breath, five a second, falling in pitch and level: "ha ha ha"."""
    rng = np.random.default_rng(2)
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = 300 - 60 * (times_s % 1.5)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    voiced = np.sum([np.sin(k * phase) / k for k in range(1, 12)], axis=0)
    burst = np.clip(np.sin(2 * np.pi * 5 * times_s), 0, 1) ** 2
    return _level((burst * (voiced + 0.6 * rng.normal(0, 1, len(times_s)))).astype(np.float32))


@pytest.mark.parametrize("noise", [music, laughter])
def test_music_and_laughter_between_turns_are_no_new_voice_for_long(
    voices: dict[str, Sound], settings: DiarizationSettings, noise: Callable[[float], Sound]
) -> None:
    script = [("reader", 0.5, 6.0), ("nagg", 10.0, 6.0), ("reader", 20.0, 5.0)]
    sound = spoken(voices, script, 26)
    for start_s in (6.8, 16.5):
        start = round(start_s * RATE_HZ)
        sound[start : start + 3 * RATE_HZ] += noise(3.0)
    turns = diarized(sound, settings)
    lines = [(a, a + n) for _, a, n in script]
    heard = intervals.total_s(intervals.intersect([t.span for t in turns], lines))
    wrong = intervals.total_s(intervals.subtract([t.span for t in turns], [(a - 0.25, b + 0.25) for a, b in lines]))
    assert heard >= 0.9 * 17
    assert wrong <= 0.1 * 6
    reader, nagg = speech_of(turns, turns[0].speaker_id), [t for t in turns if 10 <= t.start_s < 16]
    assert intervals.total_s(intervals.intersect(reader, [lines[2]])) >= 0.8 * 5
    assert all(t.speaker_id != turns[0].speaker_id for t in nagg)


def test_quiet_music_under_two_voices_changes_nobody(voices: dict[str, Sound], settings: DiarizationSettings) -> None:
    script = [("reader", 0.5, 6.0), ("nagg", 7.0, 6.0), ("reader", 14.0, 5.0), ("nagg", 20.0, 5.0)]
    turns = diarized(spoken(voices, script, 26) + np.float32(0.1) * music(26), settings)
    assert {t.speaker_id for t in turns} == {"A", "B"}
