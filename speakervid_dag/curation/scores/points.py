"""TalkVid's motion score of a clip: the share of CoTracker's points that stay visible.

Belongs here: the frames that the tracker gets, and the formula over its output. Does not belong here: the tracker
(models/cotracker.py), the score from sparse optical flow, which needs no weights (camera.py), gates.

TalkVid's paper names the ratio and its band [0.85, 0.999]. The procedure is in the authors' scripts: two pictures per
second of the whole frame, 0.2 s skipped at either end, windows of at most 6 s (the first, a middle and the last one of
a longer clip), a grid of 50×50 points on the first picture of each, and the minimum of the windows' mean visibilities.
Two differences: frames are chosen by their times, so that a variable frame rate does not matter; and they are shrunk
directly to the tracker's 512×384 px (the scripts first go to a quarter of the size).

The score is (value, "ok") or (None, reason): too_few_frames (a window has fewer pictures than scores.min_samples),
too_small (a side of a picture is below 16 px), frames_lost (the second decode gave other frames).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ScoreSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.scores.measurement import Measurement

Image = NDArray[np.uint8]
Times = NDArray[np.float64]

NAME = "cotracker_ratio"
SIZE_PX = (512, 384)  # width, height of CoTracker's input
MIN_SIDE_PX = 16  # the features have a stride of 4 px, and the grid needs a few of them


class PointTracker(Protocol):
    """See models.cotracker.CoTracker: visibility in each picture of a grid on the first one, bool (t, points)."""

    def visible(self, pictures: NDArray[np.uint8], grid: int) -> NDArray[np.bool_]: ...


def windows(span: Interval, length_s: float) -> list[Interval]:
    """Return the span itself if it is at most `length_s` long, else its first and last `length_s`, and also a middle
    window if it is longer than twice that."""
    start, end = span
    if end - start <= length_s:
        return [span]
    middle = (start + end) / 2
    inner = [(middle - length_s / 2, middle + length_s / 2)] if end - start > 2 * length_s else []
    return [(start, start + length_s), *inner, (end - length_s, end)]


def sampled(times_s: Times, span: Interval, rate_hz: float) -> Times:
    """Return the first of the ascending frame times at or after each tick of `rate_hz` from the span's start."""
    inside = times_s[(times_s >= span[0]) & (times_s < span[1])]
    ticks = np.arange(span[0], span[1], 1 / rate_hz)
    first = np.searchsorted(inside, ticks - 1e-6)  # rounding must not skip a frame that is on its tick
    return np.asarray(inside[np.unique(first[first < len(inside)])], np.float64)


def track_ratio(seen: Sequence[NDArray[np.bool_]]) -> float:
    """Return the minimum over one or more windows of the mean visibility over pictures and points, 0-1."""
    return min(float(window.mean()) for window in seen)


class PointLook:
    """The tracker on one clip: call `see` for each of `times_s`, then `answer`."""

    part = "cotracker"
    names: tuple[str, ...] = (NAME,)

    def __init__(
        self, clip: Mapping[str, Any], frame_times_s: Times, *, settings: ScoreSettings, tracker: PointTracker
    ) -> None:
        self.clip_id = str(clip["clip_id"])
        self._tracker, self._grid = tracker, settings.point_grid
        span = (clip["start_s"] + settings.point_trim_s, clip["end_s"] - settings.point_trim_s)
        parts = windows(span, settings.point_window_s)
        self._windows = [sampled(frame_times_s, part, settings.point_hz) for part in parts]
        is_short = min(len(times) for times in self._windows) < settings.min_samples
        self.reason = "too_few_frames" if is_short else ""
        self.times_s = frozenset() if is_short else frozenset(float(t) for times in self._windows for t in times)
        self._pictures: dict[float, Image] = {}

    def see(self, time_s: float, image: Image) -> None:
        import cv2

        if min(image.shape[:2]) < MIN_SIDE_PX:
            self.reason = "too_small"
            return
        self._pictures[time_s] = np.asarray(cv2.resize(image, SIZE_PX, interpolation=cv2.INTER_AREA), np.uint8)

    def answer(self) -> dict[str, Measurement]:
        reason = self.reason or ("frames_lost" if len(self._pictures) < len(self.times_s) else "")
        if reason:
            return {NAME: (None, reason)}
        stacks = [np.stack([self._pictures[float(t)] for t in times]) for times in self._windows]
        return {NAME: (track_ratio([self._tracker.visible(stack, self._grid) for stack in stacks]), "ok")}
