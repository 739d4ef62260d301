"""Mel-frequency cepstra in numpy, as Light-ASD and SyncNet were trained on (python_speech_features' conventions).

Belongs here: that front end. Does not belong here: other mel scales (models/mel.py) and the networks.
"""

import functools

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
HOP_HZ = 100
COEFFICIENTS = 13
_WINDOW, _HOP, _FFT, _FILTERS = 400, 160, 512, 26  # 25 ms, 10 ms
_PRE_EMPHASIS, _LIFTER = 0.97, 22
_FULL_SCALE = 32768  # the networks were trained on 16-bit integers

Floats = NDArray[np.float32]


@functools.cache
def _filters() -> NDArray[np.float64]:
    """Return triangles of height 1, equally spaced in mel = 2595 log10(1 + f / 700), corners on bins: (26, 257)."""
    top = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    hz = 700 * (10 ** (np.linspace(0, top, _FILTERS + 2) / 2595) - 1)
    corners = np.floor((_FFT + 1) * hz / RATE_HZ)
    bins = np.arange(_FFT // 2 + 1)[None, :]
    low, middle, high = (corners[i : i + _FILTERS, None] for i in range(3))
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.where((bins >= low) & (bins < middle), rising, np.where((bins >= middle) & (bins < high), falling, 0.0))


def mfcc(samples: Floats) -> Floats:
    """Return 13 cepstra per frame, the first replaced by log energy: (frames, 13) float32; frame i begins at i * 10 ms.

    Args:
        samples: (n,) float32 mono at 16 kHz, -1 to 1.
    """
    from scipy.fft import dct

    signal = samples.astype(np.float64) * _FULL_SCALE
    signal = np.concatenate([signal[:1], signal[1:] - _PRE_EMPHASIS * signal[:-1]])
    count = 1 + max(0, -(-(len(signal) - _WINDOW) // _HOP))
    signal = np.pad(signal, (0, max(0, (count - 1) * _HOP + _WINDOW - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_HOP][:count]
    out = np.empty((count, COEFFICIENTS), np.float32)
    tiny = np.finfo(np.float64).eps
    lift = 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    for at in range(0, count, 8192):  # bounds memory
        power = np.abs(np.fft.rfft(frames[at : at + 8192], _FFT)) ** 2 / _FFT
        energy = np.maximum(power.sum(axis=1), tiny)
        bands = np.log(np.maximum(power @ _filters().T, tiny))
        cepstra = dct(bands, type=2, axis=1, norm="ortho")[:, :COEFFICIENTS] * lift
        cepstra[:, 0] = np.log(energy)
        out[at : at + 8192] = cepstra
    return out
