"""Sound of made-up conversations: voices on cue, a bed of music, a far microphone.

Belongs here: pure functions on samples of 16 kHz. Does not belong here: when who talks (hard_script.py), files
(hard_kit.py).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

RATE_HZ = 16_000
FRAME = 640  # samples beside a picture of 25 Hz
FADE = 80  # samples, 5 ms, where recordings begin, end or jump
HISS_DB = -60.0
FAR_DB, FAR_NOISE_DB = -15.0, -20.0  # of a far voice; of the noise beside it
CHORD_S, BEAT_S = 2.0, 0.5
CHORDS_HZ = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (261.6, 329.6, 392.0), (196.0, 246.9, 293.7))  # Am F C G

Samples = NDArray[np.float32]


def spoken(material: Samples, heard: NDArray[np.int64]) -> Samples:
    """Return a voice that plays the material's frames in that order; -1 is silence."""
    padded = np.concatenate([material, np.zeros(FRAME, np.float32)])
    frames = padded.reshape(-1, FRAME)[heard].copy()  # the last one, -1, is silence
    joins = np.flatnonzero((np.diff(heard) != 1) & ~((heard[1:] < 0) & (heard[:-1] < 0))) + 1
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    for at in joins:
        frames[at, :FADE] *= ramp
        frames[at - 1, -FADE:] *= ramp[::-1]
    return frames.ravel()


def level_db(samples: Samples) -> float:
    """Return the level of what is not silence."""
    power = np.square(samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)).mean(1)
    loud = power[power > 1e-7]
    return 10 * float(np.log10(loud.mean())) if len(loud) else -np.inf


def gained(samples: Samples, gain_db: float) -> Samples:
    return (samples * 10 ** (gain_db / 20)).astype(np.float32)


def hiss(count: int, at_db: float, rng: np.random.Generator) -> Samples:
    return gained(rng.standard_normal(count).astype(np.float32), at_db)


def music(count: int, at_db: float, rng: np.random.Generator) -> Samples:
    """Return chords of soft tones and a drum at a level, like the bed of a reportage."""
    time_s = np.arange(count) / RATE_HZ
    chord = (time_s // CHORD_S).astype(int) % len(CHORDS_HZ)
    swell = np.exp(-1.2 * (time_s % CHORD_S))
    tones = np.zeros(count)
    for place in range(3):
        pitch = np.array([hz[place] for hz in CHORDS_HZ])[chord]
        for overtone in (1, 2, 3):
            tones += swell / overtone**2 * np.sin(2 * np.pi * overtone * pitch * time_s)
    beat = time_s % BEAT_S
    kick = np.exp(-25 * beat) * np.sin(2 * np.pi * 60 * beat)
    snare = np.exp(-30 * beat) * rng.standard_normal(count) * (time_s // BEAT_S % 2)
    bed = (tones + 3 * kick + snare).astype(np.float32)
    return gained(bed, at_db - level_db(bed))


def far(voice: Samples, reverberation_s: float, rng: np.random.Generator) -> Samples:
    """Return a voice as a microphone across a room hears it: as much echo as voice, and softer."""
    time_s = np.arange(int(reverberation_s * RATE_HZ)) / RATE_HZ
    tail = rng.standard_normal(len(time_s)) * np.exp(-np.log(1e3) * time_s / reverberation_s)
    response = tail / np.sqrt(np.square(tail).sum())
    response[0] += 1.0
    return gained(fftconvolve(voice, response)[: len(voice)].astype(np.float32), FAR_DB)
