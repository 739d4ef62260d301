"""What a lip network reaches on people it was not trained on.

Belongs here: own against foreign sound, lags, agreement with the teacher. Does not belong here: labelled videos (the
accuracy tests), training.

Own against foreign: for every pair of a face and a sound, own and foreign alike, the network first finds the pair's
lag over all of it; a window's score is its margin at that lag. So no pair profits from an offset known beforehand. A
lag that is found in a short pair fits it by chance, so foreign sounds are as long as the own one where there are any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.curation.speaking.lip_frames import FPS, LipFrames
from speakervid_dag.curation.speaking.lip_scores import best_lag, margins
from speakervid_dag.models.lip_network import LipNetwork
from speakervid_dag.training.views import Example

WINDOWS_S = (1, 2, 5)
_FOREIGN, _MIN_SPEECH, _LAG_WINDOW_S, _MIN_PAIR_FRAMES = 12, 0.6, 3, 25

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SynchronyReport:
    """Figures on held-out people.

    Attributes:
        auc: own against foreign windows, by seconds.
        own, foreign: number of windows.
        lag_share: 3-s windows whose best lag is within one frame of the clip's offset.
        lag_windows: their number.
        own_low, foreign_high: 5 % and 95 % quantiles of own and of foreign margins, by seconds.
    """

    auc: dict[int, float]
    own: dict[int, int]
    foreign: dict[int, int]
    lag_share: float
    lag_windows: int
    own_low: dict[int, float]
    foreign_high: dict[int, float]


class HeldOut:
    """Held-out clips, run once through a network.

    Args:
        copy: which copy of each face; one that a clip does not have is replaced by the face at full size.
    """

    def __init__(self, network: LipNetwork, examples: Sequence[Example], copy: int = 0) -> None:
        self._network, self._examples = network, list(examples)
        self._faces = [e.copies[copy] if copy < len(e.copies) else e.copies[0] for e in examples]
        self._mouths = [_mouth(network, face) for face in self._faces]
        self._sounds = [network.sound(e.samples, max(1, len(e.samples) // 640)) for e in examples]

    def similarities(self, face: int, sound: int) -> tuple[Floats, Floats]:
        """Return similarities (t, 31) and the sound's speech (t,), over the frames that both have and that are seen."""
        frames, speech = self._faces[face], self._examples[sound].speech
        near = self._network.synchrony(self._mouths[face], self._sounds[sound], frames.first)
        at = frames.first + np.arange(len(near))
        used = frames.is_seen & (at >= 0) & (at < len(speech))
        return near[used], speech[at[used]]

    def offsets(self) -> list[float]:
        """Return by how many frames each clip's sound is late."""
        return [best_lag(_profile(*self.similarities(n, n))) for n in range(len(self._examples))]

    def talking(self, face: int, sound: int, lag: int = 0) -> Floats:
        """Return talking logits (t,) of a face under a sound."""
        return self._network.talking(self._mouths[face], self._sounds[sound], self._faces[face].first, lag)

    def report(self, offsets: Sequence[float] | None = None, seed: int = 0) -> SynchronyReport:
        """Return the figures. `offsets`: of the clips, by other networks; None = found by this one."""
        random = np.random.default_rng(seed)
        own: dict[int, list[float]] = {s: [] for s in WINDOWS_S}
        foreign: dict[int, list[float]] = {s: [] for s in WINDOWS_S}
        right, found = [], self.offsets() if offsets is None else list(offsets)
        for n, example in enumerate(self._examples):
            near, speech = self.similarities(n, n)
            _add(own, near, speech)
            right += [abs(lag - found[n]) <= 1.0 for lag in _window_lags(near, speech)]
            for m in self._foreign(example, random):
                _add(foreign, *self.similarities(n, m))
        return SynchronyReport(
            auc={s: area_under_curve(own[s], foreign[s]) for s in WINDOWS_S},
            own={s: len(own[s]) for s in WINDOWS_S},
            foreign={s: len(foreign[s]) for s in WINDOWS_S},
            lag_share=float(np.mean(right)) if right else float("nan"),
            lag_windows=len(right),
            own_low={s: float(np.quantile(own[s], 0.05)) if own[s] else float("nan") for s in WINDOWS_S},
            foreign_high={s: float(np.quantile(foreign[s], 0.95)) if foreign[s] else float("nan") for s in WINDOWS_S},
        )

    def _foreign(self, example: Example, random: np.random.Generator) -> list[int]:
        """Return other people's sounds, as long as the clip's own if there are enough, else the longest ones."""
        others = [m for m, e in enumerate(self._examples) if e.person != example.person]
        missing = {m: max(0, len(example.speech) - len(self._examples[m].speech)) for m in others}
        order = [int(m) for m in random.permutation(others)]
        return sorted(order, key=lambda m: missing[m])[:_FOREIGN]


def _mouth(network: LipNetwork, frames: LipFrames) -> dict:  # type: ignore[type-arg]
    return network.mouth(frames.mouths, frames.faces, frames.lips, frames.state, frames.is_seen)


def _profile(near: Floats, speech: Floats) -> Floats:
    weights = speech + 0.05
    return np.asarray((near * weights[:, None]).sum(axis=0) / weights.sum(), np.float32) if len(near) else near.sum(0)


def _add(into: dict[int, list[float]], near: Floats, speech: Floats) -> None:
    """Add the margins of the windows of a pair at the pair's own lag."""
    if len(near) < _MIN_PAIR_FRAMES:
        return
    each = margins(near, round(best_lag(_profile(near, speech))))
    for seconds, values in into.items():
        for part in _windows(len(near), seconds):
            if (speech[part] >= 0.5).mean() >= _MIN_SPEECH:
                values.append(float(each[part].mean()))


def _windows(count: int, seconds: int) -> list[slice]:
    frames, hop = seconds * FPS, (FPS if seconds > 1 else FPS // 2)
    return [slice(at, at + frames) for at in range(0, count - frames + 1, hop)]


def _window_lags(near: Floats, speech: Floats) -> list[float]:
    parts = [p for p in _windows(len(near), _LAG_WINDOW_S) if (speech[p] >= 0.5).mean() >= _MIN_SPEECH]
    return [best_lag(_profile(near[p], speech[p])) for p in parts]


def area_under_curve(own: Sequence[float], foreign: Sequence[float]) -> float:
    """Return the probability that an own score is above a foreign one; ties count half."""
    from scipy.stats import rankdata

    if not own or not foreign:
        return float("nan")
    ranks = rankdata(np.concatenate([own, foreign]))[: len(own)]
    return float((ranks.sum() - len(own) * (len(own) + 1) / 2) / (len(own) * len(foreign)))
