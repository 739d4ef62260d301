"""Cepstra against figures of python_speech_features 0.6, which the networks were trained with."""

import numpy as np

from speakervid_dag.models.mfcc import mfcc


def test_a_chirp_gives_the_reference_figures() -> None:
    t = np.arange(16000) / 16000
    chirp = 0.3 * np.sin(2 * np.pi * (300 + 400 * t) * t) + 0.1 * np.sin(2 * np.pi * 2500 * t)
    found = mfcc(chirp.astype(np.float32))
    # python_speech_features.mfcc(chirp * 32768, 16000)[50]
    expected = [21.2340, 6.2586, -23.6437, -0.5071, -27.4509, -43.6055, 30.8486]
    assert found.shape == (99, 13)
    np.testing.assert_allclose(found[50, :7], expected, atol=1e-3)


def test_silence_and_the_shortest_sound_are_finite() -> None:
    assert np.isfinite(mfcc(np.zeros(16000, np.float32))).all()
    assert mfcc(np.zeros(10, np.float32)).shape == (1, 13)
