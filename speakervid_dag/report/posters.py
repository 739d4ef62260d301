"""Poster frames of clips: one small picture each, cropped to the person, kept under the lake's artifacts.

Belongs here: the moment and part of the picture, the cache, reasons for missing posters. Does not belong here: decoding
(media/stills), pages.
"""

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from speakervid_dag.failures import StageFailure
from speakervid_dag.files import write_bytes
from speakervid_dag.lake.artifacts import cut_folder
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.sources import Sources
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.stills import Image, read_stills

WIDTH_PX, HEIGHT_PX = 208, 260
DECODED_LONG_SIDE_PX = 960
CONTEXT = 0.25  # margin on each side of the clip's box, as a fraction of its size
QUALITY = 74
MAX_VIDEO_WALL_S = 10.0


@dataclass(frozen=True)
class Poster:
    """A picture as a data URI, or the reason for its absence."""

    uri: str | None
    reason: str | None = None


def posters(lake_dir: Path, clips: Sequence[Mapping[str, Any]], *, wall_s: float) -> dict[str, Poster]:
    """Return clip_id → poster, for rows of sql/report/gallery_clips.sql. No video is opened after `wall_s` seconds.

    A video that cannot be read gives a reason, never an error: missing_file, changed_file, unreadable_file,
    out_of_time, or the decoder's reason.
    """
    made, missing = {}, []
    for clip in clips:
        path = _path(lake_dir, clip)
        if path.is_file():
            made[clip["clip_id"]] = _load(path)
        else:
            missing.append(clip)
    sources = Sources.of(BatchBook(lake_dir)) if missing else Sources(())
    deadline = time.monotonic() + wall_s
    order = {clip["video_id"]: i for i, clip in reversed(list(enumerate(missing)))}  # in the caller's order of priority
    for _, group in groupby(sorted(missing, key=lambda c: order[c["video_id"]]), key=lambda c: c["video_id"]):
        wanted = list(group)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            made |= {c["clip_id"]: Poster(None, "out_of_time") for c in wanted}
            continue
        try:
            made |= _of_one_video(lake_dir, sources, wanted, min(left_s, MAX_VIDEO_WALL_S))
        except StageFailure as failure:
            made |= {c["clip_id"]: Poster(None, failure.reason) for c in wanted}
    return made


def _of_one_video(
    lake_dir: Path, sources: Sources, clips: Sequence[Mapping[str, Any]], wall_s: float
) -> dict[str, Poster]:
    source = sources.path(clips[0]["video_id"])
    stills = read_stills(
        source,
        [(c["start_s"] + c["end_s"]) / 2 for c in clips],
        MediaBudget(base_wall_s=wall_s, stall_s=wall_s),
        video_start_s=clips[0]["video_start_s"] or 0.0,
        max_long_side_px=DECODED_LONG_SIDE_PX,
    )
    sources.check_read(clips[0]["video_id"], source)
    made = {}
    for clip, image in zip(clips, stills, strict=True):
        path = _path(lake_dir, clip)
        write_bytes(path, _encoded(cropped(image, [clip[side] for side in ("x1", "y1", "x2", "y2")])))
        made[clip["clip_id"]] = _load(path)
    return made


def cropped(image: Image, box: Sequence[float]) -> Image:
    """Return the box (0-1, x1 y1 x2 y2) with context, grown to the poster's shape as far as the picture allows.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        A view of `image`; at least 1 px in each direction.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    wide, tall = max((x2 - x1) * (1 + 2 * CONTEXT), 1.0), max((y2 - y1) * (1 + 2 * CONTEXT), 1.0)
    wide, tall = max(wide, tall * WIDTH_PX / HEIGHT_PX), max(tall, wide * HEIGHT_PX / WIDTH_PX)
    shrink = min(1.0, width / wide, height / tall)
    wide, tall = max(wide * shrink, 1.0), max(tall * shrink, 1.0)
    left = min(max((x1 + x2 - wide) / 2, 0.0), width - wide)
    top = min(max((y1 + y2 - tall) / 2, 0.0), height - tall)
    return image[int(top) : int(top + tall), int(left) : int(left + wide)]


def _encoded(image: Image) -> bytes:
    import cv2

    small = cv2.resize(image, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return bytes(data)


def _path(lake_dir: Path, clip: Mapping[str, Any]) -> Path:
    """Return the poster's path, named by our clip id and a hash of the box."""
    box = hashlib.sha256(repr([round(clip[s], 4) for s in ("x1", "y1", "x2", "y2")]).encode()).hexdigest()[:8]
    return cut_folder(lake_dir, "posters") / f"{clip['clip_id']}-{box}.webp"


def _load(path: Path) -> Poster:
    return Poster("data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode())
