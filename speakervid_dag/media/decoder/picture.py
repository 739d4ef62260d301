"""Decoding and sending of pictures; runs in the decoding process.

Belongs here: the loop from packets to upright BGR pictures with rising times, and its figures. Does not belong here:
opening containers (container), limits of the process (worker).
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.colour import Shown
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.decoder.container import limit_decoder, look, moving_picture, open_container
from speakervid_dag.media.decoder.times import RisingOrigin
from speakervid_dag.media.geometry import Geometry, GeometryWatch

BGR_BYTES = 3


class Errors:
    """Count of damage while decoding: packets or pictures that libav reports as broken."""

    def __init__(self) -> None:
        self.count = 0


def decoded(container: Any, stream: Any, errors: Errors) -> Iterator[Any]:
    """Yield the frames of `stream`; damaged packets are counted and skipped."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except MemoryError:
            raise
        except av.error.FFmpegError:  # the container is unreadable from here: flush the decoder
            errors.count += 1
            yield from _decode(stream, None, errors)
            return
        errors.count += packet.is_corrupt
        yield from _decode(stream, packet if packet.size else None, errors)


def _decode(stream: Any, packet: Any, errors: Errors) -> list[Any]:
    import av

    try:
        return list(stream.decode(packet))
    except MemoryError:
        raise
    except av.error.EOFError:
        return []
    except av.error.FFmpegError:
        errors.count += 1
        return []


