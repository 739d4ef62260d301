"""Luma, motion and sharpness from the pixels of one frame or one face.

Belongs here: formulas over pixels. Does not belong here: landmarks (faces/geometry), clip scores computed from these
series (scores/), thresholds.
"""

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.faces.geometry import Box

_MOTION_SIDE_PX = 160
_FACE_SIDE_PX = 128  # SpeakerVid-5M: Laplacian variance of 128 x 128 crops
_MIN_CROP_PX = 16  # a smaller crop shows the interpolation to 128 px, not the picture
_BT709_BGR = (0.0722, 0.7152, 0.2126)

Image = NDArray[np.uint8]


def small_luma(image: Image) -> NDArray[np.float32]:
    """Return BT.709 luma, 0-255, of the picture shrunk to a long side of 160 px: float32 (h, w).

    Its mean is the picture's mean luma, because shrinking by area keeps the mean.
    """
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, _MOTION_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float32) @ np.array(_BT709_BGR, dtype=np.float32))


def motion(before: NDArray[np.float32] | None, after: NDArray[np.float32]) -> float:
    """Return the mean absolute difference of two lumas, 0-255; NaN without a previous frame or if the size changed."""
    if before is None or before.shape != after.shape:
        return float("nan")
    return float(np.abs(after - before).mean())


def face_sharpness(image: Image, box: Box) -> float:
    """Return the Laplacian variance of the face as a 128 x 128 grey picture; NaN if a side shows fewer than 16 px."""
    import cv2

    height, width = image.shape[:2]
    x1, y1 = max(0, round(box[0])), max(0, round(box[1]))
    x2, y2 = min(width, round(box[2])), min(height, round(box[3]))
    if min(x2 - x1, y2 - y1) < _MIN_CROP_PX:
        return float("nan")
    grey = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    shrinks = min(grey.shape) > _FACE_SIDE_PX
    face = cv2.resize(
        grey, (_FACE_SIDE_PX, _FACE_SIDE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return float(cv2.Laplacian(face, cv2.CV_32F).var())
