"""Default backends, from lip landmarks alone: lip motion (talking) and landmark-audio regression (synchrony).

Belongs here: the two default backends of active_speaker.py's protocol. Does not belong here: the regression's
arithmetic (sync_regression.py), backends with trained weights (light_asd.py, syncnet.py, models/lake_synchrony.py),
rows and decisions.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation.speaking import sync_regression as regression
from speakervid_dag.curation.speaking.active_speaker import BackendAnswer, Curve, Key, Pair, Scene
from speakervid_dag.curation.speaking.sync_regression import Array, LipSeries


class LipMotion:
    """Backend for `talking`: the share of the common time in which the mouth moves."""

    name = "lip_motion"
    question: Literal["talking"] = "talking"

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        lips, settings = scene.lips(), scene.settings
        rest = _rest_speeds(scene.pairs, lips, settings)
        found = {}
        for pair in scene.pairs:
            problem = lips_problem(scene, pair, lips[pair.track_id])
            score = None if problem else _talking(pair, lips[pair.track_id], rest[pair.person_id], settings)
            found[pair.key] = BackendAnswer(talking=score, reason=problem)
        return found


class LipRidge:
    """Backend for `synchrony`: ridge regression from lips to band energies, fitted within the video."""

    name = "lip_ridge"
    question: Literal["synchrony"] = "synchrony"

    def measure(self, scene: Scene) -> Mapping[Key, BackendAnswer]:
        settings, lips = scene.settings, scene.lips()
        sound = regression.band_energies(scene.audio, scene.rate_hz, settings)
        sound = regression.high_passed(sound, np.ones(len(sound), bool), settings)
        problems = {p.key: lips_problem(scene, p, lips[p.track_id]) for p in scene.pairs}
        curves = _curves([p for p in scene.pairs if problems[p.key] is None], lips, sound, settings)
        return {
            k: BackendAnswer(curve=curves.get(k), reason=why or _too_short(curves.get(k)))
            for k, why in problems.items()
        }


def _too_short(curve: Curve | None) -> str | None:
    return None if curve else "too_short"


def lips_problem(scene: Scene, pair: Pair, lips: LipSeries) -> str | None:
    """Return why a pair's lips cannot be measured; None when they can."""
    if problem := scene.problem(pair):
        return problem
    first, last = pair.cells(scene.settings)
    seen = float(lips.part(lips.is_seen, first, last).sum())
    return None if seen >= scene.settings.min_seen_share * (last - first) else "mouth_not_visible"


def _rest_speeds(pairs: list[Pair], lips: dict[str, LipSeries], settings: SyncSettings) -> dict[str, float]:
    """Return the speed of each person's still mouth: a low quantile of its speeds, at least the landmark jitter."""
    speeds: dict[str, list[Array]] = defaultdict(list)
    for track_id, person_id in {(p.track_id, p.person_id) for p in pairs}:
        speeds[person_id].append(lips[track_id].speed[lips[track_id].is_seen])
    low = {k: np.concatenate(v) for k, v in speeds.items()}
    return {k: max(settings.still_speed, float(np.quantile(v, 0.1)) if len(v) else 0.0) for k, v in low.items()}


def _talking(pair: Pair, lips: LipSeries, rest: float, settings: SyncSettings) -> float:
    """Return the share of the seen time in which the mouth moves more than twice as fast as at rest, 0-1."""
    first, last = pair.cells(settings)
    speed = lips.part(lips.speed, first, last)[lips.part(lips.is_seen, first, last).astype(bool)]
    return float((speed > 2 * rest).mean())


def _curves(pairs: list[Pair], lips: dict[str, LipSeries], sound: Array, settings: SyncSettings) -> dict[Key, Curve]:
    """Return lag curves of all pairs: one regression per person and speaker, on all their common time."""
    tracks_of: dict[str, set[str]] = defaultdict(set)
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        tracks_of[pair.person_id].add(pair.track_id)
        groups[pair.person_id, pair.speaker_id].append(pair)
    features: dict[str, Array] = {}
    for names in tracks_of.values():
        basis = regression.shape_basis([lips[name] for name in sorted(names)], settings)
        features |= {name: regression.lip_features(lips[name], basis, settings) for name in names}
    curves: dict[Key, Curve] = {}
    for members in groups.values():
        curves |= _group_curves(members, features, lips, sound, settings)
    return curves


def _group_curves(
    members: list[Pair],
    features: dict[str, Array],
    lips: dict[str, LipSeries],
    sound: Array,
    settings: SyncSettings,
) -> dict[Key, Curve]:
    lags = range(-settings.max_lag_frames, settings.max_lag_frames + 1)
    own = {p.key: np.zeros(len(lags)) for p in members}
    cells = {p.key: 0 for p in members}
    pooled = np.zeros(len(lags))
    for i, lag in enumerate(lags):
        samples = [_samples(p, features, lips, sound, lag, settings) for p in members]
        counts = [len(s[0]) for s in samples]
        if sum(counts) < settings.min_evidence_s * settings.grid_hz:
            continue
        x, y = (np.concatenate([s[j] for s in samples]) for j in (0, 1))
        y = (y - y.mean(axis=0)) / (y.std(axis=0) + 1e-9)
        predicted = regression.held_out_predictions(x, y, _folds(counts, settings), settings)
        pooled[i] = regression.agreement(predicted, y, settings)
        for pair, end, count in zip(members, np.cumsum(counts), counts, strict=True):
            part = slice(int(end) - count, int(end))
            if count:
                own[pair.key][i] = regression.agreement(predicted[part], y[part], settings)
                cells[pair.key] = max(cells[pair.key], count)
    return {k: Curve(own[k], pooled, cells[k]) for k in own if pooled.any()}


def _samples(
    pair: Pair, features: dict[str, Array], lips: dict[str, LipSeries], sound: Array, lag: int, settings: SyncSettings
) -> tuple[Array, Array]:
    """Return a pair's lips and sound at one lag: sound of the turn and its context, the lips `lag` cells earlier."""
    name = pair.track_id
    first, last = pair.cells(settings, settings.context_s)
    heard = np.arange(first, min(last, len(sound)))
    seen = heard - lag - lips[name].first
    inside = (seen >= 0) & (seen < len(lips[name].is_seen))
    heard, seen = heard[inside], seen[inside]
    good = lips[name].is_seen[seen]
    return features[name][seen[good]], sound[heard[good]]


def _folds(counts: list[int], settings: SyncSettings) -> npt.NDArray[np.int64]:
    """Return the held-out group of each sample: consecutive stretches, at least two, at most `max_folds`."""
    total = sum(counts)
    length = max(settings.fold_s * settings.grid_hz, total / settings.max_folds)
    count = max(2, round(total / length))
    return (np.arange(total) * count // total).astype(np.int64)
