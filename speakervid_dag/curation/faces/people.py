"""One row per person of a video: time in view, time speaking, mean face and voice.

Belongs here: aggregating tracks, turns and bindings into `people`. Does not belong here: deciding which tracks are one
person, or which people of different videos are the same (clusters.py).
"""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl

from speakervid_dag.curation import intervals
from speakervid_dag.lake.schemas import PEOPLE

Identity = tuple[str, float | None]


def describe_people(
    tracks: pl.DataFrame, turns: pl.DataFrame, bindings: pl.DataFrame, identities: Mapping[str, Identity] | None = None
) -> pl.DataFrame:
    """Return the people of one or more videos.

    Args:
        tracks, turns, bindings: rows of face_tracks, speech_turns and speaker_bindings.
        identities: person_id -> (identity_id, cosine to it or None for a first appearance); a missing person is new.

    Returns:
        Rows of people, one per person_id of `tracks`, ordered by it; tracks that are not alive have none.
    """
    voices = dict(turns.select("turn_id", "embedding").iter_rows())
    spoken: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in bindings.filter(pl.col("status") == "bound").sort("start_s").to_dicts():
        spoken[row["person_id"]].append(row)
    rows = []
    tracks = tracks.filter(pl.col("person_id").is_not_null())
    for (person,), group in tracks.sort("person_id", "start_s").group_by(["person_id"], maintain_order=True):
        rows.append(_person(str(person), group, spoken[str(person)], voices, (identities or {}).get(str(person))))
    return PEOPLE.frame(rows)


def _person(
    person: str,
    tracks: pl.DataFrame,
    spoken: list[dict[str, object]],
    voices: Mapping[str, list[float] | None],
    identity: Identity | None,
) -> dict[str, object]:
    identity_id, similarity = identity or (person, None)
    speech = [(float(str(r["start_s"])), float(str(r["end_s"]))) for r in spoken]
    bound_turns = sorted({str(r["turn_id"]) for r in spoken})
    return {
        "batch": tracks["batch"][0],
        "video_id": tracks["video_id"][0],
        "person_id": person,
        "identity_id": identity_id,
        "identity_similarity": similarity,
        "speaker_id": main_speaker(spoken),
        "track_count": tracks.height,
        "visible_s": intervals.total_s(tracks.select("start_s", "end_s").iter_rows()),
        "speaking_s": intervals.total_s(speech),
        "face_embedding": mean_direction(tracks["embedding"].to_list()),
        "voice_embedding": mean_direction([voices.get(t) for t in bound_turns]),
    }


def main_speaker(spoken: list[dict[str, object]]) -> str | None:
    """Return the speaker with the longest bound time among rows of speaker_bindings; None without rows."""
    totals: dict[str, float] = defaultdict(float)
    for row in spoken:
        totals[str(row["speaker_id"])] += float(str(row["end_s"])) - float(str(row["start_s"]))
    return max(sorted(totals), key=lambda s: totals[s]) if totals else None


def mean_direction(vectors: list[list[float] | None]) -> list[float] | None:
    """Return the unit-length mean of unit vectors, float32 values; None if there are none or they cancel out."""
    known = [np.asarray(v, np.float64) for v in vectors if v is not None]
    if not known:
        return None
    mean = np.mean(known, axis=0)
    length = float(np.linalg.norm(mean))
    return [float(v) for v in (mean / length).astype(np.float32)] if length > 1e-9 else None
