"""Display geometry of stored pictures: size, pixel aspect, orientation and their changes; runs in the decoding process.

Belongs here: the geometry of each picture of a stream, and the stretches that share one. Does not belong here: scaling
and turning pictures (decoder/picture, decoder/clip_pictures), the part that is cut out (region). Standard library only.
"""

import math
import struct
from fractions import Fraction
from typing import Any, NamedTuple

from speakervid_dag.failures import PermanentFailure

MAX_PIXEL_ASPECT = 4  # beyond this a sample aspect ratio counts as damaged and is ignored


class Geometry(NamedTuple):
    """Display size (square pixels, upright) and the way to it from a stored picture: mirror, then turn clockwise."""

    width_px: int
    height_px: int
    rotation_deg: int = 0
    is_mirrored: bool = False

    @property
    def pixels(self) -> int:
        return self.width_px * self.height_px

    def within(self, max_long_side_px: int | None) -> "Geometry":
        """Return the geometry scaled down, never up, to this long side."""
        long_side = max(self.width_px, self.height_px)
        if max_long_side_px is None or long_side <= max_long_side_px:
            return self
        scale = max_long_side_px / long_side
        width, height = (max(1, round(side * scale)) for side in (self.width_px, self.height_px))
        return self._replace(width_px=width, height_px=height)

    @property
    def stored(self) -> tuple[int, int]:
        """Return (width, height), px, of a stored picture with square pixels, before it is turned."""
        size = self.width_px, self.height_px
        return size[::-1] if self.rotation_deg in (90, 270) else size


class GeometryWatch:
    """Tracker of the geometry of a stream's pictures; a new stretch begins at each change.

    Size and orientation come with each picture. H.264 states an orientation only with some pictures, so it holds until
    another is stated or the size changes. The decoder reports a new pixel aspect before the picture it applies to, so
    it counts from the next key picture on.

    Args:
        stream: a video stream that is not being decoded yet.
        base, per_s: changes allowed per file: a fixed number, and more for each second of its pictures.
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
        """Return the geometry of the next picture.

        Raises PermanentFailure: over_budget, if it changes too often.
        """
        size = picture.width, picture.height
        rotation = picture.rotation
        if size != self._size or (rotation and rotation != self._rotation):  # side data costs a cycle of objects
            self._turn, self._rotation = _turn(picture), rotation
        if picture.key_frame or self._size is None:
            self._take_shape()
        self._size = size
        shown = _displayed(size, self._shape, self._turn)
        if shown != self.current:
            self._begin(shown, time_s)
        return self.current

    def _take_shape(self) -> None:
        """Keep the container's pixel aspect until the coded one differs from its first value."""
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
    """Return a display matrix as (degrees clockwise, mirror first or not).

    libavutil/display.h: x' = a x + c y, y' = b x + d y, with y downwards.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    is_mirrored = a * d - b * c < 0
    sign = -1 if is_mirrored else 1
    degrees = math.degrees(math.atan2(sign * b, sign * a))
    return round(degrees / 90) * 90 % 360, is_mirrored
