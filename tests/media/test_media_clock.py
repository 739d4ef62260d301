"""One clock: pictures held, reordered across a stall, or far from zero are whole, last as long as shown, keep pace."""

from pathlib import Path
from typing import Any

import generate
import numpy as np
import pytest

from speakervid_dag.assets.intake_rows import health
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import DecodeReport, Frame, read_frames
from speakervid_dag.media.encode import write_video
from speakervid_dag.media.probe import MediaInfo, probe

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
OK = {"status": "ok", "reason": None, "detail": None}
STALLED = [*generate.steady(50), *(3.5 + time_s for time_s in generate.steady(46))]  # 1.54 s without a picture


def read(path: Path) -> tuple[MediaInfo, list[Frame], DecodeReport]:
    info = probe(path, BUDGET)
    with read_frames(path, info, BUDGET) as reader:
        frames = list(reader)
    return info, frames, reader.report


def verdict(info: MediaInfo, report: DecodeReport) -> dict[str, Any]:
    return health(OK, report, info.video_end_s)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "flv"])
def test_a_stall_among_reordered_pictures(tmp_path: Path, container: str) -> None:
    source = tmp_path / "a.mp4"
    write_video(source, generate.pictures(STALLED), 25.0, generate.SIZE, generate.chirps((0.5, 1.2), 5.34))
    path = generate.remuxed(source, tmp_path / f"b.{container}", container)
    info, frames, report = read(path)
    assert verdict(info, report) == OK
    assert report.times_repaired == 0
    assert info.duration_s == pytest.approx(5.34, abs=0.11)
    assert (info.fps, info.is_variable_frame_rate, info.is_seekable) == (pytest.approx(25.0, abs=0.01), False, True)
    times_s = np.array([frame.time_s for frame in frames])
    assert times_s - times_s[0] == pytest.approx(STALLED, abs=0.002)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_a_last_picture_that_is_held(tmp_path: Path, container: str) -> None:
    info, frames, report = read(generate.held(tmp_path / "a", 50, 3.0, container))
    assert verdict(info, report) == OK
    assert (info.duration_s, info.fps) == (pytest.approx(4.96, abs=0.002), pytest.approx(25.0))
    assert frames[-1].time_s == pytest.approx(1.96, abs=0.002)


def test_more_pictures_a_second_than_the_last_one_lasts(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, generate.pictures(generate.steady(120, 120.0)), 25.0, generate.SIZE)  # the last one lasts 40 ms
    info, _, report = read(path)
    assert verdict(info, report) == OK
    assert info.fps == pytest.approx(120.0, rel=0.01)
    assert info.duration_s == pytest.approx(119 / 120 + 0.04, abs=0.002)


@pytest.mark.parametrize("container", ["matroska", "mpegts", "flv", "mp4"])
def test_a_clock_that_begins_at_ten_seconds(tmp_path: Path, container: str) -> None:
    source = generate.plain(tmp_path / "a.mp4")
    path = generate.delayed(source, tmp_path / "b", container, 10.0)
    info, frames, report = read(path)
    assert verdict(info, report) == OK
    assert info.duration_s == pytest.approx(2.0, abs=0.13)
    assert (len(frames), frames[0].time_s) == (50, pytest.approx(0.064, abs=0.001))  # behind the priming of AAC
    assert info.bit_rate_bps == pytest.approx(8 * path.stat().st_size / info.duration_s, abs=1)


def test_a_cut_file_whose_clock_begins_at_ten_seconds_is_still_a_cut_one(tmp_path: Path) -> None:
    source = generate.delayed(generate.plain(tmp_path / "a.mp4"), tmp_path / "b.mkv", "matroska", 10.0)
    info, _, report = read(generate.cut(source, tmp_path / "c.mkv", 0.6))
    assert verdict(info, report)["reason"] == "damaged_media"
    assert info.duration_s == pytest.approx(2.06, abs=0.05)


@pytest.mark.parametrize("start_s", [0.0, 10.1, 33.366])
def test_the_first_picture_is_at_zero(tmp_path: Path, start_s: float) -> None:
    source = generate.silent(tmp_path / "a.mp4", generate.steady(20))
    _, frames, _ = read(generate.delayed(source, tmp_path / "b.mkv", "matroska", start_s))
    assert [frames[0].time_s, frames[1].time_s] == [0.0, 0.04]


@pytest.mark.parametrize("container", ["matroska", "mov", "avi"])
def test_a_second_sound_track_that_is_longer_than_the_picture(tmp_path: Path, container: str) -> None:
    tracks = [(generate.chirps((0.2,), length_s)[None], generate.RATE_HZ, 0.0, "mono") for length_s in (2.0, 5.0)]
    info, frames, report = read(generate.sound_tracks(tmp_path / "a", *tracks, pictures=50, container=container))
    assert verdict(info, report) == OK
    assert (len(frames), info.duration_s) == (50, pytest.approx(5.0, abs=0.05))
    assert info.video_last_s == pytest.approx(1.96, abs=0.01)


def test_how_much_is_left_of_a_cut_file_is_told_and_hides_nothing(tmp_path: Path) -> None:
    source = generate.silent(tmp_path / "a.mkv", generate.steady(100))
    path = generate.cut(source, tmp_path / "b.mkv", 0.5)
    info, frames, report = read(path)
    said = {"status": "degraded", "reason": "no_audio_stream", "detail": "silence"}
    found = health(said, report, info.video_end_s)
    assert (found["status"], found["reason"]) == ("degraded", "damaged_media")
    assert 0.5 < frames[-1].time_s < 3.5
    assert f"{frames[-1].time_s:.2f} s of 4.00 s" in found["detail"]
    assert "no_audio_stream: silence" in found["detail"]
