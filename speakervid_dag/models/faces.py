"""Face detection: boxes and five points, by InsightFace with any pack.

Belongs here: input sizes and the detector behind one small class. Does not belong here: packs (face_pack.py), landmarks
(mesh.py), identity (identity.py), tracking (curation/faces/tracking.py).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.face_pack import open_pack, pack_hash

_GRID_PX = 32  # the coarsest stride of the networks: input sides are multiples of it


@dataclass(frozen=True)
class FaceBox:
    """One face in one image.

    Attributes:
        box_px: x1, y1, x2, y2 in image px, clipped to the image.
        score: 0-1.
        keypoints_px: (5, 2) float32: eye on the left of the picture, other eye, nose tip, left and right mouth corner;
            NaN if the pack's detector returns none.
    """

    box_px: tuple[float, float, float, float]
    score: float
    keypoints_px: NDArray[np.float32]


class FaceDetector:
    """Face detector that runs the network once per image (on a CPU a batch costs as much as its images one by one).

    Args:
        pack: folder of an InsightFace pack; None = the embedded CenterFace.
        input_long_side_px: larger images are shrunk to this long side; smaller ones are not enlarged.
        score_threshold: 0-1; faces below it are dropped.
        threads: CPU threads.
    """

    def __init__(self, pack: Path | None, input_long_side_px: int, score_threshold: float, threads: int) -> None:
        app = open_pack(pack, ["detection"], threads)
        app.prepare(ctx_id=0, det_thresh=score_threshold, det_size=(input_long_side_px, input_long_side_px))
        self._detector = app.det_model
        self.weights_hash = pack_hash(pack)
        self._long_side_px = input_long_side_px

    def detect(self, images: list[NDArray[np.uint8]]) -> list[list[FaceBox]]:
        """Return the faces of each (height, width, 3) BGR image, best score first."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: NDArray[np.uint8]) -> list[FaceBox]:
        height, width = image.shape[:2]
        size = input_size_px(width, height, self._long_side_px)
        boxes, points = self._detector.detect(image, input_size=size)
        if points is None:
            points = np.full((len(boxes), 5, 2), np.nan, dtype=np.float32)
        limits = np.array([width, height, width, height], dtype=np.float32)
        return [
            FaceBox(
                box_px=_corners(np.clip(row[:4], 0.0, limits)),
                score=float(row[4]),
                keypoints_px=keypoints.astype(np.float32),
            )
            for row, keypoints in zip(boxes, points, strict=True)
        ]


def input_size_px(width: int, height: int, long_side_px: int) -> tuple[int, int]:
    """Return width and height of the network input: the image's aspect, at most `long_side_px`, rounded up to 32 px."""
    scale = min(1.0, long_side_px / max(width, height))
    return _up_to_grid(width * scale), _up_to_grid(height * scale)


def _up_to_grid(side: float) -> int:
    return max(1, int(np.ceil(round(side, 3) / _GRID_PX))) * _GRID_PX


def _corners(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return x1, y1, x2, y2
