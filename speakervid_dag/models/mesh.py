"""Face mesh: 468 points of a face (MediaPipe face_landmark), used for lips, eyes and head pose.

Belongs here: the crop, the network, points back in image px, and the indices of named points. Does not belong here:
scores computed from points (curation/), and detection (faces.py).
"""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.registry import weight_path

POINTS = 468
_INPUT_PX = 192
_CROP_OF_FACE_HEIGHT = 1.5  # MediaPipe's face_landmark_front graph enlarges the detector's box by 1.5

# Indices into the 468 points (MediaPipe's canonical face model). Left and right as in the picture of a frontal face.
INNER_LIP_TOP, INNER_LIP_BOTTOM = 13, 14
INNER_LIP_LEFT, INNER_LIP_RIGHT = 78, 308
OUTER_LIP_TOP, OUTER_LIP_BOTTOM = 0, 17
OUTER_LIP_LEFT, OUTER_LIP_RIGHT = 61, 291
LEFT_EYE_OUTER, LEFT_EYE_INNER, RIGHT_EYE_INNER, RIGHT_EYE_OUTER = 33, 133, 362, 263
NOSE_TIP, NOSE_BASE, CHIN, FOREHEAD_TOP = 4, 2, 152, 10
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)


@dataclass(frozen=True)
class MeshFace:
    """One face's mesh.

    Attributes:
        points_px: (468, 3) float32: x, y in image px; z in the same scale, smaller = nearer the camera.
        presence: 0-1, the network's belief that the crop contains a face.
    """

    points_px: NDArray[np.float32]
    presence: float


class FaceMesh:
    """The face_landmark network on crops around given boxes.

    LiteRT runs it in 1 to 2 ms per face, cv2.dnn in 5 to 6 (2 CPU cores). LiteRT also returns the presence score,
    which OpenCV 5 drops.

    Args:
        threads: CPU threads.

    Raises:
        WeightsMissing.
    """

    def __init__(self, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with without_delegate_notice():
            self._network: Any = Interpreter(model_path=str(weight_path("face_mesh")), num_threads=threads)
            self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        outputs = {int(np.prod(each["shape"])): each["index"] for each in self._network.get_output_details()}
        self._points, self._presence = outputs[POINTS * 3], outputs[1]

    def landmarks(
        self,
        image: NDArray[np.uint8],
        boxes_px: Sequence[tuple[float, float, float, float]],
        rolls_deg: Sequence[float] | None = None,
    ) -> list[MeshFace]:
        """Return the meshes of the faces in one image, in the order of the boxes.

        Args:
            image: (height, width, 3) BGR.
            boxes_px: x1, y1, x2, y2 of each face, from the detector.
            rolls_deg: rotation of each face in the picture plane (`roll_deg`), which the crop undoes; None = upright.
        """
        rolls = rolls_deg if rolls_deg is not None else [0.0] * len(boxes_px)
        return [self._one(image, box, roll) for box, roll in zip(boxes_px, rolls, strict=True)]

    def _one(self, image: NDArray[np.uint8], box: tuple[float, float, float, float], roll: float) -> MeshFace:
        import cv2

        to_crop = crop_transform(box, roll)
        crop = cv2.warpAffine(image, to_crop, (_INPUT_PX, _INPUT_PX), flags=cv2.INTER_LINEAR)
        self._network.set_tensor(self._input, cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)[None].astype(np.float32) / 255.0)
        self._network.invoke()
        raw = self._network.get_tensor(self._points).reshape(POINTS, 3)
        presence = self._network.get_tensor(self._presence).item()
        to_image = cv2.invertAffineTransform(to_crop)
        points = np.empty((POINTS, 3), dtype=np.float32)
        points[:, :2] = raw[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        points[:, 2] = raw[:, 2] * np.hypot(to_image[0, 0], to_image[1, 0])
        return MeshFace(points_px=points, presence=float(1.0 / (1.0 + np.exp(-presence))))


@contextmanager
def without_delegate_notice() -> Iterator[None]:
    """Suppress LiteRT's "INFO: Created TensorFlow Lite XNNPACK delegate" on the terminal; pass on all other output.

    C++ code writes it to file descriptor 2 at any log level, so only redirecting the descriptor can suppress it.
    """
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            held.seek(0)
            with os.fdopen(stderr, "wb") as out:
                out.write(re.sub(rb"INFO: Created TensorFlow Lite[^\n]*\n", b"", held.read()))


def roll_deg(keypoints_px: NDArray[np.float32]) -> float:
    """Return the angle of the eye line of a detector's (5, 2) points to the horizontal, deg; positive = clockwise."""
    across = keypoints_px[1] - keypoints_px[0]
    return float(np.degrees(np.arctan2(across[1], across[0])))


def crop_transform(box_px: tuple[float, float, float, float], roll: float) -> NDArray[np.float64]:
    """Return the (2, 3) affine map from image px to the 192 px crop: a square around the box, `roll` deg undone."""
    x1, y1, x2, y2 = box_px
    scale = _INPUT_PX / (max(x2 - x1, y2 - y1, 1.0) * _CROP_OF_FACE_HEIGHT)
    cos, sin = scale * np.cos(np.radians(roll)), scale * np.sin(np.radians(roll))
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, _INPUT_PX / 2 - turn @ centre])
