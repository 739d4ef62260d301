"""Clips whose picture is copied without re-encoding; runs in the decoding process.

Belongs here: copying the packets of a span to an MP4 in memory, with the clip's sound. Does not belong here: decoding
pictures (clip_pictures), requests for copies (cut).

A copy has to begin at a key picture. Pictures between it and the clip's start stay in the file, hidden by an edit list
(ISO 14496-12, 8.6.6): the start is frame-exact, and nothing is re-encoded.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.decoder.container import open_container

TOLERANCE_S = 0.002


def send_copies(request: dict[str, Any], output: Any) -> dict[str, Any]:
    """Send a CLIP message per clip and, unless it has a `reason`, a FILE message: a whole MP4."""
    for clip in request["clips"]:
        try:
            data, told = _copied(request, clip)
        except PermanentFailure as failure:
            output.send_json(wire.CLIP, {"reason": failure.reason, "detail": failure.detail})
            continue
        output.send_json(wire.CLIP, told)
        output.send(wire.Header(wire.FILE, len(data)), data)
    return {}


def _copied(request: dict[str, Any], clip: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the MP4's bytes and the clip's facts: its times in the source, number and size of shown pictures."""
    import av

    from speakervid_dag.media.encode import add_audio

    packets, first = _packets(request, clip)
    target = BytesIO()
    options = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
    with open_container(request) as reader, av.open(target, "w", format="mp4", container_options=options) as writer:
        template = reader.streams[request["video_index"]]
        stream = writer.add_stream_from_template(template)
        first_s = float(first * template.time_base) - request["origin_s"]
        heard = sound_from(clip, first_s, clip["end_s"])
        sound = None if heard is None else add_audio(writer, *heard, 0.0)
        frames = 0
        for packet in packets:
            frames += packet.pts >= first
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
            packet.stream = stream
            writer.mux(packet)
        if sound is not None:
            sound.finish()
    size = {side: request[side] for side in ("width_px", "height_px")}
    return target.getvalue(), {"start_s": first_s, "end_s": clip["end_s"], "frames": frames, **size}


def _packets(request: dict[str, Any], clip: dict[str, Any]) -> tuple[list[Any], int]:
    """Return the packets from the key picture before the clip to its last, in coded order; ticks of the first shown."""
    import av

    origin_s, late = request["origin_s"], 0
    taken: list[Any] = []
    with open_container(request) as container:
        stream = container.streams[request["video_index"]]
        base = stream.time_base
        try:
            container.seek(int((clip["start_s"] + origin_s) / base), stream=stream, backward=True)
        except av.error.FFmpegError as error:
            raise PermanentFailure("not_seekable", str(error.strerror or error)) from error
        for packet in container.demux(stream):
            if not packet.size or packet.pts is None or packet.dts is None:
                continue
            if not taken and not packet.is_keyframe:
                continue
            is_late = float(packet.pts * base) - origin_s >= clip["end_s"] - TOLERANCE_S
            late = late + 1 if is_late else 0
            if late > request["reorder"]:
                break
            taken.append(packet)
    while taken and float(taken[-1].pts * base) - origin_s >= clip["end_s"] - TOLERANCE_S:
        taken.pop()
    shown = [p.pts for p in taken if float(p.pts * base) - origin_s >= clip["start_s"] - TOLERANCE_S]
    is_whole = taken and float(taken[0].pts * base) - origin_s <= clip["start_s"] + request["slack_s"]
    if not shown or not is_whole:
        raise PermanentFailure("no_pictures", f"no key picture before {clip['start_s']:.3f} s to copy from")
    return taken, min(shown)


def sound_from(clip: dict[str, Any], start_s: float, end_s: float) -> tuple[Any, int] | None:
    """Return samples of [start_s, end_s) from the WAV that begins at the clip's start, and their rate in Hz."""
    if clip["sound_path"] is None:
        return None
    from speakervid_dag.media.wav import read_wav

    samples, rate_hz = read_wav(Path(clip["sound_path"]))
    zero, first, after = (round(time_s * rate_hz) for time_s in (clip["start_s"], start_s, end_s))
    return samples[first - zero : after - zero], rate_hz
