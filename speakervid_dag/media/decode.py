"""Reading a video's pictures, one at a time, from a decoding process.

Belongs here: `Frame`, the reader and its report. Does not belong here: sound (audio), facts of a file (probe), and what
is done with pictures.
"""

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.media import wire
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.probe import MediaInfo, base_request, require_video
from speakervid_dag.media.sniff import sniff

END_SLACK_FRAMES = 1.5  # the last picture starts one interval before the end


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and when it is shown.

    Attributes:
        time_s: seconds from the container's start, by presentation timestamp.
        image: uint8 (height, width, 3) BGR, upright, square pixels, writable.
        full: the same at full size, where `image` is smaller and one was due (`read_frames`).
    """

    time_s: float
    image: NDArray[np.uint8]
    full: NDArray[np.uint8] | None = None


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """How reading went. A file that is not `is_complete` was cut or damaged.

    Attributes:
        frames_claimed: by header or packets; None when neither says.
        decode_errors: packets or pictures the decoder called broken.
        times_repaired: pictures dropped because their time did not rise or given a time because they had none, and
            restarts of the file's clock.
        is_complete: no errors, and the pictures reach the end the file claims.
        wall_s: from the first request to the end, the consumer's time included.
    """

    frames_read: int
    frames_claimed: int | None
    first_time_s: float | None
    last_time_s: float | None
    decode_errors: int
    times_repaired: int
    is_complete: bool
    wall_s: float


class FrameReader:
    """Iterator of `Frame` with bounded memory; a context manager.

    Its process starts at the first `next` and ends with the last frame, with `close`, when the reader is dropped, and
    when the thread that began reading ends.

    `next` raises PermanentFailure: decoder_crashed, decoder_timeout, decoder_out_of_memory, over_budget,
    damaged_container.
    """

    def __init__(self, request: dict[str, Any], info: MediaInfo, budget: MediaBudget) -> None:
        self._request, self._info, self._budget = request, info, budget
        self._child: Child | None = None
        self._messages: Any = None
        self._is_closed = False
        self._began = 0.0
        self._report: DecodeReport | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        if self._is_closed:
            raise StopIteration
        if self._child is None:
            self._began = time.monotonic()
            self._child = Child(self._request, self._budget, self._info.duration_s)
            self._messages = self._child.messages()
        full = None
        with ExitStack() as failing:
            failing.callback(self.close)
            header, payload = next(self._messages)
            if header.kind == wire.FULL_PICTURE:
                full = payload.reshape(header.height, header.width, 3)
                header, payload = next(self._messages)
            failing.pop_all()
        if header.kind == wire.PICTURE:
            return Frame(header.time_s, payload.reshape(header.height, header.width, 3), full)
        self._report = self._conclude(json.loads(payload.tobytes()))
        self.close()
        raise StopIteration

    @property
    def report(self) -> DecodeReport:
        """Raises RuntimeError before the last frame was read: nothing is known of a file left half way."""
        if self._report is None:
            raise RuntimeError("the report exists once every frame has been read")
        return self._report

    @property
    def child_pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the decoding process; harmless when repeated."""
        self._is_closed = True
        if self._child is not None:
            self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _conclude(self, result: dict[str, Any]) -> DecodeReport:
        info = self._info
        reaches_end = False
        if result["last_time_s"] is not None and info.fps and info.video_end_s is not None:
            reaches_end = result["last_time_s"] >= info.video_end_s - END_SLACK_FRAMES / info.fps
        return DecodeReport(
            **result,
            frames_claimed=info.frame_count,
            is_complete=reaches_end and not result["decode_errors"],
            wall_s=time.monotonic() - self._began,
        )


def read_frames(
    path: Path, info: MediaInfo, budget: MediaBudget, *, max_long_side_px: int | None = None, full_hz: float = 0.0
) -> FrameReader:
    """The pictures of `path`, in rising time.

    Args:
        info: of this very file, from `probe`.
        max_long_side_px: pictures are scaled down, never up, to this long side.
        full_hz: pictures a second that are also given at full size, if they are scaled down at all.

    Raises:
        PermanentFailure: no_video_stream; and see `FrameReader`.
    """
    require_video(info)
    width, height = display_size(info, max_long_side_px)
    full_width, full_height = display_size(info, None)
    request = {
        **base_request(path, sniff(path), budget),
        "task": "pictures",
        "video_index": info.video_index,
        "origin_s": info.origin_s,
        "fps": info.fps or 25.0,
        "rotation_deg": info.rotation_deg,
        "is_mirrored": info.is_mirrored,
        "width_px": width,
        "height_px": height,
        "full_hz": full_hz if (width, height) != (full_width, full_height) else 0.0,
        "full_size": {"width_px": full_width, "height_px": full_height},
        "source_pixels": (info.width_px or 0) * (info.height_px or 0),
        "max_total_pixels": budget.max_total_pixels,
    }
    return FrameReader(request, info, budget)


def display_size(info: MediaInfo, max_long_side_px: int | None) -> tuple[int, int]:
    """(width, height) in px of the pictures `read_frames` gives."""
    assert info.width_px
    assert info.height_px
    long_side = max(info.width_px, info.height_px)
    if max_long_side_px is None or long_side <= max_long_side_px:
        return info.width_px, info.height_px
    scale = max_long_side_px / long_side
    return max(1, round(info.width_px * scale)), max(1, round(info.height_px * scale))
