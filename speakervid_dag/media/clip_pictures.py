"""Pictures of clips: found by seeking, shown at a steady rate, cropped; runs in the decoding process.

Belongs here: which picture is shown at each tick of a clip, and cutting its planes. Does not belong here: encoding
(encode), asking for it (cut), clips copied without decoding (clip_copy).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media import wire
from speakervid_dag.media.container import limit_decoder, open_container
from speakervid_dag.media.picture import Errors, FrameClock, decoded

TOLERANCE_S = 0.002  # Matroska and FLV round times to 1 ms

Timed = tuple[float, Any]


def send_clips(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """For each of `clips` a CLIP message, then its pictures as planes Y, U, V of yuv420p.

    A clip that cannot be given has `reason` and `detail` in its message, and no pictures.
    """
    source = _Source(request)
    try:
        for number, clip in enumerate(request["clips"]):
            try:
                _send_clip(source, number, clip, request["fps"], output)
            except PermanentFailure as failure:
                told = {"number": number, "reason": failure.reason, "detail": failure.detail}
                output.send_json(wire.CLIP, told)
    finally:
        source.close()
    return {"decode_errors": source.errors.count}


def _send_clip(source: "_Source", number: int, clip: dict[str, Any], fps: float, output: Any) -> None:
    ticks = _shown(source.pictures_from(clip["start_s"]), clip["start_s"], clip["end_s"], fps, source.interval_s)
    first = next(ticks, None)
    if first is None:
        raise PermanentFailure("no_pictures", f"no picture between {clip['start_s']:.3f} and {clip['end_s']:.3f} s")
    cutter = _Cutter(source.request, clip)
    told = {
        "number": number,
        "first_time_s": first[0],
        "width_px": cutter.width,
        "height_px": cutter.height,
        "colours": cutter.colours(first[1]),
    }
    output.send_json(wire.CLIP, told)
    size = cutter.width * cutter.height * 3 // 2
    last, planes = None, b""
    for tick, (_, frame) in enumerate(chain([first], ticks)):
        if frame is not last:  # a slow source shows one picture for several ticks
            last, planes = frame, cutter.planes(frame)
        header = wire.Header(wire.PICTURE, size, tick / fps, tick, cutter.width, cutter.height)
        output.send(header, planes)


def _shown(pictures: Iterator[Timed], start_s: float, end_s: float, fps: float, interval_s: float) -> Iterator[Timed]:
    """What is shown at each tick of [first picture at or after `start_s`, `end_s`): (time of the first tick, picture).

    A picture is shown from its time until the next one's; the file's last one for `interval_s`.
    """
    first_s: float | None = None
    held_s, held = 0.0, None
    tick = 0
    for time_s, frame in pictures:
        if time_s < start_s - TOLERANCE_S:
            continue
        if first_s is None:
            if time_s >= end_s - TOLERANCE_S:
                return
            first_s = time_s
        until_s = min(time_s, end_s) - TOLERANCE_S
        while held is not None and first_s + tick / fps < until_s:
            yield first_s, held
            tick += 1
        held_s, held = time_s, frame
        if time_s >= end_s - TOLERANCE_S:
            return
    while first_s is not None and first_s + tick / fps < min(held_s + interval_s, end_s) - TOLERANCE_S:
        yield first_s, held
        tick += 1


@dataclass
class _Reading:
    """Decoding in progress: the pictures that follow, and the time of the last one given."""

    container: Any
    pictures: Iterator[Timed]
    position_s: float = float("-inf")

    def __iter__(self) -> Iterator[Timed]:
        for time_s, frame in self.pictures:
            self.position_s = max(self.position_s, time_s)
            yield time_s, frame


class _Source:
    """The file's pictures from any time on; reads on where that is no detour, seeks or begins anew elsewhere."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.errors = Errors()
        self.interval_s = 1 / request["source_fps"]
        self._reading: _Reading | None = None

    def pictures_from(self, start_s: float) -> Iterator[Timed]:
        """Pictures with their times, from one at or before `start_s` (where there is one) on."""
        near_s = start_s - (1.0 if self.request["is_seekable"] else float("inf"))
        reading = self._reading
        if reading is not None and near_s <= reading.position_s < start_s - TOLERANCE_S:
            return iter(reading)
        if self.request["is_seekable"]:
            reading = self._open(start_s)
            first = next(iter(reading), None)
            if first is not None and first[1].pts is not None and self._is_before(first[0], start_s):
                return chain([first], reading)
        return iter(self._open(None))

    def _is_before(self, time_s: float, start_s: float) -> bool:
        return time_s <= start_s + TOLERANCE_S or start_s <= float(self.request["video_start_s"])

    def _open(self, seek_s: float | None) -> _Reading:
        import av

        self.close()
        request = self.request
        container = open_container(request)
        stream = container.streams[request["video_index"]]
        limit_decoder(stream, request["max_pixels"], request["threads"])
        pictures = self._timed(container, stream)
        if seek_s is not None:
            try:
                target = int((seek_s + request["origin_s"]) / stream.time_base)
                container.seek(target, stream=stream, backward=True)
            except av.error.FFmpegError:
                return self._open(None)  # the same pictures, only slower
            pictures = _from_key(pictures)
        self._reading = _Reading(container, pictures)
        return self._reading

    def _timed(self, container: Any, stream: Any) -> Iterator[Timed]:
        clock = FrameClock(stream.time_base, self.request["origin_s"], self.request["source_fps"])
        last_s = float("-inf")
        for frame in decoded(container, stream, self.errors):
            if frame.width * frame.height > self.request["max_pixels"]:
                raise PermanentFailure("over_budget", f"the picture grows to {frame.width} x {frame.height}")
            time_s = clock.time_s(frame)
            if time_s >= 0 and time_s > last_s:
                last_s = time_s
                yield time_s, frame

    def close(self) -> None:
        if self._reading is not None:
            self._reading.container.close()
            self._reading = None


