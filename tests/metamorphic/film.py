"""A short film in the hand: pictures as they come, tracks of sound, and how both are written. Read and written by PyAV.

Belongs here: reading a source once, writing what a change made of it. Does not belong here: the changes (changes.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Pictures = Iterable[tuple[float, Image]]
RATE_HZ = 48_000
TIME_BASE = Fraction(1, 90_000)


@dataclass(frozen=True)
class Track:
    """A track of sound: float32 (samples, channels) at RATE_HZ, from `start_s` on."""

    samples: NDArray[np.float32]
    layout: str = "mono"
    start_s: float = 0.0
    language: str | None = None


@dataclass(frozen=True)
class Writing:
    """How a film is stored."""

    suffix: str = "mp4"
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"crf": "16", "preset": "ultrafast"})
    colours: dict[str, int] = field(default_factory=dict)  # color_trc and so on, as libav numbers them
    container_options: dict[str, str] = field(default_factory=dict)
    sound_codec: str = "aac"
    sound_rate_hz: int = RATE_HZ
    rotation_deg: int = 0
    pixel_aspect: Fraction | None = None
    start_s: float = 0.0  # of the file's clock
    cover: Image | None = None
    encoded: Callable[[Image], av.VideoFrame] | None = None  # of a picture in BGR, where the encoder needs another


@dataclass(frozen=True)
class Film:
    """Pictures (BGR, all of one size, time in s) and what is heard; `pictures` can be asked for again and again."""

    pictures: Callable[[], Iterator[tuple[float, Image]]]
    size: tuple[int, int]
    fps: float
    tracks: tuple[Track, ...]
    writing: Writing = Writing()

    def told(self, **changes: Any) -> "Film":
        return replace(self, **changes)

    def written(self, **changes: Any) -> "Film":
        return replace(self, writing=replace(self.writing, **changes))

    def seen(self, change: Callable[[float, Image], Image], size: tuple[int, int] | None = None) -> "Film":
        """The film with every picture changed."""

        def pictures() -> Iterator[tuple[float, Image]]:
            for time_s, image in self.pictures():
                yield time_s, change(time_s, image)

        return replace(self, pictures=pictures, size=size or self.size)

    def heard(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]], layout: str | None = None) -> "Film":
        """The film with every track changed."""
        tracks = (replace(t, samples=change(t.samples), layout=layout or t.layout) for t in self.tracks)
        return replace(self, tracks=tuple(tracks))

    @property
    def duration_s(self) -> float:
        return max(len(t.samples) / RATE_HZ + t.start_s for t in self.tracks)


def read(path: Path, seconds: float, from_s: float = 0.0, long_side_px: int = 640) -> Film:
    """The first `seconds` of a file from `from_s` on, mono, no larger than `long_side_px`, in memory."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 25)
        scale = min(1.0, long_side_px / max(stream.width, stream.height))
        width, height = (round(side * scale / 2) * 2 for side in (stream.width, stream.height))
        images = []
        first = None
        for frame in container.decode(stream):
            first = frame.time if first is None else first
            time_s = frame.time - first - from_s
            if time_s >= seconds:
                break
            if time_s >= 0:
                small = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA")
                images.append((time_s, small.to_ndarray()))
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
        parts = [
            part.to_ndarray()[0]
            for frame in container.decode(container.streams.audio[0])
            for part in resampler.resample(frame)
        ]
    sound = np.concatenate(parts)[round(from_s * RATE_HZ) : round((from_s + seconds) * RATE_HZ), None]
    return Film(lambda: iter(images), (width, height), fps, (Track(sound.astype(np.float32)),))


def write(film: Film, folder: Path, name: str) -> Path:
    """Store the film; gives its path."""
    how = film.writing
    path = folder / f"{name}.{how.suffix}"
    with av.open(str(path), "w", container_options=how.container_options) as container:
        video = container.add_stream(how.codec, rate=Fraction(film.fps).limit_denominator(1001), options=how.options)
        video.width, video.height = film.size
        video.pix_fmt, video.codec_context.time_base, video.time_base = how.pixels, TIME_BASE, TIME_BASE
        for key, value in how.colours.items():
            setattr(video.codec_context, key, value)
        if how.pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = how.pixel_aspect
        if how.rotation_deg:
            video.set_display_rotation(-how.rotation_deg)
        sounds = [_added(container, how, track) for track in film.tracks]
        _put_cover(container, how)
        ends = [0] * len(sounds)
        for time_s, image in film.pictures():
            for i, (sound, track) in enumerate(zip(sounds, film.tracks, strict=True)):
                ends[i] = _say(container, sound, track, ends[i], time_s + 0.2, how)
            picture = av.VideoFrame.from_ndarray(image, "bgr24") if how.encoded is None else how.encoded(image)
            picture.pts, picture.time_base = round((how.start_s + time_s) / TIME_BASE), TIME_BASE
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for i, (sound, track) in enumerate(zip(sounds, film.tracks, strict=True)):
            _say(container, sound, track, ends[i], 1e9, how)
            container.mux(sound.encode(None))
    return path


def _added(container: Any, how: Writing, track: Track) -> Any:
    stream = container.add_stream(how.sound_codec, rate=how.sound_rate_hz, layout=track.layout)
    if track.language:
        stream.metadata["language"] = track.language
    return stream


def _put_cover(container: Any, how: Writing) -> None:
    if how.cover is None:
        return
    stream = container.add_stream("mjpeg", rate=1)
    stream.width, stream.height, stream.pix_fmt = how.cover.shape[1], how.cover.shape[0], "yuvj420p"
    stream.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(how.cover, "bgr24").reformat(format="yuvj420p")
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _say(container: Any, stream: Any, track: Track, begin: int, until_s: float, how: Writing) -> int:
    """Encode the track's samples from `begin` until this time; gives where it stopped."""
    end = min(len(track.samples), max(begin, round((until_s - track.start_s) * RATE_HZ)))
    size = stream.codec_context.frame_size or 1024
    for at in range(begin, end, size):
        block = np.ascontiguousarray(track.samples[at : min(at + size, len(track.samples))].reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout=track.layout)
        frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        frame.pts = at + round((track.start_s + how.start_s) * RATE_HZ)
        container.mux(stream.encode(frame))
        begin = at + size
    return begin
