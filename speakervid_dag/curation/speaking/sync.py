"""Rows of `sync_scores`: Sync-C, Sync-D and offset of each track and turn, and how long the face talks in it.

Belongs here: those figures and rows. Does not belong here: the distances (lip_synchrony.py, syncnet.py), and the
decision who is bound (bindings.py).

Definitions (Chung and Zisserman 2016). Lag of k frames: the sound k frames later fits the picture. `sync_dist` (Sync-D)
= least distance over the lags; `sync_conf` (Sync-C) = median distance - Sync-D: bigger = better synchronised, small for
a foreign voice. `offset_frames` = lag of the least, positive = audio late.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from speakervid_dag.curation.speaking.lip_frames import FPS
from speakervid_dag.curation.speaking.pairs import MAX_LAG, BackendAnswer, Pair, Row, Scene, SynchronyBackend
from speakervid_dag.lake.schemas import SYNC_SCORES


def score_video(scene: Scene, talking: pl.DataFrame, synchrony: SynchronyBackend) -> pl.DataFrame:
    """Return rows of sync_scores, one per pair of the scene.

    Args:
        talking: rows of active_speaker of the video.
        synchrony: backend of Sync-C.
    """
    if not scene.pairs:
        return SYNC_SCORES.empty()
    answers = synchrony.measure(scene)
    faces = {row["track_id"]: row for row in talking.to_dicts()}
    rows = [
        {"backend": synchrony.name} | _row(pair, answers[pair.key]) | _talks(pair, faces.get(pair.track_id))
        for pair in scene.pairs
    ]
    return SYNC_SCORES.frame(rows)


def sync_figures(distance: npt.NDArray[np.float64]) -> tuple[float, float, int]:
    """Return (Sync-C, Sync-D, lag of the least distance) from the distances at the lags -15 … +15."""
    best = int(distance.argmin())
    least = float(distance[best])
    return float(np.median(distance)) - least, least, best - MAX_LAG


def _row(pair: Pair, answer: BackendAnswer) -> Row:
    row: Row = {name: pair.track[name] for name in ("batch", "video_id", "track_id")}
    row |= {"turn_id": pair.turn["turn_id"], "start_s": pair.start_s, "end_s": pair.end_s}
    row |= dict.fromkeys(("sync_conf", "sync_dist", "offset_frames", "lag_distances"))
    row |= {"status": "not_evaluated", "reason": answer.reason, "detail": None}
    distances = answer.distances
    if distances is None:
        return row
    conf, dist, lag = sync_figures(distances.values)
    return row | {
        "sync_conf": conf,
        "sync_dist": dist,
        "offset_frames": lag + distances.zero_frames,
        "lag_distances": [float(v) for v in distances.values],
        "status": "ok",
        "reason": None,
    }


def _talks(pair: Pair, face: Mapping[str, object] | None) -> Row:
    """Return the share of the common time in which a network says that the face talks; None where none looked."""
    if face is None or face["status"] != "ok":
        return {"talking_score": None, "talking_backend": None if face is None else face["backend"]}
    odds = np.array([np.nan if v is None else v for v in face["log_odds"]], np.float64)  # type: ignore[attr-defined]
    first, last = (max(0, round((t - float(str(face["start_s"]))) * FPS)) for t in (pair.start_s, pair.end_s))
    seen = odds[first:last][~np.isnan(odds[first:last])]
    return {
        "talking_score": float((seen > 0).mean()) if len(seen) else None,
        "talking_backend": face["backend"],
    }
