"""Measures of sound with known answers."""

import numpy as np
import pytest

from speakervid_dag.curation.scores.sound import clipping_share, silence_share, snr_db

RATE_HZ = 16_000


def noise(seconds: float, rms: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ)) * rms).astype(np.float32)


@pytest.mark.parametrize("wanted_db", [0, 10, 20, 40])
def test_snr_of_a_known_mixture(wanted_db: int) -> None:
    sound = noise(4, 0.001)
    sound[RATE_HZ : 3 * RATE_HZ] += noise(2, 0.001 * 10 ** (wanted_db / 20), seed=1)
    value, status = snr_db(sound, RATE_HZ, [(1.0, 3.0)])
    assert status == "ok"
    assert value == pytest.approx(wanted_db, abs=0.6)


def test_snr_without_silence_uses_the_quietest_frames() -> None:
    sound = noise(4, 0.1)
    sound[::1] *= np.where(np.arange(len(sound)) % RATE_HZ < RATE_HZ // 8, 0.01, 1.0).astype(np.float32)
    value, status = snr_db(sound, RATE_HZ, [(0.0, 4.0)])
    assert status == "ok"
    assert value is not None
    assert 35 < value < 42


@pytest.mark.parametrize(
    ("sound", "speech", "reason"),
    [
        (noise(0.3, 0.1), [(0.0, 0.3)], "audio_too_short"),
        (noise(2, 0.1), [], "no_speech"),
        (noise(2, 0.1), [(0.5, 0.6)], "no_speech"),
        (np.concatenate([np.zeros(RATE_HZ, np.float32), noise(1, 0.1)]), [(1.0, 2.0)], "no_noise_floor"),
        (np.concatenate([noise(1, 0.1), noise(1, 0.01)]), [(1.0, 2.0)], "speech_below_noise"),
    ],
)
def test_snr_gives_a_reason_where_it_gives_no_value(
    sound: np.ndarray, speech: list[tuple[float, float]], reason: str
) -> None:
    assert snr_db(sound, RATE_HZ, speech) == (None, reason)


def test_clipping_counts_runs_and_not_lone_peaks() -> None:
    sound = np.zeros(100, np.float32)
    sound[[5, 20, 21]] = 1.0
    assert clipping_share(sound) == (0.0, "ok")
    sound[40:50] = -1.0
    assert clipping_share(sound) == (pytest.approx(0.1), "ok")
    assert clipping_share(sound[:0]) == (None, "audio_too_short")


def test_clipped_sine_has_the_share_of_its_arc() -> None:
    sine = 1.25 * np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    share, _ = clipping_share(np.clip(sine, -1, 1).astype(np.float32))
    assert share == pytest.approx(1 - 2 * np.arcsin(0.8) / np.pi, abs=0.01)


def test_silence_share_of_overlapping_and_protruding_regions() -> None:
    assert silence_share(10, [(-1, 2), (1, 3), (9, 12)]) == (pytest.approx(0.6), "ok")
    assert silence_share(10, []) == (1.0, "ok")
    assert silence_share(0, []) == (None, "audio_too_short")
