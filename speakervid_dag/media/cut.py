"""Cutting clips out of a video: frame-exact, cropped, 25 fps H.264 with given sound.

Belongs here: the parent's side: requests to the decoding process, writing what it sends. Does not belong here: which
clips and which sound (release/), what runs in the decoding process (decoder/clip_pictures, decoder/clip_copy).

One decoding process serves all clips of a call: starting one costs as much as half a second of encoding.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.files import write_bytes
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child, as_argument
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.probe import MediaInfo, base_request, require_video
from speakervid_dag.media.region import Box
from speakervid_dag.media.sniff import sniff

COPIED_CODECS = ("h264", "hevc", "av1", "vp9")  # MP4 can hold them, and players support that
REORDERED_PICTURES = 16  # most that H.264 and HEVC code ahead of display order


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Parameters of a written clip; every value is part of its identity.

    Attributes:
        margin: added on each side of the box, as a fraction of its size.
        max_long_side_px: of the clip; SpeakerVid-5M's 1920 (REFERENCE §1.1). Pictures are scaled down, never up.
        crf: x264 quality; 18 counts as visually lossless.
    """

    fps: float = 25.0
    margin: float = 0.1
    max_long_side_px: int = 1920
    crf: int = 18
    preset: str = "veryfast"
    rate_hz: int = 16_000

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class ClipCut:
    """One clip to make: [start_s, end_s) on the container's clock; `box` (x1, y1, x2, y2), 0-1; None: whole picture."""

    path: Path
    start_s: float
    end_s: float
    box: Box | None


@dataclass(frozen=True)
class Done:
    """Result of one cut: its facts, or the failure. Its sound lasts from `start_s` to `end_s`."""

    start_s: float = 0.0
    end_s: float = 0.0
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    is_stream_copy: bool = False
    failure: PermanentFailure | None = None


def cut_clips(
    source: Path,
    info: MediaInfo,
    budget: MediaBudget,
    cuts: Sequence[ClipCut],
    sounds: Sequence[Path | None],
    encoding: Encoding,
) -> Iterator[Done]:
    """Make the clips and yield the result of each, in order. Sorted by start they are fastest to cut.

    A clip begins with the first picture at or after its start, so that picture and sound stay in sync. From there to
    the clip's end, one picture is shown at each tick of `encoding.fps`.

    Args:
        info: of the same file, from `probe`.
        sounds: a WAV per clip, at `encoding.rate_hz`, from `ClipCut.start_s` to one tick after its end; None makes a
            silent clip.

    Raises:
        PermanentFailure: the whole file cannot be read; see `FrameReader`.
        OSError: for example, the disk is full; the unfinished clip is removed.
    """
    require_video(info)
    how = {"encoding": encoding.as_dict()}
    for told in _made({"task": "clips", **how}, source, info, budget, cuts, sounds):
        yield Done(*told) if isinstance(told, tuple) else Done(failure=told)


def can_copy(info: MediaInfo) -> bool:
    """Return whether `copy_clips` supports this file: upright SDR picture, a codec for MP4, seekable."""
    is_plain = info.colours == "sdr" and not info.colour_fault and not info.rotation_deg and not info.is_mirrored
    return info.video_codec in COPIED_CODECS and info.is_seekable and is_plain


def copy_clips(
    source: Path, info: MediaInfo, budget: MediaBudget, cuts: Sequence[ClipCut], sounds: Sequence[Path | None]
) -> Iterator[Done]:
    """Do the same without re-encoding: whole pictures, at the source's rate and quality.

    A clip begins as in `cut_clips`. It may end a few pictures late if its last pictures depend on later ones.
    """
    how = {"reorder": REORDERED_PICTURES, "slack_s": 1.5 / (info.fps or 25.0)}
    size = {"width_px": info.width_px, "height_px": info.height_px}
    for told in _made({"task": "copies", **how, **size}, source, info, budget, cuts, sounds):
        yield Done(*told, is_stream_copy=True) if isinstance(told, tuple) else Done(failure=told)


Told = tuple[float, float, int, int, int]  # the first fields of Done


def _made(
    how: dict[str, Any],
    source: Path,
    info: MediaInfo,
    budget: MediaBudget,
    cuts: Sequence[ClipCut],
    sounds: Sequence[Path | None],
) -> Iterator[Told | PermanentFailure]:
    """Request the clips from a decoding process and write each as it arrives.

    The process uses one thread: callers that cut many clips run one process per core.
    """
    budget = budget.model_copy(update={"decoder_threads": 1})
    request = {
        **base_request(source, sniff(source), budget),
        **how,
        "video_index": info.video_index,
        "origin_s": info.origin_s,
        "video_start_s": info.video_start_s or 0.0,
        "source_fps": info.fps or 25.0,
        "is_seekable": info.is_seekable,
        "is_hdr_believed": info.is_hdr_believed,
        "clips": [_asked(cut, sound) for cut, sound in zip(cuts, sounds, strict=True)],
    }
    media_s = info.duration_s + sum(cut.end_s - cut.start_s for cut in cuts)
    with Child(request, budget, media_s) as child:
        messages = child.messages()
        for cut in cuts:
            told = json.loads(_next(messages, wire.CLIP))
            if "reason" in told:
                yield PermanentFailure(told["reason"], told["detail"])
                continue
            write_bytes(cut.path, _next(messages, wire.FILE))
            yield told["start_s"], told["end_s"], told["frames"], told["width_px"], told["height_px"]


def _asked(cut: ClipCut, sound: Path | None) -> dict[str, Any]:
    path = None if sound is None else as_argument(sound)
    return {"start_s": cut.start_s, "end_s": cut.end_s, "box": cut.box, "sound_path": path}


def _next(messages: Iterator[tuple[wire.Header, Any]], kind: int) -> bytes:
    header, payload = next(messages)
    if header.kind != kind:
        raise RuntimeError(f"message {kind} was due, not {header.kind}")
    data: bytes = payload.tobytes()
    return data
