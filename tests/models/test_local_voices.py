"""The two voice networks of the default: front end against reference figures, layers by their properties, real sound.

Belongs here: segmentation and CAM++ on made-up sound and on one packaged call. Does not belong here: joining local
speakers (tests/curation).
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation import intervals
from speakervid_dag.curation.voices import local_speakers as local
from speakervid_dag.curation.voices.unheard import UNCLEAR, why_no_speech
from speakervid_dag.media.wav import read_wav
from speakervid_dag.models import campplus, registry, segmentation
from speakervid_dag.models.fbank import HOP_HZ, log_mels
from speakervid_dag.models.vad import speech_probabilities

RATE_HZ = 16_000
CLOCK = local.FrameClock(segmentation.FIRST_S, segmentation.STEP_S)
SETTINGS = load_profile("laptop").diarization.local_speakers
Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def call(need: Callable[..., None]) -> Sound:
    """Thirty seconds of two people on the telephone."""
    need("demo-telephone", segmentation.WEIGHTS, campplus.WEIGHTS)
    samples, rate_hz = read_wav(registry.weight_path("demo-telephone", "sample.wav"))
    assert rate_hz == RATE_HZ
    return samples


def chirp() -> Sound:
    t = np.arange(RATE_HZ) / RATE_HZ
    tones = 0.3 * np.sin(2 * np.pi * (200 + 1500 * t) * t) + 0.01 * np.cos(2 * np.pi * 3000 * t)
    return np.asarray(tones + 0.02, np.float32)


def test_log_mels_are_kaldis() -> None:
    mels = log_mels(chirp())

    # kaldi-native-fbank 1.23: 80 bins from 20 Hz, Povey's window, no dither, energy_floor 0; bands 0, 10, 30, 50
    told = [[11.515, 19.366, 3.013, 9.837], [10.293, 5.028, 9.998, 9.493], [7.995, 2.560, 4.028, 14.399]]
    assert mels.shape == (98, 80)
    np.testing.assert_allclose(mels[[0, 50, 97]][:, [0, 10, 30, 50]], told, atol=0.01)
    assert log_mels(np.zeros(399, np.float32)).shape == (0, 80)
    assert np.isfinite(log_mels(np.zeros(800, np.float32))).all()


def test_log_mels_of_long_sound_are_made_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = log_mels(chirp())
    monkeypatch.setattr("speakervid_dag.models.fbank._BLOCK_FRAMES", 7)

    np.testing.assert_allclose(log_mels(chirp()), whole, atol=1e-4)


def test_segmentation_gives_probabilities_of_seven_sets_589_times_in_ten_seconds() -> None:
    import torch

    torch.manual_seed(0)
    with torch.inference_mode():
        told = segmentation.forward(segmentation.network(), 0.1 * torch.randn(2, 1, 160_000))

    assert told.shape == (2, 589, len(segmentation.SETS))
    np.testing.assert_allclose(told.exp().sum(-1), 1, atol=1e-5)


def test_campplus_hears_no_loudness_and_takes_any_length() -> None:
    import torch

    torch.manual_seed(0)
    net = campplus.network()
    mels = torch.randn(1, 150, 80)
    with torch.inference_mode():
        once = campplus.forward(net, mels)
        assert once.shape == (1, campplus.DIMENSIONS)
        assert campplus.forward(net, mels[:, : campplus.MIN_FRAMES]).isfinite().all()
        other = campplus.forward(net, torch.cat([mels, torch.randn(1, 150, 80)]))
    np.testing.assert_allclose(other[:1], once, atol=1e-4)  # pieces of a batch do not see each other


@pytest.mark.weights
def test_windows_cover_the_sound_and_short_sound_is_one_window(call: Sound) -> None:
    network = segmentation.SpeakerSegmentation(device="cpu")

    def starts(samples: Sound, step_s: float) -> list[float]:
        return [start_s for start_s, _ in network.windows(samples, step_s)]

    assert starts(call[: 15 * RATE_HZ], 2.0) == [0, 2, 4, 5]
    assert starts(call[: 3 * RATE_HZ], 1.0) == [0]
    assert starts(call[:990], 1.0) == []
    ((_, short),) = network.windows(call[: 3 * RATE_HZ], 1.0)
    assert len(short) == (3 * RATE_HZ - 991) // 270 + 1


@pytest.mark.weights
def test_pieces_of_a_voice_do_not_depend_on_their_company(call: Sound) -> None:
    encoder = campplus.CamPlusPlus(device="cpu")
    pieces = [call[7 * RATE_HZ : 9 * RATE_HZ], call[9 * RATE_HZ : 10 * RATE_HZ]]

    together = encoder.embed(pieces)

    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together[1], encoder.embed(pieces[1:])[0], atol=1e-5)
    np.testing.assert_allclose(encoder.embed([pieces[0] * 0.1])[0], together[0], atol=1e-2)
    assert encoder.embed([]).shape == (0, campplus.DIMENSIONS)
    with pytest.raises(ValueError, match="piece 0"):
        encoder.embed([call[:800]])


@pytest.mark.weights
def test_a_voice_far_under_noise_is_unclear(call: Sound) -> None:
    voice = call[:160_000] / np.sqrt(np.mean(call[:160_000] ** 2)) * 10 ** (-40 / 20)
    noise = np.random.default_rng(0).normal(0, 10 ** (-30 / 20), len(voice))
    samples = (voice + noise).astype(np.float32)
    reason, detail = why_no_speech(samples, RATE_HZ, *speech_probabilities(samples), load_profile("laptop").diarization)
    assert reason == UNCLEAR
    assert "dBFS" in detail


def of_4_khz(sound: Sound) -> Sound:
    """What is left of a sound that was stored at 8 kHz: every other sample, and the ones between made again."""
    spectrum = np.fft.rfft(sound)
    spectrum[len(spectrum) // 2 :] = 0
    return np.asarray(np.fft.irfft(spectrum, len(sound)), np.float32)


@pytest.mark.weights
@pytest.mark.parametrize("heard", [np.asarray, of_4_khz], ids=["as it is", "8 kHz"])
def test_a_telephone_call_is_two_voices_where_the_labels_have_them(
    call: Sound, heard: Callable[[Sound], Sound]
) -> None:
    call = heard(call)
    told = segmentation.SpeakerSegmentation(device="cpu").windows(call, 2.0)
    windows = local.windows_of(told, segmentation.SETS, CLOCK)
    assert windows is not None

    voices = local.local_speakers(windows, log_mels(call), HOP_HZ, campplus.CamPlusPlus(device="cpu"), SETTINGS)
    turns = local.turns_by_voice(windows, voices, SETTINGS)

    lines = registry.weight_path("demo-telephone", "sample.rttm").read_text().split("\n")
    words = [line.split() for line in lines if line]
    labels = [(w[7], float(w[3]), float(w[3]) + float(w[4])) for w in words]
    people, names = sorted({who for who, *_ in labels}), sorted({turn.speaker_id for turn in turns})
    spans = [[turn.span for turn in turns if turn.speaker_id == name] for name in names]
    shared = np.array([[_shared_s(labels, who, own) for own in spans] for who in people])
    assert shared.shape == (2, 2)
    assert max(np.trace(shared), np.trace(shared[::-1])) >= 0.8 * shared.sum()  # a tenth is said by both at once
    assert shared.sum() >= 0.9 * sum(end - start for _, start, end in labels)


def _shared_s(labels: list[tuple[str, float, float]], who: str, spans: list[tuple[float, float]]) -> float:
    said = [(start, end) for name, start, end in labels if name == who]
    return intervals.total_s(intervals.intersect(said, spans))
