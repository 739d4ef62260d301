"""Arithmetic on timestamps."""

import pytest

from speakervid_dag.media.decoder.times import RisingOrigin, pace
from speakervid_dag.media.geometry import orientation


def test_small_steps_back_are_left_alone() -> None:
    clock = RisingOrigin(1000, 40)
    assert [clock.repaired(t, 40) for t in (0, 120, 40, 80, 160)] == [0, 120, 40, 80, 160]
    assert clock.restarts == 0


def test_a_restart_goes_on_where_the_old_clock_ended() -> None:
    clock = RisingOrigin(1000, 40)
    assert [clock.repaired(t) for t in (5000, 5040, 6500, 0, 40, 80)] == [5000, 5040, 6500, 6540, 6580, 6620]
    assert clock.restarts == 1
    assert clock.end == 6660


def test_a_picture_decoded_after_one_behind_a_stall_is_no_restart() -> None:
    clock = RisingOrigin(1000, 40)
    decoded = [(0, -80), (40, -40), (3580, 1960), (2040, 2000), (3540, 2040)]  # (shown, decoded), ms
    assert [clock.repaired(t, 40, order) for t, order in decoded] == [t for t, _ in decoded]
    assert clock.restarts == 0
    assert clock.end == 3620


def test_a_clock_of_reordered_pictures_that_restarts_goes_on() -> None:
    clock = RisingOrigin(1000, 40)
    assert [clock.repaired(t, 40, t - 80) for t in (5000, 5080, 5040, 80, 160, 120)] == [
        *(5000, 5080, 5040),
        *(5120, 5200, 5160),
    ]
    assert clock.restarts == 1


def test_rounding_to_milliseconds_is_not_variable() -> None:
    assert not pace([0.033, 0.033, 0.034] * 50, 0.001)[1]
    assert not pace([0.04], 0.001)[1]
    assert pace([0.02, 0.04, 0.09] * 20, 1e-5)[1]
    assert pace([0.04] * 50 + [0.08] * 5, 1e-5)[1]


def test_the_pace_is_that_of_the_usual_pictures() -> None:
    assert pace([0.04] * 90 + [1.54], 1e-5) == (pytest.approx(25.0), False)
    assert pace([0.033, 0.033, 0.034] * 50, 0.001)[0] == pytest.approx(30.0)
    assert pace([0.02, 0.04, 0.09] * 20, 1e-5)[0] == pytest.approx(20.0)
    assert pace([], 1e-5) == pace([0.0, 0.0], 1e-5) == (0.0, False)


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
