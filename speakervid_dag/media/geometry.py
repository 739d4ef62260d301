"""How stored pictures are shown: size, pixel aspect, orientation, and where these change; runs in the decoding process.

Belongs here: the geometry of each picture of a stream and the stretches that share one. Does not belong here: scaling
and turning pictures (picture, clip_pictures), and which part of one is cut out (region). Standard library only.
"""

import math
import struct
from fractions import Fraction
from typing import Any, NamedTuple

from speakervid_dag.failures import PermanentFailure

MAX_PIXEL_ASPECT = 4  # beyond this a sample aspect ratio is taken for damage and ignored


class Geometry(NamedTuple):
    """Display size (square pixels, upright), and how a stored picture gets there: mirror, then turn clockwise."""

    width_px: int
    height_px: int
    rotation_deg: int = 0
    is_mirrored: bool = False

    @property
    def pixels(self) -> int:
        return self.width_px * self.height_px

    def within(self, max_long_side_px: int | None) -> "Geometry":
        """The same scaled down, never up, to this long side."""
        long_side = max(self.width_px, self.height_px)
        if max_long_side_px is None or long_side <= max_long_side_px:
            return self
        scale = max_long_side_px / long_side
        width, height = (max(1, round(side * scale)) for side in (self.width_px, self.height_px))
        return self._replace(width_px=width, height_px=height)

    @property
    def stored(self) -> tuple[int, int]:
        """(width, height) of a stored picture with square pixels, before it is turned, px."""
        size = self.width_px, self.height_px
        return size[::-1] if self.rotation_deg in (90, 270) else size


class GeometryWatch:
    """Follows the geometry of a stream's pictures; a new stretch begins where it changes.

    Size and orientation are each picture's own. An orientation holds until another is told or the size changes: H.264
    tells it with some pictures only. Pixel aspect is the decoder's word, which comes ahead of the picture it is for, so
    that it counts from the next key picture on.

    Args:
        stream: a video stream whose decoder is about to begin.
        base, per_s: most changes of one file: so many, and so many more for each second of its pictures.
    """

    def __init__(self, stream: Any, base: float = math.inf, per_s: float = 0.0) -> None:
        self._context, self._shape = stream.codec_context, stream.sample_aspect_ratio
        self._coded_shape: Fraction | None = self._context.sample_aspect_ratio
        self._base, self._per_s = base, per_s
        self._turn, self._rotation = (0, False), 0
        self._size: tuple[int, int] | None = None
        self.current = Geometry(0, 0)
        self.stretches: list[tuple[float, Geometry]] = []

    def of(self, picture: Any, time_s: float = 0.0) -> Geometry:
        """The geometry of the next picture.

        Raises PermanentFailure: over_budget, where it changes too often.
        """
        size = picture.width, picture.height
        rotation = picture.rotation
        if size != self._size or (rotation and rotation != self._rotation):  # looking closer costs a cycle of objects
            self._turn, self._rotation = _turn(picture), rotation
        if picture.key_frame or self._size is None:
            self._take_shape()
        self._size = size
        shown = _displayed(size, self._shape, self._turn)
        if shown != self.current:
            self._begin(shown, time_s)
        return self.current

    def _take_shape(self) -> None:
        """The container's word on pixel aspect holds until the coded one changes from what it first was."""
        coded = self._context.sample_aspect_ratio
        if coded != self._coded_shape and (self._size is not None or self._coded_shape is not None):
            self._shape = coded
        self._coded_shape = coded

    def _begin(self, shown: Geometry, time_s: float) -> None:
        if len(self.stretches) > self._base + self._per_s * max(time_s, 0.0):
            detail = f"size or orientation of the picture changes {len(self.stretches)} times in {time_s:.1f} s"
            raise PermanentFailure("over_budget", detail)
        self.current = shown
        self.stretches.append((time_s, shown))


def _displayed(size: tuple[int, int], shape: Fraction | None, turn: tuple[int, bool]) -> Geometry:
    width, height = size
    if shape and 1 / MAX_PIXEL_ASPECT <= shape <= MAX_PIXEL_ASPECT:
        width = max(1, round(width * shape))
    if turn[0] in (90, 270):
        width, height = height, width
    return Geometry(width, height, *turn)


def _turn(picture: Any) -> tuple[int, bool]:
    matrix = picture.side_data.get("DISPLAYMATRIX")
    return (0, False) if matrix is None else orientation(struct.unpack("=9i", bytes(matrix)))


def orientation(matrix: tuple[int, ...]) -> tuple[int, bool]:
    """A display matrix as (degrees clockwise, whether to mirror first).

    libavutil/display.h: x' = a x + c y, y' = b x + d y, with y downwards.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    is_mirrored = a * d - b * c < 0
    sign = -1 if is_mirrored else 1
    degrees = math.degrees(math.atan2(sign * b, sign * a))
    return round(degrees / 90) * 90 % 360, is_mirrored
