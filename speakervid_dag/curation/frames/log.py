"""Series over the frames of one shot: the row of frame_series.

Belongs here: which frame is sampled for what, and the resulting series. Does not belong here: formulas
(curation/pixels, texture, camera), faces (faces/tracking), decoding. Holds one small picture and numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import SamplingSettings
from speakervid_dag.curation import pixels
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import WHOLE, Box, normalised
from speakervid_dag.curation.frames import texture
from speakervid_dag.curation.frames.camera import CameraStep, CameraWatch
from speakervid_dag.curation.pixels import Image

Row = dict[str, Any]
Luma = NDArray[np.float32]
_SMALL_SHARE = 0.5  # a picture between bars counts as small if its height or width is below this share of the canvas


class TimedImage(Protocol):
    """A decoded frame: time in seconds, (height, width, 3) BGR uint8."""

    @property
    def time_s(self) -> float: ...
    @property
    def image(self) -> Image: ...


class SampledFrame(TimedImage, Protocol):
    """A frame of the picture pass; `full`: the same at full size, if one is due and `image` is smaller."""

    @property
    def full(self) -> Image | None: ...


@dataclass(frozen=True)
class ShotSpan:
    """A row of shots; `is_shrunk`: frames are decoded smaller than coded, so blockiness cannot be measured."""

    shot_id: str
    start_s: float
    end_s: float
    is_shrunk: bool = False


@dataclass
class Rhythm:
    """Frame selection at `rate_hz` at most on average; a quarter of a step early is in time. 0 Hz: none."""

    rate_hz: float
    _due_s: float = -np.inf

    def is_due(self, time_s: float) -> bool:
        if self.rate_hz <= 0:
            return False
        step_s = 1.0 / self.rate_hz
        if time_s < self._due_s - step_s / 4:
            return False
        self._due_s = (self._due_s if time_s - self._due_s < step_s else time_s) + step_s
        return True


@dataclass(frozen=True)
class Texture:
    """Values of frames/texture for one frame; NaN where one cannot be measured."""

    time_s: float
    blur_effect: float
    noise_sigma: float
    blockiness: float
    border_share: float


class TextModel(Protocol):
    """See models.text_detector.TextDetector."""

    def probability(self, image: Image, long_side_px: int) -> NDArray[np.float32]: ...


@dataclass
class FrameLog:
    """The log of one shot. Call `note` for every frame, then `look` once its faces are known; at the end `row`.

    Args:
        text: the text detector, or the reason why there is none.
    """

    shot: ShotSpan
    sampling: SamplingSettings
    clock: PartClock
    text: TextModel | str = "off"
    width_px: int = 1
    height_px: int = 1
    _times_s: list[float] = field(default_factory=list)
    _luma: list[float] = field(default_factory=list)
    _motion: list[float] = field(default_factory=list)
    _faces: list[int] = field(default_factory=list)
    _before: NDArray[np.float32] | None = None
    _camera: CameraWatch = field(default_factory=CameraWatch)
    _steps: list[CameraStep] = field(default_factory=list)
    _textures: list[Texture] = field(default_factory=list)
    _texts: list[tuple[float, float]] = field(default_factory=list)  # time, share
    _inner: Box | None = None

    def __post_init__(self) -> None:
        sampling = self.sampling
        self._camera_rhythm = Rhythm(0.0 if sampling.is_off("camera") else sampling.camera_hz)
        self._texture_rhythm = Rhythm(0.0 if sampling.is_off("texture") else sampling.texture_hz)
        self._text_rhythm = Rhythm(0.0 if sampling.is_off("text") else sampling.text_hz)
        if self.sampling.is_off("text"):
            self.text = "off"

    def note(self, frame: TimedImage) -> None:
        with self.clock.timed("luma"):
            small = pixels.small_luma(frame.image)
            self.height_px, self.width_px = frame.image.shape[:2]
            self._times_s.append(frame.time_s)
            self._luma.append(float(small.mean()))
            self._motion.append(pixels.motion(self._before, small))
            self._faces.append(self._faces[-1] if self._faces else 0)
            self._before = small

    def count_faces(self, count: int) -> None:
        self._faces[-1] = count

    def look(self, frame: TimedImage, faces_px: Sequence[Box]) -> None:
        """Sample camera, texture and text of the frame just noted, each when due; `faces_px` are the faces in view."""
        if self._before is None:
            raise ValueError("a frame is noted before it is looked at")
        faces = [_box(normalised(box, self.width_px, self.height_px)) for box in faces_px]
        if self._camera_rhythm.is_due(frame.time_s):
            with self.clock.timed("camera"):
                step = self._camera.feed(frame.time_s, *self._shown(frame.image, self._before, faces_px, faces))
            if step is not None:
                self._steps.append(step)
        if self._texture_rhythm.is_due(frame.time_s):
            with self.clock.timed("texture"):
                self._textures.append(self._texture(frame, self._before))
        if not isinstance(self.text, str) and self._text_rhythm.is_due(frame.time_s):
            with self.clock.timed("text"):
                self._texts.append((frame.time_s, self._text_share(self.text, frame.image, faces)))

    def _shown(
        self, image: Image, small: Luma, faces_px: Sequence[Box], faces: Sequence[Box]
    ) -> tuple[Luma, Sequence[Box]]:
        """Return the camera's picture and the faces in it, without the bars if the picture between them is small: it
        would have too few pixels in the luma of the whole."""
        x1, y1, x2, y2 = self.picture_box
        if min(x2 - x1, y2 - y1) >= _SMALL_SHARE:
            return small, faces
        left, right = round(x1 * self.width_px), round(x2 * self.width_px)
        top, bottom = round(y1 * self.height_px), round(y2 * self.height_px)
        inside = [(f[0] - left, f[1] - top, f[2] - left, f[3] - top) for f in faces_px]
        boxes = [_box(normalised(box, right - left, bottom - top)) for box in inside]
        return pixels.small_luma(image[top:bottom, left:right]), boxes

    def _text_share(self, model: TextModel, image: Image, faces: Sequence[Box]) -> float:
        if min(image.shape[:2]) < texture.MIN_SIDE_PX:
            return float("nan")
        found = model.probability(image, self.sampling.text_long_side_px)
        return texture.text_share(found, faces, self.sampling.min_text_score)

    def _texture(self, frame: TimedImage, small: NDArray[np.float32]) -> Texture:
        import cv2

        inner = texture.inner_box(small)
        self._inner = _hull(self._inner, inner)
        border = texture.border_share(inner)
        if min(frame.image.shape[:2]) < texture.MIN_SIDE_PX:
            return Texture(frame.time_s, np.nan, np.nan, np.nan, border)
        grey = np.asarray(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY))
        blocks = np.nan if self.shot.is_shrunk else texture.blockiness(grey)
        return Texture(frame.time_s, texture.blur_effect(grey), texture.noise_sigma(grey), blocks, border)

    @property
    def picture_box(self) -> Box:
        """Return the picture without its bars, 0-1; a bar is what is black in every sample so far."""
        return self._inner or WHOLE

    @property
    def step_s(self) -> float:
        """Return the usual time between frames, s; 0 for a single frame."""
        return float(np.median(np.diff(self._times_s))) if len(self._times_s) > 1 else 0.0

    def row(self) -> Row:
        return {
            "shot_id": self.shot.shot_id,
            "frame_times_s": pl.Series(self._times_s, dtype=pl.Float64),
            "luma": floats(self._luma),
            "motion": floats(self._motion),
            "face_count": floats(self._faces),
            "camera_times_s": pl.Series([s.time_s for s in self._steps], dtype=pl.Float64),
            "camera_x": floats([s.x for s in self._steps]),
            "camera_y": floats([s.y for s in self._steps]),
            "camera_zoom": floats([s.zoom for s in self._steps]),
            "point_survival": floats([s.survival for s in self._steps]),
            "texture_times_s": pl.Series([t.time_s for t in self._textures], dtype=pl.Float64),
            "blur_effect": floats([t.blur_effect for t in self._textures]),
            "noise_sigma": floats([t.noise_sigma for t in self._textures]),
            "blockiness": floats([t.blockiness for t in self._textures]),
            "border_share": floats([t.border_share for t in self._textures]),
            "picture_box": floats(self.picture_box),
            "text_times_s": pl.Series([time_s for time_s, _ in self._texts], dtype=pl.Float64),
            "text_share": floats([share for _, share in self._texts]),
            "text_status": self.text if isinstance(self.text, str) else "ok",
        }


def _hull(first: Box | None, second: Box | None) -> Box | None:
    """Return the smallest box around both."""
    if first is None or second is None:
        return first or second
    low = min(first[0], second[0]), min(first[1], second[1])
    return (*low, max(first[2], second[2]), max(first[3], second[3]))


def _box(corners: Sequence[float]) -> Box:
    return corners[0], corners[1], corners[2], corners[3]


def floats(values: Sequence[float] | NDArray[np.float32]) -> pl.Series:
    """Return a float32 series; values not measured (NaN) are null."""
    return pl.Series(np.asarray(values, dtype=np.float32), dtype=pl.Float32).fill_nan(None)


def nested(rows: NDArray[np.float32]) -> pl.Series:
    """Return (n, k) as a series of lists, an order of magnitude smaller than Python floats."""
    return pl.Series(rows).cast(pl.List(pl.Float32))
