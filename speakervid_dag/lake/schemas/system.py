"""What the lake knows of itself, and what people told it.

Belongs here: outcomes, quarantine, models trained here, snapshots, takedowns, releases, splits, reviews. Does not
belong here: data of the set.
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
    "what one stage made of one video, and what it cost",
    ("stage", "video_id"),
    (
        BATCH,
        column("stage", STRING, "asset name"),
        VIDEO,
        *status("ok", "not_evaluated", "skipped"),
        column("row_count", INT, "rows given of the stage's first table"),
        column("elapsed_s", FLOAT, "wall time, s"),
        column("media_s", FLOAT, "wall time inside the decoder, s"),
        column("model_s", FLOAT, "wall time inside models, s"),
        column("costs", COSTS, "wall time of single measurements, s"),
    ),
    partition_by=("stage", "batch"),
)

QUARANTINE = Table(
    "quarantine",
    "system",
    "a refused batch or row",
    ("quarantine_id",),
    (
        column("quarantine_id", STRING, "table/batch/run_id/index"),
        column("table", STRING, "table that was not committed"),
        BATCH,
        column("expectation", STRING, "expectation that is red"),
        column("severity", STRING, "critical | warning"),
        column("key", STRING, "key of a failing row; null for a finding about the batch", null=True),
        column("observed", STRING, "what was observed"),
        column("run_id", STRING, "run that was refused"),
        column("at", pl.Datetime("us", "UTC"), "when"),
        column("is_open", BOOL, "nothing has replaced the refused batch yet"),
    ),
    partition_by=("table", "batch"),
)

TRAINED_MODELS = Table(
    "trained_models",
    "system",
    "a model trained on this lake, judged on held-out people in windows of one length",
    ("sha256", "window_s"),
    (
        column("sha256", STRING, "of the weights' file (safetensors)"),
        column("model", STRING, "the backend that reads it"),
        column("uri", STRING, "where the file was written; it is found in the lake's artifacts by its hash"),
        column("run_id", STRING, "run that trained it"),
        column("at", pl.Datetime("us", "UTC"), "when"),
        column("people_count", INT, "people it was trained on (count)"),
        column("held_out_people_count", INT, "other people it was judged on (count)"),
        column("train_s", FLOAT, "speech it was trained on, s"),
        column("held_out_s", FLOAT, "speech it was judged on, s"),
        column("window_s", FLOAT, "length of a judged window, s"),
        column("window_count", INT, "judged windows under their own sound (count)"),
        column("auc", FLOAT, "chance that own sound stands out more than another person's, 0-1"),
        column("default_auc", FLOAT, "the same of the default backend, 0-1"),
        column("lag_accuracy", FLOAT, "share of windows whose best lag is right within 1 frame, 0-1"),
        column("default_lag_accuracy", FLOAT, "the same of the default backend, 0-1"),
        column("is_better", BOOL, "no worse than the default at every length and better at one: only then it is used"),
    ),
    partition_by=(),
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
        column("table", STRING, "table"),
        column("version", INT, "Delta version of that table (count)"),
    ),
    partition_by=(),
)

SNAPSHOT_PINS = Table(
    "snapshot_pins",
    "system",
    "what a snapshot shows otherwise than at the table's version: a batch that was not whole when it was published",
    ("snapshot", "table", "batch", "profile"),
    (
        column("snapshot", INT, "number of the snapshot (count)"),
        column("at", pl.Datetime("us", "UTC"), "when it was published"),
        column("table", STRING, "table"),
        BATCH,
        column("profile", STRING, "profile of the rows; null in tables that have none", null=True),
        column("version", INT, "Delta version whose rows of the batch are shown; null: none are (count)", null=True),
    ),
    partition_by=(),
)

TAKEDOWNS = Table(
    "takedowns",
    "system",
    "a video that was removed on request and is refused from then on",
    ("video_id",),
    (
        VIDEO,
        column("sha256", STRING, "of the bytes that are refused; null for a file that could never be read", null=True),
        column("at", pl.Datetime("us", "UTC"), "when it was asked for"),
        column("run_id", STRING, "run that removed it"),
        column("reason", STRING, "what the person gave as reason"),
        column(
            "release_ids", STRINGS, "releases that hold it: they are published, and a person's to withdraw", null=True
        ),
    ),
    partition_by=(),
)

RELEASES = Table(
    "releases",
    "system",
    "a data set that was exported, and what from; its manifest is kept under artifacts/releases",
    ("release_id", "at"),
    (
        column(
            "release_id", STRING, "'r' + first 16 hex digits of the manifest's SHA-256: the same content, the same id"
        ),
        column("at", pl.Datetime("us", "UTC"), "when it was exported"),
        column("snapshot", INT, "number of the snapshot it was made from (count)"),
        column("profile", STRING, "whose decisions it follows"),
        column("branch", STRING, "branch of its samples"),
        column("tiers", STRINGS, "tiers of its samples"),
        column("format", STRING, "hf | webdataset | parquet"),
        column("filters", STRING, "JSON of everything else: splits, seed, limit, crop, encoding, licence, consent"),
        column("sample_count", INT, "samples (count)"),
        column("clip_count", INT, "distinct clips (count)"),
        column("missing_count", INT, "samples left out since a clip could not be cut (count)"),
        column("duration_s", FLOAT, "distinct clips together, s"),
        column("manifest_sha256", STRING, "of manifest.json"),
        column("place", STRING, "where it was written"),
    ),
    partition_by=(),
)

RELEASE_SPLITS = Table(
    "release_splits",
    "system",
    "the split that an export put a person in, remembered so that nobody changes split while the lake grows",
    ("shares", "seed", "person_id", "split"),
    (
        column("shares", STRING, "--split of the export, names sorted: test=0.05,train=0.9,val=0.05"),
        column("seed", INT, "--seed of the export (count)"),
        VIDEO,
        column("person_id", STRING, "person of that video"),
        column("split", STRING, "split; one of two rows has a person that had to move since people were joined"),
        column("at", pl.Datetime("us", "UTC"), "when"),
        column("snapshot", INT, "number of the snapshot that was exported (count)"),
    ),
    partition_by=(),
)

REVIEWS = Table(
    "reviews",
    "system",
    "one person's answer to one question about a clip, a pair or a listening sample; a changed answer replaces it",
    ("reviewer", "question", "measure", "subject_id"),
    (
        BATCH,
        VIDEO,
        column("reviewer", STRING, "who answered, as they named themselves"),
        column("question", STRING, "binding | lips | quality | reply | listening"),
        column(
            "measure", STRING, "what of the quality was asked, by the measure's name; null: the whole of it", null=True
        ),
        column("subject_kind", STRING, "clip | pair | listening"),
        column("subject_id", STRING, "clip_id, pair_id or listening_id"),
        column("clip_id", STRING, "the clip; of a pair the responder's, of a listening sample the listener's"),
        column("gate", STRING, "gate near whose threshold the subject was chosen; null: not for a gate", null=True),
        column("answer", STRING, "yes | no | unsure"),
        column("profile", STRING, "whose decisions the subject was chosen from"),
        column("snapshot", INT, "number of the snapshot that was shown (count)"),
        column("at", pl.Datetime("us", "UTC"), "when"),
    ),
    partition_by=("batch", "reviewer"),
)
