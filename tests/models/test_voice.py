"""GE2E voice embeddings: the front end against reference figures, the network by its properties."""

from collections.abc import Iterator

import numpy as np
import pytest

from speakervid_dag.arrays import unit
from speakervid_dag.failures import WeightsMissing
from speakervid_dag.models.mel import mel_filters, mel_power
from speakervid_dag.models.voice import VoiceEncoder, voice_mels

RATE_HZ = 16_000


def tone(hz: float, seconds: float, level: float = 0.1) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def voice_like(pitch_hz: float, seconds: float, seed: int) -> np.ndarray:
    """Harmonics with slowly moving strengths: enough of a voice for an encoder to tell pitch apart."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    out = np.zeros_like(t)
    for k in range(1, 25):
        drift = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(2, 6) * t + rng.uniform(0, 6))
        out += drift * np.sin(2 * np.pi * k * pitch_hz * t) / k
    return (0.05 * out).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> Iterator[VoiceEncoder]:
    try:
        yield VoiceEncoder(device="cpu")
    except WeightsMissing as problem:
        pytest.skip(f"resemblyzer: {problem}")


def test_filters_have_unit_area_and_the_slaney_centres() -> None:
    filters = mel_filters(RATE_HZ, 400, 40)
    assert filters.shape == (40, 201)
    # librosa 0.11: filters.mel(sr=16000, n_fft=400, n_mels=40), bins of the maxima
    assert [int(i) for i in filters[[0, 10, 20, 39]].argmax(axis=1)] == [2, 20, 44, 185]
    wide = mel_filters(RATE_HZ, 16_384, 40)
    np.testing.assert_allclose(wide.sum(axis=1) * RATE_HZ / 16_384, 1, atol=0.01)


def test_a_tone_lands_in_its_band_with_quadratic_power() -> None:
    mels = mel_power(tone(1000, 1), RATE_HZ, 400, 160, 40)
    assert mels.shape == (101, 40)
    bands = mel_filters(RATE_HZ, 400, 40)[:, 25]  # 1000 Hz is bin 25
    assert mels[50].argmax() == bands.argmax()
    np.testing.assert_allclose(mel_power(tone(1000, 1, 0.2), RATE_HZ, 400, 160, 40)[50], 4 * mels[50], rtol=1e-3)


def test_quiet_sound_is_raised_and_loud_sound_left() -> None:
    quiet, target = tone(300, 1, 1e-3), np.sqrt(2) * 10 ** (-30 / 20)
    np.testing.assert_allclose(voice_mels(quiet)[50], voice_mels(tone(300, 1, target))[50], rtol=2e-3, atol=1e-9)
    np.testing.assert_allclose(voice_mels(tone(300, 1, 0.5)), mel_power(tone(300, 1, 0.5), RATE_HZ, 400, 160, 40))
    assert (voice_mels(np.zeros(1600, np.float32)) == 0).all()


def test_unit_leaves_zeros() -> None:
    np.testing.assert_allclose(np.linalg.norm(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), axis=1), [1, 0])


@pytest.mark.weights
def test_embeddings_do_not_depend_on_their_batch(encoder: VoiceEncoder) -> None:
    clips = [voice_like(120, s, i) for i, s in enumerate((0.4, 1.0, 3.3))]
    together = encoder.embed(clips)
    assert together.shape == (3, 256)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, np.concatenate([encoder.embed([c]) for c in clips]), atol=1e-5)


@pytest.mark.weights
def test_a_voice_is_nearer_to_itself(encoder: VoiceEncoder) -> None:
    low, low_again, high = encoder.embed([voice_like(100, 3, 1), voice_like(103, 3, 2), voice_like(220, 3, 3)])
    assert low @ low_again > low @ high + 0.1


@pytest.mark.weights
def test_windows_lie_around_their_centres(encoder: VoiceEncoder) -> None:
    sound = np.concatenate([voice_like(100, 3, 1), voice_like(220, 3, 3)])
    windows = encoder.embed_windows(sound, np.array([0.0, 1.5, 4.5, 6.0]), 1.6)
    assert windows.shape == (4, 256)
    assert windows[0] @ windows[1] > windows[0] @ windows[2]
    assert windows[3] @ windows[2] > windows[3] @ windows[1]


@pytest.mark.weights
def test_too_short_a_segment_is_refused(encoder: VoiceEncoder) -> None:
    with pytest.raises(ValueError, match="segment 1"):
        encoder.embed([voice_like(100, 1, 1), voice_like(100, 0.1, 1)])
    assert encoder.embed([]).shape == (0, 256)
