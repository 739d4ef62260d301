"""Stills: the picture shown at a time, found by seeking, upright, or a reason."""

from pathlib import Path

import generate
import pytest

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.stills import read_stills

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()


def numbers(path: Path, *times_s: float, video_start_s: float = 0.0) -> list[int]:
    found = read_stills(path, times_s, BUDGET, video_start_s=video_start_s, max_long_side_px=160)
    return [generate.number_of(image) for image in found]


def test_the_picture_at_each_time_in_any_order(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4", 200, gop_frames=60)
    assert numbers(path, 6.0, 0.0, 2.41, 7.96) == [150, 0, 61, 199]


def test_beyond_the_end_is_the_last_picture(tmp_path: Path) -> None:
    assert numbers(generate.plain(tmp_path / "a.mp4", 50), 60.0) == [49]


def test_times_count_from_the_containers_start(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4", 50, video_start_s=0.4)
    assert numbers(path, 1.4, video_start_s=0.4) == [25]


@pytest.mark.parametrize("rotation_deg", [90, 180, 270])
def test_pictures_are_upright(tmp_path: Path, rotation_deg: int) -> None:
    path = generate.plain(tmp_path / "a.mp4", 50, rotation_deg=rotation_deg)
    (image,) = read_stills(path, [1.0], BUDGET, video_start_s=0.0, max_long_side_px=80)
    assert max(image.shape[:2]) == 80
    assert image.shape[0] > image.shape[1] if rotation_deg != 180 else image.shape[0] < image.shape[1]
    assert generate.red_corner(image) != "tl"


def test_what_has_no_moving_picture_gives_the_reason(tmp_path: Path) -> None:
    cover = generate.with_cover(tmp_path / "cover.mp4", has_sound=True)
    with pytest.raises(PermanentFailure) as told:
        numbers(cover, 0.0)
    assert told.value.reason == "no_video_stream"
    with pytest.raises(PermanentFailure) as told:
        numbers(generate.playlist(tmp_path / "list.mp4", "hls", cover), 0.0)
    assert told.value.reason == "playlist_refused"


def test_pictures_over_the_budget_are_not_decoded(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4", 50)
    small = MediaBudget(max_pixels_per_frame=100)
    with pytest.raises(PermanentFailure) as told:
        read_stills(path, [0.0], small, video_start_s=0.0, max_long_side_px=80)
    assert told.value.reason == "over_budget"
