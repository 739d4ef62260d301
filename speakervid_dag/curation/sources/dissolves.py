"""Dissolves: one take fades into another, so that no frame is a cut.

Belongs here: which stretch of a picture is a mixture of what stands before and after it. Does not belong here: cuts
(shots.py), fades through black (their frames are no mixture of both sides), what is done with the stretch.

Twin comparison (Zhang, Kankanhalli and Smoliar 1993) finds two pictures that differ as across a cut although no frame
between them is one. A moving camera or person gives that, too. In a dissolve, moreover,
- both sides are calm: outside it less changes than between the ends, and at a slower pace;
- each frame between is w · after + (1 - w) · before, but for what moves: the rest is small in most of the picture;
- w rises steadily from 0 to 1.
A pan, a zoom or a person who walks in fails the second: what is between is somewhere else, not two pictures at once.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.intervals import Interval, merge
from speakervid_dag.curation.sources.structure import CELLS, SIDE_PX, cell_change, cells_exceeded, structure_change

_CALM_LOOKS = 3  # looks outside either end that must be calm
_MIN_BLENDED = 2  # looks that show both sides at once
_MAX_PACE = 2.0  # times max_unrest: outside little changes at the pace of the blend; a camera that pans keeps its pace
_BOTH = (0.2, 0.8)  # weights at which they do
_STEADY = (0.1, 0.9)  # weights that the line of the blend is laid through
_EPSILON_S = 1e-3
Luma = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Look:
    time_s: float
    luma: Luma  # (64 * 64,), mean taken out
    structure: Luma


class DissolveFinder:
    """Feed the thumbnails of every frame in order, then `finish`. Holds as many as the longest dissolve has looks."""

    def __init__(self, settings: ShotSettings) -> None:
        self._settings = settings
        self._most = round(settings.max_dissolve_s * settings.dissolve_hz)
        self._looks: deque[_Look] = deque(maxlen=self._most + 2 * _CALM_LOOKS + 1)
        self._products = np.zeros((self._looks.maxlen or 0,) * 2)  # inner products of the looks' lumas
        self._found: list[Interval] = []

    def feed(self, time_s: float, luma: Luma, structure: Luma) -> None:
        """Take the next frame: its luma as float32 (64, 64), and the same without mean and contrast."""
        step_s = 1.0 / self._settings.dissolve_hz
        if self._looks and time_s - self._looks[-1].time_s < step_s - _EPSILON_S:
            return
        if len(self._looks) == self._looks.maxlen:
            self._products[:-1, :-1] = self._products[1:, 1:]
        self._looks.append(_Look(time_s, (luma - luma.mean()).ravel(), structure))
        newest, place = self._looks[-1].luma, len(self._looks) - 1
        # one by one: a product of matrices would wake BLAS's threads, which cost more than they save
        self._products[place, : place + 1] = [np.dot(look.luma, newest) for look in self._looks]
        self._products[: place + 1, place] = self._products[place, : place + 1]
        looks = list(self._looks)
        last = len(looks) - 1 - _CALM_LOOKS
        if last >= _CALM_LOOKS + _MIN_BLENDED + 1:
            self._judge(looks, last)

    def finish(self) -> list[Interval]:
        """The dissolves (start_s, end_s), in order."""
        return merge(self._found)

    def _judge(self, looks: list[_Look], last: int) -> None:
        """Does a dissolve end with look number `last`?"""
        settings = self._settings
        firsts = np.arange(_CALM_LOOKS, last - _MIN_BLENDED)
        apart = np.stack([cell_change(looks[i].structure, looks[last].structure) for i in firsts])
        firsts = firsts[cells_exceeded(apart) >= settings.structure_threshold]
        firsts = firsts[[looks[last].time_s - looks[i].time_s <= settings.max_dissolve_s + _EPSILON_S for i in firsts]]
        if not len(firsts):
            return
        lumas = np.stack([look.luma for look in looks[: last + 1]])
        for first in firsts:
            parts = _parts(self._products, int(first), last)
            span = self._rise([look.time_s for look in looks[first : last + 1]], parts)
            if span and self._is_mixture(lumas[first:], parts) and self._stands_apart(looks, int(first), last):
                self._found.append(span)

    def _rise(self, times_s: list[float], parts: NDArray[np.float32]) -> Interval | None:
        """When the weight of the later end is 0 and when 1, if it rises steadily while the other one's falls."""
        inside, weight = np.array(times_s[1:-1]), parts[1]
        is_shared = np.abs(parts.sum(axis=0) - 1) <= self._settings.max_mixture_error
        shown = np.sum((weight > _BOTH[0]) & (weight < _BOTH[1]))
        steady = (weight >= _STEADY[0]) & (weight <= _STEADY[1])
        if not is_shared.all() or shown < max(_MIN_BLENDED, len(weight) / 3) or steady.sum() < _MIN_BLENDED:
            return None
        slope, offset = np.polyfit(inside[steady], weight[steady], 1)
        if slope <= 0:
            return None
        bend = np.abs(weight - np.clip(slope * inside + offset, 0, 1)).max()
        if bend > self._settings.max_mixture_error:
            return None
        return max(times_s[0], float(-offset / slope)), min(times_s[-1], float((1 - offset) / slope))

    def _is_mixture(self, lumas: NDArray[np.float32], parts: NDArray[np.float32]) -> bool:
        """Are the pictures that should show the first and the last one at once a mixture of these two?"""
        ends, shows_both = lumas[[0, -1]], (parts[1] > _BOTH[0]) & (parts[1] < _BOTH[1])
        before, after = parts[:, shows_both, None]
        rest = lumas[1:-1][shows_both] - before * ends[0] - after * ends[1]
        return _mixture_error(rest, ends[1] - ends[0]) <= self._settings.max_mixture_error

    def _stands_apart(self, looks: list[_Look], first: int, last: int) -> bool:
        """Do both ends differ as across a cut, while outside it changes less, and slower than between them?"""
        change = structure_change(looks[first].structure, looks[last].structure)
        outside = max(
            _change(looks[first - _CALM_LOOKS], looks[first]), _change(looks[last], looks[last + _CALM_LOOKS])
        )
        meanwhile = change * _CALM_LOOKS / (last - first)
        return change >= self._settings.structure_threshold and outside <= self._settings.max_unrest * min(
            change, _MAX_PACE * meanwhile
        )


