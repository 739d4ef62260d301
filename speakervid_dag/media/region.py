"""The part of a picture that a box with its margin covers.

Belongs here: arithmetic on boxes and sizes. Does not belong here: cutting it out (decoder/clip_pictures). Standard
library only.
"""

from math import ceil
from typing import NamedTuple

from speakervid_dag.failures import PermanentFailure

Box = tuple[float, float, float, float]


class Region(NamedTuple):
    """The cut part, in px of the picture scaled to `display_width_px` x `display_height_px`; even place and size."""

    left_px: int
    top_px: int
    width_px: int
    height_px: int
    display_width_px: int
    display_height_px: int


def region(size_px: tuple[int, int], box: Box | None, margin: float, max_long_side_px: int) -> Region:
    """Return the part of a picture that a box with its margin covers: even, at least 2 px, inside the picture.

    Args:
        size_px: (width, height) as displayed.
        box: (x1, y1, x2, y2), 0-1; None: the whole picture, without a margin.
        margin: added on each side of the box, as a fraction of its size.
        max_long_side_px: of the part; the picture is scaled down, never up.

    Raises:
        PermanentFailure: bad_dimensions, a picture less than 2 px wide or high.
    """
    x1, y1, x2, y2 = box or (0.0, 0.0, 1.0, 1.0)
    margin = margin if box else 0.0
    wide, high = (x2 - x1) * margin, (y2 - y1) * margin
    x1, y1, x2, y2 = max(x1 - wide, 0.0), max(y1 - high, 0.0), min(x2 + wide, 1.0), min(y2 + high, 1.0)
    longest = max((x2 - x1) * size_px[0], (y2 - y1) * size_px[1])
    scale = min(1.0, max_long_side_px / max(longest, 1.0))
    width, height = round(size_px[0] * scale), round(size_px[1] * scale)
    if min(width, height) < 2:
        raise PermanentFailure("bad_dimensions", f"pictures of {width} x {height} px cannot be cut")
    left, wide_px = _even_span(x1 * width, x2 * width, width)
    top, high_px = _even_span(y1 * height, y2 * height, height)
    return Region(left, top, wide_px, high_px, width, height)


def _even_span(low: float, high: float, size: int) -> tuple[int, int]:
    """Return (even start, even length ≥ 2) inside [0, size) that covers [low, high) as far as evenness allows."""
    whole = size // 2 * 2
    start = min(int(low + 1e-6) // 2 * 2, whole - 2)
    end = min(-(-ceil(high - 1e-6) // 2) * 2, whole)
    return start, max(end - start, 2)
