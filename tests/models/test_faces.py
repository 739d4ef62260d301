"""Face detection on the embedded pack, and the adapter against CenterFace's own decoding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models import registry
from speakervid_dag.models.face_pack import embedded_pack, pack_hash
from speakervid_dag.models.faces import FaceBox, FaceDetector, input_size_px

Need = Callable[..., None]
Image = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, (640, 384)),
        (1080, 1920, (384, 640)),
        (640, 640, (640, 640)),
        (256, 256, (256, 256)),  # not enlarged
        (4000, 10, (640, 32)),
    ],
)
def test_input_size_keeps_the_aspect_on_a_grid_of_32(width: int, height: int, expected: tuple[int, int]) -> None:
    assert input_size_px(width, height, 640) == expected


def test_a_folder_without_a_detector_is_no_pack(tmp_path: Path) -> None:
    """A stage ends with it: the rows of the videos before are not replaced by none."""
    with pytest.raises(WeightsUnusable, match="SPEAKERVID_FACE_PACK"):
        FaceDetector(tmp_path, 640, 0.5, 1)
    with pytest.raises(WeightsUnusable, match="SPEAKERVID_FACE_PACK"):
        FaceDetector(tmp_path / "absent", 640, 0.5, 1)


@pytest.fixture(scope="module")
def group_faces(need: Need, group_photo: Image) -> list[FaceBox]:
    need("centerface")
    return FaceDetector(None, 640, 0.5, 2).detect([group_photo])[0]


@pytest.mark.weights
def test_all_six_faces_and_no_other(group_faces: list[FaceBox], group_noses_px: tuple[tuple[int, int], ...]) -> None:
    found = sorted(group_faces, key=lambda face: face.box_px[0])
    assert len(found) == len(group_noses_px)
    for face, nose in zip(found, group_noses_px, strict=True):
        x1, y1, x2, y2 = face.box_px
        assert x1 < nose[0] < x2
        assert y1 < nose[1] < y2
        assert np.abs(face.keypoints_px[2] - nose).max() < 0.08 * (y2 - y1)
        assert face.keypoints_px[0, 0] < face.keypoints_px[1, 0]  # eyes left to right in the picture
        assert face.keypoints_px[3:, 1].min() > face.keypoints_px[:2, 1].max()  # mouth below the eyes


@pytest.mark.weights
def test_an_image_without_a_face_has_none(need: Need) -> None:
    need("centerface")
    grey = np.full((360, 640, 3), 90, dtype=np.uint8)
    assert FaceDetector(None, 640, 0.5, 2).detect([grey, grey]) == [[], []]


@pytest.mark.weights
def test_boxes_follow_the_image_and_stay_inside_it(group_faces: list[FaceBox], group_photo: Image) -> None:
    cropped = group_photo[100:]  # cuts through the face of the man who stands
    for face in FaceDetector(None, 640, 0.5, 2).detect([cropped])[0]:
        x1, y1, x2, y2 = face.box_px
        assert 0 <= x1 < x2 <= cropped.shape[1]
        assert 0 <= y1 < y2 <= cropped.shape[0]
        nearest = min(group_faces, key=lambda other: abs(other.box_px[0] - x1))
        assert abs(nearest.box_px[3] - 100 - y2) < 15


def centerface_boxes(blob: NDArray[np.float32], threshold: float) -> NDArray[np.float64]:
    """(n, 5 + 10) boxes, score, points of the unchanged network, decoded as its paper says; overlaps stay."""
    import onnx
    import onnxruntime

    model = onnx.load(registry.weight_path("centerface"))
    for axis, name in zip((0, 2, 3), ("b", "h", "w"), strict=True):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output in model.graph.output:
        for axis, name in zip((0, 2, 3), ("b", "oh", "ow"), strict=True):
            output.type.tensor_type.shape.dim[axis].dim_param = name
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    heat, size, offset, points = (out[0].astype(np.float64) for out in session.run(None, {"input.1": blob}))
    rows = []
    for y, x in zip(*np.nonzero(heat[0] >= threshold), strict=True):
        height, width = np.exp(size[:, y, x]) * 4
        left = (x + offset[1, y, x] + 0.5) * 4 - width / 2
        top = (y + offset[0, y, x] + 0.5) * 4 - height / 2
        along = points[:, y, x].reshape(5, 2)[:, ::-1] * (width, height) + (left, top)
        rows.append([left, top, left + width, top + height, heat[0, y, x], *along.ravel()])
    return np.array(rows)


@pytest.mark.weights
def test_the_adapter_says_what_centerface_says(need: Need, group_photo: Image) -> None:
    import cv2

    need("centerface")
    image = cv2.resize(group_photo, (640, 416)).astype(np.uint8)
    blob = image[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    reference = centerface_boxes(blob, 0.5)
    detector = FaceDetector(None, 640, 0.5, 2)
    ours = detector.detect([image])[0]
    assert len(ours) == 6
    for face in ours:
        row = reference[np.argmin(np.abs(reference[:, :4] - face.box_px).sum(axis=1))]
        assert np.abs(row[:4] - face.box_px).max() < 0.05
        assert abs(row[4] - face.score) < 1e-3
        assert np.abs(row[5:].reshape(5, 2) - face.keypoints_px).max() < 0.05


@pytest.mark.weights
def test_the_pack_is_built_once_beside_the_weights(need: Need, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("centerface")
    original = registry.weight_path("centerface")
    (tmp_path / "centerface").mkdir()
    (tmp_path / "centerface" / original.name).write_bytes(original.read_bytes())
    expected = pack_hash(None)
    monkeypatch.setenv(registry.WEIGHTS_ENV, str(tmp_path))
    first = embedded_pack()
    stamp = [path.stat().st_mtime_ns for path in first.iterdir()]
    assert embedded_pack() == first
    assert [path.stat().st_mtime_ns for path in first.iterdir()] == stamp
    assert pack_hash(None) == expected  # building is deterministic


@pytest.mark.shared
def test_a_users_pack_goes_through_the_same_code(shared: Path, group_faces: list[FaceBox], group_photo: Image) -> None:
    theirs = FaceDetector(shared / "models", 640, 0.5, 2).detect([group_photo])[0]
    assert len(theirs) == len(group_faces)
