"""Clustering of face tracks into people, within a video and across videos.

Belongs here: decisions from unit-length face embeddings, times and positions. Does not belong here: computing
embeddings (portraits), describing people (people), voices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from speakervid_dag.arrays import unit
from speakervid_dag.config.sections import IdentitySettings
from speakervid_dag.curation.faces.blocks import FaceBlocks
from speakervid_dag.curation.faces.geometry import Box, iou
from speakervid_dag.curation.intervals import overlap_s

KNOWN_COLUMNS = ("batch", "video_id", "person_id", "identity_id", "face_embedding")


@dataclass(frozen=True, eq=False)
class TrackFace:
    """A track as input to clustering: shot, time in s, first and last box, unit vector or None."""

    shot_id: str
    start_s: float
    end_s: float
    first_box: Box
    last_box: Box
    embedding: NDArray[np.float32] | None


def cluster_tracks(tracks: Sequence[TrackFace], settings: IdentitySettings) -> list[int]:
    """Return the person number of each track, in order of first appearance.

    Agglomerative: the two most similar people (cosine of the means of their tracks' vectors, weighted by time) are
    merged until none are similar enough. Two tracks seen at the same time are two people. A track without a vector
    joins the track of its shot whose position it continues; otherwise it is a person of its own.
    """
    groups = [[i] for i in range(len(tracks))]
    apart = _apart(tracks, settings)
    groups = _merge_alike(groups, tracks, apart, settings)
    groups = _merge_continued(groups, tracks, apart, settings)
    first = sorted(groups, key=lambda g: min((tracks[i].start_s, tracks[i].first_box, i) for i in g))
    person = {i: number for number, group in enumerate(first) for i in group}
    return [person[i] for i in range(len(tracks))]


def link_identities(found: pl.DataFrame, known: pl.DataFrame, settings: IdentitySettings) -> pl.DataFrame:
    """Return `found` with identity_id and identity_similarity: the most similar person of another video, else itself.

    Args:
        found: rows of people whose identities are not set yet; processed in order of person_id.
        known: rows of people of earlier batches (KNOWN_COLUMNS). Vectors of another length come from another model
            and never match.

    Returns:
        The rows of `found` in their order. A person gets the identity of the person it is linked to, so chains share
        one identity. In a large lake a face is compared only with those in its blocks (faces/blocks), which may miss
        one that is barely similar.
    """
    links: dict[str, tuple[str, float | None]] = {i: (i, None) for i in found["person_id"]}
    columns = ["video_id", "person_id", "face_embedding"]
    earlier = known.sort("batch", "person_id").select("identity_id", *columns)
    later = found.sort("person_id").select(pl.lit(None, dtype=pl.String).alias("identity_id"), *columns)
    faces = pl.concat([earlier, later]).filter(pl.col("face_embedding").is_not_null())
    lengths = faces.with_columns(length=pl.col("face_embedding").list.len())
    for of_length in lengths.partition_by("length", maintain_order=True):
        links |= _linked(of_length, settings)
    ids = found["person_id"].to_list()
    return found.with_columns(
        pl.Series("identity_id", [links[i][0] for i in ids], dtype=pl.String),
        pl.Series("identity_similarity", [links[i][1] for i in ids], dtype=pl.Float64),
    )


def threshold(by_length: Mapping[int, float], length: int) -> float:
    """Return the cosine threshold for vectors of this length; each embedding model has its own scale.

    Raises:
        ValueError: the profile sets none.
    """
    if length not in by_length:
        raise ValueError(f"the profile's identity section has no threshold for {length}-d face embeddings")
    return by_length[length]


def _linked(faces: pl.DataFrame, settings: IdentitySettings) -> dict[str, tuple[str, float | None]]:
    """Return identity and cosine for each row without identity_id: the most similar earlier row's, first among equals.

    Args:
        faces: rows in order of appearance, with vectors of one length.
    """
    videos, people, identities = (faces[c].to_list() for c in ("video_id", "person_id", "identity_id"))
    if None not in identities:
        return {}
    length = len(faces["face_embedding"][0])
    vectors = faces["face_embedding"].list.to_array(length).to_numpy()
    video = np.unique(videos, return_inverse=True)[1]
    blocks = FaceBlocks(vectors, settings.blocking)
    links: dict[str, tuple[str, float | None]] = {}
    for place in (i for i, identity in enumerate(identities) if identity is None):
        near = blocks.earlier(place)
        near = near[video[near] != video[place]]
        cosines = unit(vectors[near].astype(np.float64)) @ unit(vectors[place].astype(np.float64))
        best = int(np.argmax(cosines)) if len(near) else None
        if best is not None and cosines[best] >= threshold(settings.min_identity_cosine, length):
            links[people[place]] = identities[near[best]], float(cosines[best])
        else:
            links[people[place]] = people[place], None
        identities[place] = links[people[place]][0]
    return links


def _apart(tracks: Sequence[TrackFace], settings: IdentitySettings) -> NDArray[np.bool_]:
    """Return (n, n): True for tracks that are seen at the same time and so are two people."""
    spans = [(t.start_s, t.end_s) for t in tracks]
    apart = np.zeros((len(tracks), len(tracks)), dtype=np.bool_)
    for i, a in enumerate(tracks):
        for j in range(i):
            shared = a.shot_id == tracks[j].shot_id and overlap_s(spans[i], spans[j]) > settings.max_shared_s
            apart[i, j] = apart[j, i] = shared
    return apart


def _merge_alike(
    groups: list[list[int]], tracks: Sequence[TrackFace], apart: NDArray[np.bool_], settings: IdentitySettings
) -> list[list[int]]:
    faces = [g for g in groups if tracks[g[0]].embedding is not None]
    rest = [g for g in groups if tracks[g[0]].embedding is None]
    if not faces:
        return rest
    sums = np.stack([_weighted(tracks[g[0]]) for g in faces])
    alike = threshold(settings.min_person_cosine, sums.shape[1])
    blocked = apart[np.ix_([g[0] for g in faces], [g[0] for g in faces])].copy()
    alive = np.ones(len(faces), dtype=np.bool_)
    while True:
        unit = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        cosines = np.where(blocked | ~alive[:, None] | ~alive[None, :], -np.inf, unit @ unit.T)
        cosines[np.tril_indices(len(faces))] = -np.inf
        i, j = np.unravel_index(int(np.argmax(cosines)), cosines.shape)
        if cosines[i, j] < alike:
            return [f for f, lives in zip(faces, alive, strict=True) if lives] + rest
        faces[i] += faces[j]
        sums[i] += sums[j]
        blocked[i] |= blocked[j]
        blocked[:, i] |= blocked[:, j]
        alive[j] = False


def _merge_continued(
    groups: list[list[int]], tracks: Sequence[TrackFace], apart: NDArray[np.bool_], settings: IdentitySettings
) -> list[list[int]]:
    """Join each single track without a vector to the group whose position it continues, in order of time."""
    merged = [list(g) for g in groups]
    lonely = sorted((g[0] for g in groups if tracks[g[0]].embedding is None), key=lambda i: tracks[i].start_s)
    for i in lonely:
        home = next(g for g in merged if i in g)
        if len(home) > 1:
            continue
        near = [(_continuity(tracks[i], tracks[j], settings), -j, g) for g in merged if g is not home for j in g]
        fitting = [n for n in near if n[0] > 0 and not any(apart[i, k] for k in n[2])]
        if fitting:
            max(fitting, key=lambda n: n[:2])[2].append(i)
            merged.remove(home)
    return merged


def _continuity(track: TrackFace, other: TrackFace, settings: IdentitySettings) -> float:
    """Return the IoU of one's last and the other's first box if they follow closely in one shot, else 0."""
    if track.shot_id != other.shot_id:
        return 0.0
    early, late = (track, other) if track.start_s <= other.start_s else (other, track)
    overlap = iou(early.last_box, late.first_box)
    is_near = late.start_s - early.end_s <= settings.max_continuation_gap_s and overlap >= settings.min_continuation_iou
    return overlap if is_near else 0.0


def _weighted(track: TrackFace) -> NDArray[np.float64]:
    assert track.embedding is not None
    return track.embedding.astype(np.float64) * max(track.end_s - track.start_s, 1e-3)
