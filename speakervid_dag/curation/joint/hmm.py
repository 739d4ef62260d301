"""A hidden Markov model over frames: the posterior of its states, and the likeliest path.

Belongs here: the arithmetic of any such model. Does not belong here: what the states are and what speaks for them
(states.py).
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def posterior(emission: Doubles, transition: Doubles) -> Doubles:
    """Return the probability of each state in each frame, given all frames: (n, s) (Rabiner 1989, scaled).

    Args:
        emission: (n, s) log-likelihood of each frame in each state.
        transition: (s, s) log probability of a step from row to column.
    """
    likely = np.exp(emission - emission.max(axis=1, keepdims=True))
    step = np.exp(transition)
    ahead, back = np.empty_like(likely), np.empty_like(likely)
    now = likely[0] / likely[0].sum()
    ahead[0] = now
    for t in range(1, len(likely)):
        now = (now @ step) * likely[t]
        now /= now.sum()
        ahead[t] = now
    now = np.ones(likely.shape[1])
    back[-1] = now
    for t in range(len(likely) - 2, -1, -1):
        now = step @ (now * likely[t + 1])
        now /= now.sum()
        back[t] = now
    both = ahead * back
    return cast(Doubles, both / both.sum(axis=1, keepdims=True))


def likeliest_path(emission: Doubles, transition: Doubles) -> NDArray[np.int64]:
    """Return the state of each frame on the likeliest path: (n,) int64 (Viterbi 1967)."""
    count, states = emission.shape
    came_from = np.zeros((count, states), np.int64)
    columns = np.arange(states)
    best = emission[0].astype(np.float64)
    for t in range(1, count):
        ways = best[:, None] + transition
        came_from[t] = ways.argmax(axis=0)
        best = ways[came_from[t], columns] + emission[t]
    path = np.empty(count, np.int64)
    path[-1] = best.argmax()
    for t in range(count - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path
