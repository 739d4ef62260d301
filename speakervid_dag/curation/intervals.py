"""Algebra of half-open time intervals: merge, intersect, subtract, split.

Belongs here: arithmetic on `(start_s, end_s)` pairs. Does not belong here: anything that knows turns, tracks or clips.
Every function takes intervals in any order, ignores empty ones (end <= start) and returns sorted, disjoint ones.
"""

import itertools
import math
from collections.abc import Iterable

Interval = tuple[float, float]


def merge(intervals: Iterable[Interval], max_gap_s: float = 0.0) -> list[Interval]:
    """Return the union; intervals at most `max_gap_s` apart become one."""
    out: list[Interval] = []
    for start, end in sorted(i for i in intervals if i[1] > i[0]):
        if out and start - out[-1][1] <= max_gap_s:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def intersect(first: Iterable[Interval], second: Iterable[Interval]) -> list[Interval]:
    """Return the time in both."""
    left, right, out = merge(first), merge(second), []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if end > start:
            out.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return out


def subtract(first: Iterable[Interval], second: Iterable[Interval]) -> list[Interval]:
    """Return the time in the first but not in the second."""
    holes, out = merge(second), []
    for start, end in merge(first):
        at = start
        for hole_start, hole_end in holes:
            if hole_end <= at or hole_start >= end:
                continue
            if hole_start > at:
                out.append((at, hole_start))
            at = max(at, hole_end)
        if at < end:
            out.append((at, end))
    return out


def overlap_s(first: Interval, second: Interval) -> float:
    """Return the length of the overlap, s."""
    return max(0.0, min(first[1], second[1]) - max(first[0], second[0]))


def total_s(intervals: Iterable[Interval]) -> float:
    """Return the length of the union, s."""
    return sum(end - start for start, end in merge(intervals))


def split_long(interval: Interval, max_s: float, cuts: Iterable[float] = ()) -> list[Interval]:
    """Split into as few pieces of at most `max_s` as possible, about equal; each cut snaps to the nearest of `cuts`.

    A cut point is used only if it lies within a quarter of a piece of the equal cut and leaves no piece longer than
    `max_s`.
    """
    start, end = interval
    if end - start <= max_s:
        return [interval] if end > start else []
    places = sorted(cuts)
    count = math.ceil((end - start) / max_s)
    edges = [start]
    for left in range(count - 1, 0, -1):
        step = (end - edges[-1]) / (left + 1)
        equal = edges[-1] + step
        low, high = max(end - left * max_s, equal - step / 4), min(edges[-1] + max_s, equal + step / 4)
        fitting = [c for c in places if low <= c <= high]
        edges.append(min(fitting, key=lambda c: abs(c - equal)) if fitting else equal)
    edges.append(end)
    return list(itertools.pairwise(edges))
