"""Opening a container and describing it; runs in the decoding process.

Belongs here: which stream is the picture and which the sound, and the facts of a file. Does not belong here: decoding
beyond the first pictures, which distinguish a film from a still.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media import colour
from speakervid_dag.media.decoder.tags import year_and_genre
from speakervid_dag.media.decoder.times import RisingOrigin, pace
from speakervid_dag.media.geometry import GeometryWatch
from speakervid_dag.media.sound_streams import sound_facts

DECODER_PADDING = 2  # libav counts its buffers' padding as pixels
FALSE_TAG_PICTURES = 25  # sampled before a PQ tag is believed
TRUNCATED_BY_S = 0.25  # a header's length may exceed the packets' by this much before a file counts as truncated

SHOWN = ("video", "audio")  # kinds of streams with reliable lengths; those of subtitles are not


def open_container(request: dict[str, Any]) -> Any:
    """Open the file with exactly the demuxer that its content requires, and no protocol but local files.

    Raises PermanentFailure: damaged_container, over_budget (streams), no_streams.
    """
    import av

    options = {"format_whitelist": request["demuxer"], "protocol_whitelist": "file"}
    try:
        # `file:` keeps a colon or a `%d` in a name from being interpreted.
        container = av.open(
            "file:" + request["path"],
            "r",
            format=request["demuxer"],
            container_options=options,
            metadata_errors="replace",
        )
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise PermanentFailure("damaged_container", f"{request['demuxer']}: {error.strerror or error}") from error
    if not len(container.streams):
        raise PermanentFailure("no_streams", "the container has no streams")
    if len(container.streams) > request["max_streams"]:
        raise PermanentFailure("over_budget", f"{len(container.streams)} streams, at most {request['max_streams']}")
    if request["forgets_layouts"]:
        for stream in container.streams.audio:
            if stream.codec_context is not None:
                stream.codec_context.layout = f"{stream.codec_context.channels} channels"
    return container


def limit_decoder(stream: Any, max_pixels: int, threads: int) -> None:
    """Set the threads, and have libav refuse pictures far above `max_pixels` before it allocates memory for them."""
    context = stream.codec_context
    context.options = {**context.options, "max_pixels": str(max_pixels * DECODER_PADDING)}
    context.thread_count = threads
    context.thread_type = "AUTO"


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `probe.MediaInfo`.

    Raises PermanentFailure: see `open_container`; no_streams, bad_dimensions, unsupported_codec, over_budget.
    """
    with open_container(request) as container:
        picture = moving_picture(container)
        sound = _best(container, "audio", list(container.streams.audio))
        if picture is None and sound is None:
            raise PermanentFailure("no_streams", "neither a moving picture nor sound")
        seen = None if picture is None else look(container, picture, request)
        if seen is None and sound is None:
            raise PermanentFailure("no_streams", "a single still picture and no sound")
        indices = [None if s is None else s.index for s in (picture if seen else None, sound)]
    with open_container(request) as container:  # reopened: `look` has read part of it
        picture, sound = (None if index is None else container.streams[index] for index in indices)
        return _facts(container, picture, sound, seen or {}, request)


def moving_picture(container: Any) -> Any:
    """Return the stream of the moving picture: never a cover, a thumbnail or a still."""
    from av.stream import Disposition

    stills = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return _best(container, "video", [s for s in container.streams.video if not s.disposition & stills])


def _best(container: Any, kind: str, allowed: list[Any]) -> Any:
    best = container.streams.best(kind)
    return best if best in allowed else next(iter(allowed), None)


