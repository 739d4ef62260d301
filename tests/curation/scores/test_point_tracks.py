"""TalkVid's ratio of points that stay in sight: which pictures are tracked, and the formula."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from speakervid_dag.config.profiles import load_profile
from speakervid_dag.curation.scores.points import SIZE_PX, PointLook, sampled, track_ratio, windows

SETTINGS = load_profile("talkvid").scores


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((1.0, 6.0), [(1.0, 6.0)]),
        ((1.0, 7.0), [(1.0, 7.0)]),
        ((0.0, 10.0), [(0.0, 6.0), (4.0, 10.0)]),
        ((0.0, 12.0), [(0.0, 6.0), (6.0, 12.0)]),
        ((0.0, 14.0), [(0.0, 6.0), (4.0, 10.0), (8.0, 14.0)]),
    ],
)
def test_a_clip_is_tracked_in_windows(span: Any, expected: Any) -> None:
    assert windows(span, SETTINGS.point_window_s) == expected


def test_two_pictures_a_second_whatever_the_frame_rate() -> None:
    for fps in (24, 25, 30, 60):
        times = sampled(np.arange(0, 20, 1 / fps), (2.2, 8.2), SETTINGS.point_hz)
        assert len(times) == 12
        assert np.abs(times - np.arange(2.2, 8.2, 0.5)).max() < 1 / fps
    uneven = np.array([0.0, 0.1, 0.2, 3.0, 3.1])
    assert sampled(uneven, (0.0, 4.0), 2.0).tolist() == [0.0, 3.0]  # each once


def test_the_ratio_is_the_least_mean_visibility() -> None:
    still, shaky = np.ones((12, 4), bool), np.ones((12, 4), bool)
    shaky[3:, :2] = False
    assert track_ratio([still]) == 1.0
    assert track_ratio([still, shaky, still]) == (48 - 18) / 48


class Tracker:
    """Remembers what it was given; in the n-th window one point of each picture but the first n is out of sight."""

    def __init__(self) -> None:
        self.given: list[NDArray[np.uint8]] = []

    def visible(self, pictures: NDArray[np.uint8], grid: int) -> NDArray[np.bool_]:
        self.given.append(pictures)
        seen = np.ones((len(pictures), grid * grid), bool)
        seen[len(self.given) :, 0] = False
        return seen


def looked(end_s: float, times: NDArray[np.float64], height: int = 90) -> tuple[PointLook, Tracker]:
    tracker = Tracker()
    clip = {"clip_id": "c", "start_s": 0.0, "end_s": end_s}
    look = PointLook(clip, times, settings=SETTINGS, tracker=tracker)
    for time_s in sorted(look.times_s):
        look.see(time_s, np.full((height, 160, 3), round(time_s * 10), np.uint8))
    return look, tracker


def test_the_tracker_is_given_the_whole_picture_at_its_own_size() -> None:
    look, tracker = looked(10.0, np.arange(0, 12, 0.04))
    ((value, status),) = look.answer().values()
    assert [p.shape for p in tracker.given] == [(12, SIZE_PX[1], SIZE_PX[0], 3)] * 2
    assert tracker.given[0][:, 0, 0, 0].tolist() == [round(10 * t) for t in np.arange(0.2, 6.2, 0.5).round(2)]
    assert status == "ok"
    assert value == 1 - 11 / (12 * SETTINGS.point_grid**2)  # the first window is the worse one


@pytest.mark.parametrize(
    ("reason", "end_s", "times", "height"),
    [
        ("too_few_frames", 4.0, np.array([1.0]), 90),
        ("too_few_frames", 0.3, np.arange(0, 12, 0.04), 90),  # nothing is left between the ends
        ("too_small", 4.0, np.arange(0, 12, 0.04), 8),
    ],
)
def test_what_cannot_be_tracked_says_why(reason: str, end_s: float, times: Any, height: int) -> None:
    look, tracker = looked(end_s, times, height)
    assert look.answer() == {"cotracker_ratio": (None, reason)}
    assert tracker.given == []
