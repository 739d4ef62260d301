"""Mel spectra in numpy, in the form the speech models were trained on (librosa's conventions).

Belongs here: the Slaney mel filter bank and the power spectrogram it is applied to. Does not belong here: any model,
and log or dB scaling (each model has its own).
"""

import functools

import numpy as np
from numpy.typing import NDArray

BLOCK_FRAMES = 8192  # frames transformed at once; limits memory to about 15 MB

Floats = NDArray[np.float32]


def _hz_to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert to Slaney's scale: linear (200/3 Hz per mel) below 1 kHz, above it 27 mel per factor of 6.4."""
    linear = hz * 3 / 200
    return np.where(hz < 1000, linear, 15 + 27 * np.log(np.maximum(hz, 1e-9) / 1000) / np.log(6.4))


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


@functools.cache
def mel_filters(rate_hz: int, n_fft: int, n_mels: int) -> Floats:
    """Return triangular filters of unit area from 0 Hz to rate/2: (n_mels, n_fft // 2 + 1) float32."""
    bins_hz = np.fft.rfftfreq(n_fft, 1 / rate_hz)
    top = _hz_to_mel(np.array([rate_hz / 2]))[0]
    edges_hz = _mel_to_hz(np.linspace(0, top, n_mels + 2))
    widths_hz = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / widths_hz[:-1, None]
    falling = ramps[2:] / widths_hz[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None], dtype=np.float32)


def mel_power(samples: Floats, rate_hz: int, n_fft: int, hop: int, n_mels: int) -> Floats:
    """Return the mel power spectrogram; frame i is centred on sample i * hop, and the signal is padded with zeros.

    Args:
        samples: (n,) float32, -1 to 1.
        n_fft: window (periodic Hann) and transform length, samples.
        hop: samples between frames.

    Returns:
        (1 + n // hop frames for even n_fft, n_mels) float32, power.
    """
    half = n_fft // 2
    padded = np.pad(samples, half)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    filters = mel_filters(rate_hz, n_fft, n_mels).T
    out = np.empty((len(frames), n_mels), np.float32)
    for at in range(0, len(frames), BLOCK_FRAMES):
        spectrum = np.fft.rfft(frames[at : at + BLOCK_FRAMES] * window, axis=1)
        out[at : at + BLOCK_FRAMES] = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ filters
    return out
