"""Why there is no speech turn: silence, noise and music are no speech (a voice under noise: test_local_voices.py)."""

import numpy as np
import pytest

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.voices.unheard import NO_SPEECH, UNCLEAR, voice_level_dbfs, why_no_speech
from speakervid_dag.models.vad import speech_probabilities

RATE_HZ, SECONDS = 16_000, 10
SETTINGS = load_profile("laptop").diarization
Sound = np.ndarray


def noise(dbfs: float) -> Sound:
    return (np.random.default_rng(0).normal(0, 1, RATE_HZ * SECONDS) * 10 ** (dbfs / 20)).astype(np.float32)


def music() -> Sound:
    """Chords of three decaying tones a second, and a drum twice a second."""
    random, times_s = np.random.default_rng(0), np.arange(RATE_HZ) / RATE_HZ
    beat = 3 * random.normal(0, 1, RATE_HZ // 2) * np.exp(-np.arange(RATE_HZ // 2) / 300)
    bars = []
    for _ in range(SECONDS):
        notes = random.choice([220, 262, 294, 330, 392, 440], 3, replace=False)
        tones = [np.sin(2 * np.pi * note * k * times_s) / k for note in notes for k in (1, 2, 3)]
        bars.append(np.sum(tones, axis=0) * np.exp(-1.5 * times_s) + np.tile(beat, 2))
    return (0.05 * np.concatenate(bars)).astype(np.float32)


def asked(samples: Sound) -> tuple[str, str]:
    return why_no_speech(samples, RATE_HZ, *speech_probabilities(samples), SETTINGS)


@pytest.mark.parametrize(
    "samples", [0 * noise(0), noise(-30), noise(-50), music()], ids=["silence", "hiss", "far", "music"]
)
def test_silence_noise_and_music_are_no_speech(samples: Sound) -> None:
    assert asked(samples)[0] == NO_SPEECH


def test_the_threshold_is_of_half_a_second() -> None:
    def of(*probabilities: float) -> str:
        return why_no_speech(noise(-30), RATE_HZ, np.array(probabilities, np.float32), 0.1, SETTINGS)[0]

    least = SETTINGS.unclear_probability
    assert of(*[least + 0.01] * 5) == UNCLEAR
    assert of(0, 0, 4 * least, 0, 0) == NO_SPEECH, "a single step of noise"
    assert of(1.0) == UNCLEAR, "a sound shorter than half a second"
    assert of() == NO_SPEECH


def test_the_level_is_that_of_the_loudest_second_in_the_voice_band() -> None:
    times_s = np.arange(3 * RATE_HZ) / RATE_HZ
    tone = np.where((times_s >= 1) & (times_s < 2), np.sin(2 * np.pi * 1000 * times_s), 0).astype(np.float32)
    assert voice_level_dbfs(0.1 * tone, RATE_HZ) == pytest.approx(-23, abs=0.5)
    rumble = np.sin(2 * np.pi * 50 * times_s).astype(np.float32)
    assert voice_level_dbfs(rumble, RATE_HZ) < -50
    assert voice_level_dbfs(np.zeros(0, np.float32), RATE_HZ) == voice_level_dbfs(0 * tone, RATE_HZ) == -100
