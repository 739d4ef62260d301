"""Writer of H.264 + AAC in MP4, with explicit presentation times.

Belongs here: encoding frames and samples in memory to a file, whole or not at all, or to bytes. Does not belong here:
reading media (probe, decode, audio), the choice of what to write (release/, demo/).
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.files import written_aside

TICKS_PER_S = 90_000  # holds 24, 25, 30, 50, 60 and 30000/1001 fps exactly
AAC_FRAME_SAMPLES = 1024
AUDIO_LEAD_S = 0.5  # sound is written this far ahead of the picture, so that the muxer buffers no frames

Image = NDArray[np.uint8]
Colours = Mapping[str, int]  # libav's numbers: color_range, colorspace, color_primaries, color_trc
Samples = NDArray[np.float32]


def write_video(
    target: Path | BytesIO,
    frames: Iterable[tuple[float, Image]],
    fps: float | None,
    size: tuple[int, int],
    audio: Samples | None = None,
    rate_hz: int = 16_000,
    *,
    video_start_s: float = 0.0,
    audio_start_s: float = 0.0,
    crf: int = 23,
    preset: str = "veryfast",
    rotation_deg: int = 0,
    gop_frames: int = 50,
    b_frames: int = 2,
    threads: int = 2,
    layout: Literal["bgr24", "yuv420p"] = "bgr24",
    colours: Colours | None = None,
) -> int:
    """Write `frames` and `audio` as an MP4; return the number of frames written.

    Args:
        target: a file, which is written atomically, or an empty buffer.
        frames: (time_s, image) in rising time; image uint8 (height, width, 3) BGR, or with `layout` yuv420p
            (height * 3 / 2, width): planes Y, U, V, or an av.VideoFrame of that layout, which is modified. Consumed
            lazily, one at a time. Shown at `video_start_s + time_s`.
        fps: nominal rate, written as the stream's rate and the last frame's length; None for a variable rate.
        size: (width, height) of the images, px. Odd sizes are written as 4:4:4, because 4:2:0 cannot hold them.
        audio: float32 in [-1, 1], (samples,) or (samples, channels) with 1 or 2 channels; None for a silent file.
        rate_hz: one of AAC's rates (8000 … 48000 …).
        audio_start_s: when sample 0 plays. A late start is written as an empty edit; AAC's priming frame then plays as
            silence before it: the *stream* starts up to 1024 samples earlier, the samples stay in place.
        crf: x264 quality, 0 (lossless) to 51.
        rotation_deg: clockwise turn a player has to apply (0, 90, 180, 270); the images are stored as given.
        colours: colour tags of yuv420p images, written into the stream; None writes none.

    Raises:
        ValueError: times that do not rise, an image of another size, no frames, or bad arguments.
    """
    if rotation_deg % 90 or (fps is not None and not fps > 0):
        raise ValueError(f"rotation_deg {rotation_deg} must be a multiple of 90 and fps {fps} positive")
    with _opened(target) as container:
        video = _add_video(container, fps, size, crf, preset, gop_frames, b_frames, threads)
        for name, value in (colours or {}).items():
            setattr(video.codec_context, name, value)
        if rotation_deg % 360:
            video.set_display_rotation(-rotation_deg)
        sound = None if audio is None else add_audio(container, audio, rate_hz, audio_start_s)
        count = 0
        for frame, end_s in _video_frames(frames, fps, size, layout, video_start_s):
            if sound is not None:
                sound.encode_until(end_s + AUDIO_LEAD_S)
            container.mux(video.encode(frame))
            count += 1
        if not count:
            raise ValueError("no frames to write")
        container.mux(video.encode(None))
        if sound is not None:
            sound.finish()
    return count


@contextmanager
def _opened(target: Path | BytesIO) -> Iterator[Any]:
    """Open an MP4 for writing, with no creation time in it and its index first."""
    import av

    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    if isinstance(target, BytesIO):  # faststart rereads what was written, to move it
        look = {"io_open": lambda *_: _SecondLook(target)}
        with av.open(target, "w", format="mp4", container_options=options, **look) as container:
            yield container
        return
    # `file:` keeps a colon in a name from being read as a protocol
    with (
        written_aside(target) as part,
        av.open(f"file:{part}", "w", format="mp4", container_options=options) as container,
    ):
        yield container


class _SecondLook:
    """Reader of a buffer with its own position, while the muxer writes at another."""

    def __init__(self, buffer: BytesIO) -> None:
        self._buffer, self._place = buffer, 0

    def read(self, size: int) -> bytes:
        written = self._buffer.tell()
        self._buffer.seek(self._place)
        data = self._buffer.read(size)
        self._place += len(data)
        self._buffer.seek(written)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        starts = (0, self._place, self._buffer.getbuffer().nbytes)
        self._place = starts[whence] + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        """Do nothing: the writer owns the buffer."""


def _add_video(
    container: Any,
    fps: float | None,
    size: tuple[int, int],
    crf: int,
    preset: str,
    gop: int,
    b_frames: int,
    threads: int,
) -> Any:
    width, height = size
    rate = Fraction(fps).limit_denominator(1001) if fps is not None else 25
    options = {"crf": str(crf), "preset": preset, "bf": str(b_frames), "g": str(gop)}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.thread_count = threads
    stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
    return stream


def _video_frames(
    frames: Iterable[tuple[float, Image]], fps: float | None, size: tuple[int, int], layout: str, start_s: float
) -> Iterator[tuple[Any, float]]:
    """Yield images as av frames with exact times, and when each ends; one is held back to know its length."""
    import av

    held: Any = None
    ticks = round(TICKS_PER_S / fps) if fps else TICKS_PER_S // 25
    shape = (size[1], size[0], 3) if layout == "bgr24" else (size[1] * 3 // 2, size[0])
    for time_s, image in frames:
        if isinstance(image, av.VideoFrame):
            frame = image
        elif image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"image {image.shape} {image.dtype} is not uint8 {shape}")
        else:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=layout)
        frame.pts = round((start_s + time_s) * TICKS_PER_S)
        frame.time_base = Fraction(1, TICKS_PER_S)
        if held is not None:
            ticks = frame.pts - held.pts
            if ticks <= 0:
                raise ValueError(f"frame times must rise: {time_s} s follows {held.pts / TICKS_PER_S - start_s} s")
            held.duration = ticks
            yield held, frame.pts / TICKS_PER_S
        held = frame
    if held is not None:
        held.duration = round(TICKS_PER_S / fps) if fps else ticks
        yield held, (held.pts + held.duration) / TICKS_PER_S


def add_audio(container: Any, audio: Samples, rate_hz: int, start_s: float) -> "_Sound":
    channels = audio.reshape(len(audio), -1)
    if channels.shape[1] not in (1, 2):
        raise ValueError(f"audio {audio.shape} must have one or two channels")
    stream = container.add_stream("aac", rate=rate_hz)
    stream.layout = "mono" if channels.shape[1] == 1 else "stereo"
    stream.codec_context.time_base = Fraction(1, rate_hz)
    return _Sound(container, stream, channels, rate_hz, start_s)


class _Sound:
    """Feeder of samples to the AAC encoder, in step with the picture."""

    def __init__(self, container: Any, stream: Any, channels: Samples, rate_hz: int, start_s: float) -> None:
        self._container, self._stream, self._rate_hz = container, stream, rate_hz
        self._channels = np.clip(channels, -1.0, 1.0).astype(np.float32, copy=False)
        self._first_pts = round(start_s * rate_hz)
        self._position = 0

    def encode_until(self, time_s: float) -> None:
        while self._position < len(self._channels) and self._pts < time_s * self._rate_hz:
            self._encode_next()

    def finish(self) -> None:
        while self._position < len(self._channels):
            self._encode_next()
        self._container.mux(self._stream.encode(None))

    @property
    def _pts(self) -> int:
        return self._first_pts + self._position

    def _encode_next(self) -> None:
        import av

        chunk = self._channels[self._position : self._position + AAC_FRAME_SAMPLES]
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(chunk.T), format="fltp", layout=self._stream.layout.name
        )
        frame.sample_rate, frame.pts = self._rate_hz, self._pts
        frame.time_base = Fraction(1, self._rate_hz)
        self._container.mux(self._stream.encode(frame))
        self._position += len(chunk)
