"""A lake of three tables without audits and Dagster: real manifests, commits, snapshots, takedown and care.

Belongs here: what its actions do, in a process of their own (world.py). Does not belong here: which actions, and what
must hold (machine.py).

A run makes every batch whose mark is not of its files and of the generation that is asked for, then publishes. Each row
tells its generation.
"""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import CLIPS, TABLES, TIERS, VIDEOS, Table
from speakervid_dag.lake.snapshots import parts, snapshots
from speakervid_dag.lake.snapshots.snapshots import UNVERSIONED
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice, data_version_of, slice_of_row
from speakervid_dag.lake.upkeep import maintenance, takedown

MADE = (
    (VIDEOS, "source_name"),
    (CLIPS, "speaker_id"),
    (TIERS, "tier"),
)  # each with the column that tells the generation
# what snapshots, takedown and care need beside them
KEPT = {*(table.name for table, _column in MADE), *UNVERSIONED, "takedowns", "stage_outcomes", "quarantine"}
BATCH_SIZE = 2
PROFILE = "laptop"


def act(home: Path, what: str, lake_dir: str, *arguments: Any) -> Any:
    """What the action of this name gives."""
    reduce()
    lake = DeltaLake(lake_dir)
    return {"run": run, "forget": forget, "maintain": maintain, "look": look, "read": read}[what](
        home, lake, *arguments
    )


def reduce() -> None:
    """From here on this process knows no other tables, and no statistics of them: views take most of the time."""
    for name in TABLES.keys() - KEPT:
        del TABLES[name]
    session._create_helper_views = lambda *_: None


def run(home: Path, lake: DeltaLake, generation: int) -> None:
    book, run_id = BatchBook(Path(lake.root)), uuid.uuid4().hex
    takedown.finish(lake, Path(lake.root), run_id)
    book.enlist(book.plan([home / "films"], batch_size=BATCH_SIZE))
    for batch in book.names():
        mark = data_version_of(book.digest(batch), str(generation))
        with book.claim(batch, wait=True):
            for table, column in MADE:
                if lake.data_version(table, part(table, batch)) != mark:
                    ids = [file.video_id for file in book.read(batch)]
                    lake.replace(
                        table,
                        rows(table, batch, ids, {column: f"g{generation}"}),
                        [(part(table, batch), mark)],
                        {"run_id": run_id},
                    )
    with snapshots.only_publisher(lake):
        newest, versions = snapshots.latest(lake), snapshots.present_versions(lake)
        if versions and (newest is None or dict(newest.versions) != versions):
            snapshots.publish(lake, run_id, PROFILE, versions, after=newest.number if newest else 0)


def part(table: Table, batch: str) -> Slice:
    values = {"batch": batch, "profile": PROFILE}
    return Slice({name: values[name] for name in table.partition_by})


def rows(table: Table, batch: str, ids: list[str], told: dict[str, object]) -> pl.DataFrame:
    each = ids if table is VIDEOS else [video_id for video_id in ids for _ in range(4)]
    known = told | {name: value for name, value in (("batch", batch), ("profile", PROFILE)) if name in table.schema}
    return table.frame([known | {"video_id": video_id} for video_id in each])


def forget(_: Path, lake: DeltaLake, video_id: str) -> None:
    folder = Path(lake.root)
    plan = takedown.plan_takedown(lake, folder, video_id)
    takedown.take_down(lake, folder, plan, reason="asked", run_id="forget")
    takedown.purge(lake, folder, "forget")


def maintain(_: Path, lake: DeltaLake) -> None:
    maintenance.apply_upkeep(lake, Path(lake.root), keep=timedelta(0), run_id="maintain")


def look(_: Path, lake: DeltaLake) -> dict[str, Any]:
    """The newest snapshot's number, and by table: film → (rows, generations)."""
    shown = snapshots.latest(lake)
    if shown is None:
        return {"snapshot": 0, "tables": {}}
    tables = {}
    for table, column in MADE:
        pieces = [table.empty()]
        for version in shown.shown_versions(table.name):
            rows_then = lake.read(table, version=version)
            for row in rows_then.select(table.partition_by).unique().to_dicts():
                if shown.version_of(parts.part_of(table, slice_of_row(table, row))) == version:
                    pieces.append(rows_then.filter(**row))
        found = pl.concat(pieces).group_by("video_id").agg(pl.len(), pl.col(column).unique().sort())
        tables[table.name] = {video_id: [count, told] for video_id, count, told in found.iter_rows()}
    return {"snapshot": shown.number, "tables": tables}


def read(_: Path, lake: DeltaLake) -> dict[str, int]:
    """Rows that a session of the newest snapshot finds."""
    with session.open_session(lake, snapshots.latest(lake), read_only_user_sql=True, statistics=()) as con:
        return {t.name: session.run_sql(con, f"SELECT count(*) FROM {t.name}").item() for t, _column in MADE}
