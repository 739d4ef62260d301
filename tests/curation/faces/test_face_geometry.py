"""Head pose, mouth, lips and boxes of a made face whose truth is known."""

import numpy as np
import pytest
from made_faces import face_points

from speakervid_dag.curation.faces import geometry


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (40, 0, 0), (-25, 10, 0), (0, -30, 15), (20, 15, -20), (-60, -10, 5)]
)
def test_head_pose_is_what_the_face_was_turned_by(yaw: float, pitch: float, roll: float) -> None:
    pose = geometry.head_pose(face_points(yaw=yaw, pitch=pitch, roll=roll))

    assert (pose.yaw_deg, pose.pitch_deg, pose.roll_deg) == pytest.approx((yaw, pitch, roll), abs=0.1)


def test_pose_signs_are_the_viewers() -> None:
    """A face turned right and up in the picture has positive yaw and pitch, one tipped clockwise positive roll."""
    right_and_up = face_points(yaw=30, pitch=20)
    tipped = face_points(roll=30)

    assert right_and_up[[78, 308], 0].mean() > right_and_up[[10, 152], 0].mean()  # lips stand before the face's plane
    assert geometry.head_pose(right_and_up).pitch_deg > 0
    assert tipped[263, 1] > tipped[33, 1]  # the eye on the right is lower
    assert geometry.head_pose(tipped).roll_deg > 0
    assert geometry.eye_line_deg(tipped) == pytest.approx(30, abs=0.1)


def test_mouth_opening_is_gap_over_width() -> None:
    assert geometry.mouth_opening(face_points(gap=0.0)) == 0.0
    assert geometry.mouth_opening(face_points(gap=0.3, roll=40)) == pytest.approx(0.5, abs=1e-3)


def test_lip_shape_forgets_place_size_and_roll_but_not_the_mouth() -> None:
    still = geometry.lip_shape(face_points())
    moved = geometry.lip_shape(face_points((300, 50, 350, 112.5), roll=25))
    opened = geometry.lip_shape(face_points(gap=0.3))

    assert still.shape == (40,)
    np.testing.assert_allclose(moved, still, atol=1e-3)
    assert np.abs(opened - still).max() > 0.1


def test_lip_shape_is_in_inter_ocular_distances() -> None:
    shape = geometry.lip_shape(face_points()).reshape(20, 2)
    corners = [geometry.LIP_POINTS.index(i) for i in (61, 291)]

    np.testing.assert_allclose(shape[corners], [[-0.4 / 0.9, 1.0], [0.4 / 0.9, 1.0]], atol=1e-4)


def test_boxes() -> None:
    assert geometry.iou((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert geometry.iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0
    assert geometry.iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    assert geometry.inside_share((0, 0, 1, 1), (0, 0, 4, 4)) == 1
    assert geometry.normalised((-10, 90, 320, 400), 640, 360) == pytest.approx([0, 0.25, 0.5, 1.0])