def _from_key(pictures: Iterator[Timed]) -> Iterator[Timed]:
    """From the first key picture on: what is decoded before it lacks what it was predicted from."""
    for timed in pictures:
        if timed[1].key_frame:
            yield timed
            break
    yield from pictures


class _Cutter:
    """Cuts one clip's part out of pictures: upright, square pixels, even place and size, scaled down only."""

    def __init__(self, request: dict[str, Any], clip: dict[str, Any]) -> None:
        self.width, self.height = clip["width_px"], clip["height_px"]
        self._left, self._top = clip["left_px"], clip["top_px"]
        display = (clip["display_width_px"], clip["display_height_px"])
        self._turns, self._is_mirrored = request["rotation_deg"] // 90, request["is_mirrored"]
        self._stored = display[::-1] if self._turns % 2 else display

    def planes(self, frame: Any) -> bytes:
        """Y, U, V of the part, one after the other, without padding."""
        plain = frame.reformat(*self._stored, format="yuv420p", interpolation="BICUBIC")
        parts = []
        for number, plane in enumerate(plain.planes):
            half = 2 if number else 1
            left, top, width, height = (v // half for v in (self._left, self._top, self.width, self.height))
            parts.append(self._upright(plane)[top : top + height, left : left + width].tobytes())
        return b"".join(parts)

    def _upright(self, plane: Any) -> Any:
        import numpy as np

        rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(plane.height, plane.line_size)
        image = rows[:, : plane.width]
        if self._is_mirrored:
            image = image[:, ::-1]
        return np.rot90(image, -self._turns) if self._turns else image

    def colours(self, frame: Any) -> dict[str, int]:
        """What the numbers mean, by libav's codes, as the source says it."""
        plain = frame.reformat(*self._stored, format="yuv420p", interpolation="BICUBIC")
        return {
            "color_range": int(plain.color_range),
            "colorspace": int(frame.colorspace),
            "color_primaries": int(frame.color_primaries),
            "color_trc": int(frame.color_trc),
        }
