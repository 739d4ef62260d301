"""Geometry of one face mesh (head pose, mouth opening, lip shape, box) and of boxes.

Belongs here: arithmetic on landmark points and boxes. Does not belong here: pixels (curation/pixels), models, anything
with time (tracking).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit

Points = NDArray[np.float32]
"""(468, 3) float32: x right and y down in image px, z in the same scale, smaller = nearer the camera."""
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)  # a picture, normalised

# Indices of MediaPipe's canonical face model; left and right as seen in the picture of a frontal face.
_LEFT_EYE, _RIGHT_EYE = [33, 133], [362, 263]
_FOREHEAD, _CHIN = 10, 152
_LEFT_TEMPLE, _RIGHT_TEMPLE = 127, 356
_NOSE_TIP, _OUTER_LEFT, _OUTER_RIGHT = 4, 61, 291
_INNER_TOP, _INNER_BOTTOM, _MOUTH_LEFT, _MOUTH_RIGHT = 13, 14, 78, 308
LIP_POINTS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178)
"""12 of the outer and 8 of the inner lip, each ring in the order of the picture of a frontal face."""


@dataclass(frozen=True)
class HeadPose:
    """Direction of a face, degrees: yaw positive to the viewer's right, pitch positive up, roll positive clockwise."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def head_pose(points: Points) -> HeadPose:
    """Return the pose from the mesh's own three dimensions; no camera or template face is needed.

    The eye line and the forehead-chin line span the plane of the face (in the canonical model both are within 1 degree
    of perpendicular to the line of sight). Its normal gives yaw and pitch; the eye line after undoing both gives roll.
    """
    across = points[_RIGHT_TEMPLE] - points[_LEFT_TEMPLE] + _eye(points, _RIGHT_EYE) - _eye(points, _LEFT_EYE)
    right = unit(across.astype(np.float64))
    down = (points[_CHIN] - points[_FOREHEAD]).astype(np.float64)
    down = unit(down - right * (down @ right))
    forward = -np.cross(right, down)
    yaw = np.arctan2(forward[0], -forward[2])
    pitch = np.arcsin(np.clip(-forward[1], -1.0, 1.0))
    level = np.array([np.cos(yaw), 0.0, np.sin(yaw)])  # the eye line of a head with this yaw and no roll
    below = np.cross(-forward, level)
    roll = np.arctan2(right @ below, right @ level)
    return HeadPose(*(float(np.degrees(angle)) for angle in (yaw, pitch, roll)))


def mouth_opening(points: Points) -> float:
    """Return the gap of the inner lips over the distance between the mouth corners (ratio, 0 = closed)."""
    gap = np.linalg.norm(points[_INNER_TOP, :2] - points[_INNER_BOTTOM, :2])
    width = np.linalg.norm(points[_MOUTH_LEFT, :2] - points[_MOUTH_RIGHT, :2])
    return float(gap) / max(float(width), 1e-6)


def lip_shape(points: Points) -> NDArray[np.float32]:
    """Return x, y of `LIP_POINTS` from the middle of the eyes, x along the eye line, y towards the chin: (40,) float32.

    Unit: inter-ocular distance (between the eye centres). Position, size and roll of the head are removed; yaw and
    pitch are not, because they change slowly compared with speech.
    """
    left, right = _eye(points, _LEFT_EYE)[:2], _eye(points, _RIGHT_EYE)[:2]
    between = right - left
    distance = max(float(np.linalg.norm(between)), 1e-6)
    x_axis = between / distance
    axes = np.stack([x_axis, np.array([-x_axis[1], x_axis[0]])], axis=1)
    shape = (points[list(LIP_POINTS), :2] - (left + right) / 2) @ axes / distance
    return np.asarray(shape.ravel(), dtype=np.float32)


def five_points(points: Points) -> NDArray[np.float32]:
    """Return centres of the left and right eye, nose tip, left and right mouth corner: (5, 2) float32, px."""
    eyes = [_eye(points, _LEFT_EYE)[:2], _eye(points, _RIGHT_EYE)[:2]]
    return np.stack([*eyes, *points[[_NOSE_TIP, _OUTER_LEFT, _OUTER_RIGHT], :2]]).astype(np.float32)


def mesh_box(points: Points) -> Box:
    """Return the box around all points, px: forehead to chin, ear to ear, like a face detector's."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def eye_line_deg(points: Points) -> float:
    """Return the rotation of the eye line in the picture plane, deg, positive = clockwise."""
    across = _eye(points, _RIGHT_EYE) - _eye(points, _LEFT_EYE)
    return float(np.degrees(np.arctan2(across[1], across[0])))


def area(box: Box) -> float:
    """Return the area; 0 for an inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def iou(first: Box, second: Box) -> float:
    """Return the intersection over union, 0-1."""
    common = area(_common(first, second))
    union = area(first) + area(second) - common
    return common / union if union > 0 else 0.0


def inside_share(inner: Box, outer: Box) -> float:
    """Return the share of `inner` that lies in `outer`, 0-1."""
    whole = area(inner)
    return area(_common(inner, outer)) / whole if whole > 0 else 0.0


def normalised(box: Box, width_px: int, height_px: int) -> list[float]:
    """Return the box in 0-1 of the picture, clipped to it."""
    sides = (width_px, height_px, width_px, height_px)
    return [float(np.clip(value / side, 0.0, 1.0)) for value, side in zip(box, sides, strict=True)]


def _common(first: Box, second: Box) -> Box:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def _eye(points: Points, corners: list[int]) -> NDArray[np.float32]:
    middle: NDArray[np.float32] = points[corners].mean(axis=0)
    return middle
