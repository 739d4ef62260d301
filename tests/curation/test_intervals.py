"""Interval algebra against a set of small cells, which cannot be wrong in the same way."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.curation import intervals

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (float(p[0]), float(p[1]))))


def cells(items: list[intervals.Interval]) -> set[int]:
    return {c for start, end in items for c in range(int(start), int(end))}


def is_normal(items: list[intervals.Interval]) -> bool:
    return all(b > a for a, b in items) and all(x[1] <= y[0] for x, y in itertools.pairwise(items))


@given(INTERVALS)
def test_merge_keeps_the_cells(items: list[intervals.Interval]) -> None:
    merged = intervals.merge(items)
    assert is_normal(merged)
    assert cells(merged) == cells(items)
    assert intervals.total_s(items) == len(cells(items))


@given(INTERVALS, INTERVALS)
def test_intersect_and_subtract_part_the_first(a: list[intervals.Interval], b: list[intervals.Interval]) -> None:
    both, rest = intervals.intersect(a, b), intervals.subtract(a, b)
    assert is_normal(both)
    assert is_normal(rest)
    assert cells(both) == cells(a) & cells(b)
    assert cells(rest) == cells(a) - cells(b)


@given(INTERVALS, st.integers(0, 5))
def test_merge_with_a_gap_leaves_only_wider_gaps(items: list[intervals.Interval], gap: int) -> None:
    merged = intervals.merge(items, float(gap))
    assert all(y[0] - x[1] > gap for x, y in itertools.pairwise(merged))
    assert cells(items) <= cells(merged)


@given(st.floats(0, 100), st.floats(0.1, 200), st.floats(1, 20), st.lists(st.floats(0, 300)))
def test_split_long_covers_and_never_exceeds(start: float, length: float, max_s: float, cuts: list[float]) -> None:
    pieces = intervals.split_long((start, start + length), max_s, cuts)
    assert pieces[0][0] == start
    assert pieces[-1][1] == start + length
    assert all(x[1] == y[0] for x, y in itertools.pairwise(pieces))
    assert all(b - a <= max_s + 1e-9 for a, b in pieces)
    if length > max_s * 1.01:
        assert min(b - a for a, b in pieces) > max_s / 4


def test_split_long_prefers_a_pause() -> None:
    assert intervals.split_long((0.0, 20.0), 14.0, [3.0, 11.0]) == [(0.0, 11.0), (11.0, 20.0)]
