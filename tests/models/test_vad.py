"""Silero VAD: it comes inside a dependency, so nothing is skipped."""

import numpy as np
import pytest

from speakervid_dag.models.vad import BLOCK_STEPS, HOP_SAMPLES, speech_probabilities


def noise(samples: int, rms: float) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(samples) * rms).astype(np.float32)


def test_one_probability_a_step_and_no_speech_in_noise() -> None:
    probs, hop_s = speech_probabilities(noise(16_000 * 3 + 7, 0.01))
    assert (len(probs), hop_s, probs.dtype) == (94, 0.032, np.float32)
    assert probs.max() < 0.5
    assert probs.min() >= 0


def test_no_samples_give_no_probabilities() -> None:
    assert speech_probabilities(np.zeros(0, np.float32))[0].shape == (0,)


def test_the_input_is_left_alone_and_blocks_carry_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    tone = np.sin(np.arange(HOP_SAMPLES * 50) * 0.05).astype(np.float32) * np.abs(noise(HOP_SAMPLES * 50, 0.3))
    before = tone.copy()
    whole, _ = speech_probabilities(tone)
    assert (tone == before).all()
    assert BLOCK_STEPS > 50
    monkeypatch.setattr("speakervid_dag.models.vad.BLOCK_STEPS", 7)
    np.testing.assert_allclose(speech_probabilities(tone)[0], whole, atol=1e-5)
