"""Rows of `sync_scores`: the answers of a profile's two backends about each track and turn of a video.

Belongs here: running the backends, Sync-C, Sync-D and offset of a curve, the lag a video shares. Does not belong here:
the backends (lip_backends.py, light_asd.py, syncnet.py, models/lake_synchrony.py), and the decision who is bound
(bindings.py).

Definitions. Lag of k frames: the sound k frames later fits the picture (positive = audio late).
`lag_curve[k + max_lag]` = agreement at lag k, a mean of the turn's own curve and that of all turns of the same speaker
and person (where the backend pools them). distance = distance_scale * (1 - agreement): for the regression, agreement is
a correlation; a network's own distances are kept unchanged. `sync_dist` (Sync-D) = least distance; where the backend
requires it, only lags near the one the whole video shares count. `sync_conf` (Sync-C) = median distance over all lags -
`sync_dist`: bigger = better synchronised, about 0 or less for a foreign voice.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.config.sections import SyncSettings
from speakervid_dag.curation.speaking.active_speaker import (
    ActiveSpeakerBackend,
    BackendAnswer,
    CropSource,
    Curve,
    Pair,
    Row,
    Scene,
    pairs_of,
)
from speakervid_dag.curation.speaking.lip_backends import LipMotion, LipRidge
from speakervid_dag.curation.speaking.sync_regression import Array
from speakervid_dag.lake.schemas import SYNC_SCORES

DEFAULT_TALKING: ActiveSpeakerBackend = LipMotion()
DEFAULT_SYNCHRONY: ActiveSpeakerBackend = LipRidge()


def score_video(
    turns: pl.DataFrame,
    tracks: pl.DataFrame,
    audio: npt.NDArray[np.float32],
    rate_hz: int,
    settings: SyncSettings,
    talking: ActiveSpeakerBackend = DEFAULT_TALKING,
    synchrony: ActiveSpeakerBackend = DEFAULT_SYNCHRONY,
    crops: CropSource = lambda _: None,
) -> pl.DataFrame:
    """Return scores of every track and turn of one video that overlap by `min_overlap_s`.

    Args:
        turns: rows of speech_turns of one video.
        tracks: rows of face_tracks of the same video.
        audio: float32 mono, sample 0 at the container's start.
        rate_hz: its sample rate.
        talking, synchrony: backends for the two tasks.
        crops: face pictures, for the backends that need them.

    Returns:
        Rows of sync_scores, one per pair, ordered by turn and track.
    """
    scene = Scene(pairs_of(turns, tracks, settings), audio, rate_hz, settings, crops)
    if not scene.pairs:
        return SYNC_SCORES.empty()
    moves = talking.measure(scene)
    told = [{"talking_score": moves[p.key].talking, "talking_backend": talking.name} for p in scene.pairs]
    return SYNC_SCORES.frame([row | more for row, more in zip(synchrony_rows(scene, synchrony), told, strict=True)])


def synchrony_rows(scene: Scene, backend: ActiveSpeakerBackend) -> list[Row]:
    """Return rows of sync_scores, one per pair in the scene's order, without the talking score."""
    fits = backend.measure(scene)
    lag = shared_lag([m.curve for m in fits.values() if m.curve], scene.settings)
    return [{"backend": backend.name} | _row(p, fits[p.key], lag, scene.settings) for p in scene.pairs]


def shared_lag(curves: Iterable[Curve], settings: SyncSettings) -> int:
    """Return the lag that the whole file agrees on: all curves summed, weighted by cells, smoothed over neighbours."""
    total = np.zeros(2 * settings.max_lag_frames + 1)
    for curve in curves:
        total += np.maximum(curve.pooled, 0) * curve.cells
    smooth = np.convolve(np.pad(total, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    return int(smooth.argmax()) - settings.max_lag_frames


def sync_figures(distance: Array, near: int | None = None, tolerance: int = 0) -> tuple[float, float, int]:
    """Return (Sync-C, Sync-D, offset in frames, positive = audio late) from the distances at lags -n … +n.

    Sync-D = least distance, Sync-C = median distance - Sync-D, offset = lag of the least (Chung and Zisserman 2016).

    Args:
        near: search the least within `tolerance` frames of this lag only; None: among all lags.
    """
    zero = len(distance) // 2
    low, high = (0, len(distance)) if near is None else (max(0, zero + near - tolerance), zero + near + tolerance + 1)
    best = low + int(distance[low:high].argmin())
    least = float(distance[best])
    return float(np.median(distance)) - least, least, best - zero


def _row(pair: Pair, fits: BackendAnswer, lag: int, settings: SyncSettings) -> Row:
    row: Row = {name: pair.track[name] for name in ("batch", "video_id", "track_id")}
    row |= {"turn_id": pair.turn["turn_id"], "start_s": pair.start_s, "end_s": pair.end_s}
    row |= dict.fromkeys(("sync_conf", "sync_dist", "offset_frames", "lag_curve"))
    row |= {"status": "not_evaluated", "reason": fits.reason, "detail": None}
    curve = fits.curve
    if curve is None:
        return row
    values = settings.own_weight * curve.own + (1 - settings.own_weight) * curve.pooled
    distance = settings.distance_scale * (1 - values)
    conf, dist, offset = sync_figures(distance, lag if curve.is_lag_shared else None, settings.lag_tolerance_frames)
    return row | {
        "sync_conf": conf,
        "sync_dist": dist,
        "offset_frames": float(offset),
        "lag_curve": [float(v) for v in values],
        "status": "ok",
        "reason": None,
    }
