"""Dissolves: one take fades into another, so that there is no cut.

Belongs here: finding the stretches that mix the pictures before and after them. Does not belong here: cuts (shots.py),
fades through an empty picture (fades.py), what is done with a dissolve.

Twin comparison (Zhang, Kankanhalli and Smoliar 1993) finds two pictures that differ as across a cut although there is
no cut between them. A moving camera or person can do the same. A dissolve must also meet these conditions:
- the frames between lose detail: two unrelated pictures, averaged, keep half of their energy, which falls and rises on
  a parabola (Alattar 1993). A picture that moves keeps its energy. So this tells dissolves from pans, zooms and people,
  and finds them although the people in both takes move;
- each frame between is w · after + (1 - w) · before, nearer to it than a third picture would be, because a fast pan is
  blurred and loses detail, too;
- w rises steadily from 0 to 1, and not at once: a jump is a cut;
- both sides are in every frame: a fade through black has neither halfway, a light that goes out only one;
- outside it less changes than between the ends;
- it does not lead to a title over the picture, which goes again soon: then the picture is the one before.
"""

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.config.sections import ShotSettings
from speakervid_dag.curation.intervals import Interval
from speakervid_dag.curation.sources.structure import (
    SAME_PICTURE,
    Thumbnail,
    cells_of,
    is_empty,
    structure_change,
)

_CALM_LOOKS = 3  # samples outside either end that must be calm
_BOTH = (0.15, 0.85)  # weights at which a sample shows both sides
_MAX_STEP = 0.7  # of the weight between two samples: more is a cut; a dissolve of 0.2 s that eases in has 0.6
_MAX_UNSHARED = 0.35  # distance of the sum of both weights from 1: a fade, or one picture in another light, has more
_NOISE_ENERGY = 0.5  # of a thumbnail's cell, added to its detail
_DETAILED_CELLS = 4  # of the sixteen cells, how many may keep their detail: what is alike in both pictures
_EPSILON_S = 1e-3
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Look:
    time_s: float
    luma: Thumbnail  # (64 * 64,), mean removed
    structure: Thumbnail
    fine: Thumbnail
    detail: NDArray[np.float32]  # energy of `fine` in each cell, (16,)
    is_empty: bool


@dataclass(frozen=True, eq=False)
class _Found:
    start_s: float
    end_s: float
    detail_left: float
    before: Thumbnail  # structure of both ends
    after: Thumbnail

    def overlaps(self, other: "_Found") -> bool:
        return self.start_s < other.end_s and other.start_s < self.end_s


class DissolveFinder:
    """Finder of dissolves. Feed the thumbnail of every frame in order, then `finish`. Holds the longest dissolve."""

    def __init__(self, settings: ShotSettings) -> None:
        self._settings = settings
        most = round(settings.max_dissolve_s * settings.dissolve_hz)
        self._looks: deque[_Look] = deque(maxlen=most + 2 * _CALM_LOOKS + 1)
        self._products = np.zeros((self._looks.maxlen or 0,) * 2)  # inner products of the samples' lumas
        self._found: list[_Found] = []

    def feed(self, time_s: float, luma: Thumbnail, structure: Thumbnail) -> None:
        """Take the next frame: its luma as float32 (64, 64), and the same with mean and contrast removed."""
        step_s = 1.0 / self._settings.dissolve_hz
        if self._looks and time_s - self._looks[-1].time_s < step_s - _EPSILON_S:
            return
        if len(self._looks) == self._looks.maxlen:
            self._products[:-1, :-1] = self._products[1:, 1:]
        flat, fine = (luma - luma.mean()).ravel(), _fine(luma)
        self._looks.append(_Look(time_s, flat, structure, fine, _energy(fine, fine) + _NOISE_ENERGY, is_empty(luma)))
        place = len(self._looks) - 1
        # one by one: a matrix product would start BLAS threads, which cost more than they save
        self._products[place, : place + 1] = [np.dot(look.luma, flat) for look in self._looks]
        self._products[: place + 1, place] = self._products[place, : place + 1]
        looks = list(self._looks)
        last = len(looks) - 1 - _CALM_LOOKS
        if last >= _CALM_LOOKS + 2 and not looks[last].is_empty:
            self._judge(looks, last)

    def finish(self) -> list[Interval]:
        """Return the dissolves (start_s, end_s), in order."""
        found = sorted(self._found, key=lambda one: one.start_s)
        titles = [pair for pair in itertools.pairwise(found) if self._is_title(*pair)]
        overlaid = {id(one) for pair in titles for one in pair}
        return [(one.start_s, one.end_s) for one in found if id(one) not in overlaid]

    def _is_title(self, first: _Found, second: _Found) -> bool:
        """Return True if two dissolves lead to something else and soon back to the picture before."""
        return (
            second.start_s - first.end_s <= self._settings.max_title_s
            and structure_change(first.before, second.after) < self._settings.weak_structure_threshold
        )

    def _keep(self, new: _Found) -> None:
        """Keep a dissolve: of those that overlap, the one that loses most detail."""
        rivals = [one for one in self._found if one.overlaps(new)]
        if all(new.detail_left < one.detail_left for one in rivals):
            self._found = [one for one in self._found if one not in rivals] + [new]

    def _judge(self, looks: list[_Look], last: int) -> None:
        """Add the dissolves that end with sample number `last`, if any."""
        detail = np.stack([look.detail for look in looks[: last + 1]])
        for first in self._firsts(looks, detail, last):
            weight, shared, rest = _mixtures(self._products, first, last)
            is_both = (weight > _BOTH[0]) & (weight < _BOTH[1])
            if not is_both.any() or np.abs(shared - 1).max() > _MAX_UNSHARED:
                continue
            if np.median(rest[is_both]) > self._settings.max_mixture_error:
                continue
            shared_detail = _energy(looks[first].fine, looks[last].fine)
            left, error = _detail_left(detail[first : last + 1], shared_detail, weight, is_both)
            if left > self._settings.max_blend_detail or error > self._settings.max_detail_error:
                continue
            span = self._rise(np.array([look.time_s for look in looks[first : last + 1]]), weight, is_both)
            if span and self._stands_apart(looks, first, last):
                self._keep(_Found(*span, left, looks[first].structure, looks[last].structure))

    def _firsts(self, looks: list[_Look], detail: NDArray[np.float32], last: int) -> list[int]:
        """Return the samples from which a dissolve may lead to the last one: the picture halfway loses detail."""
        earliest_s = looks[last].time_s - self._settings.max_dissolve_s - _EPSILON_S
        firsts = np.array(
            [i for i in range(_CALM_LOOKS, last - 1) if looks[i].time_s >= earliest_s and not looks[i].is_empty],
            dtype=int,
        )
        if not len(firsts):
            return []
        halfway = (firsts + last) // 2
        weight = ((halfway - firsts) / (last - firsts))[:, None]
        left = np.median(detail[halfway] / ((1 - weight) * detail[firsts] + weight * detail[last]), axis=1)
        norms = np.sqrt(np.diagonal(self._products))
        likeness = self._products[firsts, last] / (norms[firsts] * norms[last])
        may_be = (left <= self._settings.max_blend_detail) & (likeness < SAME_PICTURE)
        return [int(i) for i in firsts[may_be]]

    def _rise(self, times_s: Values, weight: Values, is_both: NDArray[np.bool_]) -> Interval | None:
        """Return when the later side's weight is 0 and when 1; None unless it rises steadily."""
        if np.diff(weight, prepend=0.0, append=1.0).max() > _MAX_STEP:
            return None
        inside = times_s[1:-1]
        if is_both.sum() == 1:  # of a short dissolve
            at = int(np.flatnonzero(is_both)[0])
            start_s, end_s = times_s[at], times_s[at + 2]
        else:
            slope, offset = np.polyfit(inside[is_both], weight[is_both], 1)
            if slope <= 0:
                return None
            start_s, end_s = -offset / slope, (1 - offset) / slope
        line = np.clip((inside - start_s) / (end_s - start_s), 0, 1)
        if np.abs(weight - line).max() > self._settings.max_blend_bend:
            return None
        return float(max(times_s[0], start_s)), float(min(times_s[-1], end_s))

    def _stands_apart(self, looks: list[_Look], first: int, last: int) -> bool:
        """Return True if the ends differ as across a cut, and less changes outside than between them."""
        change = structure_change(looks[first].structure, looks[last].structure)
        calm = self._settings.max_unrest * change
        return (
            change >= self._settings.structure_threshold
            and structure_change(looks[first - _CALM_LOOKS].structure, looks[first].structure) <= calm
            and structure_change(looks[last].structure, looks[last + _CALM_LOOKS].structure) <= calm
        )


