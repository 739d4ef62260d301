"""System tables: outcomes, quarantine, trained models, snapshots, takedowns, releases, splits, reviews.

Belongs here: tables about the lake itself, and what people entered. Does not belong here: tables of the data set.
"""

import polars as pl

from speakervid_dag.lake.schemas.columns import (
    BATCH,
    BOOL,
    COSTS,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    VIDEO,
    Table,
    column,
    status,
)

STAGE_OUTCOMES = Table(
    "stage_outcomes",
    "system",
    "the outcome and cost of one stage for one video",
    ("stage", "video_id"),
    (
        BATCH,
        column("stage", STRING, "asset name"),
        VIDEO,
        *status("ok", "not_evaluated", "skipped", also=", or of a result that is empty: no_speech, speech_unclear"),
        column("row_count", INT, "rows written to the stage's first table"),
        column("elapsed_s", FLOAT, "wall time, s"),
        column("media_s", FLOAT, "wall time spent in the decoder, s"),
        column("model_s", FLOAT, "wall time spent in models, s"),
        column("costs", COSTS, "wall time per group of scores, s"),
    ),
    partition_by=("stage", "batch"),
)

QUARANTINE = Table(
    "quarantine",
    "system",
    "an audit's finding about a batch or one of its rows",
    ("quarantine_id",),
    (
        column("quarantine_id", STRING, "table/batch/run_id/index"),
        column("table", STRING, "table that was audited"),
        BATCH,
        column("expectation", STRING, "expectation that failed"),
        column("severity", STRING, "critical | warning"),
        column("key", STRING, "key of the failing row; null if the finding concerns the batch", null=True),
        column("observed", STRING, "what the audit observed"),
        column("run_id", STRING, "run that was audited"),
        column("at", pl.Datetime("us", "UTC"), "time of the audit"),
        column("is_open", BOOL, "the batch is refused and has not been replaced yet"),
    ),
    partition_by=("table", "batch"),
)

SNAPSHOTS = Table(
    "snapshots",
    "system",
    "one table's version in one published snapshot",
    ("snapshot", "table"),
    (
        column("snapshot", INT, "number of the snapshot, 1 is the first (count)"),
        column("at", pl.Datetime("us", "UTC"), "when it was published"),
        column("run_id", STRING, "run that published it"),
        column("profile", STRING, "profile of that run", null=True),
        column("table", STRING, "name of the table"),
        column("version", INT, "Delta version of that table (count)"),
    ),
    partition_by=(),
)

SNAPSHOT_PINS = Table(
    "snapshot_pins",
    "system",
    "a batch that a snapshot shows at another version than its table, since it was incomplete at publication",
    ("snapshot", "table", "batch", "profile"),
    (
        column("snapshot", INT, "number of the snapshot (count)"),
        column("at", pl.Datetime("us", "UTC"), "when it was published"),
        column("table", STRING, "name of the table"),
        BATCH,
        column("profile", STRING, "profile of the rows; null in tables without profiles", null=True),
        column("version", INT, "Delta version at which the batch is shown; null: it is hidden (count)", null=True),
    ),
    partition_by=(),
)

TAKEDOWNS = Table(
    "takedowns",
    "system",
    "a video removed on request, and refused from then on",
    ("video_id",),
    (
        VIDEO,
        column("sha256", STRING, "SHA-256 of the refused content; null if the file could never be read", null=True),
        column("at", pl.Datetime("us", "UTC"), "time of the request"),
        column("run_id", STRING, "run that removed it"),
        column("reason", STRING, "reason given for the removal"),
        column("release_ids", STRINGS, "published releases that contain it; withdraw them by hand", null=True),
    ),
    partition_by=(),
)

RELEASES = Table(
    "releases",
    "system",
    "an exported data set and its origin; its manifest is stored under artifacts/releases",
    ("release_id", "at"),
    (
        column(
            "release_id",
            STRING,
            "'r' + first 16 hex digits of the manifest's SHA-256; the same content has the same id",
        ),
        column("at", pl.Datetime("us", "UTC"), "time of the export"),
        column("snapshot", INT, "number of the exported snapshot (count)"),
        column("profile", STRING, "profile whose decisions it follows"),
        column("branch", STRING, "branch of its samples"),
        column("tiers", STRINGS, "tiers of its samples"),
        column("format", STRING, "hf | webdataset | parquet"),
        column("filters", STRING, "other options as JSON: splits, seed, limit, crop, encoding, licence, consent"),
        column("sample_count", INT, "samples (count)"),
        column("clip_count", INT, "distinct clips (count)"),
        column("missing_count", INT, "samples left out because a clip could not be cut (count)"),
        column("duration_s", FLOAT, "total length of the distinct clips, s"),
        column("manifest_sha256", STRING, "SHA-256 of manifest.json"),
        column("place", STRING, "folder it was written to"),
    ),
    partition_by=(),
)

RELEASE_SPLITS = Table(
    "release_splits",
    "system",
    "the split that an export assigned to a person, kept so that nobody changes split as the lake grows",
    ("shares", "seed", "person_id", "split"),
    (
        column("shares", STRING, "--split of the export, names sorted: test=0.05,train=0.9,val=0.05"),
        column("seed", INT, "--seed of the export (count)"),
        VIDEO,
        column("person_id", STRING, "person of that video"),
        column(
            "split", STRING, "assigned split; a person has a second row if identities were joined and it had to move"
        ),
        column("at", pl.Datetime("us", "UTC"), "time of the export"),
        column("snapshot", INT, "number of the exported snapshot (count)"),
    ),
    partition_by=(),
)

REVIEWS = Table(
    "reviews",
    "system",
    "one reviewer's answer to one question about a clip, a pair or a listening sample; a new answer replaces it",
    ("reviewer", "question", "measure", "subject_id"),
    (
        BATCH,
        VIDEO,
        column("reviewer", STRING, "name that the reviewer entered"),
        column("question", STRING, "binding | lips | quality | reply | listening"),
        column(
            "measure",
            STRING,
            "score that a question about quality concerns; null: the clip's overall quality",
            null=True,
        ),
        column("subject_kind", STRING, "clip | pair | listening"),
        column("subject_id", STRING, "clip_id, pair_id or listening_id"),
        column("clip_id", STRING, "the clip; of a pair the responder's, of a listening sample the listener's"),
        column("gate", STRING, "gate near whose threshold the subject was chosen; null: not for a gate", null=True),
        column("answer", STRING, "yes | no | unsure"),
        column("profile", STRING, "profile whose decisions the subject was chosen from"),
        column("snapshot", INT, "number of the snapshot that was shown (count)"),
        column("at", pl.Datetime("us", "UTC"), "time of the answer"),
    ),
    partition_by=("batch", "reviewer"),
)
