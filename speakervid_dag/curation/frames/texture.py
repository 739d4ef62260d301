"""Traces of coding, noise and blur in one picture: classical no-reference formulas, each from its paper.

Belongs here: formulas over grey pixels, and over a text map. Does not belong here: which frames are sampled (log.py),
clip scores, thresholds. None of these is DOVER or NIQE, and none is trained on opinions.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.geometry import Box, area

Grey = NDArray[np.uint8]

_BLUR_TAPS = 9  # Crete et al. 2007: low-pass of 9 taps
_GRID_PX = 8  # transform grid of the MPEG codecs; macroblock sizes are multiples of it
_BLACK_LUMA = 24.0  # limited-range black is 16; lossy coding and shrinking raise it a little
MIN_SIDE_PX = 32  # in a smaller picture, filters see mostly its edges


def blur_effect(grey: Grey) -> float:
    """Return the blur, 0 = sharp … 1 = blurred: the share of neighbour differences that a further blur leaves.

    The worse of both directions. Source: Crete, Dolmiere, Ladret, Nicolas, "The blur effect", SPIE 2007. A picture
    without any edge gives 1.
    """
    import cv2

    picture = grey.astype(np.float32)
    worst = 0.0
    for axis, taps in ((0, (1, _BLUR_TAPS)), (1, (_BLUR_TAPS, 1))):
        sharp = np.abs(np.diff(picture, axis=axis))
        smooth = np.abs(np.diff(cv2.blur(picture, taps), axis=axis))
        total = float(sharp.sum())
        lost = float(np.maximum(sharp - smooth, 0.0).sum())
        worst = max(worst, (total - lost) / total if total > 0 else 1.0)
    return worst


def noise_sigma(grey: Grey) -> float:
    """Return the noise deviation, 0-255 luma: mean absolute response of a Laplacian difference that ignores edges.

    Source: Immerkaer, "Fast noise variance estimation", 1996. Fine texture counts as noise.
    """
    import cv2

    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
    response = cv2.filter2D(grey, cv2.CV_32F, kernel)[1:-1, 1:-1]
    return float(np.sqrt(np.pi / 2) / 6 * np.abs(response).mean())


def blockiness(grey: Grey) -> float:
    """Return the ratio of mean neighbour differences across the 8 px grid to those inside blocks; 1 = no blocks.

    The worse of both directions, after Wang, Sheikh, Bovik 2002. The picture must have its coded size, because
    shrinking moves the grid.
    """
    return max(_grid_ratio(grey.astype(np.float32)), _grid_ratio(grey.T.astype(np.float32)))


def _grid_ratio(picture: NDArray[np.float32]) -> float:
    steps = np.abs(np.diff(picture, axis=1)).mean(axis=0)
    across = np.arange(len(steps)) % _GRID_PX == _GRID_PX - 1
    # half a grey level on both sides of the ratio, so that rounding in a flat picture does not count as a block
    return float((steps[across].mean() + 0.5) / (steps[~across].mean() + 0.5))


def repeated_block_share(before: Grey, after: Grey) -> float:
    """Return the share of 8×8 blocks that do not change at all between two frames, 0-1.

    Camera noise changes every block of a living face; an encoder short of bits skips blocks instead.
    """
    import cv2

    height, width = (side // _GRID_PX * _GRID_PX for side in after.shape)
    change = cv2.absdiff(before, after)[:height, :width]
    blocks = change.reshape(height // _GRID_PX, _GRID_PX, width // _GRID_PX, _GRID_PX).max(axis=(1, 3))
    return float((blocks == 0).mean())


def cut_box(grey: Grey, box: Box) -> Grey:
    """Return the box (px) of a picture, limited to it; may be empty."""
    height, width = grey.shape[:2]
    x1, y1 = max(0, round(box[0])), max(0, round(box[1]))
    return grey[y1 : max(y1, min(height, round(box[3]))), x1 : max(x1, min(width, round(box[2])))]


def inner_box(luma: NDArray[np.float32]) -> Box | None:
    """Return the area between black bars at the picture's edges, x1, y1, x2, y2 in 0-1; None if all of it is black.

    A row or column belongs to a bar if 98 % of it is darker than 24 (of 255) and so is everything outside it.
    """
    height, width = luma.shape
    rows = np.flatnonzero(np.percentile(luma, 98, axis=1) >= _BLACK_LUMA)
    columns = np.flatnonzero(np.percentile(luma, 98, axis=0) >= _BLACK_LUMA)
    if not len(rows) or not len(columns):
        return None
    return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height


def border_share(inner: Box | None) -> float:
    """Return the share of the picture in black bars, 0-1, from `inner_box`; NaN if all of it is black."""
    return float("nan") if inner is None else 1.0 - area(inner)


def text_share(probability: NDArray[np.float32], faces: Sequence[Box], min_score: float) -> float:
    """Return the share of the picture detected as text, 0-1: pixels of at least `min_score` outside normalised faces.

    Brows, glasses and teeth look like strokes, and no text is burnt into a face. The network marks the middle of a
    line, so the share is smaller than that of boxes around the text.
    """
    height, width = probability.shape
    is_text = probability >= min_score
    for x1, y1, x2, y2 in faces:
        is_text[round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)] = False
    return float(is_text.mean())
