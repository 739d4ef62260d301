"""Shot boundaries on made pictures: cuts bright and dark, and everything that looks like a cut and is none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.sources.shots import ShotFinder

pytestmark = pytest.mark.heavy

SETTINGS = load_profile("speakervid-5m").shots
STEP_S = 0.04
Image = NDArray[np.uint8]


@dataclass
class Frame:
    time_s: float
    image: Image
    stretch: int = 0


def scene(seed: int, low: float = 20, high: float = 220) -> Image:
    """A smooth random picture, 90 x 160, luma from `low` to `high`."""
    import cv2

    coarse = np.random.default_rng(seed).random((6, 10)).astype(np.float32)
    smooth = cv2.resize(coarse, (160, 90), interpolation=cv2.INTER_CUBIC)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return np.repeat((low + (high - low) * smooth).astype(np.uint8)[:, :, None], 3, axis=2)


def shots_of(
    images: Sequence[Image], times_s: Sequence[float] | None = None, stretches: Sequence[int] | None = None
) -> list[tuple[float, float]]:
    finder = ShotFinder(SETTINGS)
    noise = np.random.default_rng(0)
    for i, image in enumerate(images):
        grain = noise.integers(-2, 3, image.shape)
        time_s = i * STEP_S if times_s is None else times_s[i]
        stretch = 0 if stretches is None else stretches[i]
        finder.feed(Frame(time_s, np.clip(image.astype(int) + grain, 0, 255).astype(np.uint8), stretch))
    return finder.finish()


@pytest.mark.parametrize(("low", "high"), [(20, 220), (4, 40)], ids=["bright", "dark"])
def test_a_cut_is_found_at_the_first_frame_of_the_new_shot(low: float, high: float) -> None:
    shots = shots_of([scene(1, low, high)] * 20 + [scene(2, low, high)] * 20)

    assert shots == [(0.0, pytest.approx(0.8)), (pytest.approx(0.8), pytest.approx(1.6))]


def test_shots_touch_and_follow_the_clock_of_the_frames() -> None:
    times_s = [0.85 + i * 0.04 + (0.02 if i % 3 == 0 else 0.0) for i in range(60)]

    shots = shots_of([scene(1)] * 15 + [scene(2)] * 15 + [scene(3)] * 30, times_s)

    assert [start for start, _ in shots] == [times_s[0], times_s[15], times_s[30]]
    assert [end for _, end in shots[:-1]] == [start for start, _ in shots[1:]]
    assert times_s[-1] < shots[-1][1] < times_s[-1] + 0.1


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_cut_just_after_the_shortest_shot_and_near_the_end_is_found(frames: int) -> None:
    assert len(shots_of([scene(1)] * 8 + [scene(2)] * frames)) == 2


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flash_is_no_cut(frames: int) -> None:
    white = np.full((90, 160, 3), 250, np.uint8)

    assert len(shots_of([scene(1)] * 15 + [white] * frames + [scene(1)] * 15)) == 1


@pytest.mark.parametrize("share", [0.3, 0.1, 0.05])
def test_a_light_that_goes_out_or_on_is_no_cut(share: float) -> None:
    """What is left of a picture at a twentieth of its light is below the noise, but it is the same picture."""
    lit, unlit = scene(1), (scene(1) * share).astype(np.uint8)

    assert len(shots_of([lit] * 20 + [unlit] * 20 + [lit] * 20)) == 1


@pytest.mark.parametrize("level", [0, 16, 235])
def test_a_cut_to_an_empty_picture_and_back_is_two_cuts(level: int) -> None:
    empty = np.full((90, 160, 3), level, np.uint8)

    assert len(shots_of([scene(1)] * 20 + [empty] * 20 + [scene(1)] * 20)) == 3


def test_a_cut_to_another_picture_in_the_dark_is_a_cut() -> None:
    other = (scene(2) * 0.1).astype(np.uint8)

    assert len(shots_of([scene(1)] * 20 + [other] * 20)) == 2


def test_a_cut_to_somebody_who_sways_is_a_cut_and_no_dissolve() -> None:
    """After the cut each picture is mostly the last one: a mixture whose weight rises, but it began with a jump."""
    last, other = scene(2).astype(float), scene(3).astype(float)
    sways = [(w * last + (1 - w) * other).astype(np.uint8) for w in np.repeat([0.7, 0.8, 0.9, 1.0], [26, 8, 8, 8])]

    shots = shots_of([scene(1)] * 20 + sways + [scene(2)] * 20)

    assert shots == [(0.0, pytest.approx(0.8)), (pytest.approx(0.8), pytest.approx(3.6))]


def test_brightening_is_no_cut() -> None:
    assert len(shots_of([scene(1, 10, 100)] * 15 + [scene(1, 40, 220)] * 15)) == 1


def dissolve(before: Image, after: Image, frames: int) -> list[Image]:
    return [(before * (1 - w) + after * w).astype(np.uint8) for w in np.arange(1, frames) / frames]


@pytest.mark.parametrize("seconds", [0.32, 0.8, 2.0])
def test_a_dissolve_parts_two_shots_and_belongs_to_neither(seconds: float) -> None:
    frames = round(seconds / STEP_S)
    mixed = dissolve(scene(1), scene(2), frames)

    first, second = shots_of([scene(1)] * 20 + mixed + [scene(2)] * 20)

    assert (first[0], second[1]) == pytest.approx((0.0, (39 + frames) * STEP_S))
    assert first[1] == pytest.approx(19 * STEP_S, abs=0.1)
    assert second[0] == pytest.approx(19 * STEP_S + seconds, abs=0.1)


def test_cuts_before_between_and_after_dissolves_are_found_as_ever() -> None:
    images = [scene(1)] * 15 + [scene(2)] * 20 + dissolve(scene(2), scene(3), 15) + [scene(3)] * 20 + [scene(4)] * 20
    images += dissolve(scene(4), scene(5), 15) + [scene(5)] * 20

    shots = shots_of(images)

    assert [start for start, _ in shots] == pytest.approx([0.0, 0.6, 1.96, 2.76, 4.12], abs=0.1)
    assert [end for _, end in shots] == pytest.approx([0.6, 1.36, 2.76, 3.52, 4.92], abs=0.1)


def test_a_dissolve_at_ten_frames_a_second_is_found() -> None:
    images = [scene(1)] * 12 + dissolve(scene(1), scene(2), 10) + [scene(2)] * 12

    assert len(shots_of(images, [i / 10 for i in range(len(images))])) == 2


def test_a_dissolve_between_moving_heads_is_found() -> None:
    heads = [head(scene(1), i) for i in range(60)]
    others = [head(scene(2), i + 9) for i in range(60)]
    mixed = [
        (heads[i] * (1 - w) + others[i] * w).astype(np.uint8)
        for i, w in zip(range(20, 40), np.linspace(0, 1, 20), strict=True)
    ]

    assert len(shots_of(heads[:20] + mixed + others[40:])) == 2


def sways(seed: int, frame: int) -> Image:
    """A picture with a detailed head that moves by a tenth of its width."""
    image, face = scene(seed).copy(), scene(seed + 50)
    left = round(50 + 8 * np.sin(frame / 6 + seed))
    image[20:80, left : left + 60] = face[20:80, 50:110]
    return image


@pytest.mark.parametrize("seconds", [0.5, 1.2, 2.0])
@pytest.mark.parametrize("light", [1.0, 0.3], ids=["lit", "dark"])
def test_a_dissolve_between_people_who_move_is_found(seconds: float, light: float) -> None:
    frames = round(seconds / STEP_S)
    weights = [*[0.0] * 25, *np.arange(1, frames) / frames, *[1.0] * 25]
    images = [((sways(1, i) * (1 - w) + sways(2, i) * w) * light).astype(np.uint8) for i, w in enumerate(weights)]

    (_, first_end), (second_start, _) = shots_of(images)

    assert first_end == pytest.approx(24 * STEP_S, abs=0.25)
    assert second_start == pytest.approx((24 + frames) * STEP_S, abs=0.25)


def test_a_short_dissolve_at_thirty_frames_a_second_is_found() -> None:
    images = [scene(1)] * 25 + dissolve(scene(1), scene(2), 6) + [scene(2)] * 25

    assert len(shots_of(images, [i / 30 for i in range(len(images))])) == 2


def empty(level: int) -> Image:
    return np.full((90, 160, 3), level, np.uint8)


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("seconds", [0.2, 0.8, 2.0])
@pytest.mark.parametrize("hold", [1, 4, 12])
def test_a_fade_parts_two_shots_where_it_is_empty(level: int, seconds: float, hold: int) -> None:
    ramp = round(seconds / STEP_S)
    out, into = dissolve(scene(1), empty(level), ramp), dissolve(empty(level), scene(2), ramp)
    first, second = shots_of([scene(1)] * 20 + out + [empty(level)] * hold + into + [scene(2)] * 20)

    assert first[1] == second[0]
    assert 19 + ramp - 2 <= second[0] / STEP_S <= 19 + ramp + hold + 2


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
def test_a_fade_on_one_side_of_a_cut_to_an_empty_picture_is_one_boundary(level: int) -> None:
    into, out = dissolve(empty(level), scene(2), 20), dissolve(scene(1), empty(level), 20)

    assert len(shots_of([scene(1)] * 20 + [empty(level)] * 8 + into + [scene(2)] * 20)) == 2
    assert len(shots_of([scene(1)] * 20 + out + [empty(level)] * 8 + [scene(2)] * 20)) == 2


@pytest.mark.parametrize("level", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("frames", [5, 20, 50])
def test_a_fade_in_at_the_start_and_out_at_the_end_are_no_boundary(level: int, frames: int) -> None:
    into, out = dissolve(empty(level), scene(1), frames), dissolve(scene(1), empty(level), frames)

    assert len(shots_of([empty(level)] * 4 + into + [scene(1)] * 20 + out + [empty(level)] * 4)) == 1


def test_a_fade_to_black_and_back_to_the_same_take_is_no_boundary() -> None:
    out, into = dissolve(scene(1), empty(0), 15), dissolve(empty(0), scene(1), 15)

    assert len(shots_of([scene(1)] * 20 + out + [empty(0)] * 5 + into + [scene(1)] * 20)) == 1


def test_a_light_that_goes_out_slowly_over_somebody_who_moves_is_no_dissolve() -> None:
    light = [*[1.0] * 25, *np.linspace(1, 0.15, 12), *[0.15] * 30, *np.linspace(0.15, 1, 12), *[1.0] * 25]

    assert len(shots_of([(sways(1, i) * share).astype(np.uint8) for i, share in enumerate(light)])) == 1


def test_a_title_over_the_picture_that_goes_again_is_no_shot() -> None:
    title = (0.1 * scene(1) + 0.9 * scene(2)).astype(np.uint8)
    comes, goes = dissolve(scene(1), title, 10), dissolve(title, scene(1), 10)

    assert len(shots_of([scene(1)] * 25 + comes + [title] * 25 + goes + [scene(1)] * 25)) == 1
    assert len(shots_of([scene(1)] * 25 + comes + [title] * 75 + goes + [scene(1)] * 25)) == 3


@pytest.mark.parametrize("speed", [1, 3, 8])
def test_a_pan_between_two_stills_is_no_dissolve(speed: int) -> None:
    wide = np.hstack([scene(1), scene(2), scene(3)])
    places = [*[0] * 20, *range(0, 161, speed), *[160] * 20]

    assert len(shots_of([wide[:, x : x + 160] for x in places])) == 1


def test_a_zoom_between_two_stills_is_no_dissolve() -> None:
    import cv2

    def zoomed(factor: float) -> Image:
        height, width = round(90 / factor), round(160 / factor)
        return cv2.resize(scene(1)[:height, :width], (160, 90)).astype(np.uint8)

    factors = [*[1.0] * 20, *np.linspace(1, 3, 25), *[3.0] * 20]
    assert len(shots_of([zoomed(f) for f in factors])) == 1


def test_a_slide_is_no_dissolve() -> None:
    pair = np.hstack([scene(1), scene(2)])
    places = [*[0] * 20, *range(0, 161, 10), *[160] * 20]
    wiped = [np.hstack([scene(1)[:, : 160 - x], scene(2)[:, 160 - x :]]) for x in places]

    assert len(shots_of([pair[:, x : x + 160] for x in places])) == 1
    assert len(shots_of(wiped)) == 1


def head(image: Image, frame: int) -> Image:
    """The picture with a disc that sways before it."""
    import cv2

    return cv2.circle(image.copy(), (round(80 + 4 * np.sin(frame / 5)), 50), 22, (40, 120, 200), -1)


def test_a_jump_in_one_half_of_a_split_screen_is_no_cut() -> None:
    halves = [np.hstack([scene(1)[:, :80], scene(seed)[:, :80]]) for seed in (2, 3)]

    assert len(shots_of([halves[0]] * 15 + [halves[1]] * 15)) == 1


def test_a_shaking_camera_is_no_cut() -> None:
    shifts = np.random.default_rng(4).integers(-30, 31, (60, 2))

    assert len(shots_of([np.roll(scene(1), tuple(s), axis=(0, 1)) for s in shifts])) == 1


def test_no_frames_no_shots_one_frame_one_shot() -> None:
    assert ShotFinder(SETTINGS).finish() == []
    assert shots_of([scene(1)], [0.5]) == [(0.5, 0.5)]


def test_time_that_does_not_rise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\b0\.4 s.*\b0\.4 s"):
        shots_of([scene(1)] * 2, [0.4, 0.4])


def test_a_change_of_geometry_is_a_cut_whatever_is_shown() -> None:
    shots = shots_of([scene(1)] * 40, stretches=[0] * 7 + [1] * 33)

    assert [start for start, _ in shots] == pytest.approx([0.0, 0.28])


def test_a_cut_shortly_before_a_change_of_geometry_is_found_and_none_is_made_up_after_it() -> None:
    images = [scene(1)] * 40 + [scene(2)] * 20 + [scene(3)] * 40

    shots = shots_of(images, stretches=[0] * 60 + [1] * 40)

    assert [start for start, _ in shots] == pytest.approx([0.0, 1.6, 2.4])
