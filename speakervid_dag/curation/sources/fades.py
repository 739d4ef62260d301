"""Fades: a take goes over into an empty picture (black, white), and another one comes out of it.

Belongs here: finding the moment at which one take has gone and the next has not come. Does not belong here: cuts, also
those to an empty picture (shots.py), dissolves (dissolves.py), what a fade's frames are worth.

A fading picture keeps its structure and loses its contrast. So a fade is a stretch of empty pictures between two
pictures that differ as across a cut. After a flash, a blink or a light that goes out and on the picture is the one
before; a fade in at the start and a fade out at the end have a picture on one side only: none of these is a boundary.

All frames of a fade show one take only, so they stay in its shot; the boundary is in the middle of the empty ones.
"""

from dataclasses import dataclass

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.sources.structure import Thumbnail, structure_change

_SHOWN_LUMA = 8.0  # deviation from which a picture shows something
_SHOWN_SHARE = 0.5  # ... of the deviation that its take had, if that is less
_EMPTY_SHARE = 0.5  # of either, below which it is empty
_FORGET_PER_S = 0.7  # how a take's deviation is forgotten; a fade of 2 s leaves half


@dataclass(frozen=True)
class Fade:
    """The boundary of a fade, and the time of the nearest frames that show something before and after it."""

    gone_s: float
    at_s: float
    shown_s: float


class FadeFinder:
    """Finder of fades. Feed every frame in order; `found` are the fades so far. Holds one thumbnail."""

    def __init__(self, settings: ShotSettings) -> None:
        self._threshold = settings.structure_threshold
        self._before: tuple[float, Thumbnail] | None = None
        self._deviation = 0.0
        self._empty_s: list[float] = []
        self.found: list[Fade] = []

    def feed(self, time_s: float, luma: Thumbnail, structure: Thumbnail) -> None:
        """Take the next frame: its luma as float32 (64, 64), and the same with mean and contrast removed."""
        deviation = float(luma.std())
        shown = min(_SHOWN_LUMA, _SHOWN_SHARE * self._deviation)
        if self._before and deviation < _EMPTY_SHARE * shown:
            self._empty_s.append(time_s)
        elif self._before is None or not self._empty_s or deviation >= shown:
            self._show(time_s, deviation, structure)

    def _show(self, time_s: float, deviation: float, structure: Thumbnail) -> None:
        """Take a picture that shows something; it may end a stretch of empty ones."""
        if self._before:
            gone_s, before = self._before
            if self._empty_s and structure_change(before, structure) >= self._threshold:
                self.found.append(Fade(gone_s, self._empty_s[len(self._empty_s) // 2], time_s))
            deviation = max(deviation, self._deviation * _FORGET_PER_S ** (time_s - gone_s))
        self._before, self._deviation, self._empty_s = (time_s, structure), deviation, []
