"""Losses between two published states: fewer usable videos, clips or people.

Belongs here: counting and comparing. Does not belong here: judging whether a loss was intended (assets/losses.py).
"""

from dataclasses import asdict, dataclass

import polars as pl

from speakervid_dag.lake.queries import session
from speakervid_dag.lake.queries.session import Session
from speakervid_dag.lake.schemas import CLIPS, PEOPLE, USABLE, VIDEOS, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake

COUNTED = (VIDEOS, CLIPS, PEOPLE)
COLUMNS = {
    "batch": pl.String(),
    "video_id": pl.String(),
    "table": pl.String(),
    "rows_before": pl.Int64(),
    "rows_after": pl.Int64(),
}


@dataclass(frozen=True)
class Loss:
    """Number of a video's rows in a table, before and after."""

    batch: str
    video_id: str
    table: str
    rows_before: int
    rows_after: int


def usable(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that count: from `videos`, only those that were not rejected."""
    return frame.filter(pl.col("status").is_in(USABLE)) if table is VIDEOS else frame


def as_frame(losses: list[Loss]) -> pl.DataFrame:
    """Return one row per loss."""
    return pl.DataFrame([asdict(loss) for loss in losses], schema=COLUMNS, orient="row")


def between(before: Session, after: Session) -> pl.DataFrame:
    """Return one row per video and table with fewer rows in `after`; columns as in COLUMNS."""
    parts = [
        _counts(before, table)
        .join(_counts(after, table), on=["batch", "video_id"], how="left", suffix="_after")
        .rename({"rows": "rows_before"})
        .with_columns(pl.lit(table.name).alias("table"), pl.col("rows_after").fill_null(0))
        for table in COUNTED
    ]
    lost = pl.concat(parts).filter(pl.col("rows_after") < pl.col("rows_before"))
    return lost.select(list(COLUMNS)).sort("batch", "video_id", "table")


def since(lake: DeltaLake, before: Snapshot) -> pl.DataFrame:
    """Return the losses between an earlier snapshot and the newest one, as `between`."""
    newest = snapshots.latest(lake) or before
    with (
        session.open_session(lake, before, read_only_user_sql=False, statistics=()) as then,
        session.open_session(lake, newest, read_only_user_sql=False, statistics=()) as now,
    ):
        return between(then, now)


def _counts(con: Session, table: Table) -> pl.DataFrame:
    where = f" WHERE status IN {USABLE}" if table is VIDEOS else ""
    frame: pl.DataFrame = con.sql(
        f'SELECT batch, video_id, count(*)::BIGINT AS rows FROM "{table.name}"{where} GROUP BY ALL'
    ).pl()
    return frame
