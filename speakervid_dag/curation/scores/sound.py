"""Scores of sound that need no model: signal-to-noise ratio, clipping, silence.

Belongs here: formulas over samples and speech regions. Does not belong here: perceived quality
(models/speech_quality.py), thresholds (profiles).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import runs_of_true
from speakervid_dag.curation.scores.measurement import Measurement

FRAME_S = 0.02  # power is measured in frames of 20 ms
GUARD_S = 0.1  # closer to speech, a frame is neither speech nor noise: onsets and reverberation
MIN_FRAMES = 10  # a ratio needs 0.2 s of speech and of noise
FULL_SCALE = 0.999  # 16-bit full scale is 0.99997; lossy coding moves peaks by about 1e-3
MIN_RUN = 3  # clipped samples come in runs: a single peak at full scale is not clipping
DIGITAL_SILENCE = 1e-10  # power of -100 dBFS; 16-bit dither is at about -98

Floats = NDArray[np.float32]
Span = tuple[float, float]


def _inside(moments_s: NDArray[np.float64], spans: Sequence[Span], grow_s: float) -> NDArray[np.bool_]:
    inside = np.zeros(len(moments_s), dtype=np.bool_)
    for start, end in spans:
        inside |= (moments_s >= start - grow_s) & (moments_s < end + grow_s)
    return inside


def frame_power(samples: Floats, rate_hz: int) -> NDArray[np.float64]:
    """Return the mean square of each whole frame of 20 ms: (n,) float64."""
    size = round(FRAME_S * rate_hz)
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(np.mean(np.square(whole, dtype=np.float64), axis=1), dtype=np.float64)


def snr_db(samples: Floats, rate_hz: int, speech: Sequence[Span]) -> Measurement:
    """Return the signal-to-noise ratio 10 log10((S - N) / N), dB.

    S is the mean power of frames inside speech, N the median power of frames more than 0.1 s away from any speech. With
    less than 0.2 s of such frames, N is the 5th percentile of all frames' power: then only the pauses between words
    show the noise, so the ratio is a lower bound.

    Args:
        samples: (n,) float32, mono.
        speech: regions in seconds from the first sample.

    Returns:
        (dB, "ok"), or (None, reason): audio_too_short, no_speech, no_noise_floor (digital silence under the voice),
        speech_below_noise.
    """
    power = frame_power(samples, rate_hz)
    if len(power) < 2 * MIN_FRAMES:
        return None, "audio_too_short"
    centres_s = np.asarray((np.arange(len(power)) + 0.5) * FRAME_S, dtype=np.float64)
    voiced = _inside(centres_s, speech, 0.0)
    if voiced.sum() < MIN_FRAMES:
        return None, "no_speech"
    silent = power[~_inside(centres_s, speech, GUARD_S)]
    noise = float(np.median(silent)) if len(silent) >= MIN_FRAMES else float(np.percentile(power, 5))
    signal = float(power[voiced].mean()) - noise
    if noise < DIGITAL_SILENCE:
        return None, "no_noise_floor"
    if signal <= 0:
        return None, "speech_below_noise"
    return float(10 * np.log10(signal / noise)), "ok"


def is_silent(samples: Floats) -> bool:
    """Return True if nothing is recorded: no samples, or mean power below -100 dBFS."""
    return not len(samples) or float(np.mean(np.square(samples, dtype=np.float64))) < DIGITAL_SILENCE


def clipping_share(samples: Floats) -> Measurement:
    """Return the share of clipped samples, 0-1: those in runs of at least three at full scale (|x| >= 0.999).

    Returns:
        (share, "ok"), or (None, "audio_too_short") without samples.
    """
    if not len(samples):
        return None, "audio_too_short"
    starts, ends = runs_of_true(np.abs(samples) >= FULL_SCALE)
    runs = ends - starts
    return float(runs[runs >= MIN_RUN].sum() / len(samples)), "ok"


def silence_share(duration_s: float, speech: Sequence[Span]) -> Measurement:
    """Return the share of the time without speech, 0-1; regions may reach beyond [0, duration_s) and overlap.

    Returns:
        (share, "ok"), or (None, "audio_too_short") if the duration is not positive.
    """
    if duration_s <= 0:
        return None, "audio_too_short"
    covered, reached = 0.0, 0.0
    for start, end in sorted(speech):
        begin, stop = max(start, reached), min(end, duration_s)
        if stop > begin:
            covered += stop - begin
            reached = stop
    return 1 - covered / duration_s, "ok"
