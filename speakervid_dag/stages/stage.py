"""One stage over one batch: the loop over videos, in which a failure becomes a row and does not stop the batch.

Belongs here: what all per-video stages share — inputs by video, outcomes, timing, checkpoints, progress. Does not
belong here: what a stage computes, Dagster, commits.

A finished video is checkpointed under `artifacts/checkpoints/`, keyed by the hash of code, settings, weights and
inputs, so that a killed run loses one video at most. The folder is removed when the batch is committed.
"""

import json
import shutil
import time
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from speakervid_dag.config.profiles import Profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import (
    FAULT,
    OUT_OF_MEMORY,
    PermanentFailure,
    SourceAbsent,
    StageFailure,
    TransientFailure,
    WeightsUnusable,
)
from speakervid_dag.files import write_bytes, written_aside
from speakervid_dag.formats import quantity
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, USABLE, Table
from speakervid_dag.lake.sources import Sources
from speakervid_dag.stages.progress import watcher

Compute = Callable[["Stage"], Mapping[str, pl.DataFrame]]
Rows = pl.DataFrame | list[dict[str, Any]]
LostVideos = Mapping[str, tuple[str, str]]  # video → (reason, detail)
ATTEMPTS = 3  # per video with a transient failure
BACKOFF_S = 1.0
SHOWN_ABSENT = 3  # sources named in one message
T = TypeVar("T")


class AllClaimed(Exception):
    """Every video is computed or in other hands: this process has nothing left to do."""


class Skipped(StageFailure):
    """The stage has nothing to do for this video (no sound, for example): recorded, but not a failure."""


@dataclass
class VideoTask:
    """One video on its way through a stage: its row, its rows in the input tables, and a stopwatch."""

    row: Mapping[str, Any]
    inputs: Mapping[str, pl.DataFrame]
    upstream: Mapping[str, str]  # stage → reason, for upstream stages that gave no result for this video
    source_of: Callable[[str], Path]
    is_opened: bool = False  # the stage used the path
    media_s: float = 0.0
    model_s: float = 0.0
    costs: dict[str, float] = field(default_factory=dict)  # wall time of single measurements, s
    remark: tuple[str, str] | None = None  # reason and detail of a result that is sound and empty

    @property
    def video_id(self) -> str:
        return str(self.row["video_id"])

    @property
    def path(self) -> Path:
        """Return the video's current path. Raises SourceAbsent."""
        self.is_opened = True
        return self.source_of(self.video_id)

    def __getitem__(self, table: str) -> pl.DataFrame:
        return self.inputs[table]

    @contextmanager
    def media(self) -> Iterator[None]:
        """Count the time inside as decoding."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.media_s += time.perf_counter() - start

    @contextmanager
    def model(self) -> Iterator[None]:
        """Count the time inside as model work."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.model_s += time.perf_counter() - start

    def timed(self, frames: Iterable[T]) -> Iterator[T]:
        """Yield the same items; waiting for them counts as decoding, and an item with a time advances the progress."""
        iterator = iter(frames)
        while True:
            with self.media():
                item = next(iterator, None)
            if item is None:
                return
            watcher().video_advanced(float(getattr(item, "time_s", 0.0)))
            yield item


