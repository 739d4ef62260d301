"""Which threshold of a gate would agree best with people, and how sure that is.

Belongs here: F1 over thresholds, the bootstrap. Does not belong here: counting answers (sql/review), printing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
COVERAGE = 0.95
ONE_SIDED = (">", ">=", "<", "<=")

Interval = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ThresholdChoice:
    """The threshold of the highest F1, with 95 % intervals of both."""

    threshold: float
    threshold_interval: Interval
    f1: float
    f1_interval: Interval


def best_threshold(
    values: Sequence[float], is_good: Sequence[bool], keep: str, present: float | None, seed: int = 0
) -> ThresholdChoice | None:
    """The threshold that maximises F1 (positive = what people call good), or None where there is nothing to choose.

    Candidates lie half way between neighbouring values and beyond the outermost kept one; of equal ones the nearest to
    `present` is taken. The intervals are percentiles over resamples of the subjects (bootstrap; Efron 1979), in which
    the choice is made anew each time: they tell how much the suggestion depends on what was asked about. A maximum is
    harder to bootstrap than a mean: on simulated gates the threshold's covered the best one in 71 % of draws of 50
    subjects, 80 % of 100, 93 % of 200.

    Args:
        values: (subjects,) measured, finite.
        is_good: (subjects,) what most people said.
        keep: comparison that passes; None is given back for `==` and `between`, which have no one threshold.
        present: today's threshold.

    Raises:
        ValueError: `values` and `is_good` differ in length.
    """
    sign = -1.0 if keep in ("<", "<=") else 1.0
    raised = sign * np.asarray(values, np.float64)
    good = np.asarray(is_good, bool)
    if raised.shape != good.shape:
        raise ValueError(f"{raised.shape} values for {good.shape} answers")
    if keep not in ONE_SIDED or good.all() or not good.any() or np.ptp(raised) == 0:
        return None
    levels = np.unique(raised)
    # beside the lowest: everything passes; half a step below it, as far as its neighbour is above
    cuts = np.concatenate([[levels[0] - (levels[1] - levels[0]) / 2], (levels[1:] + levels[:-1]) / 2])
    preferred = np.abs(cuts - sign * present) if present is not None else np.zeros(len(cuts))
    of_level = np.searchsorted(levels, raised)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(good), np.full(len(good), 1 / len(good)), size=RESAMPLES).astype(np.float64)
    scores = _f1_above(np.vstack([np.ones(len(good)), weights]), of_level, good, len(levels))
    chosen = [int(np.lexsort((preferred, -row))[0]) for row in scores]
    found, again = sign * cuts[chosen[0]], sign * cuts[chosen[1:]]
    best = scores[np.arange(1, RESAMPLES + 1), chosen[1:]]
    return ThresholdChoice(float(found), _middle(again), float(scores[0, chosen[0]]), _middle(best))


def f1_interval(true_positives: int, false_positives: int, false_negatives: int, seed: int = 0) -> Interval | None:
    """95 % interval of F1 by bootstrap over the subjects that count in it; None where F1 does not exist."""
    counts = np.array([true_positives, false_positives + false_negatives])
    if not counts.sum():
        return None
    drawn = np.random.default_rng(seed).binomial(counts.sum(), counts[0] / counts.sum(), size=RESAMPLES)
    return _middle(2 * drawn / (drawn + counts.sum()))


def _f1_above(weights: Floats, of_level: NDArray[np.intp], good: NDArray[np.bool_], levels: int) -> Floats:
    """F1 of keeping all from a level on: (resamples, levels), 0 where a resample has no good subject.

    Args:
        weights: (resamples, subjects), how often each subject was drawn.
        of_level: (subjects,) which level its value is.
    """
    member = np.zeros((len(of_level), levels))
    member[np.arange(len(of_level)), of_level] = 1.0
    kept_good = _from_above((weights * good) @ member)
    kept = _from_above(weights @ member)
    both = kept + (weights @ good)[:, None]
    return np.divide(2 * kept_good, both, out=np.zeros_like(both), where=both > 0)


def _from_above(counts: Floats) -> Floats:
    summed: Floats = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return summed


def _middle(values: NDArray[Any]) -> Interval:
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
