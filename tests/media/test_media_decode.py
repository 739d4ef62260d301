"""Pictures come whole, upright, at their own times, and no decoder outlives its reader."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import generate
import numpy as np
import pytest

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.audio import read_audio
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import DecodeReport, Frame, FrameReader, read_frames
from speakervid_dag.media.probe import probe

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()


def read(path: Path, budget: MediaBudget = BUDGET, **options: int) -> tuple[list[Frame], DecodeReport]:
    with read_frames(path, probe(path, budget), budget, **options) as reader:
        frames = list(reader)
        return frames, reader.report


def begun(path: Path, budget: MediaBudget = BUDGET) -> tuple[FrameReader, int]:
    """A reader that has given one frame and has many more, and its process."""
    reader = read_frames(path, probe(path, budget), budget)
    next(reader)
    assert reader.child_pid is not None
    assert generate.is_alive(reader.child_pid)
    return reader, reader.child_pid


def gone(pid: int, within_s: float = 10.0) -> bool:
    end = time.monotonic() + within_s
    while generate.is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not generate.is_alive(pid)


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Far more pictures than the pipe holds."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return generate.silent(path, generate.steady(250), size=(320, 240))


def test_every_picture_at_its_time(tmp_path: Path) -> None:
    frames, report = read(generate.plain(tmp_path / "a.mp4"))
    assert [generate.number_of(frame.image) for frame in frames] == list(range(50))
    assert [frame.time_s for frame in frames] == pytest.approx(generate.steady(50), abs=1e-5)
    assert frames[0].image.shape == (120, 160, 3)
    assert frames[0].image.dtype == np.uint8
    assert frames[0].image.flags.writeable
    assert report.frames_read == report.frames_claimed == 50
    assert (report.first_time_s, report.last_time_s) == (0.0, pytest.approx(1.96))
    assert report.is_complete
    assert (report.decode_errors, report.times_repaired) == (0, 0)


def test_colours_are_blue_green_red(tmp_path: Path) -> None:
    frames, _ = read(generate.plain(tmp_path / "a.mp4", count=3))
    blue, green, red = frames[0].image[5, 5].astype(int)
    assert red > 200
    assert max(blue, green) < 60


@pytest.mark.parametrize("container", ["matroska", "mpegts", "flv"])
def test_other_containers_give_the_same(tmp_path: Path, container: str) -> None:
    frames, report = read(generate.remuxed(generate.plain(tmp_path / "a.mp4"), tmp_path / "b", container))
    assert [generate.number_of(frame.image) for frame in frames] == list(range(50))
    first = frames[0].time_s  # a container without edit lists shows AAC's priming as an earlier start of the sound
    assert 0 <= first < 0.2
    assert [frame.time_s - first for frame in frames] == pytest.approx(generate.steady(50), abs=1e-3)
    assert report.is_complete


def test_avi_without_presentation_times(tmp_path: Path) -> None:
    frames, report = read(generate.avi(tmp_path / "a.avi"))
    assert [generate.number_of(frame.image) for frame in frames] == list(range(50))
    assert [frame.time_s for frame in frames] == pytest.approx(generate.steady(50))
    assert report.is_complete


def test_variable_rate_times_are_exact(tmp_path: Path) -> None:
    times_s = generate.variable_times()
    frames, report = read(generate.silent(tmp_path / "a.mp4", times_s, fps=None))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=2e-5)
    assert [generate.number_of(frame.image) for frame in frames] == list(range(len(times_s)))
    assert report.is_complete


def test_a_late_picture_keeps_its_lateness(tmp_path: Path) -> None:
    frames, report = read(generate.plain(tmp_path / "a.mp4", video_start_s=0.85))
    assert [frame.time_s for frame in frames] == pytest.approx([0.85 + t for t in generate.steady(50)], abs=1e-4)
    assert report.is_complete


@pytest.mark.parametrize(("degrees", "corner"), [(0, "tl"), (90, "tr"), (180, "br"), (270, "bl")])
def test_pictures_are_turned_upright(tmp_path: Path, degrees: int, corner: str) -> None:
    frames, _ = read(generate.plain(tmp_path / "a.mp4", count=3, rotation_deg=degrees))
    assert (
        generate.red_corner(frames[0].image) == corner
    )  # the stored corner is top left; a clockwise turn carries it on
    upright = np.rot90(frames[2].image, degrees // 90)
    assert generate.number_of(upright) == 2


@pytest.mark.parametrize("size", [(161, 91), (8, 8), (33, 64)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    frames, _ = read(generate.silent(tmp_path / "a.mp4", generate.steady(5), size=size))
    assert [frame.image.shape for frame in frames] == [(size[1], size[0], 3)] * 5
    assert np.abs(frames[3].image.astype(int) - generate.picture(3, size).astype(int)).mean() < 25


def test_a_few_pictures_come_at_full_size_too_where_they_are_scaled_down(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4", count=50, rotation_deg=90)  # 25 a second

    frames, report = read(path, max_long_side_px=80, full_hz=5)

    assert [i for i, frame in enumerate(frames) if frame.full is not None] == list(range(0, 50, 5))
    for i in (0, 25):
        assert frames[i].full.shape == (160, 120, 3)  # type: ignore[union-attr]
        assert generate.red_corner(frames[i].full) == "tr"
        assert generate.number_of(np.rot90(frames[i].full)) == i  # type: ignore[arg-type]
    assert (report.frames_read, report.is_complete) == (50, True)
    assert not any(frame.full is not None for frame in read(path, max_long_side_px=160, full_hz=5)[0])
    assert not any(frame.full is not None for frame in read(path, max_long_side_px=80)[0])


def test_scaling_down_keeps_the_shape_and_never_scales_up(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4", count=20, rotation_deg=90)
    small, _ = read(path, max_long_side_px=80)
    assert small[0].image.shape == (80, 60, 3)
    assert generate.red_corner(small[0].image) == "tr"
    assert [generate.number_of(np.rot90(frame.image)) for frame in small] == list(range(20))
    large, _ = read(path, max_long_side_px=4000)
    assert large[0].image.shape == (160, 120, 3)


def test_a_cut_file_says_how_much_is_missing(tmp_path: Path) -> None:
    whole = generate.plain(tmp_path / "a.mp4", count=100, crf=10)
    frames, report = read(generate.cut(whole, tmp_path / "b.mp4", 0.6))
    assert not report.is_complete
    assert report.frames_claimed == 100
    assert 20 < report.frames_read < 90
    assert len(frames) == report.frames_read
    assert [generate.number_of(frame.image) for frame in frames[:20]] == list(range(20))


@pytest.mark.parametrize("container", ["matroska", "avi"])
def test_other_cut_files_are_not_complete(tmp_path: Path, container: str) -> None:
    if container == "avi":
        whole = generate.avi(tmp_path / "a", count=100)
    else:
        whole = generate.remuxed(generate.plain(tmp_path / "a.mp4", count=100, crf=10), tmp_path / "a", container)
    _, report = read(generate.cut(whole, tmp_path / "b", 0.6))
    assert not report.is_complete
    assert 20 < report.frames_read < 90


def test_flipped_bytes_are_counted(tmp_path: Path) -> None:
    whole = generate.plain(tmp_path / "a.mp4", count=100, crf=10)
    frames, report = read(generate.flipped(whole, tmp_path / "b.mp4", 60))
    assert report.decode_errors > 0
    assert not report.is_complete
    times_s = [frame.time_s for frame in frames]
    assert all(before < after for before, after in pairwise(times_s))


def test_a_restarted_clock_goes_on(tmp_path: Path) -> None:
    part = generate.remuxed(generate.plain(tmp_path / "a.mp4"), tmp_path / "a.ts", "mpegts")
    path = generate.joined([part, part], tmp_path / "b.ts")
    frames, report = read(path)
    assert [generate.number_of(frame.image) for frame in frames] == [*range(50), *range(50)]
    steps = np.diff([frame.time_s for frame in frames])
    assert steps.min() > 0
    assert steps.max() < 0.2
    assert report.times_repaired == 1
    assert frames[-1].time_s < probe(path, BUDGET).duration_s + 0.1


def test_a_picture_that_grows_beyond_the_budget_is_refused(tmp_path: Path) -> None:
    small = generate.remuxed(generate.silent(tmp_path / "a.mp4", generate.steady(50)), tmp_path / "a.ts", "mpegts")
    other = generate.silent(tmp_path / "b.mp4", generate.steady(50), size=(320, 240))
    large = generate.remuxed(other, tmp_path / "b.ts", "mpegts")
    path = generate.joined([small, large], tmp_path / "c.ts")
    frames, _ = read(path)
    assert [frame.image.shape for frame in frames] == [(120, 160, 3)] * 50 + [(240, 320, 3)] * 50
    kept, report = read(
        path, MediaBudget(max_pixels_per_frame=160 * 120)
    )  # the decoder itself refuses what is far larger
    assert 45 <= len(kept) <= 52
    assert report.decode_errors > 0
    with pytest.raises(PermanentFailure, match="over_budget"):
        read(path, MediaBudget(max_pixels_per_frame=320 * 239))


def test_more_than_was_claimed_is_over_budget(tmp_path: Path) -> None:
    path = generate.plain(tmp_path / "a.mp4")
    info = probe(path, BUDGET)
    tight = MediaBudget(max_duration_s=1.0)
    with pytest.raises(PermanentFailure, match="over_budget"):
        list(read_frames(path, info, tight))


def test_no_report_before_the_end(long_file: Path) -> None:
    reader, pid = begun(long_file)
    with pytest.raises(RuntimeError):
        _ = reader.report
    reader.close()
    assert gone(pid)
    assert list(reader) == []


def test_closing_dropping_and_finishing_end_the_process(long_file: Path) -> None:
    reader, pid = begun(long_file)
    with reader:
        for _ in reader:
            break
    assert gone(pid)
    reader, pid = begun(long_file)
    del reader
    gc.collect()
    assert gone(pid)
    reader, pid = begun(long_file)
    assert len(list(reader)) == 249
    assert gone(pid)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGSEGV, "decoder_crashed"),
        (signal.SIGABRT, "decoder_crashed"),
        (signal.SIGKILL, "decoder_out_of_memory"),
        (signal.SIGXCPU, "decoder_timeout"),
    ],
)
def test_a_decoder_that_dies_is_one_failure(long_file: Path, number: signal.Signals, reason: str) -> None:
    reader, pid = begun(long_file)
    os.kill(pid, number)
    with pytest.raises(PermanentFailure) as caught:
        list(reader)
    assert caught.value.reason == reason
    assert gone(pid)


def test_a_stalled_decoder_is_ended(long_file: Path) -> None:
    reader, pid = begun(long_file, MediaBudget(stall_s=3.0))
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PermanentFailure, match="decoder_timeout"):
        list(reader)
    assert gone(pid)


def test_time_spent_by_the_consumer_is_not_counted(long_file: Path) -> None:
    budget = MediaBudget(base_wall_s=3.0, wall_s_per_media_s=0.01, stall_s=3.0)
    with read_frames(long_file, probe(long_file, BUDGET), budget) as reader:
        next(reader)
        time.sleep(3.5)
        assert len(list(reader)) == 249


def test_memory_is_limited(long_file: Path) -> None:
    with pytest.raises(PermanentFailure) as caught:
        list(read_frames(long_file, probe(long_file, BUDGET), MediaBudget(memory_bytes=64 * 1024**2)))
    assert caught.value.reason == "decoder_out_of_memory"


def test_no_decoder_outlives_a_killed_reader(long_file: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from speakervid_dag.media.budget import MediaBudget\n"
        "from speakervid_dag.media.decode import read_frames\n"
        "from speakervid_dag.media.probe import probe\n"
        "path, budget = Path(sys.argv[1]), MediaBudget()\n"
        "reader = read_frames(path, probe(path, budget), budget)\n"
        "next(reader)\nprint(reader.child_pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(long_file)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert generate.is_alive(pid)
        parent.kill()
    assert gone(pid)


def test_readers_in_threads(long_file: Path) -> None:
    info = probe(long_file, BUDGET)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(sum(1 for _ in read_frames(long_file, info, BUDGET))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [250, 250]


def test_the_decoder_sees_no_secrets(long_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_TOKEN", "hush")
    reader, pid = begun(long_file)
    with reader:
        assert b"hush" not in Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0" in limits
        assert "Max file size             0" in limits


@pytest.mark.shared
def test_real_files_are_read_whole(shared: Path) -> None:
    for path in sorted([*(shared / "media").glob("*.mp4"), *(shared / "media").glob("*.avi")]):
        info = probe(path, BUDGET)
        with read_frames(path, info, BUDGET, max_long_side_px=160) as reader:
            count = sum(1 for _ in reader)
        assert reader.report.is_complete, path.name
        assert count == info.frame_count
        samples = read_audio(path, info, BUDGET)
        assert len(samples) / 16_000 == pytest.approx(info.duration_s, abs=0.1), path.name
        assert np.abs(samples).max() > 0.01
