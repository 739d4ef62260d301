"""Luma, motion and sharpness of pictures whose values are known."""

import cv2
import numpy as np
import pytest

from speakervid_dag.curation import pixels as measures


@pytest.mark.parametrize(("bgr", "luma"), [((255, 0, 0), 18.4), ((0, 255, 0), 182.4), ((0, 0, 255), 54.2)])
def test_luma_weighs_colours_as_bt709(bgr: tuple[int, int, int], luma: float) -> None:
    image = np.full((720, 1280, 3), bgr, np.uint8)

    small = measures.small_luma(image)

    assert small.shape == (90, 160)
    assert small.mean() == pytest.approx(luma, abs=0.1)


def test_motion_is_the_mean_change_and_needs_a_frame_before() -> None:
    dark, bright = (np.full((90, 160), v, np.float32) for v in (10, 25))

    assert measures.motion(dark, bright) == 15
    assert np.isnan(measures.motion(None, bright))
    assert np.isnan(measures.motion(dark[:, :100], bright))


def test_sharpness_falls_with_blur_and_ignores_what_is_outside_the_box() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 4)
    box = (100.0, 100.0, 300.0, 300.0)
    half = blurred.copy()
    half[100:300, 100:300] = sharp[100:300, 100:300]

    assert measures.face_sharpness(blurred, box) < 0.1 * measures.face_sharpness(sharp, box)
    assert measures.face_sharpness(half, box) == measures.face_sharpness(sharp, box)
