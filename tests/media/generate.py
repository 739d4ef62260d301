"""Awkward media, made on the spot; nothing binary is kept in git.

Belongs here: makers of files with known content. Does not belong here: assertions. A picture carries its own number,
and sound carries chirps at known times, so that a test can tell which picture it was given and where a sound lies.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition

from speakervid_dag.media.encode import write_video

SIZE = (160, 120)
FPS = 25.0
RATE_HZ = 16_000
BITS = 8
CHIRP_S = 0.05


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Grey, red in the top left corner, and `number` as eight black or white columns in the lower half."""
    width, height = size
    image = np.full((height, width, 3), 96, np.uint8)
    image[: height // 4, : width // 4] = (0, 0, 255)
    columns = np.array([255 if number >> bit & 1 else 0 for bit in range(BITS)], np.uint8)
    image[height // 2 :] = np.repeat(columns, -(-width // BITS))[:width][None, :, None]
    return image


def number_of(image: np.ndarray) -> int:
    """The number in an upright picture of any size."""
    height, width = image.shape[:2]
    row = image[height * 3 // 4].astype(int).mean(axis=1)
    return sum(1 << bit for bit in range(BITS) if row[int((bit + 0.5) * width / BITS)] > 128)


def red_corner(image: np.ndarray) -> str:
    """Where the red corner is: tl, tr, br, bl."""
    height, width = image.shape[:2]
    y, x = height // 10, width // 10
    corners = {"tl": image[y, x], "tr": image[y, -x - 1], "br": image[-y - 1, -x - 1], "bl": image[-y - 1, x]}
    return max(corners, key=lambda name: int(corners[name][2]) - int(corners[name][:2].max()))


def pictures(times_s: Iterable[float], size: tuple[int, int] = SIZE) -> Iterator[tuple[float, np.ndarray]]:
    for number, time_s in enumerate(times_s):
        yield time_s, picture(number, size)


def steady(count: int, fps: float = FPS) -> list[float]:
    return [number / fps for number in range(count)]


def chirp(rate_hz: int = RATE_HZ) -> np.ndarray:
    """50 ms from 300 to 3000 Hz under a Hann window: one sharp peak in a cross-correlation."""
    t = np.arange(round(CHIRP_S * rate_hz)) / rate_hz
    phase = 2 * np.pi * (300 * t + (3000 - 300) / (2 * CHIRP_S) * t**2)
    return (0.6 * np.sin(phase) * np.hanning(len(t))).astype(np.float32)


def chirps(starts_s: Sequence[float], length_s: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    samples = np.zeros(round(length_s * rate_hz), np.float32)
    for start_s in starts_s:
        at = round(start_s * rate_hz)
        samples[at : at + len(chirp(rate_hz))] += chirp(rate_hz)[: len(samples) - at]
    return samples


def chirp_times(samples: np.ndarray, count: int, rate_hz: int = RATE_HZ) -> list[float]:
    """Where the `count` clearest chirps begin, s, in rising order."""
    score = np.correlate(samples, chirp(rate_hz), mode="valid")
    found = []
    for _ in range(count):
        best = int(np.argmax(score))
        found.append(best / rate_hz)
        score[max(0, best - len(chirp(rate_hz))) : best + len(chirp(rate_hz))] = 0
    return sorted(found)


def plain(path: Path, count: int = 50, **options: Any) -> Path:
    """`count` numbered pictures at 25 fps with B-frames, chirps at 0.5 and 1.2 s."""
    write_video(path, pictures(steady(count)), FPS, SIZE, chirps((0.5, 1.2), count / FPS), RATE_HZ, **options)
    return path


def silent(path: Path, times_s: Sequence[float], fps: float | None = FPS, size: tuple[int, int] = SIZE) -> Path:
    write_video(path, pictures(times_s, size), fps, size)
    return path


def variable_times(count: int = 60) -> list[float]:
    """Rising times with steps of 20, 40 and 90 ms, whole 1/90000 s."""
    steps = np.array([0.02, 0.04, 0.09])[np.random.default_rng(7).integers(0, 3, count - 1)]
    return [0.0, *np.cumsum(steps).tolist()]


def remuxed(source: Path, path: Path, container: str, **tags: str) -> Path:
    """The same packets in another container, with these tags."""
    with av.open(str(source)) as reader, av.open(str(path), "w", format=container) as writer:
        writer.metadata.update(tags)
        streams = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)
    return path


def delayed(source: Path, path: Path, container: str, by_s: float) -> Path:
    """The same packets, all of them this much later on the container's clock."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as reader, av.open(str(path), "w", format=container, container_options=options) as writer:
        streams = {s.index: writer.add_stream_from_template(s) for s in reader.streams}
        for packet in reader.demux():
            if packet.dts is not None:
                ticks = round(by_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                packet.stream = streams[packet.stream_index]
                writer.mux(packet)
    return path


def held(path: Path, count: int, hold_s: float, container: str = "mp4") -> Path:
    """`count` pictures at 25 fps, the last of them shown for `hold_s`."""
    with av.open(str(path), "w", format=container) as writer:
        stream = writer.add_stream("libx264", rate=25, width=SIZE[0], height=SIZE[1], options={"bf": "0"})
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 25)
        packets = []
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            packet.duration = round(hold_s * 25) if packet.pts == count - 1 else 1
            writer.mux(packet)
    return path


@dataclass(frozen=True)
class Part:
    """Pictures of one geometry in the middle of a stream; `turn_deg` counter-clockwise, as H.264 tells it."""

    size: tuple[int, int]
    count: int
    aspect: Fraction | None = None
    turn_deg: int = 0


def changing(path: Path, parts: Sequence[Part], container: str = "mpegts", codec: str = "libx264") -> Path:
    """One stream at 25 fps whose pictures change size, pixel aspect or orientation; each part counts from 0."""
    with av.open(str(path), "w", format=container) as writer:
        stream, start = writer.add_stream(codec, rate=25, pix_fmt="yuv420p"), 0
        stream.width, stream.height = parts[0].size
        for part in parts:
            encoder = av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = *part.size, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            if codec == "libx264":
                encoder.options = {"preset": "ultrafast", "bf": "2", "crf": "18", "g": "12"}
            if part.aspect:
                encoder.sample_aspect_ratio = part.aspect
            turn = f"h264_metadata=display_orientation=insert:rotate={part.turn_deg}"
            filters = BitStreamFilterContext(turn, stream) if part.turn_deg else None
            for packet in _encoded(encoder, part, start):
                for ready in [packet] if filters is None else filters.filter(packet):
                    ready.stream = stream
                    writer.mux(ready)
            start += part.count
    return path


def _encoded(encoder: Any, part: Part, start: int) -> Iterator[Any]:
    for number in range(part.count):
        frame = av.VideoFrame.from_ndarray(picture(number, part.size), format="bgr24").reformat(format="yuv420p")
        frame.pts, frame.time_base = start + number, Fraction(1, 25)
        yield from encoder.encode(frame)
    yield from encoder.encode(None)


@dataclass(frozen=True)
class Colours:
    """What a stream says of its colours, by the numbers of ITU-T H.273."""

    transfer: int
    primaries: int = 9
    matrix: int = 9
    bits: int = 10


def coloured(path: Path, patches: np.ndarray, colours: Colours, count: int = 8, codec: str = "libx264") -> Path:
    """R'G'B' as it is coded, 0-1, (n, 3): one vertical strip of 32 px each, 64 px high, in every picture."""
    luma = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(colours.matrix, (0.299, 0.114))
    red, green, blue = patches.T
    y = luma[0] * red + (1 - sum(luma)) * green + luma[1] * blue
    planes = (16 + 219 * y, 128 + 112 * (blue - y) / (1 - luma[1]), 128 + 112 * (red - y) / (1 - luma[0]))
    step, kind = 1 << (colours.bits - 8), np.uint8 if colours.bits == 8 else np.uint16
    rows = [np.repeat(np.rint(plane * step).astype(kind), 32 if i == 0 else 16) for i, plane in enumerate(planes)]
    width, layout = len(rows[0]), "yuv420p" if colours.bits == 8 else f"yuv420p{colours.bits}le"
    stored = np.concatenate([np.tile(rows[0], 64), np.tile(rows[1], 32), np.tile(rows[2], 32)]).reshape(96, width)
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream(codec, rate=25, width=width, height=64, pix_fmt=layout, options={"crf": "8"})
        context = stream.codec_context
        context.color_trc, context.color_primaries = colours.transfer, colours.primaries
        context.colorspace, context.color_range = colours.matrix, 1
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(stored, format=layout)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path


def cut(source: Path, path: Path, share: float) -> Path:
    data = source.read_bytes()
    path.write_bytes(data[: round(share * len(data))])
    return path


def flipped(source: Path, path: Path, count: int, seed: int = 3) -> Path:
    """`count` bytes of the media data changed."""
    data = bytearray(source.read_bytes())
    first = data.index(b"mdat") + 4
    for at in np.random.default_rng(seed).integers(first, len(data), count):
        data[at] ^= 0xFF
    path.write_bytes(data)
    return path


def joined(sources: Sequence[Path], path: Path) -> Path:
    """Bytes one after the other: for MPEG-TS, a clock that restarts."""
    path.write_bytes(b"".join(source.read_bytes() for source in sources))
    return path


def sound_only(
    path: Path, container: str = "wav", codec: str = "pcm_s16le", starts_s: Sequence[float] = (0.0,)
) -> Path:
    """1 s of sound with a chirp at 0.5 s, once for each of `starts_s`: what lies between is a gap in the timestamps."""
    samples = np.rint(chirps((0.5,), 1.0) * 32767).astype(np.int16)
    with av.open(str(path), "w", format=container) as writer:
        stream = writer.add_stream(codec, rate=RATE_HZ, layout="mono")
        for start_s in starts_s:
            for at in range(0, len(samples), 800):
                frame = av.AudioFrame.from_ndarray(samples[None, at : at + 800], format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
                frame.pts = round(start_s * RATE_HZ) + at
                writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path


def with_cover(path: Path, *, has_sound: bool) -> Path:
    """An MP4 whose only picture is its cover."""
    with av.open(str(path), "w", format="mp4") as writer:
        cover = writer.add_stream("mjpeg", rate=1, width=SIZE[0], height=SIZE[1], pix_fmt="yuvj420p")
        cover.disposition = Disposition.attached_pic
        stream = writer.add_stream("aac", rate=RATE_HZ, layout="mono") if has_sound else None
        frame = av.VideoFrame.from_ndarray(picture(1), format="bgr24").reformat(format="yuvj420p")
        frame.pts = 0
        writer.mux([*cover.encode(frame), *cover.encode(None)])
        if stream is not None:
            sound = av.AudioFrame.from_ndarray(chirps((0.5,), 1.0)[None], format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            writer.mux([*stream.encode(sound), *stream.encode(None)])
    return path


def eight_k(path: Path, count: int = 3) -> Path:
    """A few black 8K pictures in a few kilobytes."""
    size = (7680, 4320)
    black = np.zeros((size[1], size[0], 3), np.uint8)
    write_video(path, ((t, black) for t in steady(count)), FPS, size, preset="ultrafast", b_frames=0)
    return path


def avi(path: Path, count: int = 50) -> Path:
    """MPEG-4 and PCM in AVI, whose packets carry no presentation times."""
    samples = np.rint(chirps((0.5, 1.2), count / FPS) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="avi") as writer:
        video = writer.add_stream("mpeg4", rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p", bit_rate=800_000)
        sound = writer.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        step = round(RATE_HZ / FPS)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            writer.mux(video.encode(frame))
            block = av.AudioFrame.from_ndarray(samples[None, number * step : (number + 1) * step], "s16", "mono")
            block.sample_rate, block.pts, block.time_base = RATE_HZ, number * step, Fraction(1, RATE_HZ)
            writer.mux(sound.encode(block))
        writer.mux([*video.encode(None), *sound.encode(None)])
    return path


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "concat": "file '{target}'\n",
    "dash": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{target}</BaseURL></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


def playlist(path: Path, kind: str, target: Path) -> Path:
    path.write_text(PLAYLISTS[kind].format(target=target))
    return path


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def sound_tracks(
    path: Path,
    *tracks: tuple[np.ndarray, int, float, str],
    pictures: int = 0,
    container: str = "matroska",
    codec: str = "pcm_s16le",
    **options: str,
) -> Path:
    """A file of sound tracks (Matroska, PCM), each (samples (channels, n) in [-1, 1], rate in Hz, start in s, layout).

    `options` are tags, `language="eng,deu"` one a track; `pictures` is the number of numbered pictures at 25 fps.
    """
    with av.open(str(path), "w", format=container) as writer:
        videos = [
            writer.add_stream("mpeg4", rate=25, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
            for _ in range(min(pictures, 1))
        ]
        streams = [writer.add_stream(codec, rate=rate, layout=layout) for _, rate, _, layout in tracks]
        for name, values in options.items():
            for stream, value in zip(streams, values.split(","), strict=True):
                stream.metadata[name] = value
        blocks = []
        for stream, (samples, rate_hz, start_s, layout) in zip(streams, tracks, strict=True):
            data = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
            for at in range(0, data.shape[1], 800):
                frame = av.AudioFrame.from_ndarray(data[:, at : at + 800].T.reshape(1, -1).copy(), "s16", layout)
                frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                frame.pts = round(start_s * rate_hz) + at
                blocks.append((start_s + at / rate_hz, len(blocks), stream, frame))
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(picture(number), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            blocks.append((number / 25, len(blocks), videos[0], frame))
        for *_, stream, frame in sorted(blocks, key=lambda block: block[:2]):
            writer.mux(stream.encode(frame))
        for stream in [*videos, *streams]:
            writer.mux(stream.encode(None))
    return path


def in_an_order_of_its_own(path: Path) -> Path:
    """A QuickTime file of eight channels, tagged as MPEG's L R C LFE Ls Rs Rls Rrs: libav names no such order."""
    data = path.read_bytes()
    at = data.index(b"chan") + 8  # behind the atom's name, version and flags
    path.write_bytes(data[:at] + struct.pack(">II", 128 << 16 | 8, 0) + data[at + 8 :])
    return path
