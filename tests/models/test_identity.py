"""Face identity: alignment, and vectors of real faces."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.models import mesh
from speakervid_dag.models.faces import FaceDetector
from speakervid_dag.models.identity import FaceEmbedder, five_points, load_embedder, similarity_transform

Need = Callable[..., None]
Image = NDArray[np.uint8]

GENTLE = (
    ("smaller", lambda image: cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)),
    ("darker", lambda image: cv2.convertScaleAbs(image, alpha=0.6)),
    ("turned", lambda image: cv2.warpAffine(image, cv2.getRotationMatrix2D((640, 443), 12, 0.9), (1280, 886))),
)


def test_a_known_turn_scale_and_shift_is_found() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (5, 2))
    angle, scale = np.radians(33), 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity_transform(points, points @ turn.T + [5.0, -3.0])
    assert np.allclose(found, np.column_stack([turn, [5.0, -3.0]]))


def test_a_mirror_image_is_not_made() -> None:
    points = np.random.default_rng(1).uniform(0, 100, (5, 2))
    found = similarity_transform(points, points * [-1, 1])
    assert np.linalg.det(found[:, :2]) > 0


def test_five_points_are_in_insightfaces_order() -> None:
    points = np.zeros((mesh.POINTS, 3), dtype=np.float32)
    points[[33, 133]] = [[10, 20, 0], [20, 20, 0]]
    points[[362, 263]] = [[40, 20, 0], [50, 20, 0]]
    points[[4, 61, 291]] = [[30, 35, 9], [20, 50, 0], [40, 50, 0]]
    assert five_points(points).tolist() == [[15, 20], [45, 20], [30, 35], [20, 50], [40, 50]]


def vectors(embedder: FaceEmbedder, image: np.ndarray) -> np.ndarray:
    """(faces, dim) of an image, left to right."""
    faces = sorted(FaceDetector(None, 640, 0.5, 2).detect([image])[0], key=lambda face: face.box_px[0])
    rolls = [mesh.roll_deg(face.keypoints_px) for face in faces]
    found = mesh.FaceMesh(2).landmarks(image, [face.box_px for face in faces], rolls)
    return np.array([embedder.embed(image, each.points_px) for each in found])


def check(embedder: FaceEmbedder, photo: Image) -> None:
    """Six people stay nearest to themselves when the photograph is changed gently, and no two are confused."""
    plain = vectors(embedder, photo)
    assert plain.shape == (6, embedder.dim)
    assert plain.dtype == np.float32
    assert np.allclose(np.linalg.norm(plain, axis=1), 1.0, atol=1e-5)
    for name, change in GENTLE:
        changed = vectors(embedder, change(photo))
        similarity = plain @ changed.T
        assert similarity.argmax(axis=1).tolist() == list(range(6)), name
        assert np.diag(similarity).min() > similarity[~np.eye(6, dtype=bool)].max(), name


@pytest.mark.weights
def test_dlib_tells_six_people_apart(need: Need, group_photo: Image) -> None:
    need("centerface", "face_mesh", "dlib_face")
    embedder = load_embedder(None, 2)
    assert (embedder.backend, embedder.dim) == ("dlib_resnet", 128)
    check(embedder, group_photo)


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.filterwarnings("ignore:`estimate` is deprecated:FutureWarning")
def test_a_packs_recogniser_takes_over(need: Need, shared: Path, group_photo: Image) -> None:
    need("centerface", "face_mesh")
    embedder = load_embedder(shared / "models", 2)
    assert embedder.backend == "arcface"
    assert len(embedder.weights_hash) == 64
    check(embedder, group_photo)
