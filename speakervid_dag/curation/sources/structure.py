"""Structural difference of two thumbnails: contrast-normalised pictures, compared cell by cell.

Belongs here: the thumbnail and its distance. Does not belong here: which change is a cut or a dissolve (shots.py,
dissolves.py).
"""

import itertools

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 64
CELLS = 4
_SHIFT_PX = 2
SAME_PICTURE = 0.9  # correlation of two pictures that differ in their light, not in what they show
_NOISE_LUMA = 3.0  # added to the deviation, because a black or white picture has only noise
_QUIET_CELLS = 6  # of the sixteen cells, how many may stay calm when most of the picture changes

Thumbnail = NDArray[np.float32]


def thumbnail(image: NDArray[np.uint8]) -> Thumbnail:
    """Return the luma of a (height, width, 3) BGR picture at 64 x 64 px, 0-255, float32."""
    import cv2

    small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), dtype=np.float32)


def normalised(luma: Thumbnail) -> Thumbnail:
    """Return a thumbnail with mean 0 and deviation 1; a smaller deviation if there is only noise."""
    return np.asarray((luma - luma.mean()) / (luma.std() + _NOISE_LUMA), dtype=np.float32)


def is_empty(luma: Thumbnail) -> bool:
    """Return True if a thumbnail shows nothing but noise: black, white or one grey."""
    return float(luma.std()) < _NOISE_LUMA


def structure_change(before: Thumbnail, after: Thumbnail) -> float:
    """Return the change of most of the picture, in standard deviations; 0 = same, unrelated pictures about 0.7.

    Args:
        before, after: float32 (64, 64), normalised.

    Returns:
        The change that ten of the sixteen cells exceed. A cell's change is its mean absolute difference after the best
        shift of at most 2 px. One picture in two lights is compared at the contrast of the flatter: near black, the
        allowance for noise leaves little of a picture, and a light that goes out would be a change.
    """
    before, after = _at_one_contrast(before, after)
    padded = np.pad(before, _SHIFT_PX, mode="edge")
    shifts = range(2 * _SHIFT_PX + 1)
    best = np.full(CELLS * CELLS, np.inf, dtype=np.float32)
    for down, right in itertools.product(shifts, shifts):
        best = np.minimum(best, cell_change(padded[down : down + SIDE_PX, right : right + SIDE_PX], after))
    return float(cells_exceeded(best))


def _at_one_contrast(before: Thumbnail, after: Thumbnail) -> tuple[Thumbnail, Thumbnail]:
    """Return both pictures at the deviation of the flatter one if they are one picture in two lights, else as given."""
    flat, deviation = sorted((float(before.std()), float(after.std())))
    is_one_picture = float((before * after).mean()) >= SAME_PICTURE * flat * deviation
    if not is_one_picture or flat == 0:
        return before, after
    return before * np.float32(flat / before.std()), after * np.float32(flat / after.std())


def cell_change(before: Thumbnail, after: Thumbnail) -> NDArray[np.float32]:
    """Return the mean absolute difference of each cell, without any shift: (16,)."""
    return np.asarray(cells_of(np.abs(after - before)).mean(axis=(1, 3)).ravel())


def cells_of(picture: Thumbnail) -> NDArray[np.float32]:
    """Return the picture as (row of cells, row in the cell, column of cells, column in the cell): (4, 16, 4, 16)."""
    cell = SIDE_PX // CELLS
    return picture.reshape(CELLS, cell, CELLS, cell)


def cells_exceeded(change: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the change that ten of the sixteen cells exceed; (..., 16) to (...)."""
    return np.asarray(np.sort(change, axis=-1)[..., _QUIET_CELLS - 1])
