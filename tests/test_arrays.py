"""Array functions that several rooms need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakervid_dag.arrays import runs_of_true, unit

FLAGS = st.lists(st.booleans(), max_size=40)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vectors_of_length_one_in_their_own_dtype(dtype: type) -> None:
    found = unit(np.array([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]], dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
    np.testing.assert_allclose(unit(np.array([0.0, 5.0], dtype)), [0, 1])


@given(FLAGS, st.integers(0, 3))
def test_runs_hold_every_true_and_are_parted_by_more_than_the_hole(flags: list[bool], max_hole: int) -> None:
    starts, ends = runs_of_true(np.array(flags, bool), max_hole=max_hole)
    assert all(flags[s] and flags[e - 1] for s, e in zip(starts, ends, strict=True))
    assert {i for i, flag in enumerate(flags) if flag} <= {
        i for s, e in zip(starts, ends, strict=True) for i in range(s, e)
    }
    assert all(start - end > max_hole for start, end in zip(starts[1:], ends[:-1], strict=True))


def test_a_run_begins_where_it_is_told_to() -> None:
    flags, begins = np.array([1, 1, 1, 0, 1], bool), np.array([0, 0, 1, 0, 0], bool)
    assert [a.tolist() for a in runs_of_true(flags, begins=begins)] == [[0, 2, 4], [2, 3, 5]]
    assert [a.tolist() for a in runs_of_true(np.zeros(3, bool))] == [[], []]
