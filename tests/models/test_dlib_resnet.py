"""dlib's network: the numbers of dlib's own package, and files that are not it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.failures import WeightsUnusable
from speakervid_dag.models.dlib_resnet import CHIP_PX, DIM, DlibResNet
from speakervid_dag.models.registry import weight_path

# Of dlib 20.0.1: face_recognition_model_v1(weights).compute_face_descriptor(waves(0)) and of waves(1)
DESCRIPTORS = Path(__file__).parent / "dlib_descriptors.json"


def waves(seed: int) -> NDArray[np.uint8]:
    """A smooth coloured pattern: (150, 150, 3) RGB."""
    y, x = np.mgrid[0:CHIP_PX, 0:CHIP_PX]
    colours = [128 + 60 * np.sin(x / (9 + 3 * c) + seed) + 50 * np.cos(y / (7 + 2 * c) - seed * c) for c in range(3)]
    return np.clip(np.stack(colours, -1), 0, 255).astype(np.uint8)


@pytest.mark.weights
def test_the_numbers_are_those_of_dlibs_package(need: Callable[..., None]) -> None:
    need("dlib_face")
    found = DlibResNet(weight_path("dlib_face")).describe(np.stack([waves(0), waves(1)]))
    assert found.shape == (2, DIM)
    assert np.abs(found - np.array(json.loads(DESCRIPTORS.read_text()))).max() < 2e-6


def layer(name: bytes, values: int, version: int = 2) -> bytes:
    sizes = b"".join(b"\x01" + bytes([side]) for side in (values, 1, 1, 1))
    return b"\x01" + bytes([len(name)]) + name + b"\x01" + bytes([version]) + sizes + bytes(4 * values)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "found nothing of 0"),
        (layer(b"con_4", 7), "found con_4 of 7"),
        (layer(b"affine_", 64), "found affine_ of 64"),
        (layer(b"con_4", 7, version=3), "version 3"),
        (layer(b"con_4", 7)[:-1], "ends in the middle"),
        (layer(b"con_4", 7)[:10], "ends in the middle"),
    ],
)
def test_another_file_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "weights.dat").write_bytes(data)
    with pytest.raises(WeightsUnusable, match=said):
        DlibResNet(tmp_path / "weights.dat")
