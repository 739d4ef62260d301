"""Face identity: one unit vector per face; vectors of the same person are close.

Belongs here: alignment of the face and the two embedders (dlib's ResNet; ArcFace of a pack). Does not belong here:
layers of networks (dlib_resnet.py), choosing frames to embed, averaging over a track, clustering (curation/faces).
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.models import mesh
from speakervid_dag.models.dlib_resnet import CHIP_PX, DIM, DlibResNet
from speakervid_dag.models.face_pack import open_pack, pack_hash
from speakervid_dag.models.registry import weight_hash, weight_path

_CHIP_MARGIN = 0.25  # dlib's padding around the mean face, in mean faces
_CHIP_MESH_POINTS = [
    mesh.RIGHT_EYE_OUTER,
    mesh.RIGHT_EYE_INNER,
    mesh.LEFT_EYE_OUTER,
    mesh.LEFT_EYE_INNER,
    mesh.NOSE_BASE,
]
# Positions of these points in dlib's mean face, in a unit square (get_face_chip_details, dlib/image_transforms).
_CHIP_MEAN_FACE = np.array([[0.8596, 0.2135], [0.6461, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]])


class FaceEmbedder(Protocol):
    """Protocol: a face to a vector. Vectors of different backends or `weights_hash` are not comparable."""

    backend: str
    dim: int
    weights_hash: str

    def embed(self, image: NDArray[np.uint8], points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the face's vector, (dim,) float32 of length 1.

        Args:
            image: (height, width, 3) BGR.
            points_px: (468, 2 or 3) mesh of the face in image px (`mesh.FaceMesh`).
        """
        ...


def load_embedder(pack: Path | None, threads: int) -> FaceEmbedder:
    """Return ArcFace if the pack contains a recogniser, else dlib's ResNet. Raise WeightsMissing."""
    if pack is not None and (
        recogniser := open_pack(pack, ["detection", "recognition"], threads).models.get("recognition")
    ):
        return ArcFaceEmbedder(recogniser, pack_hash(pack))
    return DlibEmbedder()


class DlibEmbedder:
    """dlib's ResNet, 128-d. About 13 ms per face on one core: embed a few good frames of a track, not all."""

    backend = "dlib_resnet"
    dim = DIM

    def __init__(self) -> None:
        self._network = DlibResNet(weight_path("dlib_face"))
        self.weights_hash = weight_hash("dlib_face")

    def embed(self, image: NDArray[np.uint8], points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """See FaceEmbedder."""
        import cv2

        target = (_CHIP_MEAN_FACE + _CHIP_MARGIN) / (1 + 2 * _CHIP_MARGIN) * CHIP_PX
        to_chip = similarity_transform(points_px[_CHIP_MESH_POINTS, :2], target)
        chip = cv2.warpAffine(image, to_chip, (CHIP_PX, CHIP_PX), flags=cv2.INTER_LINEAR)
        rgb = np.asarray(cv2.cvtColor(chip, cv2.COLOR_BGR2RGB), np.uint8)
        return unit(self._network.describe(rgb[None])[0].astype(np.float64)).astype(np.float32)


class ArcFaceEmbedder:
    """The recogniser of an InsightFace pack (buffalo_l: 512-d)."""

    backend = "arcface"

    def __init__(self, recogniser: Any, weights_hash: str) -> None:
        self._recogniser = recogniser
        self.dim = int(recogniser.output_shape[-1])
        self.weights_hash = weights_hash

    def embed(self, image: NDArray[np.uint8], points_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """See FaceEmbedder."""
        from insightface.app.common import Face

        # Aligned by the mesh, not the detector's points: 5th percentile of same faces .31 against .21 on real clips.
        return unit(np.asarray(self._recogniser.get(image, Face(kps=five_points(points_px))), np.float32))


def five_points(points_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return InsightFace's (5, 2) points of a mesh: eye left in the picture, other eye, nose tip, mouth corners."""
    xy = points_px[:, :2]
    left_eye = xy[[mesh.LEFT_EYE_OUTER, mesh.LEFT_EYE_INNER]].mean(axis=0)
    right_eye = xy[[mesh.RIGHT_EYE_OUTER, mesh.RIGHT_EYE_INNER]].mean(axis=0)
    corners = xy[[mesh.OUTER_LIP_LEFT, mesh.OUTER_LIP_RIGHT]]
    return np.vstack([left_eye, right_eye, xy[mesh.NOSE_TIP], corners]).astype(np.float32)


def similarity_transform(source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float64]:
    """Return the (2, 3) least-squares map of rotation, uniform scale and shift from (n, 2) points to others."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    # In the complex plane, rotation with scale is one multiplication, and its least-squares value is a projection.
    a, b = ((points - mean) @ [1, 1j] for points, mean in ((source, source_mean), (target, target_mean)))
    factor = np.vdot(a, b) / np.vdot(a, a).real
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, target_mean - turn @ source_mean])
