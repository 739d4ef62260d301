"""Every table of the lake: columns with exact dtypes and meaning, keys, partitioning.

Belongs here: the single definition of each table, from which Delta schemas, audits, Dagster metadata and docs are
generated. Does not belong here: rules about values (quality_checks/rules_*.py), reading or writing.
"""

from speakervid_dag.lake.schemas.clips import CLIP_SCORES, CLIPS, DROPPED_SPANS
from speakervid_dag.lake.schemas.columns import FLOAT, SECOND_NAMES, Column, Layer, Table
from speakervid_dag.lake.schemas.gold import (
    BRANCH_DIALOGUE,
    BRANCH_LISTENING,
    BRANCH_MULTI_TURN,
    BRANCH_SINGLE,
    CLIP_GATES,
    TIERS,
)
from speakervid_dag.lake.schemas.labels import (
    ACTIVE_SPEAKER,
    FACE_TRACKS,
    FRAME_SERIES,
    PEOPLE,
    POSES,
    SPEAKER_BINDINGS,
    SPEECH_TURNS,
    SYNC_SCORES,
    TRANSCRIPTS,
    TURN_FACES,
)
from speakervid_dag.lake.schemas.sources import NEAR_DUPLICATES, SHOTS, USABLE, VIDEOS
from speakervid_dag.lake.schemas.system import (
    QUARANTINE,
    RELEASE_SPLITS,
    RELEASES,
    REVIEWS,
    SNAPSHOT_PINS,
    SNAPSHOTS,
    STAGE_OUTCOMES,
    TAKEDOWNS,
)

TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        VIDEOS,
        STAGE_OUTCOMES,
        SHOTS,
        NEAR_DUPLICATES,
        FACE_TRACKS,
        FRAME_SERIES,
        POSES,
        ACTIVE_SPEAKER,
        SPEECH_TURNS,
        TURN_FACES,
        TRANSCRIPTS,
        SYNC_SCORES,
        SPEAKER_BINDINGS,
        PEOPLE,
        CLIPS,
        DROPPED_SPANS,
        CLIP_SCORES,
        CLIP_GATES,
        TIERS,
        BRANCH_SINGLE,
        BRANCH_DIALOGUE,
        BRANCH_LISTENING,
        BRANCH_MULTI_TURN,
        QUARANTINE,
        SNAPSHOTS,
        SNAPSHOT_PINS,
        TAKEDOWNS,
        RELEASES,
        RELEASE_SPLITS,
        REVIEWS,
    )
}

__all__ = [
    "ACTIVE_SPEAKER",
    "BRANCH_DIALOGUE",
    "BRANCH_LISTENING",
    "BRANCH_MULTI_TURN",
    "BRANCH_SINGLE",
    "CLIPS",
    "CLIP_GATES",
    "CLIP_SCORES",
    "DROPPED_SPANS",
    "FACE_TRACKS",
    "FLOAT",
    "FRAME_SERIES",
    "NEAR_DUPLICATES",
    "PEOPLE",
    "POSES",
    "QUARANTINE",
    "RELEASES",
    "RELEASE_SPLITS",
    "REVIEWS",
    "SECOND_NAMES",
    "SHOTS",
    "SNAPSHOTS",
    "SNAPSHOT_PINS",
    "SPEAKER_BINDINGS",
    "SPEECH_TURNS",
    "STAGE_OUTCOMES",
    "SYNC_SCORES",
    "TABLES",
    "TAKEDOWNS",
    "TIERS",
    "TRANSCRIPTS",
    "TURN_FACES",
    "USABLE",
    "VIDEOS",
    "Column",
    "Layer",
    "Table",
]
