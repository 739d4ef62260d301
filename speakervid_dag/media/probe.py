"""What a media file holds, found out in a decoding process.

Belongs here: the facts of a file and the refusal of files beyond the budget. Does not belong here: reading pictures
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
    """What the container says of one sound track; nothing of it is proved by decoding.

    Attributes:
        track: stream number.
        language: the container's own code: ISO 639-2 in most, BCP 47 in some. None when it gives none.
        is_default: players take it unless told otherwise.
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
    """A file's facts. Times in s from the container's start, the smallest start of its picture and sound.

    Attributes:
        container: libav's demuxer: mov, matroska, avi, mpegts, mpeg, mxf, flv, asf, wav, mp3, aac, flac, ogg.
        duration_s: the longer of what the header claims and what the packets reach.
        width_px, height_px: as displayed: upright, with square pixels, at the start. None without a moving picture.
        fps: pictures a second of a steady pace, whatever single pictures are held; else on average.
        frame_count: pictures the file claims (header or packets, whichever is more).
        rotation_deg: clockwise turn that makes the stored picture upright: 0, 90, 180, 270, at the start. `read_frames`
            applies it.
        is_mirrored: the stored picture is mirrored left to right before it is turned, at the start.
        color_transfer, color_primaries: as the stream says it, by libav's names. None where it does not.
        bit_depth: of one colour of a pixel.
        colours: what the numbers are taken as: sdr, pq or hlg, at the start. `read_frames` gives SDR of BT.709 in any
            case.
        colour_fault: why the stream's word on its colours is not followed. None: it is.
        is_hdr_believed: False where pictures tagged as PQ were found to be SDR.
        has_video: a moving picture; a cover or a single still is none.
        bit_rate_bps: of the whole file.
        year: of the date that the container gives (its content's, else the file's). None when it gives none.
        genre: the container's own word. None when it has none.
        origin_s: the container's start on its own clock.
        is_seekable: every packet of the picture tells its time on one clock, so that seeking finds it.
        video_last_s, video_end_s: when the last picture begins and when it ends by the file's own claim.
        video_index, audio_index: stream numbers; of several sound tracks the one that players take.
        sound_tracks: all of them, that one first.
        forgets_layouts: channels have no names, since the file has them in an order of its own. PyAV (18.1) frees such
            a layout twice, so it must not be read.
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
    """Look at `path`; only regular local files with a whitelisted container are opened.

    A file with sound alone is described, with `has_video` False: whether that is enough is the caller's to say
    (`require_video`).

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
    """Raises PermanentFailure(no_video_stream) when there is no moving picture."""
    if not info.has_video:
        raise PermanentFailure("no_video_stream", "the file has no moving picture")


def require_audio(info: MediaInfo) -> None:
    """Raises PermanentFailure(no_audio_stream) when there is no sound."""
    if not info.has_audio:
        raise PermanentFailure("no_audio_stream", "the file has no sound")


def base_request(path: Path, demuxer: str, budget: MediaBudget, *, forgets_layouts: bool = False) -> dict[str, Any]:
    """What every task of the decoding process needs to open the file."""
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
