"""What a run would compute, and how long at the speed that the lake has measured: `run --plan`.

Belongs here: stages, videos and hours of a run that is not started. Does not belong here: what is stale
(assets/staleness.py), planning of batches (runner.py), printing (cli/run.py). Writes nothing.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path

import polars as pl

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import StageFailure
from speakervid_dag.lake.batches import BatchBook, Plan, SourceFile
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import USABLE, VIDEOS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.integrity import FileLost
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.probe import probe
from speakervid_dag.places import path_of

NEW = "new"  # why a stage of a new batch is computed
PROBED = 20  # new files whose length is looked up; that of the others follows from their bytes
COLUMNS = ("stage", "why", "batches", "videos", "media_hours", "hours")


def forecast(settings: Settings, plan: Plan) -> pl.DataFrame:
    """Return what a run with this plan would compute: one row per stage and reason, in the graph's order.

    Columns: stage, why (see `staleness.why_stale`, or `new`), batches, videos, media_hours (null: unknown), and hours
    of one worker at the lake's own speed (null: not measured, or next to nothing).
    """
    from speakervid_dag.assets.graph import in_order
    from speakervid_dag.assets.resources import Lakehouse
    from speakervid_dag.assets.staleness import why_stale

    book = BatchBook(settings.lake_dir)
    known = book.names()
    lakehouse = Lakehouse(
        lake_dir=str(settings.lake_dir), profile_name=settings.profile, allow_loss=settings.allow_loss
    )
    stale = why_stale(lakehouse, known) if known else {}
    asked = [batch for batch, why in stale.items() if why]
    held = {batch: (len(book.read(batch)), None) for batch in asked} | contents(_videos(lakehouse.lake, asked))
    new = {batch: (len(files), length_s(files)) for batch, files in plan.batches.items()}
    return work([recipe.name for recipe in in_order()], stale, held, new, _speeds(lakehouse.lake))


def _videos(lake: DeltaLake, batches: Sequence[str]) -> pl.DataFrame:
    """Return the videos of these batches; those whose file is lost are left out."""
    found = [VIDEOS.empty()]
    for batch in batches:
        with suppress(FileLost):
            found.append(lake.read(VIDEOS, batches=[batch]))
    return pl.concat(found)


def _speeds(lake: DeltaLake) -> dict[str, float]:
    """Return seconds of media per second of a worker, by stage, as published; none where a file of it is lost."""
    snapshot = snapshots.latest(lake)
    if snapshot is None or any(lake.all_lost_files()):
        return {}
    query = "SELECT stage, speed_ratio FROM stage_costs WHERE speed_ratio > 0"
    with session.open_session(lake, snapshot, read_only_user_sql=False, statistics=("stage_costs",)) as connection:
        return dict(session.run_sql(connection, query).iter_rows())


def work(
    stages: Sequence[str],
    stale: Mapping[str, Mapping[str, str]],
    held: Mapping[str, tuple[int, float | None]],
    new: Mapping[str, tuple[int, float | None]],
    speeds: Mapping[str, float],
) -> pl.DataFrame:
    """Return the rows of `forecast`.

    Args:
        stages: in the graph's order.
        stale: reason by batch and stage.
        held, new: number and length (s) of the videos by batch, of what is stale and of what is not in the lake yet.
        speeds: seconds of media per second of a worker, by stage.
    """
    asked = [(stage, why, *held[batch]) for batch, found in stale.items() for stage, why in found.items()]
    asked += [(stage, NEW, *content) for content in new.values() for stage in stages]
    found = pl.DataFrame(
        asked, schema={"stage": pl.String, "why": pl.String, "n": pl.Int64, "s": pl.Float64}, orient="row"
    )
    place = {stage: number for number, stage in enumerate(stages)}
    return (
        found.group_by("stage", "why", maintain_order=True)
        .agg(
            batches=pl.len().cast(pl.Int64),
            videos=pl.col("n").sum(),
            media_hours=pl.when(pl.col("s").is_not_null().all()).then(pl.col("s").sum() / 3600),
        )
        .with_columns(
            hours=pl.col("media_hours") / pl.col("stage").replace_strict(speeds, default=None, return_dtype=pl.Float64)
        )
        .sort(pl.col("stage").replace_strict(place, return_dtype=pl.Int64), maintain_order=True)
        .select(COLUMNS)
    )


def contents(videos: pl.DataFrame) -> dict[str, tuple[int, float | None]]:
    """Return number and length (s) of the usable videos by batch."""
    usable = videos.filter(pl.col("status").is_in(USABLE)).group_by("batch").agg(pl.len(), pl.col("duration_s").sum())
    return {batch: (count, length) for batch, count, length in usable.iter_rows()}


def length_s(files: Sequence[SourceFile]) -> float | None:
    """Return the length of new files, s, from the headers of some of them and the bytes of all; None: none is readable.

    Those looked at are spread over the sizes. Files that cannot be read count as nothing.
    """
    sized = sorted(((file.size_bytes, path_of(file.uris[0])) for file in files if file.size_bytes), key=itemgetter(0))
    count = min(PROBED, len(sized))
    chosen = [sized[i * len(sized) // count] for i in range(count)]
    lengths = [_header_length_s(path) for _, path in chosen]
    total, looked_at = (sum(size for size, _ in some) for some in (sized, chosen))
    return sum(lengths) * total / looked_at if any(lengths) else None


def _header_length_s(path: Path) -> float:
    try:
        return probe(path, MediaBudget()).duration_s or 0.0
    except StageFailure:
        return 0.0