def _change(before: _Look, after: _Look) -> float:
    """As structure_change, but a moving camera counts."""
    return float(cells_exceeded(cell_change(before.structure, after.structure)))


def _parts(products: NDArray[np.float64], first: int, last: int) -> NDArray[np.float32]:
    """(2, n): how much of either end is in each look between them, by least squares.

    Args:
        products: inner products of all looks.
        first, last: the ends.
    """
    ends, inside = [first, last], range(first + 1, last)
    own, shared = products[np.ix_(ends, ends)], products[np.ix_(ends, inside)]
    return np.asarray(np.linalg.pinv(own) @ shared, dtype=np.float32)


def _mixture_error(rest: NDArray[np.float32], difference: NDArray[np.float32]) -> float:
    """What the mixture leaves over, as a share of half the difference of both ends: 0 = mixture, 1.4 = a third picture.

    The value that ten of sixteen cells stay below (what moves, a mouth or a head, fills a few), in the median look.
    """

    def rms(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        cell = SIDE_PX // CELLS
        squares = (pictures**2).reshape(-1, CELLS, cell, CELLS, cell)
        return np.asarray(np.sqrt(squares.mean(axis=(2, 4))).reshape(len(squares), -1), dtype=np.float32)

    share = rms(rest) / np.maximum(rms(difference) / 2, 1.0)
    return float(np.median(np.sort(share, axis=1)[:, 9]))
