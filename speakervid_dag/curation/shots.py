"""Shot boundaries, found frame by frame over a low-resolution pass.

Belongs here: how unlike two pictures are, and which change is a cut. Does not belong here: decoding, faces, or what is
done with shots.

A cut changes most of the picture at once, stays, and stands between two calm sides:
- *structure* compares pictures with mean and contrast taken out, so that a cut from dark to dark counts as much as one
  in daylight. It is the change that all but the calmest cells of a grid exceed, each cell after its best small shift:
  a jump in one half of a split screen or an inserted picture leaves calm cells;
- *histogram* is PySceneDetect's luma histogram distance (SpeakerVid-5M's detector), used as a second witness for cuts
  between alike pictures. Alone it fires on flicker and inserted pictures;
- a flash returns to the picture before it, a shaking camera is calm on neither side, a dissolve changes little a frame:
  none of these is a cut;
- where size or orientation of the picture change, there is a cut, whatever it shows: boxes are shares of one geometry.
"""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.intervals import Interval

_SIDE_PX = 64
_CELLS = 4
_SHIFT_PX = 2
_NOISE_LUMA = 3.0  # added to the deviation: a black or white picture has no structure, only noise


class TimedImage(Protocol):
    """A decoded frame: time in seconds, (height, width, 3) BGR uint8, number of its stretch of one geometry."""

    @property
    def time_s(self) -> float: ...
    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def stretch(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of a frame: float32 (64, 64) of mean 0 and deviation 1, its luma histogram, its time in s."""

    time_s: float
    structure: NDArray[np.float32]
    histogram: NDArray[np.float32]


class ShotFinder:
    """Feed every frame in order, then `finish`. Holds a handful of thumbnails, whatever the length."""

    def __init__(self, settings: ShotSettings) -> None:
        self._settings = settings
        self._around = settings.calm_frames
        self._window: deque[Look] = deque(maxlen=2 * self._around + 2)
        self._changes: deque[float] = deque(maxlen=2 * self._around + 1)
        self._starts: list[float] = []
        self._last_s: float | None = None
        self._stretch = 0
        self._steps_s: deque[float] = deque(maxlen=25)

    def feed(self, frame: TimedImage) -> Look:
        """Take the next frame; gives what is kept of it.

        Raises:
            ValueError: its time does not rise.
        """
        if self._last_s is None:
            self._starts.append(frame.time_s)
        elif frame.time_s <= self._last_s:
            raise ValueError(f"frame at {frame.time_s} s does not follow the one at {self._last_s} s")
        else:
            self._steps_s.append(frame.time_s - self._last_s)
            if frame.stretch != self._stretch:
                self._end_stretch()
                self._starts.append(frame.time_s)
        self._last_s, self._stretch = frame.time_s, frame.stretch
        look = look_at(frame, self._settings.histogram_bins)
        if self._window:
            self._changes.append(structure_change(self._window[-1].structure, look.structure))
        self._window.append(look)
        if len(self._window) == self._window.maxlen:
            self._judge(self._around)
        return look

    def finish(self) -> list[Interval]:
        """Shots as (start_s, end_s): each starts at its first frame, they touch, the last ends with the last frame."""
        if self._last_s is None:
            return []
        self._end_stretch()
        end_s = self._last_s + (float(np.median(self._steps_s)) if self._steps_s else 0.0)
        return list(itertools.pairwise([*self._starts, end_s]))

    def _end_stretch(self) -> None:
        """Judge the changes that waited for what comes after them; nothing does."""
        first = self._around if len(self._window) == self._window.maxlen else -1
        for place in range(first + 1, len(self._changes)):
            self._judge(place)
        self._window.clear()
        self._changes.clear()

    def _judge(self, place: int) -> None:
        """Is the change from frame `place` of the window to the next one a cut?"""
        settings, change = self._settings, self._changes[place]
        before, after = self._window[place], self._window[place + 1]
        if change < settings.structure_threshold and (
            change < settings.weak_structure_threshold
            or histogram_change(before.histogram, after.histogram) < settings.histogram_threshold
        ):
            return
        if after.time_s - self._starts[-1] < settings.min_shot_s:
            return
        near = range(max(0, place - self._around), min(len(self._changes), place + self._around + 1))
        neighbours = [self._changes[i] for i in near if i != place]
        is_calm = not neighbours or float(np.median(neighbours)) <= settings.max_unrest * change
        looks = list(self._window)
        earlier, later = looks[max(0, place - self._around) : place], looks[place + 2 : place + 2 + self._around]
        across = [(before, look) for look in later] + [(look, after) for look in earlier]
        stays = all(
            structure_change(one.structure, other.structure) >= settings.weak_structure_threshold
            for one, other in across
        )
        if is_calm and stays:
            self._starts.append(after.time_s)


def look_at(frame: TimedImage, histogram_bins: int) -> Look:
    """The thumbnail and histogram of a frame."""
    import cv2
    from scenedetect.detectors import HistogramDetector

    luma = cv2.cvtColor(
        cv2.resize(frame.image, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
    ).astype(np.float32)
    structure = (luma - luma.mean()) / (luma.std() + _NOISE_LUMA)
    histogram = HistogramDetector.calculate_histogram(frame.image, bins=histogram_bins)
    return Look(frame.time_s, structure.astype(np.float32), histogram)


def structure_change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """How much most of the picture changed, in standard deviations; 0 = same, unrelated pictures about 0.7.

    Args:
        before, after: float32 (64, 64), normalised.

    Returns:
        The change that ten of the sixteen cells exceed. A cell's change is its mean absolute difference after the best
        shift of at most 2 px.
    """
    padded = np.pad(before, _SHIFT_PX, mode="edge")
    shifts = range(2 * _SHIFT_PX + 1)
    cell = _SIDE_PX // _CELLS
    best = np.full((_CELLS, _CELLS), np.inf, dtype=np.float32)
    for down, right in itertools.product(shifts, shifts):
        apart = np.abs(after - padded[down : down + _SIDE_PX, right : right + _SIDE_PX])
        best = np.minimum(best, apart.reshape(_CELLS, cell, _CELLS, cell).mean(axis=(1, 3)))
    return float(np.sort(best, axis=None)[_CELLS * _CELLS - 11])


def histogram_change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """1 - correlation of two luma histograms, 0 (same) to 2: the measure of PySceneDetect's HistogramDetector."""
    import cv2

    return 1.0 - float(cv2.compareHist(before, after, cv2.HISTCMP_CORREL))