def send_pictures(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send every picture of the stream; return the fields of `decode.DecodeReport` that the decoder knows.

    Raises PermanentFailure: over_budget, if the file is longer, larger or less steady than allowed.
    """
    errors = Errors()
    first_s = last_s = None
    count = pixels = out_of_order = 0
    with open_container(request) as container:
        stream = container.streams[request["video_index"]]
        limit_decoder(stream, request["max_pixels"], request["threads"])
        shaper, full = _Shaper(request), _FullSize(request)
        watch = GeometryWatch(stream, *request["geometry_changes"])
        clock = FrameClock(stream.time_base, request["origin_s"], request["fps"])
        for frame in decoded(container, stream, errors):
            if frame.width * frame.height > request["max_pixels"]:
                raise PermanentFailure("over_budget", f"the picture grows to {frame.width} x {frame.height}")
            errors.count += frame.is_corrupt
            time_s = clock.time_s(frame)
            if time_s < 0 or (last_s is not None and time_s <= last_s):
                out_of_order += 1
                continue
            geometry = watch.of(frame, time_s)
            count, pixels = count + 1, pixels + geometry.pixels
            if time_s > request["max_duration_s"] or pixels > request["max_total_pixels"]:
                raise PermanentFailure("over_budget", f"picture {count} at {time_s:.0f} s is beyond the budget")
            first_s, last_s = time_s if first_s is None else first_s, time_s
            full.send_if_due(frame, geometry, time_s, output)
            shaper.send(frame, geometry, time_s, output, len(watch.stretches) - 1)
    return {
        "frames_read": count,
        "first_time_s": first_s,
        "last_time_s": last_s,
        "decode_errors": errors.count,
        "times_repaired": out_of_order + clock.repaired,
        "stretches": [(start_s, shown.width_px, shown.height_px) for start_s, shown in watch.stretches],
    }


def send_stills(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send one picture per time of `times_s`: the first shown at or after it, or else the last.

    Each is found by seeking to the key picture before it: the file is not read through, and its clock not repaired.

    Raises PermanentFailure: no_video_stream, not_seekable, no_decodable_picture; and see `open_container`, `look`.
    """
    import av

    with open_container(request) as container:
        stream = moving_picture(container)
        if stream is None:
            raise PermanentFailure("no_video_stream", "the file has no moving picture")
        index, shape = stream.index, look(container, stream, request)
    if shape is None:
        raise PermanentFailure("no_video_stream", "the picture is a single still")
    shaper = _Shaper({**request, "is_hdr_believed": shape["is_hdr_believed"]})
    with open_container(request) as container:  # reopened: `look` has read part of it
        stream = container.streams[index]
        limit_decoder(stream, request["max_pixels"], request["threads"])
        watch = GeometryWatch(stream)
        start_s = float((stream.start_time or 0) * stream.time_base) - request["video_start_s"]
        for time_s in request["times_s"]:
            try:
                container.seek(int((time_s + start_s) / stream.time_base), stream=stream, backward=True)
            except av.error.FFmpegError as error:
                raise PermanentFailure("not_seekable", str(error.strerror or error)) from error
            picture, geometry = _first_from(decoded(container, stream, Errors()), watch, time_s, start_s)
            if picture is None:
                raise PermanentFailure("no_decodable_picture", f"no picture at {time_s:.1f} s")
            if picture.width * picture.height > request["max_pixels"]:
                raise PermanentFailure("over_budget", f"the picture grows to {picture.width} x {picture.height}")
            shaper.send(picture, geometry, time_s, output)
    return {"sent": len(request["times_s"])}


def _first_from(pictures: Iterator[Any], watch: GeometryWatch, time_s: float, start_s: float) -> tuple[Any, Geometry]:
    """Return the first picture shown at or after `time_s`, or else the last; None if there is no picture."""
    picture, geometry = None, watch.current
    for picture in pictures:
        geometry = watch.of(picture)
        if picture.time is not None and picture.time - start_s >= time_s:
            break
    return picture, geometry


class FrameClock:
    """Clock in s from the container's start; a picture without a time follows the previous one by one interval."""

    def __init__(self, time_base: Fraction, origin_s: float, fps: float) -> None:
        self._time_base, self._origin_s = time_base, origin_s
        self._interval = max(1, round(1 / fps / time_base))
        self._rising = RisingOrigin(float(1 / time_base), self._interval)
        self._newest: int | None = None
        self._untimed = 0

    def time_s(self, frame: Any) -> float:
        ticks = frame.pts
        if ticks is None:
            self._untimed += 1
            moved = 0 if self._newest is None else self._newest + self._interval
        else:
            moved = self._rising.repaired(ticks, frame.duration or 0)
        self._newest = moved
        return round(float(moved * self._time_base) - self._origin_s, 9)  # the first picture is at 0, not at 8.9e-17 s

    @property
    def repaired(self) -> int:
        return self._untimed + self._rising.restarts


class _Shaper:
    """Scales, converts, mirrors and turns pictures as requested."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._max_long_side_px = request["max_long_side_px"]
        self._shown = Shown(is_hdr_believed=request["is_hdr_believed"], threads=request["threads"])

    def send(
        self, frame: Any, geometry: Geometry, time_s: float, output: Any, stretch: int = 0, kind: int = wire.PICTURE
    ) -> None:
        """Send the picture as a message; `stretch` is the number of changes of geometry before it."""
        shape = geometry.within(self._max_long_side_px)
        width, height = shape.stored
        plane = self._shown.bgr(frame, width, height).planes[0]
        header = wire.Header(kind, shape.pixels * BGR_BYTES, time_s, stretch, shape.width_px, shape.height_px)
        turns = shape.rotation_deg // 90
        if plane.line_size == width * BGR_BYTES and not turns and not shape.is_mirrored:
            output.send(header, memoryview(plane)[: header.size])
        else:
            output.send(header, _upright(plane, width, height, turns, shape.is_mirrored))


def _upright(plane: Any, width: int, height: int, turns: int, is_mirrored: bool) -> Any:
    import numpy as np

    rows = np.frombuffer(plane, np.uint8)[: height * plane.line_size].reshape(height, plane.line_size)
    image = rows[:, : width * BGR_BYTES].reshape(height, width, BGR_BYTES)
    if is_mirrored:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, -turns))


class _FullSize:
    """Sends pictures at full size before the scaled-down ones, at most `full_hz` per second; 0: never."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._rate_hz, self._max_long_side_px = request["full_hz"], request["max_long_side_px"]
        self._shaper = _Shaper({**request, "max_long_side_px": None})
        self._sent = -1  # number of the last step of 1 / rate that has its picture

    def send_if_due(self, frame: Any, geometry: Geometry, time_s: float, output: Any) -> None:
        step = int(time_s * self._rate_hz + 1e-6)
        if not self._rate_hz or step <= self._sent or geometry.within(self._max_long_side_px) == geometry:
            return
        self._sent = step
        self._shaper.send(frame, geometry, time_s, output, kind=wire.FULL_PICTURE)
