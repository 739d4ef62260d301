"""Assets that readers see: the published snapshot and its statistics.

Belongs here: the assets at the end of the graph. Does not belong here: what is shown of each batch (serving.py), SQL
(sql/statistics).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from speakervid_dag.assets import automation, serving
from speakervid_dag.assets.resources import Factory
from speakervid_dag.assets.standing import standing
from speakervid_dag.assets.table_asset import OWNERS, markdown_table
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.snapshots import snapshots

# tables that no other table reads: all others are upstream of them, and so of the snapshot
ENDS = ("near_duplicates", "dropped_spans", "branch_single", "branch_dialogue", "branch_listening", "branch_multi_turn")
FREE = ("branch_statistics", "funnel", "person_statistics")


@dg.asset(
    deps=ENDS,
    automation_condition=automation.PUBLISH,
    group_name="gold",
    kinds={"deltalake"},
    owners=OWNERS,
    check_specs=[
        dg.AssetCheckSpec(
            "every_batch_is_finished",
            asset="lake_snapshot",
            description="No batch is unfinished, refused or failed; the same as `speakervid batches`.",
        )
    ],
    description="One consistent set of table versions, and the DuckDB file for analysts: what readers see from now on.",
)
def lake_snapshot(context: dg.AssetExecutionContext, factory: Factory) -> Iterator[Any]:
    """Publish all tables together: complete batches in their new state, the others as shown before."""
    made = serving.publish_next(factory, context.run.run_id)
    told: dict[str, Any] = {"snapshot": made.number, "versions": dict(made.versions), "held_back": made.held_back}
    yield dg.MaterializeResult(metadata=told)
    yield _standing_check(factory)


def _standing_check(factory: Factory) -> dg.AssetCheckResult:
    """Report at each publication which batches are not finished; a failed check blocks nothing."""
    left = standing(factory).filter(pl.col("state") != "finished")
    return dg.AssetCheckResult(
        check_name="every_batch_is_finished",
        passed=left.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"unfinished": left.height, "batches": dg.MetadataValue.md(markdown_table(left.head(40)))},
    )


def statistics_asset(name: str) -> dg.AssetsDefinition:
    """Return the asset of a statistic of the published snapshot: a preview; its SQL file computes it on demand."""
    question = session.sql_text(f"statistics/{name}").splitlines()[0].removeprefix("--").strip()

    @dg.asset(
        name=name,
        deps=["lake_snapshot"],
        automation_condition=automation.FOLLOW,
        group_name="statistics",
        kinds={"duckdb", "sql"},
        owners=OWNERS,
        description=f"{question}\n\nComputed by sql/statistics/{name}.sql.",
    )
    def asset(factory: Factory) -> dg.MaterializeResult[Any]:
        shown = snapshots.latest(factory.lake)
        with session.run_session(factory.lake, shown, statistics=[name]) as connection:
            frame = session.run_sql(connection, f'FROM "{name}"')
        preview = dg.MetadataValue.md(markdown_table(frame.head(40)))
        return dg.MaterializeResult(metadata={"dagster/row_count": frame.height, "preview": preview})

    return asset


statistics = [statistics_asset(name) for name in FREE]
