"""The catalogue of awkward, damaged and hostile files: how each is made, and what intake must say of it.

Belongs here: makers of such files and their expected status. Does not belong here: assertions (test_bad_media.py) and
well-behaved media (generate.py). One entry a kind; a new kind found in the wild gets an entry here first.
"""

import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import generate
import numpy as np
from av.stream import Disposition

Make = Callable[[Path], Path]  # writes into an empty folder of its own and gives the path to take in


@dataclass(frozen=True)
class Kind:
    """One kind of file. `reason` None belongs to the status 'ok'; `is_media` False keeps it from the fuzzer's seeds."""

    name: str
    make: Make
    status: str = "ok"
    reason: str | None = None
    is_media: bool = True


def film(
    path: Path,
    count: int = 30,
    *,
    container: str | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = generate.SIZE,
    first_tick: int = 0,
    sound_codec: str | None = "aac",
    rate_hz: int = 16_000,
    layout: str = "mono",
    sound_tracks: int = 1,
    interlaced: bool = False,
    tags: dict[str, str] | None = None,
) -> Path:
    """Numbered pictures at 25 fps and a tone, with any codec, pixel format, rate, layout and number of sound tracks."""
    with av.open(f"file:{path}", "w", format=container) as writer:
        writer.metadata.update(tags or {})
        video = writer.add_stream(codec, rate=25, width=size[0], height=size[1], pix_fmt=pixels)
        if interlaced:
            video.codec_context.options = {"flags": "+ilme+ildct"}
        tracks = [
            writer.add_stream(sound_codec, rate=rate_hz, layout=layout)
            for _ in range(sound_tracks if sound_codec else 0)
        ]
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(generate.picture(number, size), format="bgr24").reformat(format=pixels)
            frame.pts, frame.time_base = number + first_tick, Fraction(1, 25)
            writer.mux(video.encode(frame))
        writer.mux(video.encode(None))
        for track in tracks:
            _tone(writer, track, count / 25, rate_hz, first_tick * rate_hz // 25)
    return path


def _tone(
    writer: av.container.OutputContainer, track: av.AudioStream, length_s: float, rate_hz: int, first: int
) -> None:
    context = track.codec_context
    channels, kind = context.layout.nb_channels, context.format.name
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(length_s * rate_hz)) / rate_hz)
    for at in range(0, len(tone), 1024):
        block = np.tile(tone[at : at + 1024], (channels, 1)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=context.layout.name)
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, first + at, Fraction(1, rate_hz)
        for shaped in av.AudioResampler(kind, context.layout.name, rate_hz).resample(frame):
            writer.mux(track.encode(shaped))
    writer.mux(track.encode(None))


def _written(data: bytes, name: str = "a.mp4") -> Make:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def _named(name: str | bytes) -> Make:
    """A good film under a hostile name."""

    def make(folder: Path) -> Path:
        path = folder / os.fsdecode(name)
        return generate.plain(folder / "plain.mp4").rename(path)

    return make


def _film(name: str = "a.mp4", **options: object) -> Make:
    return lambda folder: film(folder / name, **options)  # type: ignore[arg-type]


def _playlist(kind: str) -> Make:
    return lambda folder: generate.playlist(folder / "list.mp4", kind, generate.plain(folder / "target.bin"))


def _patched(old: bytes, at: int, data: bytes) -> Make:
    """A film with bytes overwritten `at` bytes behind the first `old`."""

    def make(folder: Path) -> Path:
        path = generate.plain(folder / "a.mp4")
        body = bytearray(path.read_bytes())
        start = body.index(old) + at
        body[start : start + len(data)] = data
        path.write_bytes(body)
        return path

    return make


def _no_index(folder: Path) -> Path:
    """Media data without the box that says where it is: what a recorder leaves that lost power."""
    body = generate.plain(folder / "whole.mp4").read_bytes()
    (folder / "whole.mp4").unlink()
    return _written(body[body.index(b"mdat") - 4 :])(folder)


def _attachments(folder: Path) -> Path:
    """A Matroska file that carries forty covers beside its film."""
    path = folder / "a.mkv"
    with av.open(str(path), "w", format="matroska") as writer:
        video = writer.add_stream("libx264", rate=25, width=160, height=120, pix_fmt="yuv420p")
        covers = [writer.add_stream("mjpeg", rate=1, width=160, height=120, pix_fmt="yuvj420p") for _ in range(40)]
        for cover in covers:
            cover.disposition = Disposition.attached_pic
        for number in range(5):
            writer.mux(video.encode(av.VideoFrame.from_ndarray(generate.picture(number), format="bgr24")))
        writer.mux(video.encode(None))
        for cover in covers:
            still = av.VideoFrame.from_ndarray(generate.picture(1), format="bgr24").reformat(format="yuvj420p")
            writer.mux([*cover.encode(still), *cover.encode(None)])
    return path


def _edit_list(folder: Path) -> Path:
    """Both streams start on 2 s: an MP4 writer says so by an empty edit."""
    return generate.plain(folder / "a.mp4", video_start_s=2.0, audio_start_s=2.0)


