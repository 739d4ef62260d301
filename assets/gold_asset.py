"""Gold assets: each turns the recipe of a gold table into an audited Delta table.

Belongs here: running the SQL for a run's batches, audit, one commit. Does not belong here: the list of tables
(gold.py), SQL.

A gold asset takes any number of batches in one run and processes them in chunks. Per table, either all of them are
committed in one commit, or none.
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from speakervid_dag.assets import automation
from speakervid_dag.assets.partitions import BATCHES
from speakervid_dag.assets.recipes import Recipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.table_asset import (
    OWNERS,
    column_schema,
    commit_metadata,
    data_versions,
    refusal,
    table_metadata,
)
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.storage.slices import data_version_of
from speakervid_dag.places import uri_of
from speakervid_dag.quality_checks.chunked import Chunk, audit_and_commit_chunks
from speakervid_dag.quality_checks.factory import check_result, check_spec
from speakervid_dag.tiering import gold as gold_sql

PREVIEW_ROWS = 8


def gold_asset(recipe: Recipe) -> dg.AssetsDefinition:
    """Return the asset of a table that SQL computes for the run's batches and the settings' profile."""
    (table,), shown = recipe.tables, Lakehouse()

    @dg.asset(
        name=table.name,
        deps=[t.name for t in recipe.reads],
        description=f"One row is {table.doc}.\n\nComputed by sql/{recipe.queries[0]}.sql.",
        group_name="gold",
        kinds={"deltalake", "duckdb", "sql"},
        owners=OWNERS,
        code_version=recipe.code_version(shown),
        partitions_def=BATCHES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=automation.KEEP_CURRENT,
        check_specs=[check_spec(table, BATCHES)],
        metadata={"dagster/column_schema": column_schema(table), "dagster/uri": uri_of(shown.lake.uri(table))},
    )
    def asset(context: dg.AssetExecutionContext, lakehouse: Lakehouse) -> Iterator[Any]:
        yield from _run(context, lakehouse, recipe)

    return asset


def _run(context: dg.AssetExecutionContext, lakehouse: Lakehouse, recipe: Recipe) -> Iterator[Any]:
    (table,) = recipe.tables
    lake, profile, batches = lakehouse.lake, lakehouse.profile, list(context.partition_keys)
    versions = data_versions(lakehouse, recipe, batches)
    parts = [
        (recipe.part(table, batch, profile.name), version) for batch, version in zip(batches, versions, strict=True)
    ]
    started = time.perf_counter()
    preview: list[pl.DataFrame] = []
    parents = {"asked_gates": gold_sql.asked_gates(profile)}
    with session.run_session(lakehouse.lake, statistics=()) as connection:
        chunks = _watched(gold_sql.compute_chunks(connection, table.name, profile, batches), preview)
        outcome = audit_and_commit_chunks(
            lake, table, chunks, parts, parents, commit_metadata(context.run.run_id, lakehouse, recipe)
        )
    yield check_result(outcome.report)
    if outcome.commit is None:
        raise refusal(table, batches)
    # Dagster accepts one data version for all batches of a run
    version = versions[0] if len(versions) == 1 else data_version_of(*map(str, versions))
    told = table_metadata(pl.concat(preview), outcome.commit.version, time.perf_counter() - started)
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(f"{version:016x}"),
        metadata={**told, "dagster/row_count": outcome.commit.row_count},
    )


def _watched(chunks: Iterator[Chunk], preview: list[pl.DataFrame]) -> Iterator[Chunk]:
    """Yield the chunks unchanged; put the first rows of the first one into `preview`."""
    for batches, frame in chunks:
        if not preview:
            preview.append(frame.head(PREVIEW_ROWS))
        yield batches, frame