def _fine(luma: Thumbnail) -> Thumbnail:
    """Return the fine structure of a thumbnail, float32 (64, 64)."""
    import cv2

    return np.asarray(luma - cv2.blur(luma, (5, 5)))


def _energy(one: Thumbnail, other: Thumbnail) -> NDArray[np.float32]:
    """Return the mean product of two fine structures in each cell: (16,)."""
    return np.asarray(cells_of(one * other).mean(axis=(1, 3)).ravel())


def _detail_left(
    detail: NDArray[np.float32], shared: NDArray[np.float32], weight: Values, is_both: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the detail of the frames between, in shares of the detail of both ends.

    Args:
        detail: of both ends and the frames between, (n + 2, 16).
        shared: what is alike in the ends, (16,).
        weight: of the later end, (n,).
        is_both: the frames that show both, (n,).

    Returns:
        The detail that twelve of the sixteen cells do not exceed in the frame nearest to halfway; the distance from the
        detail of mixtures of the ends: the median over the frames that show both and their cells.
    """
    after = np.clip(weight, 0, 1)[:, None]
    unmixed = (1 - after) * detail[0] + after * detail[-1]
    mixed = (1 - after) ** 2 * detail[0] + 2 * after * (1 - after) * shared + after**2 * detail[-1]
    halfway = int(np.argmin(np.abs(weight - 0.5)))
    left = np.sort(detail[1 + halfway] / unmixed[halfway])[-1 - _DETAILED_CELLS]
    error = np.median((np.abs(detail[1:-1] - mixed) / unmixed)[is_both])
    return float(left), float(error)


def _mixtures(products: Values, first: int, last: int) -> tuple[Values, Values, Values]:
    """Return three values of each sample between two ends, each (n,).

    Args:
        products: inner products of all samples, without their means.
        first, last: the ends.

    Returns:
        The weight of the later end in the best mixture whose weights sum to 1; the sum of the weights in the best one
        where they need not; the residual of the former over half the difference of the ends: 0 = mixture, 1.4 = a
        third picture.
    """
    inside = np.arange(first + 1, last)
    to_first, to_last, own = products[first, inside], products[last, inside], products[inside, inside]
    before, both, after = products[first, first], products[first, last], products[last, last]
    apart = before - 2 * both + after
    weight = (to_last - to_first - both + before) / apart
    shared = ((after - both) * to_first + (before - both) * to_last) / (before * after - both**2)
    squared = own - 2 * to_first + before - weight**2 * apart
    return weight, shared, np.sqrt(np.maximum(squared, 0) / (apart / 4))