def _five_hours(folder: Path) -> Path:
    """Three small pictures, the last of them hours after the others."""
    path = folder / "a.mkv"
    with av.open(str(path), "w", format="matroska") as writer:
        video = writer.add_stream("mpeg4", rate=25, width=160, height=120, pix_fmt="yuv420p")
        for number, tick in enumerate((0, 1, 5 * 3600 * 25)):
            frame = av.VideoFrame.from_ndarray(generate.picture(number), format="bgr24")
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            writer.mux(video.encode(frame))
        writer.mux(video.encode(None))
    return path


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "a.mp4")
    return folder / "a.mp4"


def _link(folder: Path) -> Path:
    (folder / "a.mp4").symlink_to(generate.plain(folder / "target.bin"))
    return folder / "a.mp4"


def _dangling(folder: Path) -> Path:
    (folder / "a.mp4").symlink_to(folder / "gone.mp4")
    return folder / "a.mp4"


def _archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.mp4", "w") as archive:
        archive.writestr("video.mp4", b"0" * 1000)
    return folder / "a.mp4"


def _photograph(folder: Path) -> Path:
    with av.open(str(folder / "still.jpg"), "w", format="mjpeg") as writer:
        stream = writer.add_stream("mjpeg", rate=1, width=160, height=120, pix_fmt="yuvj420p")
        frame = av.VideoFrame.from_ndarray(generate.picture(1), format="bgr24").reformat(format="yuvj420p")
        writer.mux([*stream.encode(frame), *stream.encode(None)])
    return (folder / "still.jpg").rename(folder / "a.mp4")


def _trailing(folder: Path) -> Path:
    path = generate.plain(folder / "a.mp4")
    with path.open("ab") as file:
        file.write(np.random.default_rng(1).bytes(5000))
    return path


def _restarted(folder: Path) -> Path:
    parts = [film(folder / f"{n}.bin", container="mpegts") for n in range(2)]
    return generate.joined(parts, folder / "a.ts")


def _cut(share: float) -> Make:
    return lambda folder: generate.cut(generate.plain(folder / "whole.bin", 100), folder / "a.mp4", share)


def _head(size: int) -> Make:
    return lambda folder: _written(generate.plain(folder / "whole.bin").read_bytes()[:size])(folder)


def _sounding(*tracks: tuple[int, int, str]) -> Make:
    """A film with PCM tracks, each of (channels, channel with chirps or -1, layout); the first of them says most."""

    def make(folder: Path) -> Path:
        made = []
        for count, sounding, layout in tracks:
            samples = np.zeros((count, 16_000), np.float32)
            if sounding >= 0:
                samples[sounding] = generate.chirps((0.2, 0.6), 1.0)
            made.append((samples, 16_000, 0.0, layout))
        return generate.sound_tracks(folder / "a.mkv", *made, pictures=25)

    return make


def _cancelling(folder: Path) -> Path:
    chirps = generate.chirps((0.2, 0.6), 1.0)
    track = (np.stack([chirps, -chirps]), 16_000, 0.0, "stereo")
    return generate.sound_tracks(folder / "a.mkv", track, pictures=25)