@dataclass
class Stage:
    """A stage's context for one batch; `data_version` identifies the code, settings, weights and inputs."""

    name: str
    batch: str
    run_id: str
    data_version: int
    settings: Settings
    profile: Profile
    inputs: Mapping[str, pl.DataFrame]
    upstream: pl.DataFrame = field(default_factory=STAGE_OUTCOMES.empty)
    log: Callable[[str], None] = lambda _: None
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    lost: LostVideos = field(default_factory=dict)  # not retried
    began: Callable[[str, float], None] = lambda *_: None  # called with id and length (s) of each video as it starts
    sources: Sources | None = None  # of the batch; None: from its manifest
    claim: Callable[[], str | None] | None = None  # the next video of this process among several; None: it does all
    share: Callable[[pl.DataFrame], LostVideos] | None = None  # has videos computed elsewhere; tells which were lost
    vanished: dict[str, SourceAbsent] = field(default_factory=dict)

    def __getitem__(self, table: str) -> pl.DataFrame:
        return self.inputs[table]

    def each_video(
        self,
        tables: Sequence[Table],
        work: Callable[[VideoTask], Mapping[str, Rows]],
        *,
        tolerates: Sequence[str] = (),
        may_vanish: Container[str] = (),
    ) -> dict[str, pl.DataFrame]:
        """Run `work` on every usable video of the batch and return its rows by table.

        Args:
            work: returns rows (or a frame) for each of `tables`; `batch` and `video_id` are filled in. A StageFailure
                it raises becomes the video's outcome; any other exception becomes `internal_error`.
            tolerates: upstream stages whose failure does not block this stage for a video.
            may_vanish: videos that are skipped if their file is missing; `vanished` holds the reason.

        Raises:
            SourceAbsent: names the videos whose file was missing when `work` opened it. The others are computed and
                checkpointed first.
        """
        videos = self._usable()
        if self.share is not None:
            self.lost = {**self.lost, **self.share(self.inputs["videos"])}
        durations = videos["duration_s"].fill_null(0.0)
        watcher().stage_started(self.name, self.batch, videos.height, float(durations.sum()))
        started = time.perf_counter()
        gathered: dict[str, list[pl.DataFrame]] = {t.name: [] for t in tables}
        absent: list[SourceAbsent] = []
        for task in self._tasks(videos) if self.claim is None else self._claimed(videos, self.claim):
            media_s = float(task.row["duration_s"] or 0.0)
            self.began(task.video_id, media_s)
            watcher().video_started(str(task.row["source_name"]), media_s)
            try:
                frames, outcome = self._one(task, tables, work, tolerates)
            except SourceAbsent as problem:
                if task.video_id in may_vanish:
                    self.vanished[task.video_id] = problem
                else:
                    absent.append(problem)
                watcher().video_done("not_evaluated", "source_absent")
                continue
            self.outcomes.append(outcome)
            for name, frame in frames.items():
                gathered[name].append(frame)
            self.log(
                f"{task.row['source_name']}: {outcome['status']} {outcome['reason'] or ''} {outcome['elapsed_s']:.1f} s"
            )
            watcher().video_done(outcome["status"], outcome["reason"])
        watcher().stage_done(time.perf_counter() - started)
        if absent:
            raise all_absent(absent)
        return {t.name: pl.concat([t.empty(), *gathered[t.name]]) for t in tables}

    def videos(self) -> Iterator[VideoTask]:
        """Yield the usable videos of the batch, for a stage whose rows do not belong to single videos."""
        return self._tasks(self._usable())

    def longest_first(self) -> list[tuple[str, str, float]]:
        """Return id, name and length (s) of each usable video without a checkpoint: long ones must not be the tail."""
        told = self._usable().select("video_id", "source_name", pl.col("duration_s").fill_null(0.0))
        rows = told.sort("duration_s", descending=True, maintain_order=True).rows()
        return [row for row in rows if not self.is_kept(row[0])]

    def _usable(self) -> pl.DataFrame:
        return self.inputs["videos"].filter(pl.col("status").is_in(USABLE))

    def outcome_frame(self) -> pl.DataFrame:
        return STAGE_OUTCOMES.frame(self.outcomes)

    def _tasks(self, videos: pl.DataFrame) -> Iterator[VideoTask]:
        by_video = {
            name: {str(key[0]): part for key, part in frame.partition_by("video_id", as_dict=True).items()}
            for name, frame in self.inputs.items()
            if "video_id" in frame.columns
        }
        failed = self.upstream.filter(pl.col("status") != "ok")
        for row in videos.iter_rows(named=True):
            video_id = row["video_id"]
            mine = {name: parts.get(video_id, self.inputs[name].clear()) for name, parts in by_video.items()}
            missing = failed.filter(pl.col("video_id") == video_id)
            reasons = dict(zip(missing["stage"], missing["reason"].fill_null("unknown"), strict=True))
            yield VideoTask(row, mine, reasons, self.source_of)

    def _claimed(self, videos: pl.DataFrame, claim: Callable[[], str | None]) -> Iterator[VideoTask]:
        """Yield the videos that this process may compute; then raise AllClaimed: rows are gathered elsewhere."""
        tasks = {task.video_id: task for task in self._tasks(videos)}
        while (video_id := claim()) is not None:
            yield tasks[video_id]
        raise AllClaimed

    def is_kept(self, video_id: str) -> bool:
        """Return whether a video has a checkpoint."""
        return self._told(video_id).is_file()

    def source_of(self, video_id: str) -> Path:
        """Return the current path of a video of the batch. Raises SourceAbsent."""
        if self.sources is None:
            self.sources = Sources.of(BatchBook(self.settings.lake_dir), [self.batch])
        try:
            return self.sources.path(video_id)
        except PermanentFailure as problem:
            raise SourceAbsent(problem.detail, problem.reason) from problem

    def _one(
        self,
        task: VideoTask,
        tables: Sequence[Table],
        work: Callable[[VideoTask], Mapping[str, Rows]],
        tolerates: Sequence[str],
    ) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
        kept = self._load(task.video_id, tables)
        if kept is not None:
            return kept
        started = time.perf_counter()
        frames = {t.name: t.empty() for t in tables}
        status, reason, detail = "ok", None, None
        blocked = {k: v for k, v in task.upstream.items() if k not in tolerates}
        try:
            if blocked:
                stage, why = next(iter(blocked.items()))
                raise Skipped(f"upstream_{stage}", f"{stage} gave no result: {why}")
            if task.video_id in self.lost:
                raise PermanentFailure(*self.lost[task.video_id])
            frames = self._shaped(task.video_id, tables, self._tried(work, task))
            reason, detail = task.remark or (None, None)
        except (SourceAbsent, WeightsUnusable):
            raise
        except Skipped as problem:
            status, reason, detail = "skipped", problem.reason, problem.detail or None
        except StageFailure as problem:
            status, reason, detail = "not_evaluated", problem.reason, problem.detail or None
        except MemoryError as problem:
            status, reason, detail = "not_evaluated", OUT_OF_MEMORY, str(problem) or "the system has no more memory"
        except Exception as problem:  # noqa: BLE001 - an internal error loses this video, is recorded, and makes the run exit with 1
            status, reason, detail = "not_evaluated", FAULT, f"{type(problem).__name__}: {problem}"
            self.log(traceback.format_exc())
        if task.is_opened:  # if the file has disappeared since, no outcome is recorded
            self.source_of(task.video_id)
        outcome = {
            "batch": self.batch,
            "stage": self.name,
            "video_id": task.video_id,
            "status": status,
            "reason": reason,
            "detail": detail,
            "row_count": frames[tables[0].name].height,
            "elapsed_s": time.perf_counter() - started,
            "media_s": task.media_s,
            "model_s": task.model_s,
            "costs": [{"part": part, "elapsed_s": spent} for part, spent in sorted(task.costs.items())],
        }
        if status == "ok":
            self._keep(task.video_id, frames, outcome)
        return frames, outcome

    def _tried(self, work: Callable[[VideoTask], Mapping[str, Rows]], task: VideoTask) -> Mapping[str, Rows]:
        """Return the result of `work`; a transient failure is retried after a wait that doubles."""
        for attempt in range(1, ATTEMPTS):
            try:
                return work(task)
            except TransientFailure as problem:
                self.log(f"{task.row['source_name']}: attempt {attempt} of {ATTEMPTS}: {problem}")
                time.sleep(BACKOFF_S * 2 ** (attempt - 1))
        return work(task)

    def _shaped(self, video_id: str, tables: Sequence[Table], given: Mapping[str, Rows]) -> dict[str, pl.DataFrame]:
        """Return frames with exactly the tables' columns; the ids are filled in."""
        out = {}
        for table in tables:
            rows = given[table.name]
            ids = {"batch": self.batch, "video_id": video_id}
            if isinstance(rows, pl.DataFrame):
                out[table.name] = rows.with_columns(**{k: pl.lit(v) for k, v in ids.items()}).select(
                    table.schema.names()
                )
            else:
                out[table.name] = table.frame([{**row, **ids} for row in rows])
        return out

    # -- checkpoints ---------------------------------------------------------------------------------------------

    @property
    def _checkpoints(self) -> Path:
        return self.settings.lake_dir / "artifacts" / "checkpoints" / self.name / self.batch

    @property
    def exchange(self) -> Path:
        """Return the folder of rows passed to and from the process that computes the stage."""
        return self._checkpoints / "exchange"

    def _told(self, video_id: str) -> Path:
        return self._checkpoints / f"{self.data_version:016x}" / f"{video_id}.json"

    def _keep(self, video_id: str, frames: Mapping[str, pl.DataFrame], outcome: Mapping[str, Any]) -> None:
        folder = self._checkpoints / f"{self.data_version:016x}"
        for name, frame in frames.items():
            with written_aside(folder / f"{video_id}.{name}.arrow") as aside:
                frame.write_ipc(aside)
        write_bytes(self._told(video_id), json.dumps(dict(outcome)).encode())  # last: marks the rest complete

    def _load(self, video_id: str, tables: Sequence[Table]) -> tuple[dict[str, pl.DataFrame], dict[str, Any]] | None:
        told = self._told(video_id)
        if not told.is_file():
            return None
        folder = told.parent
        frames = {t.name: read_frame(folder / f"{video_id}.{t.name}.arrow") for t in tables}
        return frames, json.loads(told.read_text())

    def forget_checkpoints(self) -> None:
        """Remove the checkpoints; to be called once the batch is committed."""
        shutil.rmtree(self._checkpoints, ignore_errors=True)


def all_absent(problems: Sequence[SourceAbsent]) -> SourceAbsent:
    """Return one failure for all these: their number, the first ones, and what can be done."""
    shown = "; ".join(str(problem) for problem in problems[:SHOWN_ABSENT]) + "; …" * (len(problems) > SHOWN_ABSENT)
    return SourceAbsent(
        f"missing: {quantity(len(problems), 'source')} of this batch ({shown}). What is published of it stays: restore "
        "the files (`speakervid run` with the folder they are in now), `speakervid forget` them, or run with "
        "--allow-loss"
    )


def read_frame(path: Path) -> pl.DataFrame:
    """Return the frame of an Arrow file; special characters in its path are taken literally."""
    return pl.scan_ipc(path, glob=False, hive_partitioning=False).collect()
