"""Bronze intake: every file of a batch is identified, probed and decoded once at low resolution to find its shots; the
sound tracks and channels to use are chosen.

Belongs here: the `videos` and `shots` assets. Does not belong here: the rows of one file (intake_rows.py), opening
containers (speakervid_dag.media), finding files (speakervid_dag.lake.batches).

The two tables are one asset because one decoding pass determines both a file's health and its shots. In total a video
is decoded twice.

A missing file is not an input. If it is new, it leaves the batch, and counts as new when it is found again. If the lake
already has rows of it, it stops the stage, so that its rows stay, until it is back or the user gives it up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from speakervid_dag.assets import intake_rows
from speakervid_dag.assets.recipes import makes
from speakervid_dag.failures import SourceAbsent
from speakervid_dag.lake.batches import BatchBook, SourceFile
from speakervid_dag.lake.schemas import SHOTS, VIDEOS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.integrity import FileLost
from speakervid_dag.models import vad
from speakervid_dag.stages.stage import Rows, Stage, VideoTask, all_absent


@makes(
    VIDEOS,
    SHOTS,
    manifest=True,
    sections=["shots", "sound"],
    weights=lambda _: [f"{vad.NAME}@{vad.package_state()}"],
    kinds=frozenset({"python", "scenedetect"}),
)
def intake(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """Record identity by content hash, probe, health by decoding, and shots; unusable files get a row with a reason."""
    if stage.claim is not None:  # one of several processes: the videos are known
        return _decoded(stage, set())
    book = BatchBook(stage.settings.lake_dir)
    files, given_up = book.read(stage.batch), book.given_up(stage.batch)
    new, rows, absent = new_videos(stage, files), [], []
    for file in files:
        try:
            path = None if file.video_id in given_up else stage.source_of(file.video_id)
            row = intake_rows.describe(file, path)
            if path is not None and row["status"] == "rejected":
                stage.source_of(file.video_id)  # raises if the file disappeared meanwhile: then the verdict is void
            rows.append({**row, "batch": stage.batch})
        except SourceAbsent as problem:
            if file.video_id in new:
                stage.vanished[file.video_id] = problem
            else:
                absent.append(problem)
    probed = VIDEOS.frame(rows)
    stage.inputs = {"videos": probed}
    frames = _decoded(stage, new)
    if absent:  # after the others, whose rows are in checkpoints now
        raise all_absent(absent)
    leave_out_vanished(stage, book, files)
    kept = probed.filter(~pl.col("video_id").is_in(list(stage.vanished)))
    return {**frames, "videos": with_failures(kept, frames["videos"], stage.outcomes)}


def _decoded(stage: Stage, new: set[str]) -> dict[str, pl.DataFrame]:
    """Return the rows of the files that can be opened; `new` ones may be gone meanwhile."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        return intake_rows.rows_of(video, stage.profile)

    return stage.each_video([VIDEOS, SHOTS], work, may_vanish=new)


def new_videos(stage: Stage, files: Sequence[SourceFile]) -> set[str]:
    """Return the ids of the batch's videos that have no row yet."""
    try:
        made = DeltaLake(str(stage.settings.lake_dir)).read(VIDEOS, batches=[stage.batch], columns=["video_id"])
    except FileLost:  # the batch was computed before: what is absent now is one of its videos
        return set()
    return {file.video_id for file in files} - set(made["video_id"])


def leave_out_vanished(stage: Stage, book: BatchBook, files: Sequence[SourceFile]) -> None:
    """Remove new files that disappeared before they were processed from the batch's manifest.

    Raises:
        SourceAbsent: all files of the batch are missing, for example because a folder is not mounted. Files that were
            modified since they were listed do not raise it: their content is another video now.
    """
    if len(stage.vanished) == len(files) and any(p.reason != "changed_file" for p in stage.vanished.values()):
        raise all_absent(list(stage.vanished.values()))
    for video_id, problem in stage.vanished.items():
        stage.log(f"{video_id} is left out: {problem}")
    if stage.vanished:
        book.forget(stage.batch, stage.vanished.keys())


def with_failures(probed: pl.DataFrame, decoded: pl.DataFrame, outcomes: list[dict[str, Any]]) -> pl.DataFrame:
    """Return the batch's rows: as decoded, else as probed; a file that failed to decode is rejected with the reason."""
    failed = {o["video_id"]: o for o in outcomes if o["status"] != "ok"}
    rows = {row["video_id"]: row for row in probed.iter_rows(named=True)}
    for video_id, outcome in failed.items():
        rows[video_id] |= {"status": "rejected", "reason": outcome["reason"], "detail": outcome["detail"]}
    rows |= {row["video_id"]: row for row in decoded.iter_rows(named=True)}
    return VIDEOS.frame(list(rows.values()))
