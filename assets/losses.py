"""Losses: what readers would lose if a batch were published as it is now, and whether each loss is justified.

Belongs here: comparing a batch's rows with the published ones, and judging losses. Does not belong here: what is shown
instead (publication.py), whole snapshots (lake/snapshots/losses.py).

A loss is justified by changed code, profile sections or weights, by a takedown, and by a file that the user gave up
(docs/decisions/0011). None of these justifies losing a video to a missing source, missing
weights or an internal error.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from speakervid_dag.assets.graph import in_order, maker_of, recipes
from speakervid_dag.assets.recipes import DataVersions, Recipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.staleness import is_coherent
from speakervid_dag.failures import FAULT
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, TABLES, TAKEDOWNS, VIDEOS, Table
from speakervid_dag.lake.snapshots.losses import COUNTED, Loss, usable
from speakervid_dag.lake.snapshots.snapshots import Part, Snapshot
from speakervid_dag.lake.sources import REASONS
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.integrity import FileLost

NO_EXCUSE = (*REASONS, "weights_missing", FAULT)
Shown = Mapping[Part, int | None]  # changed parts of a batch, each with the version that is shown now


def unasked(
    lakehouse: Lakehouse, newest: Snapshot, batch: str, before: Shown, versions: Mapping[str, int]
) -> list[Loss]:
    """Return the losses that nothing justifies.

    Args:
        newest: the snapshot that readers see now.
        versions: the tables' versions that would be shown.
    """
    counted = [t for t in COUNTED if before.get(Part(t.name, batch)) is not None]
    found = [loss for table in counted for loss in _losses(lakehouse.lake, table, batch, before, versions)]
    if not found:
        return []
    excused = set(lakehouse.lake.read(TAKEDOWNS)["video_id"]) | lakehouse.book.given_up(batch)
    found = [loss for loss in found if loss.video_id not in excused]
    if _has_other_recipe(lakehouse, newest, batch, before):
        troubled = _troubled(lakehouse.lake, batch)
        found = [loss for loss in found if loss.video_id in troubled]
    return found


def _losses(lake: DeltaLake, table: Table, batch: str, before: Shown, versions: Mapping[str, int]) -> Iterator[Loss]:
    then, now = (_counts(lake, table, batch, v) for v in (before[Part(table.name, batch)], versions[table.name]))
    for video_id, count in sorted(then.items()):
        if now.get(video_id, 0) < count:
            yield Loss(batch, video_id, table.name, count, now.get(video_id, 0))


def _counts(lake: DeltaLake, table: Table, batch: str, version: int | None) -> dict[str, int]:
    """Return the number of rows per video (of `videos`, the usable ones); empty if their file is lost."""
    columns = ["video_id", *(["status"] if table is VIDEOS else [])]
    try:
        frame = usable(table, lake.read(table, batches=[batch], version=version, columns=columns))
    except FileLost:
        return {}
    return dict(frame.group_by("video_id").len().iter_rows())


def _has_other_recipe(lakehouse: Lakehouse, newest: Snapshot, batch: str, before: Shown) -> bool:
    """Return whether the published rows were computed from other code, profile sections, weights or files than now."""
    versions = {name: before.get(Part(name, batch)) or newest.versions.get(name) for name in TABLES}
    recorded = DataVersions(
        lakehouse.lake, {name: version for name, version in versions.items() if version is not None}
    )
    return not all(is_coherent(lakehouse, recorded, recipe, batch) for recipe in _upstream())


def _upstream() -> list[Recipe]:
    """Return the recipes of the counted tables and everything upstream of them."""
    wanted = {maker_of(table).name for table in COUNTED}
    for recipe in reversed(in_order()):
        if recipe.name in wanted:
            wanted |= {maker_of(table).name for table in recipe.reads}
    return [recipes()[name] for name in sorted(wanted)]


def _troubled(lake: DeltaLake, batch: str) -> set[str]:
    """Return the videos without a result for a reason unrelated to their content."""
    has_no_excuse = pl.col("reason").is_in(NO_EXCUSE)
    return {
        video_id
        for table in (STAGE_OUTCOMES, VIDEOS)
        for video_id in lake.read(table, batches=[batch], where=has_no_excuse)["video_id"]
    }
