"""A face track on the 25-Hz grid: where mouth and face lie, and what is missing."""

import numpy as np

from speakervid_dag.curation.faces.crops import CropCollector, FaceCrops
from speakervid_dag.curation.speaking.lip_frames import FPS, lip_frames, nearest

WIDTH, HEIGHT = 320, 240


def tracked(times: list[float], roll_deg: float = 0.0) -> tuple[dict[str, object], FaceCrops]:
    """A grey face with a dark mouth that drifts to the right, and its stored pictures."""
    import cv2

    collector, boxes, points = CropCollector(), [], []
    for n, time_s in enumerate(times):
        x = 100.0 + n
        image = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
        cv2.ellipse(image, (round(x + 50), 150), (20, 6), roll_deg, 0, 360, (0, 0, 0), -1)
        box = (x, 70.0, x + 100, 170.0)
        collector.add(time_s, image, box)
        boxes.append([box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT])
        turn = np.radians(roll_deg)
        across = np.array([np.cos(turn), np.sin(turn)])
        middle = np.array([x + 50, 150.0])
        eyes = middle - [0, 50]
        five = [eyes - 20 * across, eyes + 20 * across, middle - [0, 20], middle - 20 * across, middle + 20 * across]
        points.append((np.array(five) / [WIDTH, HEIGHT]).ravel().tolist())
    count = len(times)
    row: dict[str, object] = {
        "frame_times_s": times,
        "boxes": boxes,
        "keypoints": points,
        "lip_shape": np.ones((count, 40), np.float32).tolist(),
        "mesh_score": [1.0] * count,
        "yaw_deg": [10.0] * count,
    }
    return row, collector.done()


def test_the_mouth_is_in_the_middle_and_upright() -> None:
    row, crops = tracked([n / 30 for n in range(60)], roll_deg=20.0)
    frames = lip_frames(row, crops)
    assert frames.is_seen.all()
    assert len(frames.is_seen) == 50
    dark = np.argwhere(frames.mouths[30] < 60)
    np.testing.assert_allclose(dark.mean(axis=0), 36, atol=2)
    height, width = np.ptp(dark, axis=0)
    assert width > 2.5 * height
    np.testing.assert_allclose(frames.state[30], [1, 100, 10], rtol=0.02)


def test_the_face_picture_is_the_face_box() -> None:
    row, crops = tracked([n / 25 for n in range(20)])
    dark = np.argwhere(lip_frames(row, crops).faces[10] < 60)
    np.testing.assert_allclose(dark.mean(axis=0), [0.8 * 64, 32], atol=1.5)


def test_a_gap_is_not_seen_and_a_mesh_that_is_not_trusted_has_no_lips() -> None:
    row, crops = tracked([n / 25 for n in range(10)] + [1 + n / 25 for n in range(10)])
    row["mesh_score"] = [1.0] * 10 + [0.1] * 10
    frames = lip_frames(row, crops)
    assert frames.is_seen[:10].all()
    assert not frames.is_seen[13:22].any()
    assert not frames.mouths[15].any()
    assert frames.lips[5].all()
    assert not frames.lips[28].any()
    assert frames.mouths[28].any()


def test_a_track_without_pictures_is_not_seen() -> None:
    row, _ = tracked([n / 25 for n in range(5)])
    assert not lip_frames(row, CropCollector().done()).is_seen.any()


def test_the_grid_is_the_same_for_every_track() -> None:
    row, crops = tracked([1.0133 + n / 30 for n in range(30)])
    frames = lip_frames(row, crops)
    assert 0 <= frames.first / FPS - 1.0133 < 1 / FPS


def test_the_nearest_time_is_found() -> None:
    index, near = nearest(np.array([0.0, 0.1, 0.2]), np.array([-1.0, 0.04, 0.16, 0.5]), 0.05)
    assert index.tolist() == [0, 0, 2, 2]
    assert near.tolist() == [False, True, True, False]
