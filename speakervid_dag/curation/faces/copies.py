"""Detection of face tracks that repeat another face of the same picture, such as the blurred fill of a vertical video.

Belongs here: distinguishing a copy from a second person by how both move. Does not belong here: following faces
(tracking), identity (clusters), what copies are excluded from (speaking/active_speaker, clips/boundaries).

A copy moves with its original frame by frame: mouth and head together, without lag, for as long as both are seen. If a
copy is blurred beyond recognition, only the head is compared, and it must agree more closely.
Two people never agree like this, however similar they look: not listeners who nod in time, not twins, not two faces
shaken by one camera. A reflection in a mirror turns the other way and stays a second face.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.config.sections import IdentitySettings
from speakervid_dag.curation.faces.clusters import threshold

Row = Mapping[str, Any]
_MOVES = ("mouth_opening", "yaw_deg", "pitch_deg", "roll_deg")


def copies(tracks: Sequence[Row], settings: IdentitySettings) -> dict[str, str]:
    """Return the track that each copy repeats, by the copy's track_id: the sharpest one, of equals the largest.

    Args:
        tracks: rows of face_tracks of one video, their lists as series.
        settings: `min_copy_s`, the correlation thresholds, and the similarity of one person's faces.
    """
    ranked = sorted(tracks, key=_rank, reverse=True)
    found: dict[str, str] = {}
    for place, track in enumerate(ranked):
        originals = (o for o in ranked[:place] if o["track_id"] not in found)
        original = next((o for o in originals if _is_copy(track, o, settings)), None)
        if original is not None:
            found[track["track_id"]] = original["track_id"]
    return found


def _rank(track: Row) -> tuple[float, float, str]:
    """Rank by sharpness first: an enlarged copy has a face as large, but no more detail."""
    boxes: pl.Series = track["boxes"]
    height = (boxes.list.get(3) - boxes.list.get(1)).median()
    return _known(track["face_sharpness"].median()), _known(height), str(track["track_id"])


def _known(value: object) -> float:
    return value if isinstance(value, float) else 0.0


def _is_copy(track: Row, original: Row, settings: IdentitySettings) -> bool:
    if track["shot_id"] != original["shot_id"]:
        return False
    times = track["frame_times_s"].to_numpy()
    shared, own, other = np.intersect1d(times, original["frame_times_s"].to_numpy(), return_indices=True)
    if len(shared) < 2 or shared[-1] - shared[0] < settings.min_copy_s:
        return False
    if len(shared) < settings.min_copy_share * len(times) or not _may_be_one(track, original, settings):
        return False
    moves = [_correlation(track[m].to_numpy()[own], original[m].to_numpy()[other]) for m in _MOVES]
    if track["embedding"] is None:  # too blurred for an identity, so its mouth is not usable either
        return float(np.mean(moves[1:])) >= settings.min_blurred_copy_correlation
    return min(moves[0], float(np.mean(moves))) >= settings.min_copy_correlation


def _may_be_one(track: Row, original: Row, settings: IdentitySettings) -> bool:
    """Return True if the faces may be one person's, or if one of them is too blurred to decide."""
    first, second = track["embedding"], original["embedding"]
    if first is None or second is None:
        return True
    return float(first.dot(second)) >= threshold(settings.min_person_cosine, len(first))


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return Pearson's correlation over the values both have; 0 if one of them does not move at all."""
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known].astype(np.float64), second[known].astype(np.float64)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
