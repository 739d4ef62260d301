"""Reading a video's pictures, one at a time, from a decoding process.

Belongs here: `Frame`, the reader and its report. Does not belong here: sound (audio), facts of a file (probe), and what
is done with pictures.
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

END_SLACK_FRAMES = 0.5  # of rounding
TIME_SLACK_S = 1e-6


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and when it is shown.

    Attributes:
        time_s: seconds from the container's start, by presentation timestamp.
        image: uint8 (height, width, 3) BGR, upright, square pixels, writable.
        stretch: counts the changes of size or orientation before it; pictures of one stretch are of one size.
        full: the same at full size, where `image` is smaller and one was due (`read_frames`).
    """

    time_s: float
    image: NDArray[np.uint8]
    stretch: int = 0
    full: NDArray[np.uint8] | None = None


class Stretch(NamedTuple):
    """From `start_s` (s) on pictures are displayed in this size, px."""

    start_s: float
    width_px: int
    height_px: int


def stretch_at(stretches: Sequence[Stretch], time_s: float) -> Stretch:
    """The stretch of the picture that begins at `time_s`; there is at least one."""
    at = bisect_right(stretches, time_s + TIME_SLACK_S, key=lambda stretch: stretch.start_s)
    return stretches[max(at - 1, 0)]


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """How reading went. A file that is not `is_complete` was cut or damaged.

    Attributes:
        frames_claimed: by header or packets; None when neither says.
        decode_errors: packets or pictures the decoder called broken.
        times_repaired: pictures dropped because their time did not rise or given a time because they had none, and
            restarts of the file's clock.
        is_complete: no errors, and the pictures reach the last one the file claims.
        wall_s: from the first request to the end, the consumer's time included.
        stretches: in order of time, by what size the pictures are displayed; orientation and pixel aspect begin another
            one, too.
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
            image = payload.reshape(header.height, header.width, 3)
            return Frame(header.time_s, image, header.position, full)
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
    """The pictures of `path`, in rising time.

    Args:
        info: of this very file, from `probe`.
        max_long_side_px: pictures are scaled down, never up, to this long side.
        full_hz: pictures a second that are also given at full size, if they are scaled down at all.

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
