"""Measures of a person are of the person's region, at source pixels: the canvas around it says nothing of it."""

import cv2
import numpy as np
import pytest
from followed import Followed, Seen, plain
from made_faces import Box, Stage
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.faces.geometry import WHOLE
from speakervid_dag.curation.frames.frame_pass import FacePass, ShotSpan
from speakervid_dag.curation.frames.log import FrameLog
from speakervid_dag.curation.frames.region import RegionWatch, person_region
from speakervid_dag.curation.scores import head as head_scores
from speakervid_dag.curation.scores.picture import face_measures, picture_box, region_measures

PROFILE = load_profile("laptop")
SETTINGS = PROFILE.scores
SPAN = (0.0, 4.0)
FPS = 25
FACE: Box = (100.0, 50.0, 180.0, 150.0)
HEIGHT, WIDTH = 240, 320
Picture = NDArray[np.uint8]


def person(count: int = 100) -> list[Picture]:
    """A textured person of middling light who moves in every frame."""
    chance = np.random.default_rng(0)
    wide = chance.integers(60, 200, (HEIGHT + 40, WIDTH + 40, 3), dtype=np.uint8)
    ways = [(round(10 + 8 * np.sin(i / 3)), round(10 + 8 * np.cos(i / 4))) for i in range(count)]
    return [wide[y : y + HEIGHT, x : x + WIDTH].copy() for x, y in ways]