def look(container: Any, stream: Any, request: dict[str, Any]) -> dict[str, Any] | None:
    """Return size, orientation and colours from the first two pictures (more if tagged PQ); None for a still."""
    if stream.codec_context is None:
        raise PermanentFailure("unsupported_codec", f"no decoder for video stream {stream.index}")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width <= 0 or height <= 0:
        raise PermanentFailure("bad_dimensions", f"the picture is {width} x {height}")
    if width * height > request["max_pixels"]:
        raise PermanentFailure("over_budget", f"pictures of {width} x {height}, at most {request['max_pixels']} px")
    limit_decoder(stream, request["max_pixels"], threads=1)
    watch = GeometryWatch(stream)
    pictures = _first_pictures(container, stream)
    first = next(pictures, None)
    if first is None:
        raise PermanentFailure("no_decodable_picture", "not one picture of the video stream can be decoded")
    geometry, colours = watch.of(first), colour.described(first)
    if next(pictures, None) is None:
        return None
    if colours["colours"] == "pq" and any(
        colour.is_brighter_than_light(picture) for picture in islice(pictures, FALSE_TAG_PICTURES)
    ):
        fault = f"tagged {colours['color_transfer']}, but brighter than {colour.IMPOSSIBLE:.0f} cd/m2: taken as SDR"
        colours |= {"colours": "sdr", "colour_fault": fault, "is_hdr_believed": False}
    return {**geometry._asdict(), **colours}


def _first_pictures(container: Any, stream: Any) -> Iterator[Any]:
    import av

    for packet in container.demux(stream):
        try:
            yield from stream.decode(packet if packet.size else None)
        except av.error.InvalidDataError:
            continue  # damage is counted when the file is read; any two pictures suffice here


