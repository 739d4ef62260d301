"""Re-encoded clips: pictures found by seeking, shown at a steady rate, cropped; runs in the decoding process.

Belongs here: which picture is shown at each tick of a clip, and cutting its planes. Does not belong here: the encoder
(media/encode), requests for clips (media/cut), clips copied without decoding (clip_copy).

Pictures are encoded in the process that decodes them: sending one to another process costs a third of encoding it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain
from math import ceil
from typing import Any, Literal, NamedTuple

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.colour import Shown
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.decoder.clip_copy import sound_from
from speakervid_dag.media.decoder.container import limit_decoder, open_container
from speakervid_dag.media.decoder.picture import Errors, FrameClock, decoded
from speakervid_dag.media.geometry import Geometry, GeometryWatch
from speakervid_dag.media.region import region

PULSE_TICKS = 25
LAYOUT: Literal["yuv420p"] = "yuv420p"
SAMPLE_PX = (16, 16)  # enough to read the colour tags of a conversion
TOLERANCE_S = 0.002  # Matroska and FLV round times to 1 ms


class Picture(NamedTuple):
    """A decoded frame and its display geometry."""

    frame: Any
    geometry: Geometry


Timed = tuple[float, Picture]


def send_clips(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send a CLIP message per clip and, unless it has a `reason`, a FILE message: a whole MP4."""
    source = _Source(request)
    try:
        for clip in request["clips"]:
            try:
                data, told = _encoded(source, clip, output)
            except PermanentFailure as failure:
                output.send_json(wire.CLIP, {"reason": failure.reason, "detail": failure.detail})
                continue
            output.send_json(wire.CLIP, told)
            output.send(wire.Header(wire.FILE, len(data)), data)
    finally:
        source.close()
    return {"decode_errors": source.errors.count}


def _encoded(source: "_Source", clip: dict[str, Any], output: Any) -> tuple[memoryview, dict[str, Any]]:
    """Return the MP4's bytes and the clip's facts: its times in the source, number and size of pictures."""
    from speakervid_dag.media.encode import write_video

    how = source.request["encoding"]
    start_s, end_s, fps = clip["start_s"], clip["end_s"], how["fps"]
    ticks = _shown(source.pictures_from(start_s), start_s, end_s, fps, source.interval_s)
    first = next(ticks, None)
    if first is None:
        raise PermanentFailure("no_pictures", f"no picture between {start_s:.3f} and {end_s:.3f} s")
    cutter, target = _Cutter(source.request, clip, first[1].geometry), BytesIO()
    last_s = first[0] + ceil((end_s - first[0]) * fps - 1e-6) / fps
    samples, rate_hz = sound_from(clip, first[0], last_s) or (None, how["rate_hz"])
    frames = write_video(
        target,
        _pictures(chain([first], ticks), cutter, fps, output),
        fps,
        (cutter.width, cutter.height),
        samples,
        rate_hz,
        crf=how["crf"],
        preset=how["preset"],
        threads=1,
        layout=LAYOUT,
        colours=cutter.colours(first[1]),
    )
    size = {"width_px": cutter.width, "height_px": cutter.height}
    return target.getbuffer(), {"start_s": first[0], "end_s": last_s, "frames": frames, **size}


def _pictures(ticks: Iterable[Timed], cutter: "_Cutter", fps: float, output: Any) -> Iterator[tuple[float, Any]]:
    """Yield the encoder's input; send the parent a sign of life every `PULSE_TICKS`."""
    for tick, (_, picture) in enumerate(ticks):
        if tick % PULSE_TICKS == 0:
            output.send(wire.Header(wire.PULSE, 0), b"")
        yield tick / fps, cutter.part(picture)


def _shown(pictures: Iterator[Timed], start_s: float, end_s: float, fps: float, interval_s: float) -> Iterator[Timed]:
    """Yield (time of the first tick, picture) per tick from the first picture at or after `start_s` to `end_s`.

    A picture is shown until the next one's time; the file's last one for `interval_s`.
    """
    first_s: float | None = None
    held_s = 0.0
    held: Picture | None = None
    tick = 0
    for time_s, picture in pictures:
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
        held_s, held = time_s, picture
        if time_s >= end_s - TOLERANCE_S:
            return
    while (
        first_s is not None
        and held is not None
        and first_s + tick / fps < min(held_s + interval_s, end_s) - TOLERANCE_S
    ):
        yield first_s, held
        tick += 1


@dataclass
class _Reading:
    """Decoding in progress: the pictures to come, and the time of the last one yielded."""

    container: Any
    pictures: Iterator[Timed]
    position_s: float = float("-inf")

    def __iter__(self) -> Iterator[Timed]:
        for time_s, picture in self.pictures:
            self.position_s = max(self.position_s, time_s)
            yield time_s, picture


