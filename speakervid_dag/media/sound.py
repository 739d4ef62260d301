"""Decoding sound and sending it; runs in the decoding process.

Belongs here: from packets to mono samples, each block at its place on the container's clock. Does not belong here:
opening containers (container) and putting the blocks together (audio).
"""

from fractions import Fraction
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media import wire
from speakervid_dag.media.container import open_container
from speakervid_dag.media.picture import Errors, decoded
from speakervid_dag.media.times import RisingOrigin

# A step in the timestamps above this starts a new run of samples; below it lies the rounding of Matroska and FLV (1 ms)
# and the jitter of recorders. Half a picture at 25 fps: what lip-sync can tell.
GAP_S = 0.02


def send_sound(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send the stream as float32 mono blocks with their positions; returns its figures."""
    errors = Errors()
    with open_container(request) as container:
        stream = container.streams[request["audio_index"]]
        if stream.codec_context is None:
            raise PermanentFailure("unsupported_codec", f"no decoder for audio stream {stream.index}")
        placer = _Placer(request, output)
        for frame in decoded(container, stream, errors):
            placer.add(frame)
        placer.end_run()
    return {"decode_errors": errors.count, "samples": placer.samples, "gaps": placer.gaps}


class _Placer:
    """Runs of samples without a break are resampled as one; each run is placed by its first timestamp."""

    def __init__(self, request: dict[str, Any], output: Any) -> None:
        self._rate_hz, self._origin_s = request["rate_hz"], request["origin_s"]
        self._max_duration_s, self._max_gaps = request["max_duration_s"], request["max_gaps"]
        self._output = output
        self._resampler: Any = None
        self._shape: tuple[int, str, str] | None = None
        self._next_s = 0.0  # when the next source sample is due
        self._position = 0  # where the next resampled one goes
        self._rising: RisingOrigin | None = None
        self.samples = 0
        self.gaps = -1  # the first run is none

    def add(self, frame: Any) -> None:
        start_s = self._start_s(frame)
        if start_s > self._max_duration_s:
            raise PermanentFailure("over_budget", f"sound at {start_s:.0f} s, at most {self._max_duration_s:.0f} s")
        shape = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._resampler is None or shape != self._shape or abs(start_s - self._next_s) > GAP_S:
            self.end_run()
            self._begin_run(start_s, shape)
        self._next_s += frame.samples / frame.sample_rate
        frame.pts = None  # the resampler counts samples; placing is ours
        self._send(self._resampler.resample(frame))

    def end_run(self) -> None:
        if self._resampler is not None:
            self._send(self._resampler.resample(None))
            self._resampler = None

    def _begin_run(self, start_s: float, shape: tuple[int, str, str]) -> None:
        from av.audio.resampler import AudioResampler

        self.gaps += 1
        if self.gaps > self._max_gaps:
            raise PermanentFailure("over_budget", f"more than {self._max_gaps} breaks in the sound's timestamps")
        self._resampler, self._shape = AudioResampler(format="flt", layout="mono", rate=self._rate_hz), shape
        self._next_s, self._position = start_s, round(start_s * self._rate_hz)

    def _start_s(self, frame: Any) -> float:
        if frame.pts is None:
            return self._next_s
        base = Fraction(frame.time_base)
        if self._rising is None:
            self._rising = RisingOrigin(float(1 / base), default_ticks=1)
        length = round(Fraction(frame.samples, frame.sample_rate) / base)
        start = self._rising.repaired(frame.pts, length) * base
        return float(start - Fraction(self._origin_s))

    def _send(self, frames: list[Any]) -> None:
        for frame in frames:
            data = memoryview(frame.planes[0])[: frame.samples * 4]
            early = max(0, -self._position)  # before the container's start: not on our clock
            if early < frame.samples:
                size = (frame.samples - early) * 4
                position = self._position + early
                self._output.send(wire.Header(wire.SOUND, size, position=position), data[early * 4 :])
                self.samples += frame.samples - early
            self._position += frame.samples
