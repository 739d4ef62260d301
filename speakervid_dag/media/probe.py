"""Facts of a media file, read in a decoding process.

Belongs here: the facts of a file, refusal of files beyond the budget. Does not belong here: reading pictures
(decode) or sound (audio).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import as_argument, run_task
from speakervid_dag.media.sniff import sniff


@dataclass(frozen=True, kw_only=True)
class SoundTrack:
    """Facts of one sound track as the container states them, not verified by decoding.

    Attributes:
        track: stream number.
        language: the container's own code: ISO 639-2 in most, BCP 47 in some. None if absent.
        is_default: players choose it by default.
        is_extra: marked as commentary, dub, or sound for people who cannot see or hear.
        layout: libav's name: stereo, 5.1, "3 channels" …
    """

    track: int
    codec: str | None = None
    language: str | None = None
    title: str | None = None
    is_default: bool = False
    is_extra: bool = False
    channels: int | None = None
    layout: str | None = None
    sample_rate_hz: int | None = None


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """Facts of a file. Times in s from the container's start: the earlier start of its picture and sound.

    Attributes:
        container: libav's demuxer: mov, matroska, avi, mpegts, mpeg, mxf, flv, asf, wav, mp3, aac, flac, ogg.
        duration_s: the longer of the header's claim and the packets' end.
        width_px, height_px: as displayed: upright, with square pixels, at the start. None without a moving picture.
        fps: pictures per second: the steady rate, ignoring single held pictures, or else the average.
        frame_count: pictures the file claims (header or packets, whichever is more).
        rotation_deg: clockwise turn that makes the stored picture upright, at the start: 0, 90, 180, 270. `read_frames`
            applies it.
        is_mirrored: the stored picture is mirrored left to right before it is turned, at the start.
        color_transfer, color_primaries: the stream's tags, by libav's names. None if absent.
        bit_depth: per colour component.
        colours: how the values are interpreted, at the start: sdr, pq or hlg. `read_frames` always yields SDR of
            BT.709.
        colour_fault: why the stream's colour tags are not followed. None: they are.
        is_hdr_believed: False where pictures tagged as PQ were found to be SDR.
        has_video: there is a moving picture; a cover or a single still does not count.
        bit_rate_bps: of the whole file.
        year: from the container's date (the content's, or else the file's). None if absent.
        genre: the container's tag. None if absent.
        origin_s: the container's start on its own clock.
        is_seekable: every picture packet has a time, and all are on one clock, so that seeking works.
        video_last_s, video_end_s: when the last picture begins and ends, as the file claims.
        video_index, audio_index: stream numbers; of several sound tracks, the one that players choose.
        sound_tracks: all of them, that one first.
        forgets_layouts: channels are not named, because the file has them in a custom order. PyAV (18.1) frees such a
            layout twice, so it must not be read.
    """

    container: str
    duration_s: float
    has_video: bool
    has_audio: bool
    origin_s: float
    bit_rate_bps: int | None
    video_codec: str | None = None
    audio_codec: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    fps: float | None = None
    frame_count: int | None = None
    is_variable_frame_rate: bool = False
    is_seekable: bool = False
    rotation_deg: int = 0
    is_mirrored: bool = False
    color_transfer: str | None = None
    color_primaries: str | None = None
    bit_depth: int | None = None
    colours: str = "sdr"
    colour_fault: str | None = None
    is_hdr_believed: bool = True
    video_start_s: float | None = None
    video_last_s: float | None = None
    video_end_s: float | None = None
    audio_start_s: float | None = None
    audio_sample_rate_hz: int | None = None
    audio_channels: int | None = None
    year: int | None = None
    genre: str | None = None
    video_index: int | None = None
    audio_index: int | None = None
    sound_tracks: tuple[SoundTrack, ...] = ()
    forgets_layouts: bool = False


def probe(path: Path, budget: MediaBudget) -> MediaInfo:
    """Return the facts of `path`; only regular local files with a whitelisted container are opened.

    A file with sound only is accepted, with `has_video` False; callers that need a picture use `require_video`.

    Raises:
        PermanentFailure: missing_file, symbolic_link, not_a_regular_file, unreadable_file, empty_file,
            playlist_refused, unrecognised_container, damaged_container, no_streams, bad_dimensions, unsupported_codec,
            no_decodable_picture, over_budget, decoder_crashed, decoder_timeout, decoder_out_of_memory.
    """
    request = {**base_request(path, sniff(path), budget), "task": "probe"}
    try:
        facts = run_task(request, budget, media_s=0.0)
    except PermanentFailure as problem:
        if problem.reason != "decoder_crashed":
            raise
        request |= {"forgets_layouts": True}
        facts = run_task(request, budget, media_s=0.0)
    tracks = tuple(SoundTrack(**told) for told in facts["sound_tracks"])
    info = MediaInfo(**{**facts, "sound_tracks": tracks, "forgets_layouts": request["forgets_layouts"]})
    _refuse_over_budget(info, budget)
    return info


def require_video(info: MediaInfo) -> None:
    """Raise PermanentFailure(no_video_stream) if there is no moving picture."""
    if not info.has_video:
        raise PermanentFailure("no_video_stream", "the file has no moving picture")


def require_audio(info: MediaInfo) -> None:
    """Raise PermanentFailure(no_audio_stream) if there is no sound."""
    if not info.has_audio:
        raise PermanentFailure("no_audio_stream", "the file has no sound")


def base_request(path: Path, demuxer: str, budget: MediaBudget, *, forgets_layouts: bool = False) -> dict[str, Any]:
    """Return the fields that every task of the decoding process needs to open the file."""
    return {
        "forgets_layouts": forgets_layouts,
        "path": as_argument(path),
        "demuxer": demuxer,
        "max_streams": budget.max_streams,
        "max_pixels": budget.max_pixels_per_frame,
        "max_duration_s": budget.max_duration_s,
        "geometry_changes": [budget.base_geometry_changes, budget.geometry_changes_per_s],
    }


def _refuse_over_budget(info: MediaInfo, budget: MediaBudget) -> None:
    if info.duration_s > budget.max_duration_s:
        raise PermanentFailure("over_budget", f"{info.duration_s:.0f} s long, at most {budget.max_duration_s:.0f} s")
    if info.width_px and info.height_px:
        pixels = info.width_px * info.height_px
        frames = info.frame_count or 0
        if pixels > budget.max_pixels_per_frame:
            raise PermanentFailure("over_budget", f"pictures of {pixels} px, at most {budget.max_pixels_per_frame} px")
        if pixels * frames > budget.max_total_pixels:
            raise PermanentFailure(
                "over_budget", f"{frames} pictures of {pixels} px, at most {budget.max_total_pixels} px"
            )
