"""What tests on real weights share: skipping by name, and a photograph of six faces."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.models import registry


@pytest.fixture(scope="session")
def need() -> Callable[..., None]:
    """`need("a", "b")` skips unless these weights are on disk."""

    def check(*names: str) -> None:
        for name in names:
            if registry.examine(name).status != "ok":
                pytest.skip(f"weights '{name}' are not on disk: speakervid models pull {name}")

    return check


@pytest.fixture(scope="session")
def group_photo(need: Callable[..., None]) -> NDArray[np.uint8]:
    """(886, 1280, 3) BGR: six people. Do not write into it."""
    need("test-group-photo")
    image = cv2.imread(str(registry.weight_path("test-group-photo", "t1.jpg")))
    assert image is not None
    return image.astype(np.uint8)


@pytest.fixture(scope="session")
def group_noses_px() -> tuple[tuple[int, int], ...]:
    """Nose tips on the group photograph, by eye, left to right."""
    return ((120, 342), (306, 226), (507, 360), (771, 427), (919, 149), (1169, 350))
