"""Face mesh: geometry of the crop, and points on real faces."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.models import mesh
from speakervid_dag.models.faces import FaceBox, FaceDetector

Need = Callable[..., None]
Image = NDArray[np.uint8]


def apply(transform: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    return np.asarray(transform[:, :2] @ point + transform[:, 2])


def test_the_crop_is_centred_and_half_as_high_again() -> None:
    to_crop = mesh.crop_transform((100.0, 50.0, 180.0, 150.0), 0.0)
    assert np.allclose(apply(to_crop, (140, 100)), (96, 96))
    assert np.allclose(apply(to_crop, (140 - 75, 100 - 75)), (0, 0))  # 1.5 x 100 px across
    assert np.allclose(apply(to_crop, (140 + 75, 100 + 75)), (192, 192))


@pytest.mark.parametrize("angle", [-40.0, 15.0, 90.0])
def test_the_crop_turns_the_eye_line_level(angle: float) -> None:
    along = 20 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    middle = np.array([140.0, 100.0])
    eyes = np.array([middle - along, middle + along], dtype=np.float32)
    points = np.vstack([eyes, np.zeros((3, 2))]).astype(np.float32)
    assert mesh.roll_deg(points) == pytest.approx(angle, abs=1e-3)
    to_crop = mesh.crop_transform((100.0, 50.0, 180.0, 150.0), mesh.roll_deg(points))
    left, right = (apply(to_crop, tuple(eye)) for eye in eyes)
    assert left[1] == pytest.approx(right[1], abs=1e-4)
    assert left[0] < right[0]


@pytest.fixture(scope="module")
def group(need: Need, group_photo: Image) -> list[FaceBox]:
    need("centerface", "face_mesh")
    faces = FaceDetector(None, 640, 0.5, 2).detect([group_photo])[0]
    return sorted(faces, key=lambda face: face.box_px[0])


@pytest.fixture(scope="module")
def meshes(group: list[FaceBox], group_photo: Image) -> list[mesh.MeshFace]:
    rolls = [mesh.roll_deg(face.keypoints_px) for face in group]
    return mesh.FaceMesh(2).landmarks(group_photo, [face.box_px for face in group], rolls)


@pytest.mark.weights
def test_named_points_sit_where_the_detector_sees_them(
    group: list[FaceBox], meshes: list[mesh.MeshFace], group_noses_px: tuple[tuple[int, int], ...]
) -> None:
    for face, found, nose in zip(group, meshes, group_noses_px, strict=True):
        height = face.box_px[3] - face.box_px[1]
        assert found.points_px.shape == (mesh.POINTS, 3)
        assert found.points_px.dtype == np.float32
        assert found.presence > 0.9
        xy = found.points_px[:, :2]
        left_eye = xy[[mesh.LEFT_EYE_OUTER, mesh.LEFT_EYE_INNER]].mean(axis=0)
        right_eye = xy[[mesh.RIGHT_EYE_OUTER, mesh.RIGHT_EYE_INNER]].mean(axis=0)
        corners = xy[[mesh.OUTER_LIP_LEFT, mesh.OUTER_LIP_RIGHT]]
        ours = np.vstack([left_eye, right_eye, corners])
        assert np.abs(ours - face.keypoints_px[[0, 1, 3, 4]]).max() < 0.12 * height
        assert np.abs(xy[mesh.NOSE_TIP] - nose).max() < 0.1 * height


@pytest.mark.weights
def test_lips_are_rings_the_inner_within_the_outer(meshes: list[mesh.MeshFace]) -> None:
    for found in meshes:
        outer, inner = (found.points_px[list(ring), :2] for ring in (mesh.OUTER_LIPS, mesh.INNER_LIPS))
        assert area(outer) > area(inner) >= 0
        assert np.all(outer.min(axis=0) <= inner.min(axis=0))
        assert np.all(outer.max(axis=0) >= inner.max(axis=0))


@pytest.mark.weights
def test_the_smile_shows_an_open_mouth_and_the_closed_lips_do_not(meshes: list[mesh.MeshFace]) -> None:
    opening = []
    for found in meshes:
        top, bottom, left, right = (
            found.points_px[each, :2]
            for each in (mesh.INNER_LIP_TOP, mesh.INNER_LIP_BOTTOM, mesh.INNER_LIP_LEFT, mesh.INNER_LIP_RIGHT)
        )
        opening.append(np.linalg.norm(top - bottom) / np.linalg.norm(left - right))
    assert opening[3] > opening[0] + 0.1  # fourth from the left laughs, the first has her lips closed


@pytest.mark.weights
def test_no_face_has_no_presence(need: Need) -> None:
    need("face_mesh")
    grey = np.full((200, 200, 3), 90, dtype=np.uint8)
    assert mesh.FaceMesh(2).landmarks(grey, [(50.0, 50.0, 150.0, 150.0)])[0].presence < 0.5
    assert mesh.FaceMesh(2).landmarks(grey, []) == []


def area(ring: np.ndarray) -> float:
    """Area of a polygon (shoelace formula)."""
    x, y = ring.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
