"""Lip-sync evidence: does this face talk, and does this voice belong to these lips?

Belongs here: pairing tracks with turns, pooling a person's evidence over a speaker's turns, rows of `sync_scores`.
Does not belong here: the regression itself (sync_regression.py) and the decision who is bound (bindings.py).

Definitions. Lag of k frames: the sound k frames later fits the picture (positive = audio late).
`lag_curve[k + max_lag]` = held-out correlation of the lips' prediction with the sound at lag k, a mean of the turn's
own curve
and that of all turns of the same speaker and person. distance = distance_scale * (1 - correlation);
`sync_dist` (Sync-D) = least distance near the lag that the whole video shares; `sync_conf` (Sync-C) = median
distance over all
lags - `sync_dist`: bigger = better synchronised, about 0 or less for a foreign voice.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation import sync_regression as regression
from speakervid_dag.curation.sync_regression import Array, LipSeries
from speakervid_dag.lake.schemas import SYNC_SCORES

Row = dict[str, object]

BACKEND = "lip_ridge"

_LABELS = ("batch", "video_id", "track_id", "person_id", "start_s", "end_s")
_SERIES = ("frame_times_s", "lip_shape", "mesh_score", "yaw_deg")


@dataclass(frozen=True)
class Pair:
    """One track and one turn that overlap in [start_s, end_s)."""

    track: Row
    turn: Row
    start_s: float
    end_s: float

    def cells(self, settings: SyncSettings, context_s: float = 0.0) -> tuple[int, int]:
        """First and last (exclusive) cell of the common time, widened by the context."""
        first = round((self.start_s - context_s) * settings.grid_hz)
        return max(0, first), round((self.end_s + context_s) * settings.grid_hz)


@dataclass(frozen=True)
class Curve:
    """Held-out correlation per lag of one pair, and how many cells it rests on."""

    own: Array
    pooled: Array
    cells: int


def score_video(
    turns: pl.DataFrame,
    tracks: pl.DataFrame,
    audio: npt.NDArray[np.float32],
    rate_hz: int,
    settings: SyncSettings,
) -> pl.DataFrame:
    """Scores of every track and turn of one video that overlap by `min_overlap_s`.

    Args:
        turns: rows of speech_turns of one video.
        tracks: rows of face_tracks of the same video.
        audio: float32 mono, sample 0 at the container's start.
        rate_hz: its sample rate.

    Returns:
        Rows of sync_scores, one a pair, ordered by turn and track.
    """
    pairs = _pairs(turns, tracks, settings)
    if not pairs:
        return SYNC_SCORES.empty()
    sound = regression.band_energies(audio, rate_hz, settings)
    sound = regression.high_passed(sound, np.ones(len(sound), bool), settings)
    faces = {str(p.track["track_id"]): p.track for p in pairs}
    lips = {name: _lips(face, settings) for name, face in faces.items()}
    problems = {_key(p): _problem(p, lips[str(p.track["track_id"])], len(sound), settings) for p in pairs}
    usable = [p for p in pairs if problems[_key(p)] is None]
    curves = _curves(usable, lips, sound, settings)
    lag = _shared_lag(curves.values(), settings)
    rest = _rest_speeds(pairs, lips, settings)
    rows = []
    for pair in pairs:
        curve = curves.get(_key(pair))
        series = lips[str(pair.track["track_id"])]
        problem = problems[_key(pair)] or (None if curve else "too_short")
        talking = None if problems[_key(pair)] else _talking(pair, series, rest[str(pair.track["person_id"])], settings)
        rows.append(_row(pair, curve, lag, talking, problem, settings))
    return SYNC_SCORES.frame(rows)


def _pairs(turns: pl.DataFrame, tracks: pl.DataFrame, settings: SyncSettings) -> list[Pair]:
    faces = tracks.select(*_LABELS, *_SERIES).sort("track_id").to_dicts()
    found = []
    for turn in turns.select("turn_id", "speaker_id", "start_s", "end_s").sort("start_s", "turn_id").to_dicts():
        for face in faces:
            start, end = max(turn["start_s"], face["start_s"]), min(turn["end_s"], face["end_s"])
            if end - start >= settings.min_overlap_s:
                found.append(Pair(face, turn, start, end))
    return found


def _key(pair: Pair) -> tuple[str, str]:
    return str(pair.track["track_id"]), str(pair.turn["turn_id"])


def _lips(track: Row, settings: SyncSettings) -> LipSeries:
    times = np.asarray(track["frame_times_s"], np.float64)
    points: list[list[float] | None] = track["lip_shape"]  # type: ignore[assignment]
    width = max((len(p) for p in points if p), default=0)
    shape = np.array([p if p and len(p) == width else [np.nan] * width for p in points], np.float64)
    mesh, yaw = (np.asarray(track[name], np.float64) for name in ("mesh_score", "yaw_deg"))
    good = (mesh >= settings.min_mesh_score) & (np.abs(yaw) <= settings.max_abs_yaw_deg)
    return regression.lip_series(times, shape.reshape(len(times), width), good, settings)


def _problem(pair: Pair, lips: LipSeries, length: int, settings: SyncSettings) -> str | None:
    """Why a pair cannot be measured; None when it can. `length` is that of the sound, cells."""
    first, last = pair.cells(settings)
    if first >= length:
        return "no_sound"
    times: list[float] = pair.track["frame_times_s"]  # type: ignore[assignment]
    if not any(pair.start_s <= t < pair.end_s for t in times):
        return "no_face_frames"
    seen = float(_part(lips, lips.is_seen, first, last).sum())
    return None if seen >= settings.min_seen_share * (last - first) else "mouth_not_visible"


def _part(lips: LipSeries, series: Array | npt.NDArray[np.bool_], first: int, last: int) -> Array:
    """Rows of a series of this face in the cells [first, last), as far as it goes."""
    low, high = max(0, first - lips.first), max(0, last - lips.first)
    return np.asarray(series[low:high])


def _curves(
    pairs: list[Pair], lips: dict[str, LipSeries], sound: Array, settings: SyncSettings
) -> dict[tuple[str, str], Curve]:
    """Lag curves of all pairs: one regression for each person and speaker, on all their common time."""
    tracks_of: dict[str, set[str]] = defaultdict(set)
    groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        tracks_of[str(pair.track["person_id"])].add(str(pair.track["track_id"]))
        groups[str(pair.track["person_id"]), str(pair.turn["speaker_id"])].append(pair)
    features: dict[str, Array] = {}
    for names in tracks_of.values():
        basis = regression.shape_basis([lips[name] for name in sorted(names)], settings)
        features |= {name: regression.lip_features(lips[name], basis, settings) for name in names}
    curves: dict[tuple[str, str], Curve] = {}
    for members in groups.values():
        curves |= _group_curves(members, features, lips, sound, settings)
    return curves


def _group_curves(
    members: list[Pair],
    features: dict[str, Array],
    lips: dict[str, LipSeries],
    sound: Array,
    settings: SyncSettings,
) -> dict[tuple[str, str], Curve]:
    lags = range(-settings.max_lag_frames, settings.max_lag_frames + 1)
    own = {_key(p): np.zeros(len(lags)) for p in members}
    cells = {_key(p): 0 for p in members}
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
                own[_key(pair)][i] = regression.agreement(predicted[part], y[part], settings)
                cells[_key(pair)] = max(cells[_key(pair)], count)
    return {k: Curve(own[k], pooled, cells[k]) for k in own if pooled.any()}


def _samples(
    pair: Pair, features: dict[str, Array], lips: dict[str, LipSeries], sound: Array, lag: int, settings: SyncSettings
) -> tuple[Array, Array]:
    """Lips and sound of a pair at one lag: the sound of the turn (and its context), the lips `lag` cells earlier."""
    name = str(pair.track["track_id"])
    first, last = pair.cells(settings, settings.context_s)
    heard = np.arange(first, min(last, len(sound)))
    seen = heard - lag - lips[name].first
    inside = (seen >= 0) & (seen < len(lips[name].is_seen))
    heard, seen = heard[inside], seen[inside]
    good = lips[name].is_seen[seen]
    return features[name][seen[good]], sound[heard[good]]


def _folds(counts: list[int], settings: SyncSettings) -> npt.NDArray[np.int64]:
    """Held-out group of each sample: consecutive stretches, at most `max_folds` of them, at least two."""
    total = sum(counts)
    length = max(settings.fold_s * settings.grid_hz, total / settings.max_folds)
    count = max(2, round(total / length))
    return (np.arange(total) * count // total).astype(np.int64)


def _shared_lag(curves: Iterable[Curve], settings: SyncSettings) -> int:
    """The lag that the whole file agrees on: all curves together, weighted by their cells, smoothed over neighbours."""
    total = np.zeros(2 * settings.max_lag_frames + 1)
    for curve in curves:
        total += np.maximum(curve.pooled, 0) * curve.cells
    smooth = np.convolve(np.pad(total, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return int(smooth.argmax()) - settings.max_lag_frames


def _rest_speeds(pairs: list[Pair], lips: dict[str, LipSeries], settings: SyncSettings) -> dict[str, float]:
    """Each person's still mouth: a low quantile of its speeds, not under the measurement's own jitter."""
    speeds: dict[str, list[Array]] = defaultdict(list)
    for track_id, person_id in {(str(p.track["track_id"]), str(p.track["person_id"])) for p in pairs}:
        speeds[person_id].append(lips[track_id].speed[lips[track_id].is_seen])
    low = {k: np.concatenate(v) for k, v in speeds.items()}
    return {k: max(settings.still_speed, float(np.quantile(v, 0.1)) if len(v) else 0.0) for k, v in low.items()}


def _talking(pair: Pair, lips: LipSeries, rest: float, settings: SyncSettings) -> float:
    """Share of the turn in which the mouth moves more than twice as fast as at rest, 0-1."""
    first, last = pair.cells(settings)
    speed = _part(lips, lips.speed, first, last)[_part(lips, lips.is_seen, first, last).astype(bool)]
    return float((speed > 2 * rest).mean())


def _row(
    pair: Pair, curve: Curve | None, lag: int, talking: float | None, problem: str | None, settings: SyncSettings
) -> Row:
    row: Row = {name: pair.track[name] for name in ("batch", "video_id", "track_id")}
    row |= {"turn_id": pair.turn["turn_id"], "start_s": pair.start_s, "end_s": pair.end_s, "backend": BACKEND}
    row |= {"talking_score": talking, "status": "not_evaluated", "reason": problem, "detail": None}
    if curve is None:
        return row
    values = settings.own_weight * curve.own + (1 - settings.own_weight) * curve.pooled
    distance = settings.distance_scale * (1 - values)
    near = slice(
        max(0, lag + settings.max_lag_frames - settings.lag_tolerance_frames),
        lag + settings.max_lag_frames + settings.lag_tolerance_frames + 1,
    )
    best = int(distance[near].argmin()) + near.start
    dist = float(distance[best])
    return row | {
        "sync_conf": float(np.median(distance)) - dist,
        "sync_dist": dist,
        "offset_frames": float(best - settings.max_lag_frames),
        "lag_curve": [float(v) for v in values],
        "status": "ok",
        "reason": None,
    }
