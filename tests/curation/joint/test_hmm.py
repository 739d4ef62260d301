"""The hidden Markov model against all paths, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakervid_dag.curation.joint.hmm import Doubles, likeliest_path, posterior

SEEDS, FRAMES, STATES = st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 3)


def model(seed: int, frames: int, states: int) -> tuple[Doubles, Doubles]:
    rng = np.random.default_rng(seed)
    step = rng.dirichlet(np.full(states, 0.5), states)
    return rng.normal(0, 3, (frames, states)), np.log(np.maximum(step, 1e-9))


def score(path: tuple[int, ...], emission: Doubles, transition: Doubles) -> float:
    said = sum(emission[t, state] for t, state in enumerate(path))
    return float(said + sum(transition[a, b] for a, b in itertools.pairwise(path)))


@settings(max_examples=50)
@given(SEEDS, FRAMES, STATES)
def test_posterior_and_path_are_those_of_all_paths(seed: int, frames: int, states: int) -> None:
    emission, transition = model(seed, frames, states)
    paths = list(itertools.product(range(states), repeat=frames))
    scores = np.array([score(path, emission, transition) for path in paths])
    weights = np.exp(scores - scores.max())
    wanted = np.zeros((frames, states))
    for path, weight in zip(paths, weights / weights.sum(), strict=True):
        wanted[np.arange(frames), path] += weight

    assert posterior(emission, transition) == pytest.approx(wanted, abs=1e-9)
    found = likeliest_path(emission, transition)
    assert score(tuple(found.tolist()), emission, transition) == pytest.approx(scores.max())


def test_rows_sum_to_1_however_long_and_extreme() -> None:
    emission, transition = model(1, 400, 3)

    found = posterior(50 * emission, transition)

    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(400))
    assert (found >= 0).all()


def test_an_offset_of_a_frame_changes_nothing() -> None:
    emission, transition = model(2, 30, 3)
    moved = emission + np.random.default_rng(3).normal(0, 100, (30, 1))

    assert posterior(moved, transition) == pytest.approx(posterior(emission, transition))
    assert likeliest_path(moved, transition).tolist() == likeliest_path(emission, transition).tolist()
