"""DNSMOS: windows and features by their rules, scores by their order."""

from collections.abc import Iterator

import numpy as np
import pytest

from speakervid_dag.failures import WeightsMissing
from speakervid_dag.models.onnx_session import open_session
from speakervid_dag.models.registry import weight_path
from speakervid_dag.models.speech_quality import WINDOW_SAMPLES, SpeechQualityModel, p808_features, repeated, windows

RATE_HZ = 16_000


def speech_like(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    syllables = np.maximum(0, np.sin(2 * np.pi * 3 * t)) * (np.sin(2 * np.pi * 0.4 * t) > -0.5)
    harmonics = sum(np.sin(2 * np.pi * k * 140 * t) / k for k in range(1, 20))
    return (0.1 * syllables * harmonics).astype(np.float32)


def noise(samples: int, rms: float) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(samples) * rms).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> Iterator[SpeechQualityModel]:
    try:
        yield SpeechQualityModel()
    except WeightsMissing as problem:
        pytest.skip(f"dnsmos: {problem}")


@pytest.mark.parametrize(("seconds", "count"), [(1.0, 7), (4.0, 7), (9.01, 1), (10.0, 1), (10.5, 1), (11.0, 2)])
def test_windows_start_each_second_and_short_sound_is_doubled(seconds: float, count: int) -> None:
    sound = np.arange(round(seconds * RATE_HZ), dtype=np.float32)
    parts = windows(repeated(sound))
    assert parts.shape == (count, WINDOW_SAMPLES)
    if len(sound) >= WINDOW_SAMPLES:
        assert [int(p[0]) for p in parts] == [i * RATE_HZ for i in range(count)]
    else:
        assert (parts[0][: len(sound)] == sound).all()
        assert parts[0][len(sound)] == sound[0]


def test_features_are_scaled_decibels() -> None:
    features = p808_features(noise(WINDOW_SAMPLES, 0.1))
    assert features.shape == (900, 120)
    assert features.max() == pytest.approx(1.0)  # 0 dB
    assert features.min() >= -1.0  # -80 dB
    np.testing.assert_allclose(p808_features(noise(WINDOW_SAMPLES, 0.01)), features, atol=0.05)  # level does not matter


@pytest.mark.weights
def test_noise_lowers_every_background_score(model: SpeechQualityModel) -> None:
    clean = speech_like(9.5)
    good, bad = model.score([clean, np.clip(clean + noise(len(clean), 0.1), -1, 1)])
    assert good.bak > bad.bak + 0.5
    assert good.ovrl > bad.ovrl
    assert all(0.5 < v < 5 for v in (good.sig, good.bak, good.ovrl, good.p808))


@pytest.mark.weights
@pytest.mark.parametrize("seconds", [3.3, 9.2, 14.7])
def test_windows_that_share_layers_score_as_windows_alone(model: SpeechQualityModel, seconds: float) -> None:
    sound = repeated(np.clip(speech_like(seconds) + noise(int(seconds * RATE_HZ), 0.01), -1, 1))
    alone = windows(sound)
    whole = open_session(weight_path("dnsmos", "sig_bak_ovr.onnx"), 1)
    expected = np.concatenate([whole.run(None, {"input_1": window[None]})[0] for window in alone])
    np.testing.assert_allclose(model._p835.raw(sound, len(alone)), expected, atol=1e-5)


@pytest.mark.weights
def test_a_clip_that_is_no_sound_is_refused(model: SpeechQualityModel) -> None:
    for wrong in (np.zeros(0, np.float32), np.full(RATE_HZ, 1.5, np.float32), np.full(RATE_HZ, np.nan, np.float32)):
        with pytest.raises(ValueError):
            model.score([wrong])
