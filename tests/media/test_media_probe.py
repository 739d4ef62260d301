"""What `probe` says of awkward files, and what it refuses."""

import os
import struct
from pathlib import Path

import generate
import pytest

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decode import read_frames
from speakervid_dag.media.decoder.tags import year_and_genre
from speakervid_dag.media.probe import probe

pytestmark = pytest.mark.heavy

BUDGET = MediaBudget()


def refusal(path: Path, budget: MediaBudget = BUDGET) -> str:
    with pytest.raises(PermanentFailure) as caught:
        probe(path, budget)
    return caught.value.reason


def test_an_ordinary_file(tmp_path: Path) -> None:
    info = probe(generate.plain(tmp_path / "a.mp4"), BUDGET)
    assert (info.container, info.video_codec, info.audio_codec) == ("mov", "h264", "aac")
    assert (info.width_px, info.height_px, info.fps, info.frame_count) == (160, 120, 25.0, 50)
    assert (info.has_video, info.has_audio, info.is_variable_frame_rate, info.rotation_deg) == (True, True, False, 0)
    assert (info.audio_sample_rate_hz, info.audio_channels) == (16_000, 1)
    assert (info.video_start_s, info.audio_start_s, info.video_end_s) == (0.0, 0.0, 2.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert info.bit_rate_bps == pytest.approx(8 * (tmp_path / "a.mp4").stat().st_size / info.duration_s, rel=0.05)


@pytest.mark.parametrize("container", ["matroska", "mpegts", "mov", "flv"])
def test_other_containers_hold_the_same(tmp_path: Path, container: str) -> None:
    info = probe(generate.remuxed(generate.plain(tmp_path / "a.mp4"), tmp_path / "b.mp4", container), BUDGET)
    assert info.container == container  # by content, not by name
    assert (info.width_px, info.height_px, info.frame_count) == (160, 120, 50)
    assert info.fps == pytest.approx(25.0)
    assert not info.is_variable_frame_rate
    assert info.video_start_s is not None
    assert info.audio_start_s is not None
    assert min(info.video_start_s, info.audio_start_s) == 0.0


@pytest.mark.parametrize("container", ["mov", "matroska"])
def test_a_container_tells_its_year_and_genre(tmp_path: Path, container: str) -> None:
    plain = generate.plain(tmp_path / "a.mp4")
    told = probe(generate.remuxed(plain, tmp_path / "b", container, date="20190704", genre="Talk  show"), BUDGET)
    assert (told.year, told.genre) == (2019, "Talk show")
    made = probe(generate.remuxed(plain, tmp_path / "c", container, creation_time="2021-03-04T05:06:07Z"), BUDGET)
    assert (made.year, made.genre) == (2021, None)
    silent = probe(generate.remuxed(plain, tmp_path / "d", container), BUDGET)
    assert (silent.year, silent.genre) == (None, None)


@pytest.mark.parametrize(
    ("tags", "year"),
    [
        ({"DATE": "2023"}, 2023),
        ({"date": "19991231"}, 1999),
        ({"date": "2020-01-02", "creation_time": "2024-01-01T00:00:00Z"}, 2020),
        ({"date": "", "creation_time": "2024-01-01T00:00:00.000000Z"}, 2024),
        ({"creation_time": "1904-01-01T00:00:00Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00Z"}, None),
        ({"date": "20230"}, None),
        ({"date": "the year 2020"}, None),
        ({"date": "3020"}, None),
    ],
)
def test_a_year_is_one_or_unknown(tags: dict[str, str], year: int | None) -> None:
    assert year_and_genre(tags)[0] == year


def test_a_long_genre_is_cut() -> None:
    assert year_and_genre({"GENRE": "x\n" * 500})[1] == ("x " * 40)[:80]


def test_avi(tmp_path: Path) -> None:
    info = probe(generate.avi(tmp_path / "a.avi"), BUDGET)
    assert (info.container, info.video_codec, info.frame_count, info.fps) == ("avi", "mpeg4", 50, 25.0)
    assert not info.is_variable_frame_rate
    assert info.duration_s == pytest.approx(2.0, abs=0.05)


def test_variable_rate(tmp_path: Path) -> None:
    times_s = generate.variable_times()
    info = probe(generate.silent(tmp_path / "a.mp4", times_s, fps=None), BUDGET)
    assert info.is_variable_frame_rate
    assert info.fps == pytest.approx((len(times_s) - 1) / times_s[-1], rel=1e-3)
    assert not info.has_audio
    assert info.audio_start_s is None


def test_one_dropped_picture_is_not_a_variable_rate(tmp_path: Path) -> None:
    times_s = [t for t in generate.steady(100) if t != 1.0]
    assert not probe(generate.silent(tmp_path / "a.mp4", times_s), BUDGET).is_variable_frame_rate


def test_late_picture_and_late_sound(tmp_path: Path) -> None:
    late_picture = probe(generate.plain(tmp_path / "a.mp4", video_start_s=0.85), BUDGET)
    assert late_picture.video_start_s == pytest.approx(0.85, abs=1e-4)
    assert late_picture.audio_start_s == 0.0
    late_sound = probe(generate.plain(tmp_path / "b.mp4", audio_start_s=0.7), BUDGET)
    assert late_sound.video_start_s == 0.0
    assert late_sound.audio_start_s == pytest.approx(0.7 - 1024 / 16_000, abs=1e-3)  # AAC's priming plays before it


def test_times_count_from_the_smallest_start(tmp_path: Path) -> None:
    info = probe(generate.plain(tmp_path / "a.mp4", video_start_s=2.0, audio_start_s=1.5), BUDGET)
    assert info.origin_s > 1.0
    assert info.audio_start_s == 0.0
    assert info.video_start_s == pytest.approx(0.5 + 1024 / 16_000, abs=1e-3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_gives_the_display_size(tmp_path: Path, degrees: int) -> None:
    info = probe(generate.plain(tmp_path / "a.mp4", rotation_deg=degrees), BUDGET)
    assert info.rotation_deg == degrees
    assert (info.width_px, info.height_px) == ((160, 120) if degrees == 180 else (120, 160))


def test_odd_and_tiny_pictures(tmp_path: Path) -> None:
    assert probe(generate.silent(tmp_path / "a.mp4", generate.steady(5), size=(161, 91)), BUDGET).width_px == 161
    assert probe(generate.silent(tmp_path / "b.mp4", generate.steady(5), size=(8, 8)), BUDGET).height_px == 8


def test_sound_alone_is_described(tmp_path: Path) -> None:
    path = generate.sound_only(tmp_path / "a.wav")
    info = probe(path, BUDGET)
    assert (info.has_video, info.has_audio, info.container, info.width_px) == (False, True, "wav", None)
    assert info.duration_s == pytest.approx(1.0)
    with pytest.raises(PermanentFailure, match="no_video_stream"):
        read_frames(path, info, BUDGET)


def test_a_cover_is_no_moving_picture(tmp_path: Path) -> None:
    info = probe(generate.with_cover(tmp_path / "a.mp4", has_sound=True), BUDGET)
    assert (info.has_video, info.has_audio) == (False, True)
    assert refusal(generate.with_cover(tmp_path / "b.mp4", has_sound=False)) == "no_streams"


def test_a_single_still_is_no_moving_picture(tmp_path: Path) -> None:
    assert refusal(generate.silent(tmp_path / "a.mp4", [0.0])) == "no_streams"
    assert not probe(generate.plain(tmp_path / "b.mp4", count=1), BUDGET).has_video


@pytest.mark.parametrize("kind", sorted(generate.PLAYLISTS))
def test_playlists_are_refused_whatever_their_name(tmp_path: Path, kind: str) -> None:
    target = generate.plain(tmp_path / "real.mp4", count=5)
    assert refusal(generate.playlist(tmp_path / "list.mp4", kind, target)) == "playlist_refused"


def test_a_playlist_behind_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\xef\xbb\xbf\n#EXTM3U\nhttp://127.0.0.1/x.ts\n")
    assert refusal(tmp_path / "a.mp4") == "playlist_refused"


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("Dear diary, this is not a film.\n" * 50)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert refusal(tmp_path / "empty.mp4") == "empty_file"
    assert refusal(tmp_path / "text.mp4") == "unrecognised_container"
    assert refusal(tmp_path / "none.mp4") == "missing_file"
    assert refusal(tmp_path) == "not_a_regular_file"
    assert refusal(tmp_path / "pipe.mp4") == "not_a_regular_file"


def test_a_header_without_its_index_is_damaged(tmp_path: Path) -> None:
    whole = generate.plain(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(whole.read_bytes()[:406])
    assert refusal(tmp_path / "b.mp4") in {"damaged_container", "unsupported_codec", "bad_dimensions"}


def test_garbage_behind_every_magic_is_an_answer_not_a_crash(tmp_path: Path) -> None:
    heads = {
        "mov": struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0),
        "matroska": b"\x1a\x45\xdf\xa3",
        "mxf": bytes.fromhex("060e2b34020501010d010201010204"),
        "avi": b"RIFF\x00\x10\x00\x00AVI ",
        "mpegts": (b"\x47" + b"\x00" * 187) * 40,
    }
    allowed = {"damaged_container", "no_streams", "no_decodable_picture", "bad_dimensions", "unsupported_codec"}
    for name, head in heads.items():
        (tmp_path / name).write_bytes(head + bytes(range(256)) * 40)
        assert refusal(tmp_path / name) in allowed


def test_names_are_only_names(tmp_path: Path) -> None:
    made = generate.plain(tmp_path / "a.mp4", count=5).read_bytes()
    names = [
        "-i.mp4",
        'it\'s "x".mp4',
        "line\nbreak.mp4",
        "100%d.mp4",
        "http:x.mp4",
        "concat:a|b.mp4",
        "gr\u00fc\u00dfe.mp4",
    ]
    for name in [*names, os.fsdecode(b"\xff\xfe.mp4")]:
        path = tmp_path / name
        path.write_bytes(made)
        info = probe(path, BUDGET)
        assert info.frame_count == 5
        with read_frames(path, info, BUDGET) as reader:
            assert [generate.number_of(frame.image) for frame in reader] == [0, 1, 2, 3, 4]


def test_the_budget_refuses_before_decoding(tmp_path: Path) -> None:
    assert refusal(generate.eight_k(tmp_path / "big.mp4")) == "over_budget"
    path = generate.plain(tmp_path / "a.mp4")
    assert refusal(path, MediaBudget(max_duration_s=1.0)) == "over_budget"
    assert refusal(path, MediaBudget(max_total_pixels=160 * 120 * 49)) == "over_budget"
    assert refusal(path, MediaBudget(max_streams=1)) == "over_budget"
    assert probe(path, MediaBudget(max_total_pixels=160 * 120 * 50)).frame_count == 50


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    hamilton = probe(shared / "media/hamilton_multishot.mp4", BUDGET)
    assert hamilton.video_start_s == pytest.approx(0.844, abs=1e-3)
    assert hamilton.audio_start_s == 0.0
    assert hamilton.frame_count == 275
    debate = probe(shared / "media/clearervoice_debate_002.avi", BUDGET)
    assert (debate.container, debate.audio_codec, debate.width_px) == ("avi", "ac3", 1280)
