"""The suggested threshold: the best F1 there is, the right way round, with an interval that covers."""

import numpy as np
import pytest

from speakervid_dag.review.threshold_choice import best_threshold, f1_interval

VALUES = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
GOOD = [False, False, True, False, True, True]


def f1(values: list[float], good: list[bool], keep: str, threshold: float) -> float:
    passes = [v >= threshold if keep == ">=" else v <= threshold for v in values]
    true_positives = sum(p and g for p, g in zip(passes, good, strict=True))
    return 2 * true_positives / (sum(passes) + sum(good))


def test_a_hand_computed_example() -> None:
    # keep >= 2.5: 3 of 4 kept are good, all 3 good are kept: F1 = 6 / 7; >= 4.5: 2 of 2, 2 of 3: 4 / 5
    found = best_threshold(VALUES, GOOD, ">=", present=4.5)
    assert found is not None
    assert found.threshold == 2.5
    assert found.f1 == pytest.approx(6 / 7)


def test_a_gate_that_keeps_small_values_is_its_mirror() -> None:
    plain = best_threshold(VALUES, GOOD, ">=", present=None)
    mirrored = best_threshold([-v for v in VALUES], GOOD, "<=", present=None)
    assert plain is not None
    assert mirrored is not None
    assert mirrored.threshold == -plain.threshold
    assert mirrored.f1 == plain.f1
    assert mirrored.threshold_interval == (-plain.threshold_interval[1], -plain.threshold_interval[0])


def test_no_threshold_is_better_than_the_suggested_one() -> None:
    rng = np.random.default_rng(7)
    for keep in (">=", "<="):
        values = rng.normal(size=60).round(1).tolist()
        good = [bool(v + e > 0) == (keep == ">=") for v, e in zip(values, rng.normal(size=60), strict=True)]
        found = best_threshold(values, good, keep, present=0.0)
        assert found is not None
        assert found.f1 == pytest.approx(max(f1(values, good, keep, t) for t in np.linspace(-4, 4, 801)))
        assert found.f1 == pytest.approx(f1(values, good, keep, found.threshold))


def test_of_equally_good_thresholds_the_one_nearest_to_todays_is_taken() -> None:
    same, either = [1.0, 2.0, 3.0, 4.0], [True, False, False, True]  # all: 4/6; >= 3.5: 2/3
    near_low, near_high = (best_threshold(same, either, ">=", present=p) for p in (0.0, 4.0))
    assert near_low is not None
    assert near_high is not None
    assert (near_low.threshold, near_high.threshold) == (0.5, 3.5)


@pytest.mark.parametrize(
    ("values", "good", "keep"),
    [
        ([1.0, 2.0], [True, True], ">="),
        ([1.0, 2.0], [False, False], ">="),
        ([1.0, 1.0], [True, False], ">="),
        ([1.0, 2.0], [True, False], "between"),
        ([1.0, 2.0], [True, False], "=="),
    ],
)
def test_where_there_is_nothing_to_choose_nothing_is_suggested(
    values: list[float], good: list[bool], keep: str
) -> None:
    assert best_threshold(values, good, keep, present=1.0) is None


def drawn(count: int, seed: int) -> tuple[list[float], list[bool]]:
    """Subjects that people call good with a probability that rises about 5."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 10, count)
    return values.tolist(), (rng.uniform(size=count) < 1 / (1 + np.exp(-3 * (values - 5)))).tolist()


def test_the_interval_covers_the_best_threshold_there_is_and_narrows() -> None:
    # F1 is highest where the probability is F1 / 2 (Lipton et al. 2014): here 0.93 / 2, thus at 4.95
    best = 4.95
    found = [best_threshold(*drawn(80, seed), ">=", present=5.0) for seed in range(30)]
    told = [f for f in found if f is not None]
    assert len(told) == 30
    assert (
        sum(f.threshold_interval[0] <= best <= f.threshold_interval[1] for f in told) >= 21
    )  # of 30; with 80 subjects some 75 % do
    wide = best_threshold(*drawn(1000, 1), ">=", present=5.0)
    assert wide is not None
    low, high = wide.threshold_interval
    assert high - low < np.median([f.threshold_interval[1] - f.threshold_interval[0] for f in told])


def test_the_interval_of_f1_is_about_its_standard_error() -> None:
    # 80 right of 100 that count: F1 = 160 / 180; the share 0.8 has a standard error of 0.04
    low, high = f1_interval(80, 10, 10) or (0.0, 0.0)
    expected = [2 * p / (1 + p) for p in (0.8 - 1.96 * 0.04, 0.8 + 1.96 * 0.04)]
    assert low == pytest.approx(expected[0], abs=0.01)
    assert high == pytest.approx(expected[1], abs=0.01)
    assert f1_interval(0, 0, 0) is None
