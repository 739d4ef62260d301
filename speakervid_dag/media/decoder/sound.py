"""Decoding and sending of sound; runs in the decoding process.

Belongs here: the way from packets of one track to mono samples, each block placed on the container's clock. Does not
belong here: opening containers (container), measuring (sound_levels), joining blocks and tracks (media/audio).
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.decoder.container import open_container
from speakervid_dag.media.decoder.picture import Errors, decoded
from speakervid_dag.media.decoder.times import RisingOrigin
from speakervid_dag.media.sound_streams import channel_names, downmix

# A larger step in the timestamps starts a new run of samples; smaller ones are rounding of Matroska and FLV (1 ms) and
# jitter of recorders. Half a picture at 25 fps: the resolution of lip sync.
GAP_S = 0.02
_LINES = 8  # channels that a frame addresses one by one; with this many PyAV 18.1 reads beyond the last


class Block(NamedTuple):
    """One decoded frame; `planes` float32 (channels, samples), about [-1, 1]. `begins`: there is a gap before it."""

    start_s: float
    rate_hz: int
    names: list[str]
    planes: Any
    begins: bool


def blocks(request: dict[str, Any], errors: Errors) -> Iterator[Block]:
    """Yield the track `request["audio_index"]` block by block.

    Raises PermanentFailure: unsupported_codec, over_budget (length, gaps, channels); see `open_container`.
    """
    with open_container(request) as container:
        stream = container.streams[request["audio_index"]]
        if stream.codec_context is None:
            raise PermanentFailure("unsupported_codec", f"no decoder for audio stream {stream.index}")
        clock = _Clock(request)
        for frame in decoded(container, stream, errors):
            if frame.layout.nb_channels > request["max_channels"]:
                most = request["max_channels"]
                raise PermanentFailure("over_budget", f"{frame.layout.nb_channels} channels of sound, at most {most}")
            start_s, begins = clock.place(frame)
            yield Block(start_s, frame.sample_rate, channel_names(frame.layout), _planes(frame), begins)


def send_sound(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send the track as float32 mono blocks with their positions; return its figures.

    `weights` of the request apply to single channels; None: the standard downmix. Parts of the track whose number of
    channels differs from its beginning also get the standard downmix.
    """
    errors = Errors()
    placer = _Placer(request, output)
    for block in blocks(request, errors):
        placer.add(block)
    placer.end_run()
    return {"decode_errors": errors.count, "samples": placer.samples}


def mixed(block: Block, weights: Sequence[float] | None) -> Any:
    """Return the weighted sum of the channels, (samples,) float32; None: the standard downmix."""
    import numpy as np

    chosen = downmix(block.names) if weights is None else weights
    return np.asarray(chosen, np.float32) @ block.planes


def _planes(frame: Any) -> Any:
    """Return a frame of any sample format as float32 (channels, samples)."""
    import numpy as np

    count = frame.layout.nb_channels
    if frame.format.is_planar and count >= _LINES:
        frame = _packed(frame)
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, count).T
    if data.dtype.kind == "u":  # 8 bit, silence is 128
        data = data.astype(np.float32) - 128
        return data / 128
    return data.astype(np.float32) / (-float(np.iinfo(data.dtype).min) if data.dtype.kind == "i" else 1.0)


def _packed(frame: Any) -> Any:
    """Return the same samples with the channels interleaved."""
    from av.audio.resampler import AudioResampler

    (packed,) = AudioResampler(format=frame.format.packed, layout=frame.layout, rate=frame.sample_rate).resample(frame)
    return packed


class _Clock:
    """Clock in s from the container's start that detects gaps between runs of samples."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._origin = Fraction(request["origin_s"])
        self._max_duration_s, self._max_gaps = request["max_duration_s"], request["max_gaps"]
        self._shape: tuple[int, int] | None = None
        self._next_s = 0.0  # when the next sample is due
        self._rising: RisingOrigin | None = None
        self._gaps = -1  # the first run is not a gap

    def place(self, frame: Any) -> tuple[float, bool]:
        """Return when a frame starts, s, and whether it begins a run."""
        start_s = self._start_s(frame)
        if start_s > self._max_duration_s:
            raise PermanentFailure("over_budget", f"sound at {start_s:.0f} s, at most {self._max_duration_s:.0f} s")
        shape = (frame.sample_rate, frame.layout.nb_channels)
        begins = shape != self._shape or abs(start_s - self._next_s) > GAP_S
        if begins:
            self._shape, self._next_s = shape, start_s
            self._gaps += 1
            if self._gaps > self._max_gaps:
                raise PermanentFailure("over_budget", f"more than {self._max_gaps} breaks in the sound's timestamps")
        start_s, self._next_s = self._next_s, self._next_s + frame.samples / frame.sample_rate
        return start_s, begins

    def _start_s(self, frame: Any) -> float:
        if frame.pts is None:
            return self._next_s
        base = Fraction(frame.time_base)
        if self._rising is None:
            self._rising = RisingOrigin(float(1 / base), default_ticks=1)
        length = round(Fraction(frame.samples, frame.sample_rate) / base)
        return float(self._rising.repaired(frame.pts, length) * base - self._origin)


class _Placer:
    """Resamples each gapless run of samples as one, and places it by its first timestamp."""

    def __init__(self, request: dict[str, Any], output: Any) -> None:
        self._rate_hz, self._weights = request["rate_hz"], request["weights"]
        self._output = output
        self._channels: int | None = None
        self._resampler: Any = None
        self._position = 0  # where the next resampled sample goes
        self.samples = 0

    def add(self, block: Block) -> None:
        from av import AudioFrame
        from av.audio.resampler import AudioResampler

        if block.begins:
            self.end_run()
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate_hz)
            self._position = round(block.start_s * self._rate_hz)
        frame = AudioFrame.from_ndarray(mixed(block, self._of(block))[None], format="flt", layout="mono")
        frame.sample_rate = block.rate_hz  # no time is set: the resampler counts samples; this class places them
        self._send(self._resampler.resample(frame))

    def _of(self, block: Block) -> list[float] | None:
        """Return the weights of the block's channels."""
        count = len(block.planes)
        if self._channels is None:
            self._channels = count
        if self._weights is None or count != self._channels:
            return None
        weights = [0.0] * count
        for channel, weight in self._weights:
            weights[channel] = weight
        return weights

    def end_run(self) -> None:
        if self._resampler is not None:
            self._send(self._resampler.resample(None))
            self._resampler = None

    def _send(self, frames: list[Any]) -> None:
        for frame in frames:
            data = memoryview(frame.planes[0])[: frame.samples * 4]
            early = max(0, -self._position)  # before the container's start: dropped
            if early < frame.samples:
                size = (frame.samples - early) * 4
                position = self._position + early
                self._output.send(wire.Header(wire.SOUND, size, position=position), data[early * 4 :])
                self.samples += frame.samples - early
            self._position += frame.samples
