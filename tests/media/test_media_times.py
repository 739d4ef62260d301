"""Arithmetic on timestamps."""

import pytest

from speakervid_dag.media.container import orientation
from speakervid_dag.media.times import RisingOrigin, is_variable


def test_small_steps_back_are_left_alone() -> None:
    clock = RisingOrigin(1000, 40)
    assert [clock.repaired(t, 40) for t in (0, 120, 40, 80, 160)] == [0, 120, 40, 80, 160]
    assert clock.restarts == 0


def test_a_restart_goes_on_where_the_old_clock_ended() -> None:
    clock = RisingOrigin(1000, 40)
    assert [clock.repaired(t) for t in (5000, 5040, 6500, 0, 40, 80)] == [5000, 5040, 6500, 6540, 6580, 6620]
    assert clock.restarts == 1
    assert clock.end == 6660


def test_rounding_to_milliseconds_is_not_variable() -> None:
    assert not is_variable([0.033, 0.033, 0.034] * 50, 0.001)
    assert not is_variable([0.04], 0.001)
    assert is_variable([0.02, 0.04, 0.09] * 20, 1e-5)
    assert is_variable([0.04] * 50 + [0.08] * 5, 1e-5)


ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((ONE, 0, 0, 0, ONE, 0), (0, False)),
        ((0, ONE, 0, -ONE, 0, 0), (90, False)),
        ((-ONE, 0, 0, 0, -ONE, 0), (180, False)),
        ((0, -ONE, 0, ONE, 0, 0), (270, False)),
        ((-ONE, 0, 0, 0, ONE, 0), (0, True)),
        ((ONE, 0, 0, 0, -ONE, 0), (180, True)),
    ],
)
def test_display_matrices(matrix: tuple[int, ...], expected: tuple[int, bool]) -> None:
    assert orientation((*matrix, 0, 0, 1 << 30)) == expected