def on(canvas: Picture, picture: Picture, x: int, y: int) -> Picture:
    out = canvas.copy()
    out[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return out


def measured(pictures: list[Picture], face: Box) -> dict[str, tuple[float | str | None, str]]:
    """Scores of a still face box in these pictures, by way of the rows that the picture pass makes."""
    log = FrameLog(ShotSpan("s", *SPAN), PROFILE.sampling, PartClock())
    track, regions = Followed(face), RegionWatch(PROFILE.sampling.region_margin, PartClock())
    for number, picture in enumerate(pictures):
        frame = Seen(number / FPS, picture)
        log.note(frame)
        log.look(frame, [])
        track.see(frame.time_s)
        regions.feed(frame, [track], log.picture_box)
    height, width = pictures[0].shape[:2]
    count = len(pictures)
    box = [face[0] / width, face[1] / height, face[2] / width, face[3] / height]
    angles = {f"{axis}_deg": [5.0] * count for axis in ("yaw", "pitch", "roll")}
    middles = [[(box[0] + box[2]) / 2 + 0.01 * (i % 2) * box[2], (box[1] + box[3]) / 2] * 5 for i in range(count)]
    row = {
        "frame_times_s": track.times_s, "boxes": [box] * count, "mesh_score": [1.0] * count,
        "face_sharpness": [300.0] * count, "keypoints": middles, **angles, **plain(regions.series(track)),
    }  # fmt: skip
    series = plain(log.row())
    video = {"width_px": width, "height_px": height}
    found = region_measures(row, SPAN, SETTINGS) | head_scores.head_scores(row, series, SPAN, video, SETTINGS)
    return found | face_measures(row, SPAN, video, SETTINGS, picture_box(series))


def test_a_person_over_a_slide_is_neither_frozen_nor_too_bright() -> None:
    slide = np.full((720, 1280, 3), 250, np.uint8)
    found = measured([on(slide, p, 940, 460) for p in person()], (FACE[0] + 940, FACE[1] + 460, 1120.0, 610.0))
    plain_scores = measured(person(), FACE)

    assert found["bright_run_frames"] == (0.0, "ok")
    assert found["freeze_share"] == plain_scores["freeze_share"]
    assert float(found["freeze_share"][0] or 0) < 0.05
    for name in ("luminance", "motion"):
        assert found[name][0] == pytest.approx(plain_scores[name][0], rel=0.02)


@pytest.mark.parametrize(("height", "width"), [(480, 320), (240, 1280), (960, 1280)])
def test_bars_around_a_person_move_no_measure_of_the_person(height: int, width: int) -> None:
    y, x = (height - HEIGHT) // 2, (width - WIDTH) // 2
    barred = [on(np.zeros((height, width, 3), np.uint8), p, x, y) for p in person()]
    found = measured(barred, (FACE[0] + x, FACE[1] + y, FACE[2] + x, FACE[3] + y))
    bare = measured(person(), FACE)

    assert found["dark_run_frames"] == (0.0, "ok")
    for name in ("luminance", "motion", "face_share", "head_resolution"):
        assert found[name][0] == pytest.approx(bare[name][0], rel=0.03), name


def test_a_real_dark_or_frozen_person_is_still_told() -> None:
    dark = measured([(p // 40).astype(np.uint8) for p in person()], FACE)
    frozen = measured(person(1) * 100, FACE)

    assert dark["dark_run_frames"][0] == pytest.approx(100)
    assert frozen["freeze_share"] == (1.0, "ok")


def test_the_region_is_the_face_with_a_margin_inside_the_picture() -> None:
    assert person_region((100, 100, 200, 220), (0, 0, 640, 360), 0.5) == (50, 40, 250, 280)
    assert person_region((100, 100, 200, 220), (80, 90, 640, 360), 0.5) == (80, 90, 250, 280)


def test_a_frame_in_which_the_face_was_not_seen_is_null() -> None:
    track, regions = Followed(FACE), RegionWatch(0.5, PartClock())
    for number, picture in enumerate(person(4)):
        track.see(number / FPS)
        regions.feed(Seen(number / FPS, picture), [] if number == 2 else [track], WHOLE)

    row = plain(regions.series(track))
    assert [v is None for v in row["region_luma"]] == [False, False, True, False]
    assert [v is None for v in row["region_motion"]] == [True, False, True, False]
    assert "face_sharpness" not in row


def test_sharpness_is_taken_where_a_frame_came_at_full_size() -> None:
    """A face of 25 px in a frame that was shrunk by four is as sharp as it is in the file."""
    shrunk, full = [], []
    for picture in person(10):
        large = cv2.resize(picture, (1280, 960), interpolation=cv2.INTER_CUBIC)
        small = cv2.resize(large, (320, 240), interpolation=cv2.INTER_AREA)
        shrunk.append(cv2.resize(small, (160, 120), interpolation=cv2.INTER_AREA))
        full.append(small)
    stage, face = Stage(lambda _: [(50.0, 25.0, 90.0, 75.0)]), {}
    for name, due in (("never", ()), ("sometimes", range(1, 10, 2))):
        frames = [Seen(i / FPS, p, full[i] if i in due else None) for i, p in enumerate(shrunk)]
        for number, seen in enumerate(frames):
            seen.image[0, 0] = (number, 0, 0)
        alive = PROFILE.liveness.model_copy(update={"min_leftover": 0.0})
        tracking = PROFILE.tracking.model_copy(update={"min_track_s": 0.1})
        faces = FacePass(
            "v", [ShotSpan("s", 0.0, 0.4)], tracking, PROFILE.identity, alive, PROFILE.sampling,
            stage, stage, stage, stage,
        )  # fmt: skip
        face[name] = faces.run(frames).tracks[0]["face_sharpness"].to_list()

    assert [v is not None for v in face["never"]] == [True] * 10
    assert [v is not None for v in face["sometimes"]] == [False, True] * 5
    told = [v for v in face["sometimes"] if v is not None]
    assert min(told) > 1.5 * max(face["never"])


def test_points_are_followed_in_a_small_picture_on_a_large_canvas() -> None:
    """In the luma of the whole canvas, 160 px wide, a soft picture of 14 px has no eight corners."""
    chance = np.random.default_rng(1)
    coarse = cv2.resize(chance.integers(30, 220, (8, 8, 3), dtype=np.uint8), (150, 150), interpolation=cv2.INTER_CUBIC)
    canvas = np.full((720, 1280, 3), 16, np.uint8)
    log = FrameLog(ShotSpan("s", *SPAN), PROFILE.sampling, PartClock())
    for number in range(50):
        shift = number // 5
        frame = Seen(number / FPS, on(canvas, coarse[20:132, shift : 112 + shift], 580, 300))
        log.note(frame)
        log.look(frame, [(610.0, 340.0, 640.0, 380.0)])
    survival = log.row()["point_survival"]
    assert survival.null_count() <= 2
    assert survival.mean() > 0.8
