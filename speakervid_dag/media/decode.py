"""Reader of a video's pictures, one at a time, from a decoding process.

Belongs here: `Frame`, the reader and its report. Does not belong here: sound (audio), facts of a file (probe), analysis
of pictures.
"""

import json
import time
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.child import Child
from speakervid_dag.media.decoder import wire
from speakervid_dag.media.probe import MediaInfo, base_request, require_video
from speakervid_dag.media.sniff import sniff

END_SLACK_FRAMES = 0.5  # for rounding
TIME_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and its display time.

    Attributes:
        time_s: seconds from the container's start, by presentation timestamp.
        image: uint8 (height, width, 3) BGR, upright, square pixels, writable.
        stretch: number of changes of size or orientation before it; pictures of one stretch have one size.
        full: the same at full size, if `image` is smaller and one was due (`read_frames`).
    """

    time_s: float
    image: NDArray[np.uint8]
    stretch: int = 0
    full: NDArray[np.uint8] | None = None


class Stretch(NamedTuple):
    """Display size of the pictures from `start_s` (s) on, px."""

    start_s: float
    width_px: int
    height_px: int


def stretch_at(stretches: Sequence[Stretch], time_s: float) -> Stretch:
    """Return the stretch of the picture that begins at `time_s`; `stretches` is not empty."""
    at = bisect_right(stretches, time_s + TIME_SLACK_S, key=lambda stretch: stretch.start_s)
    return stretches[max(at - 1, 0)]


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """Result of reading a file. One that is not `is_complete` was truncated or damaged.

    Attributes:
        frames_claimed: by header or packets; None if neither gives a count.
        decode_errors: packets or pictures that the decoder reported as broken.
        times_repaired: pictures dropped because their time did not rise, pictures without a time, and restarts of the
            file's clock.
        is_complete: no errors, and the pictures reach the last one the file claims.
        wall_s: from the first request to the end, the consumer's time included.
        stretches: in order of time; a change of display size, orientation or pixel aspect begins a new one.
    """

    frames_read: int
    frames_claimed: int | None
    first_time_s: float | None
    last_time_s: float | None
    decode_errors: int
    times_repaired: int
    is_complete: bool
    wall_s: float
    stretches: tuple[Stretch, ...]


class FrameReader:
    """Iterator of `Frame` with bounded memory; a context manager.

    Its process starts at the first `next`. It ends after the last frame, on `close`, when the reader is garbage
    collected, and when the thread that began reading ends.

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
            image = payload.reshape(header.height, header.width, 3)
            return Frame(header.time_s, image, header.position, full)
        self._report = self._conclude(json.loads(payload.tobytes()))
        self.close()
        raise StopIteration

    @property
    def report(self) -> DecodeReport:
        """Return the report. Raises RuntimeError before the last frame was read: a partly read file has none."""
        if self._report is None:
            raise RuntimeError("the report exists once every frame has been read")
        return self._report

    @property
    def child_pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the decoding process; may be called repeatedly."""
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
        stretches = tuple(Stretch(*told) for told in result.pop("stretches"))
        reaches_end = False
        if result["last_time_s"] is not None and info.fps and info.video_last_s is not None:
            reaches_end = result["last_time_s"] >= info.video_last_s - END_SLACK_FRAMES / info.fps
        return DecodeReport(
            **result,
            stretches=stretches,
            frames_claimed=info.frame_count,
            is_complete=reaches_end and not result["decode_errors"],
            wall_s=time.monotonic() - self._began,
        )


def read_frames(
    path: Path, info: MediaInfo, budget: MediaBudget, *, max_long_side_px: int | None = None, full_hz: float = 0.0
) -> FrameReader:
    """Return a reader of the pictures of `path`, in rising time.

    Args:
        info: of the same file, from `probe`.
        max_long_side_px: pictures are scaled down, never up, to this long side.
        full_hz: pictures per second that also come at full size, if they are scaled down.

    Raises:
        PermanentFailure: no_video_stream; and see `FrameReader`.
    """
    require_video(info)
    request = {
        **base_request(path, sniff(path), budget),
        "task": "pictures",
        "video_index": info.video_index,
        "origin_s": info.origin_s,
        "fps": info.fps or 25.0,
        "is_hdr_believed": info.is_hdr_believed,
        "max_long_side_px": max_long_side_px,
        "full_hz": full_hz,
        "max_total_pixels": budget.max_total_pixels,
    }
    return FrameReader(request, info, budget)