DAMAGED = ("degraded", "damaged_media")
KINDS = (
    # what is ordinary, though many tools stumble over it
    Kind("plain", lambda folder: generate.plain(folder / "a.mp4")),
    Kind("matroska", _film("a.mkv")),
    Kind("webm", _film("a.webm", codec="libvpx", sound_codec="libopus", rate_hz=48_000)),
    Kind("mpeg-ts", _film("a.ts", container="mpegts")),
    Kind("avi without presentation times", lambda folder: generate.avi(folder / "a.avi")),
    Kind("DVD program stream", _film("a.VOB", container="vob", codec="mpeg2video", sound_codec="mp2", rate_hz=48_000)),
    Kind("MXF", _film("a.mxf", codec="mpeg2video", sound_codec="pcm_s16le", rate_hz=48_000)),
    Kind("flash video", _film("a.flv", rate_hz=44_100)),
    Kind("quicktime", _film("a.mov", codec="mpeg4")),
    Kind("wrong extension", _film("a.mp4", container="matroska")),
    Kind("no extension of media", _film("a.dat", container="mp4")),
    Kind("8 kHz sound", _film(rate_hz=8_000)),
    Kind("192 kHz sound", _film("a.mkv", sound_codec="flac", rate_hz=192_000)),
    Kind("5.1 sound", _film(rate_hz=48_000, layout="5.1")),
    Kind("channels that cancel", _cancelling),
    Kind("64 channels, the last sounds", _sounding((64, 63, "64 channels"))),
    Kind("7 channels, all silent", _sounding((7, -1, "7 channels"))),
    Kind("the second of two tracks sounds", _sounding((2, -1, "stereo"), (1, 0, "mono"))),
    Kind("20 tracks, the last sounds", _sounding(*[(1, -1, "mono")] * 19, (1, 0, "mono"))),
    Kind("interlaced", _film(codec="mpeg2video", interlaced=True)),
    Kind("10 bit", _film(codec="libx264", pixels="yuv420p10le")),
    Kind("alpha", _film("a.mov", codec="qtrle", pixels="argb")),
    Kind("odd size", _film(pixels="yuv444p", size=(161, 91))),
    Kind("8 x 8 pixels", _film(size=(8, 8))),
    Kind("edit list", _edit_list),
    Kind("negative times", _film("a.mkv", codec="mpeg4", sound_codec="flac", first_tick=-5)),
    Kind("sound 0.7 s late", lambda folder: generate.plain(folder / "a.mp4", audio_start_s=0.7)),
    Kind("picture late", lambda folder: generate.plain(folder / "a.mp4", video_start_s=0.85)),
    Kind("turned by 90 degrees", lambda folder: generate.plain(folder / "a.mp4", rotation_deg=90)),
    Kind("bytes behind the end", _trailing),
    Kind("two frames", _film(count=2)),
    Kind("tags that are not UTF-8", _patched(b"udta", 8, b"\xff\xfe\x80\x81")),
    Kind("tags with markup", _film(tags={"title": "<script>alert(1)</script>', \"=cmd|' /C calc'!A0"})),
    # names
    Kind("name with quotes", _named("a'b\"c.mp4")),
    Kind("name with a line break", _named("a\nb.mp4")),
    Kind("name with %d", _named("a%d.mp4")),
    Kind("name that starts with a dash", _named("-i.mp4")),
    Kind("name with a colon", _named("http:a.mp4")),
    Kind("name that is not UTF-8", _named(b"\xff\xfe.mp4")),
    Kind("name that is a formula", _named("=HYPERLINK(1).mp4")),
    Kind("name with markup", _named("<img src=x onerror=alert(1)>.mp4")),
    Kind("name written backwards", _named("a\u202e4pm.mp4")),
    Kind("name of 250 characters", _named("x" * 246 + ".mp4")),
    # what is incomplete
    Kind(
        "silent film",
        lambda folder: generate.silent(folder / "a.mp4", generate.steady(30)),
        "degraded",
        "no_audio_stream",
    ),
    Kind("two streams joined: the clock restarts, a packet is lost", _restarted, *DAMAGED),
    Kind("cut at 60 %", _cut(0.6), *DAMAGED),
    Kind("200 flipped bytes", lambda f: generate.flipped(generate.plain(f / "w.bin", 100), f / "a.mp4", 200), *DAMAGED),
    Kind("sound only", lambda folder: generate.sound_only(folder / "a.wav"), "rejected", "no_video_stream"),
    Kind(
        "sound and a cover", lambda f: generate.with_cover(f / "a.mp4", has_sound=True), "rejected", "no_video_stream"
    ),
    Kind("a cover alone", lambda f: generate.with_cover(f / "a.mp4", has_sound=False), "rejected", "no_streams"),
    Kind("one frame", _film(count=1), "rejected", "no_video_stream"),
    Kind("one frame, silent", _film(count=1, sound_codec=None), "rejected", "no_streams"),
    # what is broken
    Kind("zero bytes", _written(b""), "rejected", "empty_file", is_media=False),
    Kind("text", _written(b"this is not a film\n"), "rejected", "unrecognised_container", is_media=False),
    Kind("archive", _archive, "rejected", "unrecognised_container", is_media=False),
    Kind("photograph", _photograph, "rejected", "unrecognised_container", is_media=False),
    Kind("cut at 406 bytes", _head(406), "rejected", "unsupported_codec"),  # the header names its codec further on
    Kind("no index", _no_index, "rejected", "damaged_container"),
    Kind("zeros behind the magic", _written(b"\0\0\0\x18ftypisom" + bytes(4000)), "rejected", "damaged_container"),
    Kind("picture of 0 x 0", _patched(b"avc1", 28, struct.pack(">HH", 0, 0))),  # the stream's own header says it right
    # what is too much
    Kind("8K", lambda folder: generate.eight_k(folder / "a.mp4"), "rejected", "over_budget"),
    Kind("five hours in three frames", _five_hours, "rejected", "over_budget"),
    Kind("64 sound tracks", _film("a.mkv", count=5, sound_tracks=64), "rejected", "over_budget"),
    Kind("40 attachments", _attachments, "rejected", "over_budget"),
    # what is no file, or points elsewhere
    *(
        Kind(f"playlist: {kind}", _playlist(kind), "rejected", "playlist_refused", is_media=False)
        for kind in generate.PLAYLISTS
    ),
    Kind("symbolic link", _link, "rejected", "symbolic_link", is_media=False),
    Kind("link to nothing", _dangling, "rejected", "symbolic_link", is_media=False),
    Kind("fifo", _fifo, "rejected", "not_a_regular_file", is_media=False),
    Kind("device", lambda _: Path("/dev/zero"), "rejected", "not_a_regular_file", is_media=False),
)
