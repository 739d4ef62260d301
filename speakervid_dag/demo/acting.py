"""Motion of a face over time: mouth from the voice; blinks, sway and nods from the seed.

Belongs here: time series at the picture's rate. Does not belong here: pixels (puppet.py), turns (plan.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from speakervid_dag.demo.materials import RATE_HZ, Samples

FPS = 25
HOP = RATE_HZ // FPS
WINDOW = 2 * HOP  # 80 ms
VOWEL_HZ, LOW_HZ, HIGH_HZ = (200.0, 3200.0), (250.0, 900.0), (1500.0, 3200.0)  # inside the telephone band
RANGE_DB = 28.0  # this far below the loudest syllables the mouth is shut
MOUTH_POWER = 1.6  # weak sounds open the lips only a little
BLINK = np.array([0.35, 0.9, 1.0, 0.6, 0.2])  # 200 ms, closing faster than opening

Series = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """One picture of a face. Lengths in face heights, angles in deg, shares 0-1."""

    opening: float = 0.0
    spread: float = 0.0  # -1 rounded … 1 spread
    blink: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    turn: float = 0.0  # how far the face's middle moves against its outline
    roll_deg: float = 0.0
    zoom: float = 0.0


def mouth(voice: Samples, frames: int) -> tuple[Series, Series]:
    """Return opening (0-1) and spread (-1 to 1) of the lips, (frames,) each; frame i belongs to i / FPS s."""
    power = _spectrum(voice, frames)
    hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)

    def level_db(band: tuple[float, float]) -> Series:
        inside = (hz >= band[0]) & (hz < band[1])
        return np.asarray(10 * np.log10(power[:, inside].sum(1) + 1e-9), np.float64)

    vowels = level_db(VOWEL_HZ)
    loud = np.percentile(vowels[vowels > vowels.max() - 40], 95)
    opening = np.clip((vowels - loud + RANGE_DB) / RANGE_DB, 0, 1.1) ** MOUTH_POWER
    voiced = opening > 0.05
    tilt = level_db(HIGH_HZ) - level_db(LOW_HZ)
    middle, width = (np.median(tilt[voiced]), np.std(tilt[voiced]) + 1e-6) if voiced.any() else (0.0, 1.0)
    spread = np.tanh((tilt - middle) / width) * np.sqrt(np.clip(opening, 0, 1))
    return gaussian_filter1d(opening, 0.7), gaussian_filter1d(spread, 1.0)


def _spectrum(voice: Samples, frames: int) -> Series:
    padded = np.pad(voice, (WINDOW // 2, WINDOW))[: frames * HOP + WINDOW]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    return np.asarray(np.abs(np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32), axis=1)) ** 2, np.float64)


def act(voice: Samples | None, frames: int, rng: np.random.Generator) -> list[Pose]:
    """Return poses of a face for `frames` pictures; `voice` is the person's own sound (zeros while silent) or None."""
    still = np.zeros(frames)
    opening, spread = (still, still) if voice is None or not voice.any() else mouth(voice, frames)
    lively = 0.5 + gaussian_filter1d(np.clip(opening, 0, 1), 12)
    shift_x, shift_y = 0.022 * drift(frames, rng) * lively, 0.014 * drift(frames, rng) * lively + nods(opening, rng)
    turn, roll_deg, zoom = 0.02 * drift(frames, rng), 1.4 * drift(frames, rng) * lively, 0.010 * drift(frames, rng)
    lids = blinks(frames, rng)
    return [
        Pose(*(float(v) for v in row))
        for row in zip(opening, spread, lids, shift_x, shift_y, turn, roll_deg, zoom, strict=True)
    ]


def drift(frames: int, rng: np.random.Generator) -> Series:
    """Return slow, smooth motion within about ±1, (frames,): sines of 0.1 to 0.6 Hz."""
    seconds = np.arange(frames) / FPS
    total = np.zeros(frames)
    for low, high, size in ((0.1, 0.2, 0.6), (0.2, 0.35, 0.3), (0.4, 0.6, 0.15)):
        total += size * np.sin(2 * np.pi * (rng.uniform(low, high) * seconds + rng.uniform()))
    return total


def blinks(frames: int, rng: np.random.Generator) -> Series:
    lids = np.zeros(frames + len(BLINK))
    at = int(rng.integers(10, 60))
    while at < frames:
        lids[at : at + len(BLINK)] = BLINK
        at += int(rng.integers(60, 130))  # people in conversation blink about every 2 to 5 s
    return lids[:frames]


def nods(opening: Series, rng: np.random.Generator) -> Series:
    """Return small nods of a listener, (frames,), every few seconds while silent."""
    frames = len(opening)
    out = np.zeros(frames + 40)
    bump = 0.02 * np.sin(np.linspace(0, 2 * np.pi, 22)) ** 2 * np.linspace(1, 0.5, 22)
    at = int(rng.integers(20, 70))
    while at < frames:
        if opening[at : at + 22].max(initial=0) < 0.05:
            out[at : at + 22] += bump
        at += int(rng.integers(60, 140))
    return out[:frames]
