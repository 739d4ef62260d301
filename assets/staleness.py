"""Staleness: assets of a batch that were not computed from the current code, settings, weights and inputs.

Belongs here: comparing data versions over the graph. Does not belong here: running anything, computing data versions
(recipes.py).
"""

from collections.abc import Sequence

import polars as pl

from speakervid_dag.assets.graph import in_order, maker_of, recipes
from speakervid_dag.assets.recipes import DataVersions, Recipe, promoted_version
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.lake.schemas import QUARANTINE, STAGE_OUTCOMES
from speakervid_dag.lake.storage.slices import Slice


def stale_assets(lakehouse: Lakehouse, batch: str) -> list[str]:
    """Return the stale table assets of `batch`, upstream first; empty if all are up to date."""
    return stale_batches(lakehouse, [batch]).get(batch, [])


def stale_batches(lakehouse: Lakehouse, batches: Sequence[str]) -> dict[str, list[str]]:
    """Return the same for many batches, reading each table once; batches that are up to date are omitted.

    A stage is stale if its promoted rows were not computed from the current code, settings, weights and inputs (always
    so after an internal error, see recipes.py), if its last attempt was refused, if a file of its rows is lost, or if
    something upstream is stale. Effects of other batches' rows count only once those rows have been recomputed.
    """
    found = why_stale(lakehouse, batches)
    return {
        batch: [table.name for stage in reasons for table in recipes()[stage].tables]
        for batch, reasons in found.items()
        if reasons
    }


def why_stale(lakehouse: Lakehouse, batches: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return, per batch, the reason of each stale stage, upstream first: never_computed, refused, file_lost,
    changed (code, settings, weights, the list of files or other batches), after_STAGE."""
    recorded = DataVersions(lakehouse.lake)
    refused = open_refusals(lakehouse, batches)
    lost = lost_parts(lakehouse, batches)
    return {batch: _why_stale(lakehouse, recorded, refused, lost, batch) for batch in batches}


def open_refusals(lakehouse: Lakehouse, batches: Sequence[str]) -> set[tuple[str, str]]:
    """Return (table, batch) of rows that an audit refused and that have not been replaced since."""
    found = lakehouse.lake.read(QUARANTINE, batches=batches, where=pl.col("is_open"))
    return set(found.select("table", "batch").unique().iter_rows())


def lost_parts(lakehouse: Lakehouse, batches: Sequence[str]) -> set[tuple[str, str]]:
    """Return (table, app_id) of promoted rows whose file is missing or truncated."""
    tables = [*(table for recipe in recipes().values() for table in recipe.tables), STAGE_OUTCOMES]
    return {
        (table.name, Slice(lost.values).app_id)
        for table in tables
        for lost in lakehouse.lake.lost_files(table, batches=batches)
    }


def _why_stale(
    lakehouse: Lakehouse,
    recorded: DataVersions,
    refused: set[tuple[str, str]],
    lost: set[tuple[str, str]],
    batch: str,
) -> dict[str, str]:
    stale: dict[str, str] = {}
    profile = lakehouse.profile.name
    for recipe in in_order():
        parts = {t.name: recipe.part(t, batch, profile) for t in (*recipe.tables, STAGE_OUTCOMES)}
        above = next((maker for t in recipe.reads if (maker := maker_of(t).name) in stale), None)
        if any((t.name, batch) in refused for t in recipe.tables):
            stale[recipe.name] = "refused"
        elif any((name, part.app_id) in lost for name, part in parts.items()):
            stale[recipe.name] = "file_lost"
        elif all(recorded.of(t, parts[t.name]) is None for t in recipe.tables):
            stale[recipe.name] = "never_computed"
        elif above is not None:
            stale[recipe.name] = f"after_{above}"
        elif not _is_current(lakehouse, recorded, recipe, batch):
            stale[recipe.name] = "changed"
    return stale


def is_coherent(lakehouse: Lakehouse, recorded: DataVersions, recipe: Recipe, batch: str) -> bool:
    """Return whether the stage's rows were computed from the current code, settings, weights and promoted inputs.

    Videos lost to internal errors, and later changes of other batches, do not matter here.
    """
    expected = recipe.data_version(lakehouse, recorded, batch)
    wanted = (expected, promoted_version(expected, recorded.faults(recipe.name, batch)))
    found = [recorded.of(table, recipe.part(table, batch, lakehouse.profile.name)) for table in recipe.tables]
    return all(m is not None and any(recipe.is_same_but_for_others(m, w) for w in wanted) for m in found)


def _is_current(lakehouse: Lakehouse, recorded: DataVersions, recipe: Recipe, batch: str) -> bool:
    profile = lakehouse.profile.name
    expected = recipe.data_version(lakehouse, recorded, batch)
    return all(recorded.of(table, recipe.part(table, batch, profile)) == expected for table in recipe.tables)
