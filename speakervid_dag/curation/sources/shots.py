"""Shot boundaries, found frame by frame in a low-resolution pass.

Belongs here: deciding which changes are cuts, and the shots between cuts and dissolves. Does not belong here: the
difference of two pictures (structure.py), dissolves (dissolves.py), fades through black and white (fades.py), decoding,
faces, what is done with shots.

A cut changes most of the picture at once, for good, and has a calm picture on both sides:
- *structure* compares pictures with mean and contrast removed, so that a cut from dark to dark counts as much as one in
  daylight. It is the change that all but the calmest cells of a grid exceed, each cell after its best small shift:
  a jump in one half of a split screen or an inserted picture leaves calm cells;
- *histogram* is PySceneDetect's luma histogram distance (SpeakerVid-5M's detector), used as additional evidence for
  cuts between similar pictures. Alone it fires on flicker and inserted pictures;
- a flash returns to the picture before it, a shaking camera is calm on neither side, a dissolve changes little per
  frame: none of these is a cut;
- the last step of a fade to black is none, nor the first of one from black: the picture had been losing contrast;
- a change of the picture's size or orientation is always a cut, because boxes are shares of one geometry.

A fade from one take to another through an empty picture separates them where it is empty, and shots touch there.
A dissolve separates two shots like a cut. Its frames show both takes and belong to neither: the shot before ends where
it begins, the shot after begins where it ends.
"""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation import intervals
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.sources.dissolves import DissolveFinder
from speakervid_dag.curation.sources.fades import FadeFinder
from speakervid_dag.curation.sources.structure import is_empty, normalised, structure_change, thumbnail

_FADING = 0.7  # share of its contrast that a picture keeps over the calm frames, at most, if it fades


class TimedImage(Protocol):
    """A decoded frame: time in seconds, (height, width, 3) BGR uint8, number of its stretch of constant geometry."""

    @property
    def time_s(self) -> float: ...
    @property
    def image(self) -> NDArray[np.uint8]: ...
    @property
    def stretch(self) -> int: ...


@dataclass(frozen=True, eq=False)
class FrameSignature:
    """Data kept of a frame: time in s, float32 (64, 64) luma, the same with mean 0 and deviation 1, histogram."""

    time_s: float
    luma: NDArray[np.float32]
    structure: NDArray[np.float32]
    histogram: NDArray[np.float32]


class ShotFinder:
    """Finder of shots. Feed every frame in order, then `finish`. Holds a few thumbnails, whatever the length."""

    def __init__(self, settings: ShotSettings) -> None:
        self._settings = settings
        self._around = settings.calm_frames
        self._window: deque[FrameSignature] = deque(maxlen=2 * self._around + 2)
        self._changes: deque[float] = deque(maxlen=2 * self._around + 1)
        self._starts: list[float] = []
        self._last_s: float | None = None
        self._stretch = 0
        self._steps_s: deque[float] = deque(maxlen=25)
        self._dissolves = DissolveFinder(settings)
        self._fades = FadeFinder(settings)

    def feed(self, frame: TimedImage) -> FrameSignature:
        """Take the next frame and return its signature.

        Raises:
            ValueError: its time is not after the previous frame's.
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
        look = signature_of(frame, self._settings.histogram_bins)
        if self._window:
            self._changes.append(structure_change(self._window[-1].structure, look.structure))
        self._window.append(look)
        self._dissolves.feed(look.time_s, look.luma, look.structure)
        self._fades.feed(look.time_s, look.luma, look.structure)
        if len(self._window) == self._window.maxlen:
            self._judge(self._around)
        return look

    def finish(self) -> list[Interval]:
        """Return shots as (start_s, end_s): each starts at its first frame, the last ends with the last frame.

        Shots touch at cuts; dissolves are excluded.
        """
        if self._last_s is None:
            return []
        self._end_stretch()
        end_s = self._last_s + (float(np.median(self._steps_s)) if self._steps_s else 0.0)
        dissolves = self._dissolves.finish()
        takes = intervals.subtract([(self._starts[0], end_s)], dissolves)
        cuts = [at_s for at_s in self._starts if all(at_s < start or at_s > end for start, end in dissolves)]
        fades = [fade for fade in self._fades.found if not self._is_parted(fade.gone_s, fade.shown_s, dissolves)]
        cuts = sorted([*cuts, *(fade.at_s for fade in fades)])
        shots = [part for take in takes for part in _parted(take, cuts)]
        return shots or [(self._starts[0], end_s)]

    def _is_parted(self, start_s: float, end_s: float, dissolves: list[Interval]) -> bool:
        """Return True if there is a cut or a dissolve between two frames."""
        return any(start_s < at_s <= end_s for at_s in self._starts) or any(
            start < end_s and end > start_s for start, end in dissolves
        )

    def _end_stretch(self) -> None:
        """Judge the changes that still wait for later frames, which will not come."""
        first = self._around if len(self._window) == self._window.maxlen else -1
        for place in range(first + 1, len(self._changes)):
            self._judge(place)
        self._window.clear()
        self._changes.clear()

    def _judge(self, place: int) -> None:
        """Start a shot after frame `place` of the window if the change to the next frame is a cut."""
        settings, change, looks = self._settings, self._changes[place], list(self._window)
        before, after = looks[place], looks[place + 1]
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
        earlier, later = looks[max(0, place - self._around) : place], looks[place + 2 : place + 2 + self._around]
        if _is_fade_step(before, earlier, after) or _is_fade_step(after, later, before):
            return
        across = [(before, look) for look in later] + [(look, after) for look in earlier]
        stays = all(
            structure_change(one.structure, other.structure) >= settings.weak_structure_threshold
            for one, other in across
        )
        if is_calm and stays:
            self._starts.append(after.time_s)


def _parted(take: Interval, cuts: list[float]) -> list[Interval]:
    """Return the take, split at the cuts inside it."""
    return list(itertools.pairwise([take[0], *(at_s for at_s in cuts if take[0] < at_s < take[1]), take[1]]))


def _is_fade_step(shown: FrameSignature, beside: list[FrameSignature], empty: FrameSignature) -> bool:
    """Return True if a picture next to an empty one has much less contrast than one of those beside it."""
    if not beside or not is_empty(empty.luma):
        return False
    return float(shown.luma.std()) < _FADING * max(float(look.luma.std()) for look in beside)


def signature_of(frame: TimedImage, histogram_bins: int) -> FrameSignature:
    """Return the thumbnail and histogram of a frame."""
    from scenedetect.detectors import HistogramDetector

    luma = thumbnail(frame.image)
    histogram = HistogramDetector.calculate_histogram(frame.image, bins=histogram_bins)
    return FrameSignature(frame.time_s, luma, normalised(luma), histogram)


def histogram_change(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    """Return 1 - correlation of two luma histograms, 0 (same) to 2, as in PySceneDetect's HistogramDetector."""
    import cv2

    return 1.0 - float(cv2.compareHist(before, after, cv2.HISTCMP_CORREL))
