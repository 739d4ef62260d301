"""Graded degradations: the score that should move does, monotonically, and the others stay in a stated band."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from followed import Followed, Seen, plain

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.clock import PartClock
from speakervid_dag.curation.frames import texture
from speakervid_dag.curation.frames.camera import CameraWatch
from speakervid_dag.curation.frames.log import FrameLog, ShotSpan
from speakervid_dag.curation.frames.region import RegionWatch
from speakervid_dag.curation.pixels import face_sharpness, motion, small_luma
from speakervid_dag.curation.scores import head as head_scores
from speakervid_dag.curation.scores import person as person_measures
from speakervid_dag.curation.scores import sound as audio_measures
from speakervid_dag.curation.scores.camera import picture_scores
from speakervid_dag.curation.scores.picture import region_measures, sharpness_index

pytestmark = pytest.mark.heavy

PROFILE = load_profile("laptop")
SETTINGS = PROFILE.scores
SPAN = (0.0, 4.0)
FPS = 25


def scene(height: int = 480, width: int = 720, seed: int = 0) -> np.ndarray:
    """A picture with structure at every scale, BGR uint8."""
    chance = np.random.default_rng(seed)
    layers = [
        cv2.resize(chance.normal(0, 1, (height // size + 1, width // size + 1, 3)), (width, height)) * np.sqrt(size)
        for size in (2, 4, 8, 16, 32, 64)
    ]
    grey = np.sum(layers, axis=0)
    return np.clip(120 + 18 * grey / grey.std() * 2, 0, 255).astype(np.uint8)


def grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    grain = np.random.default_rng(1).normal(0, sigma, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


def rises(values: list[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def falls(values: list[float]) -> bool:
    return rises(values[::-1])


BLURS = (0.0, 0.5, 1.0, 2.0, 4.0)  # px; beyond, 8 bits leave blur_effect little to measure


def test_blur_moves_blur_effect_and_sharpness_and_not_luminance() -> None:
    pictures = [blurred(scene(), sigma) for sigma in BLURS]
    faces = [face_sharpness(p, (100.0, 100.0, 400.0, 400.0)) for p in pictures]

    assert rises([texture.blur_effect(grey(p)) for p in pictures])
    assert falls([float(v) for v in sharpness_index(np.array(faces), SETTINGS.sharpness_reference)])
    lumas = [float(small_luma(p).mean()) for p in pictures]
    assert max(lumas) - min(lumas) < 1.0


@pytest.mark.parametrize("side", [40, 128, 400])
def test_the_sharpness_of_a_crop_falls_with_blur_at_every_size_of_the_face(side: int) -> None:
    face = scene(side, side, seed=side)
    box = (0.0, 0.0, float(side), float(side))
    variances = [face_sharpness(blurred(face, s * side / 128), box) for s in (0.0, 2.0, 4.0, 8.0)]

    assert falls([float(v) for v in sharpness_index(np.array(variances), SETTINGS.sharpness_reference)])


def test_noise_moves_noise_sigma_by_its_own_size() -> None:
    smooth = blurred(scene(), 3.0)
    found = [texture.noise_sigma(grey(noisy(smooth, s))) for s in (0, 2, 4, 8, 16)]

    assert rises(found)
    # grey is a weighted mean of three independent channels: 0.67 of one channel's deviation
    assert found[3] == pytest.approx(0.67 * 8, rel=0.2)
    assert float(small_luma(noisy(smooth, 16)).mean()) == pytest.approx(float(small_luma(smooth).mean()), abs=1.0)


def test_compression_moves_blockiness_and_blur_does_not() -> None:
    found = [texture.blockiness(grey(jpeg(scene(), quality))) for quality in (95, 30, 15, 5)]

    assert rises(found)
    assert found[0] == pytest.approx(1.0, abs=0.1)
    assert all(texture.blockiness(grey(blurred(scene(), s))) == pytest.approx(1, abs=0.1) for s in BLURS)


def test_blocks_that_a_coder_skips_are_counted_and_a_cameras_noise_is_not() -> None:
    before = noisy(scene(), 2.0)
    shares = []
    for skipped in (0.0, 0.25, 0.5, 1.0):
        after = noisy(before, 3.0)
        rows = round(skipped * 480)
        after[:rows] = before[:rows]
        shares.append(texture.repeated_block_share(grey(before), grey(after)))

    assert shares == pytest.approx([0.0, 0.25, 0.5, 1.0], abs=0.02)


def test_black_bars_are_measured_and_a_dark_frame_is_not_all_bar() -> None:
    found = []
    for bar in (0, 12, 24, 48):
        picture = scene()
        picture[:bar], picture[480 - bar :] = 0, 0
        found.append(texture.border_share(texture.inner_box(small_luma(picture))))

    assert found == pytest.approx([0, 24 / 480, 48 / 480, 96 / 480], abs=0.02)
    assert texture.inner_box(np.full((90, 160), 3.0, np.float32)) is None
    assert np.isnan(texture.border_share(None))


def watched(path: list[tuple[float, float, float]]) -> dict[str, tuple[float | str | None, str]]:
    """Camera scores of 4 s of one still scene seen through a camera: x, y in px, scale, for each frame."""
    wide = scene(700, 1000, seed=3)
    log = FrameLog(ShotSpan("s", *SPAN), PROFILE.sampling, PartClock())
    person, regions = Followed((200.0, 100.0, 300.0, 220.0)), RegionWatch(0.5, PartClock())
    for number, (x, y, scale) in enumerate(path):
        view = np.array([[scale, 0, 320 - scale * (500 + x)], [0, scale, 180 - scale * (350 + y)]])
        frame = Seen(number / FPS, cv2.warpAffine(wide, view, (640, 360)))
        log.note(frame)
        log.look(frame, [])
        person.see(frame.time_s)
        regions.feed(frame, [person], log.picture_box)
    row = plain(log.row())
    track = plain(regions.series(person)) | {"frame_times_s": row["frame_times_s"]}
    return {**region_measures(track, SPAN, SETTINGS), **picture_scores(row, SPAN, SETTINGS, (), "-")}


def shaken(amplitude: float) -> list[tuple[float, float, float]]:
    jitter = np.random.default_rng(5).normal(0, amplitude, (4 * FPS, 2))
    return [(float(x), float(y), 1.0) for x, y in jitter]


def test_a_shaking_camera_moves_shake_and_the_name() -> None:
    clips = [watched(shaken(amplitude)) for amplitude in (0.0, 1.0, 4.0, 8.0)]

    assert rises([float(c["camera_shake"][0] or 0) for c in clips])
    assert [c["camera_movement"][0] for c in clips] == ["static", "static", "shake", "shake"]
    assert all(float(c["camera_zoom"][0] or 0) < 0.02 for c in clips)
    assert clips[0]["freeze_share"][0] == 1.0  # the same frame, again and again
    assert clips[3]["freeze_share"][0] == 0.0


def test_pan_and_zoom_are_told_apart_and_measured() -> None:
    pans = [watched([(i * step, 0.0, 1.0) for i in range(100)]) for step in (0.2, 0.8, 1.4)]
    zooms = [watched([(0.0, 0.0, float(np.exp(rate * i / FPS))) for i in range(100)]) for rate in (0.01, 0.05, 0.1)]

    assert [c["camera_pan"][0] for c in pans] == pytest.approx([s * FPS / 640 for s in (0.2, 0.8, 1.4)], rel=0.1)
    assert [c["camera_movement"][0] for c in pans] == ["static", "pan", "pan"]
    assert [c["camera_zoom"][0] for c in zooms] == pytest.approx([0.01, 0.05, 0.1], rel=0.15)
    assert [c["camera_movement"][0] for c in zooms] == ["static", "zoom", "zoom"]


def test_points_are_lost_in_a_picture_that_changes_and_kept_in_one_that_stands() -> None:
    ratios = []
    for share in (0.0, 0.3, 0.7):
        watch, steps = CameraWatch(), []
        for number in range(50):
            luma = small_luma(scene(seed=0))
            rows = round(share * len(luma))
            luma[:rows] = small_luma(scene(seed=100 + number))[:rows]
            steps.append(watch.feed(number / FPS, luma, []))
        ratios.append(float(np.nanmean([s.survival for s in steps if s is not None])))

    assert ratios[0] == 1.0
    assert falls(ratios)


@pytest.mark.parametrize("shape", [(8, 8), (1, 1)])
def test_a_tiny_picture_is_not_evaluated_and_breaks_nothing(shape: tuple[int, int]) -> None:
    log = FrameLog(ShotSpan("s", *SPAN), PROFILE.sampling, PartClock())
    for number in range(10):
        frame = Seen(number / FPS, np.full((*shape, 3), 120, np.uint8))
        log.note(frame)
        log.look(frame, [])
    row = {k: v.to_list() if hasattr(v, "to_list") else v for k, v in log.row().items()}
    found = picture_scores(row, SPAN, SETTINGS, (), "-")

    measured = {name: value for name, (value, status) in found.items() if status == "ok"}
    assert set(measured) <= {"border_share"}
    assert all(status for _, status in found.values())


def test_parts_that_are_switched_off_say_so() -> None:
    found = picture_scores(None, SPAN, SETTINGS, ("camera", "texture", "text"), "-")

    assert set(found.values()) == {(None, "off")}


def test_talkvids_formulas() -> None:
    still = np.full((3, 5, 2), 100.0)
    moved = still + np.array([0, 3, 4])[:, None, None] * np.array([3.0, 4.0]) / 5  # 3 px, then 1 px
    angles = np.array([[0.0, 0, 0], [3, 4, 0], [18, 0, 0]])

    assert head_scores.movement(moved, 50.0) == pytest.approx([94.0, 98.0])
    assert head_scores.rotation(angles) == pytest.approx([95.0, 100 - np.hypot(15, 4)])
    assert head_scores.orientation(angles)[2] == pytest.approx(90.0)
    assert head_scores.resolution(np.array([[0.0, 0.0, 0.1, 0.1], [0, 0, 1, 1]])) == pytest.approx([30.0, 100.0])
    points = np.full((2, 5, 2), 0.5)
    points[1, 2] = (1.2, 0.5)  # the nose has left the picture
    assert head_scores.completeness(points) == pytest.approx([100.0, 60.0])


def test_face_consistency_loses_20_a_frame_without_exactly_one_face() -> None:
    times = [i / FPS for i in range(100)]
    scores = []
    for wrong in (0, 1, 2, 4):
        faces = [2.0 if t < wrong else 1.0 for t in times]
        row = {"frame_times_s": times, "face_count": faces}
        scores.append(head_scores.face_consistency(row, SPAN, SETTINGS)[0])

    assert scores == [100.0, 80.0, 60.0, 20.0]


def test_motion_degree_rises_with_speed_between_1_and_5() -> None:
    degrees = [person_measures.motion_degree(v, SETTINGS.still_speed, SETTINGS.lively_speed) for v in (0, 0.1, 0.4, 2)]

    assert degrees[0] == 1.0
    assert degrees[-1] == 5.0
    assert rises(degrees)


def test_babble_moves_snr_and_not_clipping_and_gain_moves_clipping() -> None:
    chance = np.random.default_rng(7)
    t = np.arange(64_000) / 16_000
    voice = np.where((t > 1) & (t < 3), 0.2 * np.sin(2 * np.pi * 220 * t), 0.0)
    babble = chance.normal(0, 1, len(t))
    noise = [(voice + level * babble).astype(np.float32) for level in (0.001, 0.004, 0.016, 0.064)]

    assert falls([float(audio_measures.snr_db(s, 16_000, [(1.0, 3.0)])[0] or 0) for s in noise])
    assert {audio_measures.clipping_share(s)[0] for s in noise} == {0.0}
    loud = [np.clip(voice * gain, -1, 1).astype(np.float32) for gain in (1, 8, 16, 64)]
    assert rises([float(audio_measures.clipping_share(s)[0] or 0) for s in loud])


def test_darkness_moves_luminance_and_not_motion_of_a_still_scene() -> None:
    pictures = [(scene() * gain).astype(np.uint8) for gain in (1.0, 0.5, 0.25, 0.1)]

    assert falls([float(small_luma(p).mean()) for p in pictures])
    assert all(motion(small_luma(p), small_luma(p)) == 0 for p in pictures)