def _facts(container: Any, picture: Any, sound: Any, look: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    scan = _scan(container, [s for s in container.streams if _counts(s)])  # the header's length is the longest one's
    if picture is not None and picture.index not in scan:
        raise PermanentFailure("damaged_container", "no packet of the picture carries a time")
    taken = [s for s in (picture, sound) if s is not None]
    starts = {s.index: _start(s, scan) for s in taken}
    known = [start for index, start in starts.items() if start is not None and index in scan] or [Fraction(0)]
    origin = min(known)
    ends = {index: float(packets.end - origin) for index, packets in scan.items()}
    read_s = max((end for index, end in ends.items() if container.streams[index].type in SHOWN), default=0.0)
    year, genre = year_and_genre(container.metadata)
    claimed_s = _claimed_s(container, origin)
    duration_s = max(claimed_s, read_s)
    facts = {
        **look,
        "container": request["demuxer"],
        "video_codec": None if picture is None else picture.codec_context.codec.canonical_name,
        "audio_codec": None
        if sound is None or sound.codec_context is None
        else sound.codec_context.codec.canonical_name,
        "duration_s": duration_s,
        "origin_s": float(origin),
        "video_start_s": None if picture is None else _since(starts[picture.index], origin),
        "audio_start_s": None if sound is None else _since(starts[sound.index], origin),
        "has_video": picture is not None,
        "has_audio": sound is not None,
        "bit_rate_bps": round(container.size * 8 / duration_s) if duration_s else None,
        "audio_sample_rate_hz": getattr(sound.codec_context, "sample_rate", None) if sound else None,
        "audio_channels": getattr(sound.codec_context, "channels", None) if sound else None,
        "video_index": None if picture is None else picture.index,
        "audio_index": None if sound is None else sound.index,
        "sound_tracks": [] if sound is None else sound_facts(container, sound),
        "year": year,
        "genre": genre,
    }
    if picture is not None:
        is_cut = claimed_s - max(ends.values()) > TRUNCATED_BY_S
        facts |= _pace(picture, scan[picture.index], origin, claimed_s if is_cut else 0.0)
    return facts


def _claimed_s(container: Any, origin: Fraction) -> float:
    """Return the header's length from `origin` on, s; 0 if it gives none."""
    claimed_s = max(container.duration or 0, 0) / 1e6
    if container.format.name.startswith("matroska"):  # it counts from the clock's zero, not from the first picture
        claimed_s = max(claimed_s - max(float(origin), 0.0), 0.0)
    return claimed_s


def _counts(stream: Any) -> bool:
    from av.stream import Disposition

    return not stream.disposition & Disposition.attached_pic


def _start(stream: Any, scan: dict[int, "Packets"]) -> Fraction | None:
    if stream.start_time is not None:
        return Fraction(stream.start_time * stream.time_base)
    return scan[stream.index].start if stream.index in scan else None


def _since(start: Fraction | None, origin: Fraction) -> float:
    return 0.0 if start is None else float(start - origin)


class Packets:
    """Packet times of one stream, with clock restarts joined, and counts of hidden and untimed packets."""

    def __init__(self, time_base: Fraction) -> None:
        self.time_base = time_base
        self.ticks: list[int] = []
        self.hidden = 0
        self.untimed = 0
        self._origin = RisingOrigin(float(1 / time_base), default_ticks=1)
        self._order: int | None = None

    def add(self, packet: Any) -> None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        self.untimed += packet.pts is None
        if packet.is_discard:  # outside the edit list: decoded but never shown
            self.hidden += 1
        elif ticks is not None:
            if packet.dts is not None:
                self._order = packet.dts
            elif packet.is_keyframe:  # no earlier picture is shown after it
                self._order = ticks
            self.ticks.append(self._origin.repaired(ticks, packet.duration or 0, self._order))

    @property
    def is_steady(self) -> bool:
        """Return whether every packet has a time and the clock never restarts, so that seeking by time works."""
        return not self.untimed and not self._origin.restarts

    @property
    def start(self) -> Fraction:
        return min(self.ticks) * self.time_base

    @property
    def last(self) -> Fraction:
        return max(self.ticks) * self.time_base

    @property
    def end(self) -> Fraction:
        return self._origin.end * self.time_base


def _scan(container: Any, streams: list[Any]) -> dict[int, Packets]:
    """Return every packet's time, without decoding; streams without a timed packet are omitted."""
    import av

    found = {s.index: Packets(Fraction(s.time_base)) for s in streams}
    try:
        for packet in container.demux(streams):
            if packet.size:
                found[packet.stream_index].add(packet)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # the rest after the damage cannot be read; the figures then show how much is missing
    return {index: packets for index, packets in found.items() if packets.ticks}


def _pace(stream: Any, packets: Packets, origin: Fraction, claimed_s: float) -> dict[str, Any]:
    """Return rate, regularity, and the claimed number and end of the pictures."""
    ticks = sorted(packets.ticks)
    intervals = [float((after - before) * packets.time_base) for before, after in pairwise(ticks)]
    measured, is_vfr = pace(intervals, float(packets.time_base))
    header = float(stream.average_rate or 0)
    # A header's rate is exact (30000/1001) if it agrees with the packets, or else a guess.
    fps = header if not is_vfr and measured and abs(header / measured - 1) < 0.01 else measured or header
    frames, header_end_s = _header_claim(stream, packets.hidden, origin)
    end_s, interval_s = float(packets.end - origin), 1 / fps if fps else 0.0
    video_end_s = max(header_end_s, end_s, claimed_s)
    # The last picture may be held, or have no length. If packets are missing, only the claim gives its time.
    is_whole = frames <= len(packets.ticks) and not claimed_s
    last_s = min(float(packets.last - origin), end_s - interval_s) if is_whole else video_end_s - interval_s
    return {
        "fps": fps,
        "frame_count": max(frames, len(packets.ticks)),
        "is_variable_frame_rate": is_vfr,
        "is_seekable": packets.is_steady,
        "video_last_s": last_s,
        "video_end_s": video_end_s,
    }


def _header_claim(stream: Any, hidden: int, origin: Fraction) -> tuple[int, float]:
    """Return the number of shown pictures and their end (s) by the header alone; zeros if it gives none."""
    if not stream.frames:
        return 0, 0.0
    start = Fraction(stream.start_time or 0) * stream.time_base - origin
    if stream.container.format.name == "avi":  # libav shortens the length to the file's size, but not the count
        return stream.frames, float(start + stream.frames / stream.average_rate) if stream.average_rate else 0.0
    # The index omits what the edit list omits; the header's count does not.
    return len(stream.index_entries) - hidden, float(start + (stream.duration or 0) * stream.time_base)
