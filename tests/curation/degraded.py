"""Graded degradations of a clip, and which score each must move: shared by the test and by the benchmark on real media.

A degradation takes decoded frames (or samples) and a grade 0-3; grade 0 leaves them as they are. MOVES says which
scores must move and which way, by every grade; COUPLED which others may follow, and why. Any other score may leave its
value at grade 0 by no more than its BAND.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Frames = list[NDArray[np.uint8]]
Sound = NDArray[np.float32]
Values = Sequence[float | None]

FPS, RATE_HZ, GRADES = 25, 16_000, 4


def blur(frames: Frames, grade: int) -> Frames:
    """Gaussian of height/360, /180, /90: 1, 2, 4 px at 360 lines; beyond, blur_effect has little left to measure."""
    sigma = frames[0].shape[0] * (0, 1 / 360, 1 / 180, 1 / 90)[grade]
    return [np.asarray(cv2.GaussianBlur(f, (0, 0), sigma), np.uint8) if grade else f for f in frames]


def noise(frames: Frames, grade: int) -> Frames:
    """Grain of deviation 4, 8, 16 in each channel, anew in each frame."""
    chance, deviation = np.random.default_rng(1), (0, 4, 8, 16)[grade]
    return [np.clip(f + chance.normal(0, deviation, f.shape), 0, 255).astype(np.uint8) for f in frames]


def darkness(frames: Frames, grade: int) -> Frames:
    gain = (1.0, 0.5, 0.25, 0.1)[grade]
    return [(f * gain).astype(np.uint8) for f in frames]


def compression(frames: Frames, grade: int) -> Frames:
    """H.264, coded and decoded again: CRF 18 (also at grade 0: what is compared has been coded once), 36, 44, 51."""
    return _recoded(frames, ("18", "36", "44", "51")[grade])


def shake(frames: Frames, grade: int) -> Frames:
    """The picture jumps about by a deviation of 0.5, 1 and 2 % of its long side."""
    amplitude = (0, 0.005, 0.01, 0.02)[grade] * max(frames[0].shape)
    ways = np.random.default_rng(5).normal(0, 1, (len(frames), 2)) * amplitude
    return [_moved(f, *way) if grade else f for f, way in zip(frames, ways, strict=True)]


def freeze(frames: Frames, grade: int) -> Frames:
    """Every second, fifth, hundredth frame stands for those after it."""
    step = (1, 2, 5, 100)[grade]
    return [frames[i // step * step] for i in range(len(frames))]


def clipping(sound: Sound, grade: int) -> Sound:
    """The loudest 0, 0.5, 2 and 8 % of the samples are driven to full scale."""
    level = np.quantile(np.abs(sound), (1, 0.995, 0.98, 0.92)[grade])
    gain = 0.9 if grade == 0 else 1.0
    return np.clip(sound / level * gain, -1, 1).astype(np.float32)


def babble(sound: Sound, grade: int) -> Sound:
    """Six voices at once (the sound itself, turned around and moved) at 20, 10 and 0 dB below it."""
    if not grade:
        return sound
    ways = np.random.default_rng(3).integers(0, len(sound), 6)
    others = np.sum([np.roll(sound[::-1], way) for way in ways], axis=0)
    wanted = np.sqrt(np.mean(sound**2)) / 10 ** ((20, 10, 0)[grade - 1] / 20)
    both = sound + others * wanted / np.sqrt(np.mean(others**2))
    return (both / max(1.0, np.abs(both).max())).astype(np.float32)


PICTURE: dict[str, Callable[[Frames, int], Frames]] = {
    f.__name__: f for f in (blur, noise, darkness, compression, shake, freeze)
}
SOUND: dict[str, Callable[[Sound, int], Sound]] = {f.__name__: f for f in (clipping, babble)}

MOVES: dict[str, dict[str, str]] = {
    "blur": {"face_blur": "falls", "blur_effect": "rises"},
    "noise": {"noise_sigma": "rises"},
    "darkness": {"luminance": "falls"},
    "compression": {"face_repeat_share": "rises"},
    "shake": {"camera_shake": "rises"},
    "freeze": {"freeze_share": "rises"},
    "clipping": {"clipping_share": "rises"},
    "babble": {"snr_db": "falls"},
}
# what follows from the thing itself; each was seen, on the generated clip or on a real one
COUPLED: dict[str, dict[str, str]] = {
    "blur": {
        "noise_sigma": "grain is blurred away",
        "freeze_share": "without grain, a picture at rest repeats",
        "blockiness": "the codec's own grid is blurred away",
        "text_share": "letters are blurred away",
    },
    "noise": {
        "face_blur": "variance of the Laplacian counts grain as detail",
        "blur_effect": "grain is detail",
    },
    "darkness": {
        "noise_sigma": "grain scales with the light",
        "face_blur": "variance scales with the square of the light",
        "blur_effect": "8 bits leave dark edges few steps",
        "freeze_share": "motion falls below its threshold in luma",
        "point_track_ratio": "corners scale with the light",
        "dark_run_frames": "it is what it measures",
        "border_share": "what is black counts as border",
        "text_share": "dark letters are not found",
    },
    "compression": {
        "face_blur": "detail is dropped",
        "blur_effect": "detail is dropped",
        "noise_sigma": "grain is dropped",
        "freeze_share": "blocks are skipped in all the picture",
        "blockiness": "it is what it measures, unless the coder's own filter smooths the grid",
        "text_share": "letters are smeared",
    },
    "shake": {
        "point_track_ratio": "points leave the picture",
        "text_share": "words leave the picture",
    },
    "freeze": {
        "point_track_ratio": "the way between pictures is longer",
    },
    "clipping": {
        "snr_db": "the loudest parts of speech are cut",
        "dnsmos_ovrl": "it is heard",
        "dnsmos_bak": "it is heard",
    },
    "babble": {"dnsmos_ovrl": "it is what it measures", "dnsmos_bak": "it is what it measures"},
}
# about a tenth of what the score takes over usable and useless clips (docs/scores.md)
BANDS = {
    "luminance": 6.0,
    "dark_run_frames": 0.0,
    "face_blur": 0.1,
    "blur_effect": 0.08,
    "noise_sigma": 1.0,
    "blockiness": 0.25,
    "face_repeat_share": 0.1,
    "freeze_share": 0.1,
    "point_track_ratio": 0.1,
    "camera_shake": 0.004,
    "border_share": 0.03,
    "text_share": 0.005,
    "clipping_share": 0.002,
    "snr_db": 3.0,
    "dnsmos_ovrl": 0.3,
    "dnsmos_bak": 0.3,
}


def is_monotone(values: Values, way: str) -> bool:
    """Does every grade lie beyond the one before? A missing value does not."""
    signed = [None if v is None else v if way == "rises" else -v for v in values]
    return all(a is not None and b is not None and a < b for a, b in pairwise(signed))


def complaints(degradation: str, series: Mapping[str, Values]) -> list[str]:
    """What is wrong with score → values at the grades, as sentences."""
    told = []
    for score, values in series.items():
        way = MOVES[degradation].get(score)
        if way is not None and not is_monotone(values, way):
            told.append(f"{degradation}: {score} {way} not at every grade: {_shown(values)}")
        if way is None and score not in COUPLED[degradation] and drift(values) > BANDS[score]:
            told.append(f"{degradation}: {score} leaves its band of {BANDS[score]}: {_shown(values)}")
    return told


def drift(values: Values) -> float:
    """The farthest from the value at grade 0; 0 where that is missing."""
    first = values[0]
    return 0.0 if first is None else max(abs(v - first) for v in values if v is not None)


def _shown(values: Values) -> str:
    return " ".join("-" if v is None else f"{v:.3f}" for v in values)


def _moved(frame: NDArray[np.uint8], x: float, y: float) -> NDArray[np.uint8]:
    way = np.array([[1, 0, x], [0, 1, y]], np.float64)
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.warpAffine(frame, way, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _recoded(frames: Frames, crf: str) -> Frames:
    file, (height, width) = BytesIO(), frames[0].shape[:2]
    with av.open(file, "w", format="mp4") as writer:
        options = {"crf": crf, "preset": "veryfast"}
        stream: Any = writer.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        for frame in frames:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        writer.mux(stream.encode())
    file.seek(0)
    with av.open(file) as reader:
        return [f.to_ndarray(format="bgr24") for f in reader.decode(video=0)]
