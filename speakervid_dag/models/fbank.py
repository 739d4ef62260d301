"""Log mel filter bank energies in numpy, as Kaldi's speaker networks were trained on.

Belongs here: that front end. Does not belong here: other mel scales (mel.py, mfcc.py) and the networks.
"""

import functools

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
HOP_HZ = 100
BANDS = 80
_WINDOW, _HOP, _FFT = 400, 160, 512  # 25 ms, 10 ms
_LOW_HZ, _PRE_EMPHASIS = 20.0, 0.97
_FULL_SCALE = 32768  # only a constant in the logarithm, but the floor is relative to it
_BLOCK_FRAMES = 8192  # bounds memory

Floats = NDArray[np.float32]


@functools.cache
def _filters() -> Floats:
    """Return triangles of height 1, equally spaced in mel = 1127 ln(1 + f / 700) and straight in mel: (257, 80)."""
    mels = 1127 * np.log(1 + np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT / 700)
    low, high = (1127 * np.log(1 + hz / 700) for hz in (_LOW_HZ, RATE_HZ / 2))
    corners = np.linspace(low, high, BANDS + 2)
    rising = (mels[:, None] - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - mels[:, None]) / np.diff(corners)[1:]
    filters = np.maximum(0, np.minimum(rising, falling))
    filters[-1] = 0  # Kaldi leaves the highest bin out
    return np.asarray(filters, np.float32)


def log_mels(samples: Floats) -> Floats:
    """Return log mel energies; frame i covers samples 160 i to 160 i + 400: (frames, 80) float32.

    As kaldi-native-fbank without dither: mean of each frame removed, pre-emphasis .97, Povey's window, snipped edges.

    Args:
        samples: (n,) float32 mono at 16 kHz, -1 to 1; fewer than 400 give no frame.
    """
    if len(samples) < _WINDOW:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / (_WINDOW - 1))
    window = (hann**0.85).astype(np.float32)
    out = np.empty((len(frames), BANDS), np.float32)
    for at in range(0, len(frames), _BLOCK_FRAMES):
        block = frames[at : at + _BLOCK_FRAMES] * np.float32(_FULL_SCALE)
        block = block - block.mean(axis=1, keepdims=True)
        block = np.concatenate(
            [block[:, :1] * (1 - _PRE_EMPHASIS), block[:, 1:] - _PRE_EMPHASIS * block[:, :-1]], axis=1
        )
        spectrum = np.fft.rfft(block * window, _FFT, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        out[at : at + _BLOCK_FRAMES] = np.log(np.maximum(power @ _filters(), np.finfo(np.float32).eps))
    return out
