"""Training and test data of a lake's own synchrony model: stretches of talking faces, split by person.

Belongs here: lips and sound as the model reads them, the split, windows, figures of a scorer on held-out people. Does
not belong here: the network (models/lake_synchrony.py), reading the lake (assets/training.py).

No labels are needed: a stretch with its own sound is a match; with another person's sound or at another lag it is not.
The correct lag comes from the default backend over the whole video; a window of 2 to 5 s is a much harder task.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation.speaking import sync_regression as regression
from speakervid_dag.curation.speaking.sync_regression import Array, LipSeries

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Stretch:
    """A talking face and its sound.

    Attributes:
        person: the same person has the same name in all videos.
        lips: float32 (t, features), see `lip_inputs`; series: the raw series of these cells, for the default.
        sound: float32 (t + 2 * max_lag, bands): row i + max_lag is the sound at row i of `lips`.
    """

    person: str
    lips: Floats
    series: LipSeries
    sound: Floats


Scorer = Callable[[Stretch, Stretch], Array]
"""Agreement per lag of one window's lips with another's sound."""


def lip_inputs(lips: LipSeries, settings: SyncSettings) -> Floats:
    """Return mouth height, width, log speed, 40 coordinates and their velocity, float32 (t, 83), free of drift.

    Units are a still mouth's jitter; each column is then scaled by its size over the seen cells and clipped to ±5.
    """
    points = lips.shape.reshape(len(lips.shape), -1, 2)
    width, height = np.moveaxis(points.max(axis=1) - points.min(axis=1), 1, 0) / settings.lip_noise
    speed = np.log1p(lips.speed / settings.still_speed) / np.log(2)
    place = np.hstack([np.stack([height, width, speed], axis=1), lips.shape / settings.lip_noise])
    place = regression.high_passed(place, lips.is_seen, settings)
    velocity = np.gradient(place[:, 3:], axis=0) if len(place) > 1 else np.zeros_like(place[:, 3:])
    rows = np.hstack([place, velocity])
    scale = np.sqrt((rows[lips.is_seen] ** 2).mean(axis=0) + 1.0) if lips.is_seen.any() else 1.0
    return np.asarray(np.clip(rows / scale, -5, 5), np.float32)


def sound_inputs(audio: Floats, rate_hz: int, settings: SyncSettings) -> Floats:
    """Return log band energies without drift, each band with deviation 1: float32 (cells, bands)."""
    bands = regression.band_energies(audio, rate_hz, settings)
    bands = regression.high_passed(bands, np.ones(len(bands), bool), settings)
    return np.asarray(bands / (bands.std(axis=0) + 1e-9 if len(bands) else 1.0), np.float32)


def split(stretches: Sequence[Stretch], share: float) -> tuple[list[Stretch], list[Stretch]]:
    """Return (train, held out); no person is in both.

    People are held out in the order of their names' hashes until they hold `share` of the speech. A person who would
    raise it above twice that share stays in training.
    """
    cells: dict[str, int] = defaultdict(int)
    for s in stretches:
        cells[s.person] += len(s.lips)
    wanted, held, taken = share * sum(cells.values()), set(), 0
    for person in sorted(cells, key=lambda p: hashlib.sha256(p.encode()).hexdigest()):
        if taken < wanted and taken + cells[person] <= 2 * wanted:
            held.add(person)
            taken += cells[person]
    return [s for s in stretches if s.person not in held], [s for s in stretches if s.person in held]


def windows(stretches: Sequence[Stretch], cells: int, settings: SyncSettings) -> list[Stretch]:
    """Cut every stretch into consecutive pieces of `cells`."""
    found = []
    for s in stretches:
        for at in range(0, len(s.lips) - cells + 1, cells):
            part = slice(at, at + cells)
            series = LipSeries(0, s.series.shape[part], s.series.speed[part], s.series.is_seen[part])
            sound = s.sound[at : at + cells + 2 * settings.max_lag_frames]
            found.append(Stretch(s.person, s.lips[part], series, sound))
    return found


@dataclass(frozen=True)
class Figures:
    """Figures of a scorer, as shares.

    `auc`: a matching window's peak stands out more than a mismatched one's. `lag_accuracy`: a matching window's peak is
    within 1 frame of lag 0.
    """

    count: int
    auc: float
    lag_accuracy: float


def figures(scorer: Scorer, held_out: Sequence[Stretch], peak_frames: int) -> Figures | None:
    """Judge a scorer on held-out windows, each with its own sound and two of other people; None if there are none."""
    right, wrong, hits = [], [], []
    for i, window in enumerate(held_out):
        others = [w for w in held_out if w.person != window.person]
        if not others:
            continue
        curve = scorer(window, window)
        right.append(prominence(curve, peak_frames))
        hits.append(abs(int(curve.argmax()) - len(curve) // 2) <= 1)
        wrong += [prominence(scorer(window, others[(7 * i + 13 * k) % len(others)]), peak_frames) for k in range(2)]
    if not right:
        return None
    auc = float((np.array(right)[:, None] > np.array(wrong)[None, :]).mean())
    return Figures(len(right), auc, float(np.mean(hits)))


def prominence(curve: Array, peak_frames: int) -> float:
    """Return the peak's mean lead over the median and over the best lag elsewhere."""
    peak = int(curve.argmax())
    elsewhere = np.abs(np.arange(len(curve)) - peak) > peak_frames
    return float(curve[peak] - (np.median(curve) + curve[elsewhere].max()) / 2)


def default_scorer(settings: SyncSettings) -> Scorer:
    """Return the default backend's regression as a scorer, fitted within the window as it is within a video."""

    def score(window: Stretch, heard: Stretch) -> Array:
        basis = regression.shape_basis([window.series], settings)
        x, count = regression.lip_features(window.series, basis, settings), len(window.lips)
        groups = (np.arange(count) * 2 // count).astype(np.int64)
        curve = []
        for lag in range(2 * settings.max_lag_frames + 1):
            y = heard.sound[lag : lag + count].astype(np.float64)
            y = (y - y.mean(axis=0)) / (y.std(axis=0) + 1e-9)
            curve.append(regression.agreement(regression.held_out_predictions(x, y, groups, settings), y, settings))
        return np.array(curve)

    return score
