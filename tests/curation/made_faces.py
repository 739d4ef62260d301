"""Faces without pictures: a mesh that looks as told, and models that find faces where a script puts them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]

_PICTURE = np.random.default_rng(1).integers(60, 200, (360, 640, 3), dtype=np.uint8)

# A frontal face in units of half its width, y down, z away from the camera; index in MediaPipe's model -> place.
_PLACES = {
    33: (-0.65, -0.3, 0.0), 133: (-0.25, -0.3, 0.0), 362: (0.25, -0.3, 0.0), 263: (0.65, -0.3, 0.0),
    127: (-1.0, -0.2, 0.6), 356: (1.0, -0.2, 0.6), 10: (0.0, -1.25, 0.0), 152: (0.0, 1.25, 0.0),
    78: (-0.3, 0.6, -0.1), 308: (0.3, 0.6, -0.1), 13: (0.0, 0.57, -0.15), 14: (0.0, 0.63, -0.15),
    4: (0.0, 0.1, -0.4), 61: (-0.4, 0.6, -0.1), 291: (0.4, 0.6, -0.1),
}  # fmt: skip


def face_points(
    box: Box = (100, 100, 200, 225), yaw: float = 0, pitch: float = 0, roll: float = 0, gap: float = 0.06
) -> NDArray[np.float32]:
    """(468, 3) of a face that fills the box when frontal; yaw to the viewer's right, pitch up, roll clockwise, deg."""
    points = np.zeros((468, 3))
    for index, place in _PLACES.items():
        points[index] = place
    points[13, 1], points[14, 1] = 0.6 - gap / 2, 0.6 + gap / 2
    y, p, r = np.radians([yaw, pitch, roll])
    turn_roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    turn_yaw = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    half = (box[2] - box[0]) / 2
    points = points @ (turn_yaw @ turn_pitch @ turn_roll).T * half
    points[:, :2] += np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    return points.astype(np.float32)


@dataclass
class Face:
    """A detection or a mesh."""

    box_px: Box = (0, 0, 0, 0)
    score: float = 0.9
    points_px: Any = None
    presence: float = 1.0


@dataclass
class Frame:
    time_s: float
    image: NDArray[np.uint8]
    full: NDArray[np.uint8] | None = None


def frame_at(index: int, step_s: float = 0.04) -> Frame:
    """A textured 360 x 640 picture; its first pixel holds the frame's number, from which the fakes know the time."""
    image = _PICTURE.copy()
    image[..., 2] = index // 4 % 256
    image[0, 0, :2] = (index % 256, index // 256)
    return Frame(index * step_s, image)


def index_of(image: NDArray[np.uint8]) -> int:
    return int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])


@dataclass
class Stage:
    """Detector, mesh and embedder in one: `faces(index)` says which boxes hold a face in a frame.

    The detector finds them all but those in `hidden(index)`; the mesh snaps to the face that overlaps its box.
    """

    faces: Callable[[int], Sequence[Box]]
    undetected: Callable[[int], Sequence[Box]] = lambda _: ()
    unmeshed: Callable[[int], Sequence[Box]] = lambda _: ()
    pose: Callable[[int, Box], dict[str, float]] = lambda *_: {}  # of a face in a frame, as face_points takes it
    who: Callable[[int], int] = lambda _: 0  # whose vector the embedder gives in a frame
    detector_runs: int = 0

    def detect(self, images: list[NDArray[np.uint8]]) -> list[list[Face]]:
        self.detector_runs += len(images)
        found = []
        for image in images:
            index = index_of(image)
            found.append([Face(box) for box in self.faces(index) if box not in self.undetected(index)])
        return found

    def landmarks(
        self, image: NDArray[np.uint8], boxes_px: Sequence[Box], rolls_deg: Sequence[float] | None = None
    ) -> list[Face]:
        return [self._mesh(index_of(image), box) for box in boxes_px]

    def embed(self, image: NDArray[np.uint8], points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """By the time that every pixel holds, to 4 frames: a portrait is a crop."""
        return np.eye(128, dtype=np.float32)[self.who(4 * int(image[0, 0, 2]))]

    def _mesh(self, index: int, box: Box) -> Face:
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for face in self.faces(index):
            if face not in self.unmeshed(index) and face[0] < middle[0] < face[2] and face[1] < middle[1] < face[3]:
                return Face(points_px=face_points(face, **self.pose(index, face)), presence=1.0)
        return Face(points_px=face_points(box), presence=0.0)

    # -- the person below the face: nothing is there ---------------------------------------------------------------

    def status(self, part: str) -> str:
        return "weights_missing"

    def body(self, image: NDArray[np.uint8], x: float, y: float, side: float) -> Any:
        raise AssertionError("a part that is not there is not asked")

    hand = emotion = body
