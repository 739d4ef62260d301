"""Cutting: each picture and sample where it was, in any container, whatever the clock; the part asked for, even."""

from collections.abc import Callable
from pathlib import Path

import av
import generate
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.media import audio, probe, wav
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.cut import ClipCut, Done, Encoding, can_copy, copy_clips, cut_clips
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.encode import write_video
from speakervid_dag.media.region import region

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()
COUNT = 100


def cut(source: Path, folder: Path, *spans: tuple[float, float], encoding: Encoding | None = None) -> list[Done]:
    cuts = [ClipCut(folder / f"{n}.mp4", *span, None) for n, span in enumerate(spans)]
    info = probe.probe(source, BUDGET)
    return list(cut_clips(source, info, BUDGET, cuts, [None] * len(cuts), encoding or Encoding()))


def seen(path: Path) -> tuple[list[float], list[int]]:
    with read_frames(path, probe.probe(path, BUDGET), BUDGET) as reader:
        frames = [(frame.time_s, generate.number_of(frame.image)) for frame in reader]
    return [time_s for time_s, _ in frames], [number for _, number in frames]


def test_a_clip_holds_exactly_the_pictures_of_its_time(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4", COUNT, gop_frames=30)
    first, second = cut(source, tmp_path, (1.0, 2.0), (2.513, 3.2))
    assert (first.start_s, first.frames) == (1.0, 25)
    assert second.start_s == pytest.approx(2.52)
    times, numbers = seen(tmp_path / "0.mp4")
    assert numbers == list(range(25, 50))
    assert times == pytest.approx([n / 25 for n in range(25)])
    assert seen(tmp_path / "1.mp4")[1] == list(range(63, 80))


def test_pictures_without_times_and_clips_that_overlap(tmp_path: Path) -> None:
    source = generate.avi(tmp_path / "a.avi", COUNT)
    cut(source, tmp_path, (0.2, 1.0), (0.4, 1.2), (2.0, 2.4))
    assert [seen(tmp_path / f"{n}.mp4")[1] for n in range(3)] == [
        list(range(5, 25)),
        list(range(10, 30)),
        list(range(50, 60)),
    ]


def test_a_clock_that_restarts_is_read_from_the_start(tmp_path: Path) -> None:
    part = generate.remuxed(generate.plain(tmp_path / "a.mp4", 50), tmp_path / "a.ts", "mpegts")
    source = generate.joined([part, part], tmp_path / "twice.ts")
    assert not probe.probe(source, BUDGET).is_seekable
    cut(source, tmp_path, (3.0, 3.6))
    with read_frames(source, probe.probe(source, BUDGET), BUDGET) as reader:
        wanted = [generate.number_of(f.image) for f in reader if 2.998 <= f.time_s < 3.598]
    assert seen(tmp_path / "0.mp4")[1] == wanted
    assert len(wanted) >= 14


@pytest.mark.parametrize("container", ["matroska", "mpegts"])
def test_seeking_in_other_containers(tmp_path: Path, container: str) -> None:
    source = generate.remuxed(generate.plain(tmp_path / "a.mp4", COUNT, gop_frames=20), tmp_path / "other", container)
    (done,) = cut(source, tmp_path, (2.0, 2.4))
    with read_frames(source, probe.probe(source, BUDGET), BUDGET) as reader:
        wanted = [generate.number_of(f.image) for f in reader if done.start_s - 0.002 <= f.time_s < 2.398]
    assert seen(tmp_path / "0.mp4")[1] == wanted
    assert len(wanted) == 10


@pytest.mark.parametrize("fps", [50.0, 30000 / 1001, 10.0])
def test_another_rate_shows_what_was_shown_at_each_tick(tmp_path: Path, fps: float) -> None:
    source = generate.silent(tmp_path / "a.mp4", generate.steady(90, fps), fps)
    (done,) = cut(source, tmp_path, (0.5, 1.5))
    times = generate.steady(90, fps)
    ticks = [done.start_s + n / 25 for n in range(done.frames)]
    wanted = [max(n for n, shown_s in enumerate(times) if shown_s <= tick + 0.002) for tick in ticks]
    assert seen(tmp_path / "0.mp4")[1] == wanted
    assert done.frames == 25


def test_the_last_clip_ends_with_the_file_and_one_beyond_it_is_told(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4", 50)
    last, beyond, again = cut(source, tmp_path, (1.0, 9.0), (5.0, 6.0), (0.0, 0.4))
    assert last.frames == 25
    assert beyond.failure is not None
    assert beyond.failure.reason == "no_pictures"
    assert not (tmp_path / "1.mp4").exists()
    assert again.frames == 10


def test_sound_begins_with_the_first_picture(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4", COUNT)
    info = probe.probe(source, BUDGET)
    heard = audio.read_audio(source, info, BUDGET)
    wav.write_wav(tmp_path / "s.wav", heard[round(1.01 * 16_000) :], 16_000)
    cuts = [ClipCut(tmp_path / "c.mp4", 1.01, 2.0, None)]
    (done,) = cut_clips(source, info, BUDGET, cuts, [tmp_path / "s.wav"], Encoding())
    assert (done.start_s, done.end_s) == pytest.approx((1.04, 2.0))
    clip = tmp_path / "c.mp4"
    told = probe.probe(clip, BUDGET)
    made = audio.read_audio(clip, told, BUDGET)
    assert generate.chirp_times(made, 1) == pytest.approx([1.2 - 1.04], abs=0.001)
    assert generate.chirp_times(heard, 2)[1] == pytest.approx(1.2, abs=0.001)
    assert told.duration_s == pytest.approx(0.96, abs=0.07)  # AAC fills its last frame


@pytest.mark.parametrize(("rotation_deg", "corner"), [(0, "tl"), (90, "tl"), (180, "tl"), (270, "tl")])
def test_the_part_is_cut_from_the_upright_picture(tmp_path: Path, rotation_deg: int, corner: str) -> None:
    upright = generate.picture(5, (160, 120))
    stored = np.rot90(upright, rotation_deg // 90)
    size = (stored.shape[1], stored.shape[0])
    frames = ((t, stored) for t in generate.steady(20))
    write_video(tmp_path / "a.mp4", frames, 25.0, size, rotation_deg=rotation_deg)
    info = probe.probe(tmp_path / "a.mp4", BUDGET)
    cuts = [ClipCut(tmp_path / "c.mp4", 0.2, 0.6, (0.0, 0.0, 0.5, 0.5))]
    (done,) = cut_clips(tmp_path / "a.mp4", info, BUDGET, cuts, [None], Encoding(margin=0.0))
    assert (done.width_px, done.height_px) == (80, 60)
    with read_frames(tmp_path / "c.mp4", probe.probe(tmp_path / "c.mp4", BUDGET), BUDGET) as reader:
        image = next(reader).image
    assert generate.red_corner(image) == corner
    assert image[50, 70].astype(int) == pytest.approx([96, 96, 96], abs=6)


def test_colours_mean_in_the_clip_what_they_mean_in_the_source(tmp_path: Path) -> None:
    bt709 = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    write_video(tmp_path / "a.mp4", generate.pictures(generate.steady(20)), 25.0, generate.SIZE, colours=bt709)
    cut(tmp_path / "a.mp4", tmp_path, (0.2, 0.6))
    with av.open(str(tmp_path / "0.mp4")) as clip:
        context = clip.streams.video[0].codec_context
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1, 1)


sides = st.floats(0.0, 1.0)


@given(st.integers(2, 5000), st.integers(2, 5000), sides, sides, sides, sides, st.floats(0.0, 1.0))
def test_a_region_is_even_inside_the_picture_and_covers_the_box(
    width: int, height: int, x1: float, x2: float, y1: float, y2: float, margin: float
) -> None:
    box = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    part = region((width, height), box, margin, 5000)
    assert all(v % 2 == 0 for v in part[:4])
    assert min(part.width_px, part.height_px) >= 2
    assert part.left_px + part.width_px <= width
    assert part.top_px + part.height_px <= height
    assert part.left_px <= box[0] * width + 1e-6 or part.left_px == width // 2 * 2 - 2
    assert part.left_px + part.width_px >= min(box[2] * width, width // 2 * 2) - 1e-6


def test_a_large_part_is_scaled_down_and_a_small_one_never_up() -> None:
    whole = region((3840, 2160), None, 0.1, 1920)
    assert (whole.width_px, whole.height_px) == (1920, 1080)
    small = region((3840, 2160), (0.1, 0.1, 0.2, 0.3), 0.0, 1920)
    assert (small.display_width_px, small.width_px) == (3840, 384)


def test_a_copied_clip_shows_the_same_pictures_uncoded(tmp_path: Path) -> None:
    source = generate.plain(tmp_path / "a.mp4", COUNT, gop_frames=30)
    info = probe.probe(source, BUDGET)
    assert can_copy(info)
    heard = audio.read_audio(source, info, BUDGET)
    wav.write_wav(tmp_path / "s.wav", heard[round(0.513 * 16_000) : 32_000], 16_000)
    (done,) = copy_clips(source, info, BUDGET, [ClipCut(tmp_path / "c.mp4", 0.513, 2.0, None)], [tmp_path / "s.wav"])
    assert done.is_stream_copy
    assert done.start_s == pytest.approx(0.52)
    times, numbers = seen(tmp_path / "c.mp4")
    assert numbers[:37] == list(range(13, 50))
    assert times[0] == 0.0
    assert len(numbers) == done.frames <= 37 + 3  # later ones that pictures of the clip need
    clip = audio.read_audio(tmp_path / "c.mp4", probe.probe(tmp_path / "c.mp4", BUDGET), BUDGET)
    assert generate.chirp_times(clip, 1) == pytest.approx([1.2 - 0.52], abs=0.001)


def test_what_cannot_be_copied_is_said(tmp_path: Path) -> None:
    turned = generate.plain(tmp_path / "a.mp4", 20, rotation_deg=90)
    assert not can_copy(probe.probe(turned, BUDGET))
    assert not can_copy(probe.probe(generate.avi(tmp_path / "a.avi"), BUDGET))


def test_a_full_disk_is_an_oserror_and_leaves_nothing(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    source = generate.plain(tmp_path / "a.mp4", COUNT)
    small_files(2000)
    with pytest.raises(OSError, match=r"File too large|No space left"):
        cut(source, tmp_path, (0.0, 4.0))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4"]


@pytest.fixture
def small_files() -> "Callable[[int], None]":
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))  # type: ignore[misc]
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
