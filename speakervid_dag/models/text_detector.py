"""Detector of writing in pictures: PP-OCRv4 (differentiable binarization, Liao et al. 2020).

Belongs here: the network and its input. Does not belong here: reading the words (nothing here does), when a picture is
sampled (curation/frames/log.py), the share of the picture (curation/frames/texture.py).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.onnx_session import open_session
from speakervid_dag.models.registry import weight_path

Image = NDArray[np.uint8]
_STRIDE_PX = 32  # sides of the input are multiples of it


class TextDetector:
    """The network, loaded once; 22 ms for 480×270 px (1 CPU core). Raises WeightsMissing.

    Args:
        threads: CPU threads of the runtime.
    """

    def __init__(self, threads: int) -> None:
        self._network: Any = open_session(weight_path("text_detector"), threads)
        self._input = self._network.get_inputs()[0].name

    def probability(self, image: Image, long_side_px: int) -> NDArray[np.float32]:
        """Return the belief, 0-1, that each pixel is in the middle of a text line: (h, w) float32.

        Args:
            image: (height, width, 3) BGR; shrunk to `long_side_px`, never enlarged: blown-up pixels resemble writing.
            long_side_px: about the long side of the result.
        """
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, long_side_px / max(height, width))
        size = [max(_STRIDE_PX, round(side * scale / _STRIDE_PX) * _STRIDE_PX) for side in (width, height)]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        picture = (small / 127.5 - 1.0).transpose(2, 0, 1)[None]
        return np.asarray(self._network.run(None, {self._input: np.ascontiguousarray(picture)})[0][0, 0])
