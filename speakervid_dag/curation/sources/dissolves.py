"""Dissolves: one take fades into another, so that there is no cut.

Belongs here: finding the stretches that mix the pictures before and after them. Does not belong here: cuts (shots.py),
fades through black (their frames are not a mixture of both sides), what is done with a dissolve.

Twin comparison (Zhang, Kankanhalli and Smoliar 1993) finds two pictures that differ as across a cut although there is
no cut between them. A moving camera or person can do the same. A dissolve must also meet three conditions:
- both sides are calm: outside it less changes than between the ends, and at a slower pace;
- each frame between is w · after + (1 - w) · before, except for what moves: the residual is small in most of the
  picture;
- w rises steadily from 0 to 1, and not at once: who sways after a cut is a mixture of two pictures, too.
A pan, a zoom or a person who walks in fails the second: the frames between show something else, not both pictures.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.intervals import Interval, merge
from speakervid_dag.curation.sources.structure import CELLS, SIDE_PX, cell_change, cells_exceeded, structure_change

_CALM_LOOKS = 3  # samples outside either end that must be calm
_MIN_BLENDED = 2  # samples that show both sides at once
_MAX_PACE = 2.0  # times max_unrest: limit of the change outside, at the pace of the blend; a panning camera keeps pace
_BOTH = (0.2, 0.8)  # weights at which a sample shows both sides
_STEADY = (0.1, 0.9)  # weights to which the line of the blend is fitted
_MAX_STEP = 0.7  # of the weight between two samples: more is a cut; a dissolve of 0.2 s that eases in has 0.6
_EPSILON_S = 1e-3
Luma = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Look:
    time_s: float
    luma: Luma  # (64 * 64,), mean removed
    structure: Luma


class DissolveFinder:
    """Finder of dissolves. Feed the thumbnail of every frame in order, then `finish`. Holds the longest dissolve."""

    def __init__(self, settings: ShotSettings) -> None:
        self._settings = settings
        self._most = round(settings.max_dissolve_s * settings.dissolve_hz)
        self._looks: deque[_Look] = deque(maxlen=self._most + 2 * _CALM_LOOKS + 1)
        self._products = np.zeros((self._looks.maxlen or 0,) * 2)  # inner products of the samples' lumas
        self._found: list[Interval] = []

    def feed(self, time_s: float, luma: Luma, structure: Luma) -> None:
        """Take the next frame: its luma as float32 (64, 64), and the same with mean and contrast removed."""
        step_s = 1.0 / self._settings.dissolve_hz
        if self._looks and time_s - self._looks[-1].time_s < step_s - _EPSILON_S:
            return
        if len(self._looks) == self._looks.maxlen:
            self._products[:-1, :-1] = self._products[1:, 1:]
        self._looks.append(_Look(time_s, (luma - luma.mean()).ravel(), structure))
        newest, place = self._looks[-1].luma, len(self._looks) - 1
        # one by one: a matrix product would start BLAS threads, which cost more than they save
        self._products[place, : place + 1] = [np.dot(look.luma, newest) for look in self._looks]
        self._products[: place + 1, place] = self._products[place, : place + 1]
        looks = list(self._looks)
        last = len(looks) - 1 - _CALM_LOOKS
        if last >= _CALM_LOOKS + _MIN_BLENDED + 1:
            self._judge(looks, last)

    def finish(self) -> list[Interval]:
        """Return the dissolves (start_s, end_s), in order."""
        return merge(self._found)

    def _judge(self, looks: list[_Look], last: int) -> None:
        """Add the dissolves that end with sample number `last`, if any."""
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
        """Return when the later end's weight is 0 and when 1; None unless it rises steadily as the other's falls."""
        inside, weight = np.array(times_s[1:-1]), parts[1]
        is_shared = np.abs(parts.sum(axis=0) - 1) <= self._settings.max_mixture_error
        shown = np.sum((weight > _BOTH[0]) & (weight < _BOTH[1]))
        steady = (weight >= _STEADY[0]) & (weight <= _STEADY[1])
        is_cut = np.diff(weight, prepend=0.0, append=1.0).max() > _MAX_STEP
        if is_cut or not is_shared.all() or shown < max(_MIN_BLENDED, len(weight) / 3) or steady.sum() < _MIN_BLENDED:
            return None
        slope, offset = np.polyfit(inside[steady], weight[steady], 1)
        if slope <= 0:
            return None
        bend = np.abs(weight - np.clip(slope * inside + offset, 0, 1)).max()
        if bend > self._settings.max_mixture_error:
            return None
        return max(times_s[0], float(-offset / slope)), min(times_s[-1], float((1 - offset) / slope))

    def _is_mixture(self, lumas: NDArray[np.float32], parts: NDArray[np.float32]) -> bool:
        """Return True if the pictures that should show both ends at once are a mixture of them."""
        ends, shows_both = lumas[[0, -1]], (parts[1] > _BOTH[0]) & (parts[1] < _BOTH[1])
        before, after = parts[:, shows_both, None]
        rest = lumas[1:-1][shows_both] - before * ends[0] - after * ends[1]
        return _mixture_error(rest, ends[1] - ends[0]) <= self._settings.max_mixture_error

    def _stands_apart(self, looks: list[_Look], first: int, last: int) -> bool:
        """Return True if the ends differ as across a cut, and less changes outside, more slowly than between them."""
        change = structure_change(looks[first].structure, looks[last].structure)
        outside = max(
            _change(looks[first - _CALM_LOOKS], looks[first]), _change(looks[last], looks[last + _CALM_LOOKS])
        )
        meanwhile = change * _CALM_LOOKS / (last - first)
        return change >= self._settings.structure_threshold and outside <= self._settings.max_unrest * min(
            change, _MAX_PACE * meanwhile
        )


def _change(before: _Look, after: _Look) -> float:
    """Return the change like structure_change, but count a moving camera."""
    return float(cells_exceeded(cell_change(before.structure, after.structure)))


def _parts(products: NDArray[np.float64], first: int, last: int) -> NDArray[np.float32]:
    """Return the share of either end in each sample between them, by least squares: (2, n).

    Args:
        products: inner products of all samples.
        first, last: the ends.
    """
    ends, inside = [first, last], range(first + 1, last)
    own, shared = products[np.ix_(ends, ends)], products[np.ix_(ends, inside)]
    return np.asarray(np.linalg.pinv(own) @ shared, dtype=np.float32)


def _mixture_error(rest: NDArray[np.float32], difference: NDArray[np.float32]) -> float:
    """Return the residual of the mixture over half the difference of the ends: 0 = mixture, 1.4 = a third picture.

    In the median sample, the value of the tenth lowest of sixteen cells (what moves, a mouth or a head, fills a few).
    """

    def rms(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        cell = SIDE_PX // CELLS
        squares = (pictures**2).reshape(-1, CELLS, cell, CELLS, cell)
        return np.asarray(np.sqrt(squares.mean(axis=(2, 4))).reshape(len(squares), -1), dtype=np.float32)

    share = rms(rest) / np.maximum(rms(difference) / 2, 1.0)
    return float(np.median(np.sort(share, axis=1)[:, 9]))
