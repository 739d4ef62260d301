"""Augmentation of training segments: pictures, lip coordinates and sound.

Belongs here: random changes that leave the labels as they are. Does not belong here: choosing segments (batches.py).
Every function takes the generator that decides.
"""

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.lip_layers import PICTURE_PX, RATE_HZ

Floats = NDArray[np.float32]
Random = np.random.Generator


def pictures(
    shown: NDArray[np.uint8], random: Random, *, is_mirrored: bool, span: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return pictures (t, n, n) cut, turned, stretched, darkened, blurred and made noisy alike: (t, 48, 48).

    Args:
        span: smallest and largest side of the cut, px of the n.
    """
    import cv2

    side = shown.shape[1]
    scale = PICTURE_PX / random.uniform(*span)
    turn, aspect = random.uniform(-0.12, 0.12), random.uniform(0.92, 1.08)
    shift = random.uniform(-3, 3, 2) * side / 72
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.diag([aspect, 1.0])
    if is_mirrored:
        matrix[:, 0] *= -1
    place = np.column_stack([matrix, PICTURE_PX / 2 - matrix @ (np.full(2, side / 2) + shift)])
    levels = _levels(random)
    small = int(random.integers(20, PICTURE_PX + 1)) if random.random() < 0.25 else PICTURE_PX
    noise = random.uniform(0, 8) if random.random() < 0.7 else 0.0
    out = np.empty((len(shown), PICTURE_PX, PICTURE_PX), np.uint8)
    for n, picture in enumerate(shown):
        cut = cv2.warpAffine(
            picture, place, (PICTURE_PX, PICTURE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if small < PICTURE_PX:
            cut = cv2.resize(cut, (small, small), interpolation=cv2.INTER_AREA)
            cut = cv2.resize(cut, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_LINEAR)
        out[n] = cv2.LUT(cut, levels)
    if noise:
        grain = random.normal(0, noise, (8, PICTURE_PX, PICTURE_PX)).astype(np.float32)
        out = np.clip(out + grain[random.integers(0, 8, len(out))], 0, 255).astype(np.uint8)
    return out


def _levels(random: Random) -> NDArray[np.uint8]:
    gamma, gain, lift = random.uniform(0.7, 1.4), random.uniform(0.75, 1.2), random.uniform(-20, 20)
    return np.clip(((np.arange(256) / 255) ** gamma) * 255 * gain + lift, 0, 255).astype(np.uint8)


def mirrored_lips(lips: Floats) -> Floats:
    """Return lip coordinates (t, 40) of the mirrored face: x changes its sign, left and right points their places."""
    mirror = [6, 5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 16, 15, 14, 13, 12, 19, 18, 17]
    points = lips.reshape(-1, 20, 2)[:, mirror] * np.array([-1, 1], np.float32)
    return np.ascontiguousarray(points.reshape(-1, 40))


def moved_lips(lips: Floats, random: Random) -> Floats:
    """Return lip coordinates with another extent of motion, size, shear and with noise; frames of zeros stay."""
    known = np.abs(lips).sum(axis=1) > 0
    if not known.any():
        return lips
    mean = lips[known].mean(axis=0)
    moved = (lips - mean) * random.uniform(0.65, 1.4) + mean
    shear = random.uniform(0.8, 1.15) * np.array([[1, random.uniform(-0.15, 0.15)], [random.uniform(-0.15, 0.15), 1]])
    moved = (moved.reshape(-1, 20, 2) @ shear.T).reshape(-1, 40)
    moved += random.normal(0, random.uniform(0, 0.008), moved.shape)
    return np.where(known[:, None], moved, 0).astype(np.float32)


def sound(samples: Floats, others: list[Floats], random: Random) -> Floats:
    """Return sound with music, other voices or noise, a room, a filter and a tilt; `others`: voices to mix in."""
    samples = samples.astype(np.float32)
    level = float(np.sqrt(np.mean(samples**2))) + 1e-5
    if random.random() < 0.55:
        kind = random.integers(0, 3)
        if kind == 0:
            samples = samples + _at_level(_music(len(samples), random), level, random.uniform(0, 18))
        elif kind == 1 and others:
            voice = others[int(random.integers(0, len(others)))]
            samples = samples + _at_level(np.resize(voice, len(samples)), level, random.uniform(8, 22))
        else:
            samples = samples + _at_level(_noise(len(samples), random), level, random.uniform(3, 25))
    if random.random() < 0.3:
        samples = _room(samples, random)
    return _filtered(samples, random).astype(np.float32)


def _at_level(added: Floats, level: float, below_db: float) -> Floats:
    return np.asarray(added * (level * 10 ** (-below_db / 20) / (np.sqrt(np.mean(added**2)) + 1e-9)), np.float32)


def _music(count: int, random: Random) -> Floats:
    """Return chords of four to eight notes and a drum."""
    beat = int(RATE_HZ * random.uniform(0.3, 0.7))
    time = np.arange(2 * beat, dtype=np.float32) / RATE_HZ
    out = np.zeros(count + 2 * beat, np.float32)
    root = random.uniform(80, 220)
    steps = np.array([0, 3, 4, 5, 7, 9, 10, 12, 16, 19])
    waves = np.sin(2 * np.pi * root * 2 ** (steps[:, None] / 12) * time + random.uniform(0, 6, (len(steps), 1)))
    waves = waves + 0.3 * waves**3  # overtones
    for at in range(0, count, 2 * beat):
        out[at : at + 2 * beat] += waves[random.choice(len(steps), random.integers(4, 8), replace=False)].sum(axis=0)
    fall = np.exp(-np.arange(beat) / (0.05 * RATE_HZ)) * random.normal(size=beat) * random.uniform(0, 6)
    for at in range(0, count, beat):
        out[at : at + beat] += fall
    return out[:count]


def _noise(count: int, random: Random) -> Floats:
    white = random.normal(size=count)
    if random.random() < 0.5:
        return white.astype(np.float32)
    from scipy.signal import lfilter

    return np.asarray(lfilter([1], [1, -random.uniform(0.9, 0.99)], white), np.float32)


def _room(samples: Floats, random: Random) -> Floats:
    from scipy.signal import fftconvolve

    length = int(RATE_HZ * random.uniform(0.1, 0.4))
    tail = random.normal(size=length) * np.exp(-6.9 * np.arange(length) / length) * random.uniform(0.02, 0.15)
    tail[0] = 1
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], np.float32)


def _filtered(samples: Floats, random: Random) -> Floats:
    """Return the sound with its upper bands cut (20 %), one band damped (30 %), and a tilt."""
    from scipy.fft import irfft, rfft

    bins = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    gain = 10 ** (random.uniform(-6, 6) * np.log2(np.maximum(bins, 60) / 1000) / 60)
    if random.random() < 0.2:
        gain *= 1 / (1 + (bins / random.uniform(2500, 6000)) ** 8)
    if random.random() < 0.3:
        low = random.uniform(100, 5000)
        gain *= np.where((bins > low) & (bins < low * random.uniform(1.2, 1.8)), 0.1, 1.0)
    return np.asarray(irfft(rfft(samples) * gain.astype(np.float32), len(samples)), np.float32)


def doubled(count: int, random: Random) -> NDArray[np.intp]:
    """Return frame numbers of which 8 % are replaced by the one before, in one of five segments."""
    index = np.arange(count)
    if random.random() < 0.2:
        repeated = random.random(count) < 0.08
        index[1:][repeated[1:]] -= 1
    return index
