"""Face pictures: where the square lies, that they come back, and which moment gets which."""

import numpy as np

from speakervid_dag.curation.faces.crops import FACE, HEAD, MOST_PX, CropCollector, View


def collected(times: np.ndarray) -> CropCollector:
    made = CropCollector()
    for t in times:
        image = np.zeros((200, 200, 3), np.uint8)
        image[50:150, 60:140] = (round(float(t) * 20), 100, 200)  # the face
        made.add(float(t), image, (60.0, 50.0, 140.0, 150.0))
    return made


def test_the_square_is_larger_than_the_face_and_lower() -> None:
    pictures, near = collected(np.array([0.0])).done().at(np.array([0.0]), 0.01, HEAD)
    assert pictures.shape == (1, HEAD.side_px, HEAD.side_px, 3)
    assert near.all()
    face = pictures[0, :, HEAD.side_px // 2, 2] > 100
    # face height 100 px of a square of 140 px; the square's centre is 20 px below the face's
    np.testing.assert_allclose(np.flatnonzero(face)[[0, -1]], [0, 159], atol=2)


def test_a_moment_gets_the_nearest_picture_or_none() -> None:
    kept = collected(np.array([0.0, 0.1, 1.0])).done()
    pictures, near = kept.at(np.array([0.06, 0.5, 1.02]), 0.08, HEAD)
    assert near.tolist() == [True, False, True]
    assert abs(int(pictures[0, 70, 112, 0]) - 2) <= 2
    assert abs(int(pictures[2, 70, 112, 0]) - 20) <= 3
    assert not pictures[1].any()


def test_a_jump_of_the_box_for_one_frame_is_smoothed() -> None:
    made = collected(np.arange(0, 0.4, 0.04))
    image = np.zeros((200, 200, 3), np.uint8)
    image[50:150, 60:140] = 200
    made.add(0.4, image, (60.0, 50.0, 140.0, 170.0))  # the chin drops
    made.add(0.44, image, (60.0, 50.0, 140.0, 150.0))
    pictures, _ = made.done().at(np.array([0.36, 0.4]), 0.01, HEAD)
    heights = (pictures[:, :, HEAD.side_px // 2, 2] > 100).sum(axis=1)
    assert abs(int(heights[0]) - int(heights[1])) <= 1


def test_the_face_view_is_the_box() -> None:
    pictures, _ = collected(np.array([0.0])).done().at(np.array([0.0]), 0.01, FACE)
    face = pictures[0, :, :, 2] > 100
    # 100 px high fills the square; 80 px wide leaves a tenth on either side
    assert face[2:-2, FACE.side_px // 2].all()
    np.testing.assert_allclose(np.flatnonzero(face[FACE.side_px // 2])[[0, -1]], [11, 100], atol=2)


def test_a_small_face_is_kept_at_its_own_size() -> None:
    """It was scaled to 224 px, packed, and scaled back: the networks saw a blurred mouth."""
    made = CropCollector()
    rng = np.random.default_rng(0)
    image = np.zeros((90, 160, 3), np.uint8)
    image[20:60, 60:100] = rng.integers(0, 255, (40, 40, 1)).astype(np.uint8) // 32 * 32
    made.add(0.0, image, (60.0, 20.0, 100.0, 60.0))
    kept = made.done()
    assert kept.places[0, 2] == 1.0, "one pixel a pixel"
    own = kept.at(np.array([0.0]), 0.01, View(1.0, 0.0, 40))[0][0, :, :, 0]
    assert np.abs(own.astype(int) - image[20:60, 60:100, 0]).mean() < 8, "a JPEG of it, not moved"


def test_a_large_face_is_scaled_down() -> None:
    made = CropCollector()
    made.add(0.0, np.full((1000, 1000, 3), 80, np.uint8), (200.0, 200.0, 700.0, 700.0))
    kept = made.done()
    assert kept.places[0, 2] == MOST_PX / 800
    assert (kept.at(np.array([0.0]), 0.01, FACE)[0] == 80).all()


def test_a_square_is_centred_by_the_frames_before_and_after() -> None:
    """The size of the face changes for good in one frame; the frames around it see the size of most frames near."""
    made = CropCollector()
    for i in range(20):
        side = 40.0 if i < 10 else 80.0
        low, high = 100 - side / 2, 100 + side / 2
        made.add(i / 25, np.zeros((200, 200, 3), np.uint8), (low, low, high, high))
    sides = made.done().squares(FACE)[:, 2]
    assert sides.tolist() == [40.0] * 10 + [80.0] * 10


def test_pictures_move_to_the_next_track_with_their_places() -> None:
    made = collected(np.array([0.0, 0.1, 0.2]))
    later = made.since(0.1).done()
    assert made.done().times_s.tolist() == [0.0]
    assert later.times_s.tolist() == [0.1, 0.2]
    assert len(later.boxes) == len(later.places) == len(later.jpegs) == 2
