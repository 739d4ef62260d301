"""Face pictures: where the square lies, that they come back, and which moment gets which."""

import numpy as np

from speakervid_dag.curation.faces.crops import SIDE_PX, CropCollector


def collected(times: np.ndarray) -> CropCollector:
    made = CropCollector()
    for t in times:
        image = np.zeros((200, 200, 3), np.uint8)
        image[50:150, 60:140] = (round(float(t) * 20), 100, 200)  # the face
        made.add(float(t), image, (60.0, 50.0, 140.0, 150.0))
    return made


def test_the_square_is_larger_than_the_face_and_lower() -> None:
    pictures, near = collected(np.array([0.0])).done().at(np.array([0.0]), 0.01)
    assert pictures.shape == (1, SIDE_PX, SIDE_PX, 3)
    assert near.all()
    face = pictures[0, :, SIDE_PX // 2, 2] > 100
    # face height 100 px of a square of 140 px; the square's centre is 20 px below the face's
    np.testing.assert_allclose(np.flatnonzero(face)[[0, -1]], [0, 159], atol=2)


def test_a_moment_gets_the_nearest_picture_or_none() -> None:
    kept = collected(np.array([0.0, 0.1, 1.0])).done()
    pictures, near = kept.at(np.array([0.06, 0.5, 1.02]), 0.08)
    assert near.tolist() == [True, False, True]
    assert abs(int(pictures[0, 70, 112, 0]) - 2) <= 2
    assert abs(int(pictures[2, 70, 112, 0]) - 20) <= 3
    assert not pictures[1].any()


def test_a_jump_of_the_box_is_smoothed_in_size() -> None:
    made = collected(np.arange(0, 0.4, 0.04))
    image = np.zeros((200, 200, 3), np.uint8)
    image[50:150, 60:140] = 200
    made.add(0.4, image, (60.0, 50.0, 140.0, 170.0))  # the chin drops for one frame
    pictures, _ = made.done().at(np.array([0.36, 0.4]), 0.01)
    heights = (pictures[:, :, SIDE_PX // 2, 2] > 100).sum(axis=1)
    assert abs(int(heights[0]) - int(heights[1])) <= 3
