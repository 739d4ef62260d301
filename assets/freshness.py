"""Staleness: assets of a batch that were not computed from the current code, settings, weights and inputs.

Belongs here: comparing fingerprints over the graph. Does not belong here: running anything, and computing fingerprints
(recipes.py).
"""

from collections.abc import Sequence

import polars as pl

from speakervid_dag.assets.graph import in_order, recipes
from speakervid_dag.assets.recipes import Marks, Recipe, mark_of
from speakervid_dag.assets.resources import Factory
from speakervid_dag.lake.schemas import QUARANTINE, STAGE_OUTCOMES
from speakervid_dag.lake.storage.slices import Slice


def stale_assets(factory: Factory, batch: str) -> list[str]:
    """Return the stale table assets of `batch`, upstream first; empty if all are up to date."""
    return stale_batches(factory, [batch]).get(batch, [])


def stale_batches(factory: Factory, batches: Sequence[str]) -> dict[str, list[str]]:
    """Return the same for many batches, reading each table once; batches that are up to date are omitted.

    A stage is stale if its promoted rows were not computed from the current code, settings, weights and inputs (always
    so after an internal error, see recipes.py), if its last attempt was refused, if a file of its rows is lost, or if
    something upstream is stale. Effects of other batches' rows count only once those rows have been recomputed.
    """
    marks = Marks(factory.lake)
    refused = open_refusals(factory, batches)
    lost = lost_parts(factory, batches)
    found = {batch: _stale(factory, marks, refused, lost, batch) for batch in batches}
    return {batch: names for batch, names in found.items() if names}


def open_refusals(factory: Factory, batches: Sequence[str]) -> set[tuple[str, str]]:
    """Return (table, batch) of rows that an audit refused and that have not been replaced since."""
    found = factory.lake.read(QUARANTINE, batches=batches, where=pl.col("is_open"))
    return set(found.select("table", "batch").unique().iter_rows())


def lost_parts(factory: Factory, batches: Sequence[str]) -> set[tuple[str, str]]:
    """Return (table, app_id) of promoted rows whose file is missing or truncated."""
    tables = [*(table for recipe in recipes().values() for table in recipe.tables), STAGE_OUTCOMES]
    return {
        (table.name, Slice(lost.values).app_id)
        for table in tables
        for lost in factory.lake.lost_files(table, batches=batches)
    }


def _stale(
    factory: Factory, marks: Marks, refused: set[tuple[str, str]], lost: set[tuple[str, str]], batch: str
) -> list[str]:
    stale: list[str] = []
    profile = factory.profile.name
    for recipe in in_order():
        names = [t.name for t in recipe.tables]
        if (
            any((name, batch) in refused for name in names)
            or any((t.name, recipe.part(t, batch, profile).app_id) in lost for t in (*recipe.tables, STAGE_OUTCOMES))
            or any(t.name in stale for t in recipe.reads)
            or not _is_current(factory, marks, recipe, batch)
        ):
            stale += names
    return stale


def is_coherent(factory: Factory, marks: Marks, recipe: Recipe, batch: str) -> bool:
    """Return whether the stage's rows were computed from the current code, settings, weights and promoted inputs.

    Videos lost to internal errors, and later changes of other batches, do not matter here.
    """
    expected = recipe.fingerprint(factory, marks, batch)
    wanted = (expected, mark_of(expected, marks.faults(recipe.name, batch)))
    found = [marks.of(table, recipe.part(table, batch, factory.profile.name)) for table in recipe.tables]
    return all(m is not None and any(recipe.is_same_but_for_others(m, w) for w in wanted) for m in found)


def _is_current(factory: Factory, marks: Marks, recipe: Recipe, batch: str) -> bool:
    profile = factory.profile.name
    expected = recipe.fingerprint(factory, marks, batch)
    return all(marks.of(table, recipe.part(table, batch, profile)) == expected for table in recipe.tables)
