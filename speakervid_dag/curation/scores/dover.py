"""DOVER's two views of a clip, and the scores from its two raw outputs.

Belongs here: the frames and parts of frames that make up its views, and the formulas from raw outputs to scores. Does
not belong here: the network (models/dover.py), decoding, gates.

DOVER (Wu et al., ICCV 2023) has two branches. The aesthetic one sees 32 frames spread over the clip, squeezed to
224×224. The technical one sees a few runs of 32 frames, every second one, as 7×7 fragments of 32×32 px, cut out without
scaling to preserve blur, noise and blocks. The published sampler draws runs and fragments at random inside their cells
(according to its author, two passes over one file differ by about 0.02); here the middle ones are taken, so that a
score is reproducible. The area is our choice: the clip's box, as a release cuts it out.

Every score is (value, "ok") or (None, reason): too_few_frames (fewer than 32), too_small (a side of the box below
32 px), frames_lost (the second decode gave other frames), not_finite.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.scores.measurement import Measurement

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

NAMES = ("video_quality", "dover_technical")
FRAMES, INTERVAL = 32, 2  # frames in a run, and the step between them in the technical view
CELLS, FRAGMENT_PX = 7, 32
SIDE_PX = CELLS * FRAGMENT_PX
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet's, RGB
# (mean, deviation) of the raw outputs over KoNViD-1k, and their weights: DOVER's own score-level fusion
TECHNICAL, AESTHETIC = (0.1107, 0.07355), (-0.08285, 0.03774)
TECHNICAL_WEIGHT, AESTHETIC_WEIGHT = 0.6104, 0.3896


class QualityModel(Protocol):
    """See models.dover.Dover. `runs`: number of runs of its technical view."""

    @property
    def runs(self) -> int: ...
    def raw(self, aesthetic: Floats, technical: Floats) -> tuple[float, float]: ...


def technical_z(raw: float) -> float:
    """Return the technical branch's raw output in standard deviations from the mean of KoNViD-1k."""
    return (raw - TECHNICAL[0]) / TECHNICAL[1]


def fused(technical: float, aesthetic: float) -> float:
    """Return the overall quality, 0-1, from the raw outputs."""
    z = TECHNICAL_WEIGHT * technical_z(technical) + AESTHETIC_WEIGHT * (aesthetic - AESTHETIC[0]) / AESTHETIC[1]
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def aesthetic_frames(count: int) -> NDArray[np.intp]:
    """Return the numbers of 32 frames, one in the middle of each 32nd of `count`: (32,). `count` is 32 or more."""
    return _runs(count, FRAMES, 1)[:, 0]


def technical_frames(count: int, runs: int) -> NDArray[np.intp]:
    """Return the numbers of 32 frames, every second one, from each part of `count`: (runs, 32).

    A run that does not fit into its part begins with it; one that reaches beyond the clip wraps around to its start.
    """
    return _runs(count, runs, FRAMES)


def _runs(count: int, parts: int, length: int) -> NDArray[np.intp]:
    part = count // parts
    first = np.arange(parts) * part + max(0, part - length * INTERVAL) // 2
    return np.asarray((first[:, None] + np.arange(length) * INTERVAL) % count, np.intp)


def squeezed(picture: Image) -> Image:
    """Resize the whole picture (h, w, 3) to (224, 224, 3): bilinear without antialiasing, as DOVER was trained."""
    import cv2

    return np.asarray(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def fragments(picture: Image) -> Image:
    """Return the middle 32×32 px of each of 7×7 cells, side by side: (224, 224, 3). A picture smaller than that is
    enlarged until its short side is 224 px."""
    import cv2

    height, width = picture.shape[:2]
    scale = SIDE_PX / min(height, width)
    if scale > 1:
        size = (max(SIDE_PX, round(width * scale)), max(SIDE_PX, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    rows, columns = (_fragment_index(length) for length in picture.shape[:2])
    return picture[rows[:, None], columns[None, :]]


def _fragment_index(length: int) -> NDArray[np.intp]:
    cell = length // CELLS
    starts = np.arange(CELLS) * cell + (cell - FRAGMENT_PX) // 2
    return np.asarray((starts[:, None] + np.arange(FRAGMENT_PX)).ravel(), np.intp)


def as_input(pictures: NDArray[np.uint8]) -> Floats:
    """Convert (frames, 224, 224, 3) BGR 0-255 to (3, frames, 224, 224) RGB, normalised."""
    mean, deviation = np.array(MEAN, np.float32), np.array(DEVIATION, np.float32)
    rgb = (pictures[..., ::-1].astype(np.float32) - mean) / deviation
    return np.ascontiguousarray(rgb.transpose(3, 0, 1, 2))


def cut_out(image: Image, box: tuple[float, float, float, float]) -> Image:
    """Return the part of the picture in a box of normalised x1, y1, x2, y2."""
    height, width = image.shape[:2]
    left, right = (round(min(max(x, 0.0), 1.0) * width) for x in box[::2])
    top, bottom = (round(min(max(y, 0.0), 1.0) * height) for y in box[1::2])
    return image[top:bottom, left:right]


class DoverLook:
    """DOVER on one clip: call `see` for each of `times_s`, then `answer`."""

    part = "dover"
    names: tuple[str, ...] = NAMES

    def __init__(self, clip: Mapping[str, Any], frame_times_s: NDArray[np.float64], *, model: QualityModel) -> None:
        inside = frame_times_s[(frame_times_s >= clip["start_s"]) & (frame_times_s < clip["end_s"])]
        self.clip_id = str(clip["clip_id"])
        self._box = (clip["x1"], clip["y1"], clip["x2"], clip["y2"])
        self._model = model
        self.reason = "too_few_frames" if len(inside) < FRAMES else ""
        count = max(len(inside), FRAMES)
        self._aesthetic, self._technical = aesthetic_frames(count), technical_frames(count, model.runs)
        wanted = [] if self.reason else sorted({*self._aesthetic.tolist(), *self._technical.ravel().tolist()})
        self._number = {float(inside[i]): i for i in wanted}
        self.times_s = frozenset(self._number)
        self._squeezed: dict[int, Image] = {}
        self._fragments: dict[int, Image] = {}

    def see(self, time_s: float, image: Image) -> None:
        picture = cut_out(image, self._box)
        if min(picture.shape[:2]) < FRAGMENT_PX:
            self.reason = "too_small"
            return
        number = self._number[time_s]
        if number in self._aesthetic:
            self._squeezed[number] = squeezed(picture)
        if number in self._technical:
            self._fragments[number] = fragments(picture)

    def answer(self) -> dict[str, Measurement]:
        reason = self.reason
        if not reason and len(self._squeezed.keys() | self._fragments.keys()) < len(self._number):
            reason = "frames_lost"
        if reason:
            return dict.fromkeys(NAMES, (None, reason))
        aesthetic = as_input(np.stack([self._squeezed[i] for i in self._aesthetic.tolist()]))
        runs = [as_input(np.stack([self._fragments[i] for i in run])) for run in self._technical.tolist()]
        technical_raw, aesthetic_raw = self._model.raw(aesthetic[None], np.stack(runs))
        if not (math.isfinite(technical_raw) and math.isfinite(aesthetic_raw)):
            return dict.fromkeys(NAMES, (None, "not_finite"))
        values = (fused(technical_raw, aesthetic_raw), technical_z(technical_raw))
        return {name: (value, "ok") for name, value in zip(NAMES, values, strict=True)}