class _Source:
    """The file's pictures from any time on: reads on if the time is near, or else seeks or reopens the file."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.errors = Errors()
        self.interval_s = 1 / request["source_fps"]
        self._reading: _Reading | None = None

    def pictures_from(self, start_s: float) -> Iterator[Timed]:
        """Return pictures with their times, beginning at or before `start_s` if there is such a picture."""
        near_s = start_s - (1.0 if self.request["is_seekable"] else float("inf"))
        reading = self._reading
        if reading is not None and near_s <= reading.position_s < start_s - TOLERANCE_S:
            return iter(reading)
        if self.request["is_seekable"]:
            reading = self._open(start_s)
            first = next(iter(reading), None)
            if first is not None and first[1].frame.pts is not None and self._is_before(first[0], start_s):
                return chain([first], reading)
        return iter(self._open(None))

    def _is_before(self, time_s: float, start_s: float) -> bool:
        return time_s <= max(start_s, float(self.request["video_start_s"])) + TOLERANCE_S

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
                return self._open(None)  # gives the same pictures, only slower
            pictures = _from_key(pictures)
        self._reading = _Reading(container, pictures)
        return self._reading

    def _timed(self, container: Any, stream: Any) -> Iterator[Timed]:
        clock = FrameClock(stream.time_base, self.request["origin_s"], self.request["source_fps"])
        watch = GeometryWatch(stream)
        last_s = float("-inf")
        for frame in decoded(container, stream, self.errors):
            if frame.width * frame.height > self.request["max_pixels"]:
                raise PermanentFailure("over_budget", f"the picture grows to {frame.width} x {frame.height}")
            time_s = clock.time_s(frame)
            geometry = watch.of(frame)
            if time_s >= 0 and time_s > last_s:
                last_s = time_s
                yield time_s, Picture(frame, geometry)

    def close(self) -> None:
        if self._reading is not None:
            self._reading.container.close()
            self._reading = None


def _from_key(pictures: Iterator[Timed]) -> Iterator[Timed]:
    """Yield pictures from the first key picture on: earlier ones lack their references."""
    for timed in pictures:
        if timed[1].frame.key_frame:
            yield timed
            break
    yield from pictures


class _Cutter:
    """Cuts one clip's part out of pictures: upright, square pixels, even place and size, never scaled up.

    The first picture's geometry determines the clip's size. A picture of another geometry, which occurs only in a clip
    over several shots, is shown whole in the middle.
    """

    def __init__(self, request: dict[str, Any], clip: dict[str, Any], first: Geometry) -> None:
        how = request["encoding"]
        size = first.width_px, first.height_px
        self._region = region(size, clip["box"], how["margin"], how["max_long_side_px"])
        self.width, self.height = self._region.width_px, self._region.height_px
        self._shown = Shown(is_hdr_believed=request["is_hdr_believed"])
        self._first = first
        self._geometry: Geometry | None = None

    def part(self, picture: Picture) -> Any:
        """Return a new picture, yuv420p; it may share the given one's data."""
        if picture.geometry != self._geometry:
            self._turn_to(picture.geometry)
        plain = self._shown.yuv(picture.frame, *self._stored, LAYOUT)
        plain.pts = None
        self._graph.push(plain)
        return self._graph.pull()

    def colours(self, picture: Picture) -> dict[str, int]:
        """Return the colour tags, as libav's codes."""
        return self._shown.tags(picture.frame, self._shown.yuv(picture.frame, *SAMPLE_PX, LAYOUT))

    def _turn_to(self, geometry: Geometry) -> None:
        part = self._region
        if geometry == self._first:
            scaled = geometry._replace(width_px=part.display_width_px, height_px=part.display_height_px)
            placed = ("crop", f"{part.width_px}:{part.height_px}:{part.left_px}:{part.top_px}")
        else:
            scale = min(part.width_px / geometry.width_px, part.height_px / geometry.height_px)
            width, height = (max(2, int(side * scale) // 2 * 2) for side in geometry[:2])
            scaled = geometry._replace(width_px=width, height_px=height)
            placed = ("pad", f"{part.width_px}:{part.height_px}:(ow-iw)/4*2:(oh-ih)/4*2")
        self._geometry, self._stored = geometry, scaled.stored
        self._graph = _filters(scaled, placed)


def _filters(shape: Geometry, placed: tuple[str, str]) -> Any:
    """Return a graph that mirrors, turns clockwise, then crops or pads; a crop copies nothing."""
    from av.filter import Graph
    from av.video.format import VideoFormat

    graph, (width, height) = Graph(), shape.stored
    filters = [("hflip", "")] * shape.is_mirrored + [("transpose", "clock")] * (shape.rotation_deg // 90)
    last = graph.add_buffer(width=width, height=height, format=VideoFormat(LAYOUT), time_base=Fraction(1, 1))
    for name, arguments in [*filters, placed, ("buffersink", "")]:
        last, before = graph.add(name, arguments), last
        before.link_to(last)
    graph.configure()
    return graph
