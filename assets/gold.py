"""Gold: gates, tiers and branches in SQL over stored scores, the published snapshot, and the statistics.

Belongs here: wiring of sql/ into assets. Does not belong here: SQL, and how it is run (speakervid_dag.lake).

Gold assets take any number of batches in one run and hold a chunk of them at a time; all of them land in one commit a
table, or none.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import polars as pl

from speakervid_dag.assets import automation, serving
from speakervid_dag.assets.code_versions import CODE, definition_of, sql_said
from speakervid_dag.assets.partitions import BATCHES
from speakervid_dag.assets.recipes import RECIPES, Marks, Population, Recipe
from speakervid_dag.assets.resources import Factory
from speakervid_dag.assets.standing import standing
from speakervid_dag.assets.table_asset import (
    OWNERS,
    column_schema,
    commit_metadata,
    fingerprints,
    markdown_table,
    refusal,
    table_metadata,
)
from speakervid_dag.lake import session, snapshots
from speakervid_dag.lake.schemas import (
    BRANCH_DIALOGUE,
    BRANCH_LISTENING,
    BRANCH_MULTI_TURN,
    BRANCH_SINGLE,
    CLIP_GATES,
    CLIP_SCORES,
    CLIPS,
    FACE_TRACKS,
    PEOPLE,
    SHOTS,
    SPEAKER_BINDINGS,
    SPEECH_TURNS,
    SYNC_SCORES,
    TIERS,
    TRANSCRIPTS,
    Table,
)
from speakervid_dag.lake.slices import fingerprint_of
from speakervid_dag.places import uri_of
from speakervid_dag.quality_checks.factory import check_result, check_spec
from speakervid_dag.quality_checks.landing import Chunk, audit_and_land
from speakervid_dag.sql import measure_view
from speakervid_dag.tiering import gold as gold_sql

# tables that no other table is made from: all the rest lie upstream of them, and so of the snapshot
ENDS = ("near_duplicates", "dropped_spans", "branch_single", "branch_dialogue", "branch_listening", "branch_multi_turn")
PREVIEW_ROWS = 8
FREE = ("branch_statistics", "funnel", "person_statistics")


def gold_asset(
    table: Table,
    queries: Sequence[str],
    reads: Sequence[Table],
    sections: Sequence[str],
    population: Population | None = None,
) -> dg.AssetsDefinition:
    """A table that SQL computes for the run's batches and the settings' profile: the first of the queries, with the
    others."""
    computing = [definition_of(gold_sql.compute_chunks), *CODE.definitions(measure_view.__name__)]
    code = CODE.digest(computing, [table], [sql_said(session.sql_text(query)) for query in queries])
    recipe = Recipe(
        table.name,
        (table,),
        tuple(reads),
        tuple(sections),
        lambda _: (),
        code,
        has_manifest=False,
        population=population,
    )
    RECIPES[table.name] = recipe
    shown = Factory()

    @dg.asset(
        name=table.name,
        deps=[t.name for t in reads],
        description=f"One row: {table.doc}.\n\nComputed by sql/{queries[0]}.sql.",
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
    def asset(context: dg.AssetExecutionContext, factory: Factory) -> Iterator[Any]:
        yield from _run(context, factory, recipe)

    return asset


def _run(context: dg.AssetExecutionContext, factory: Factory, recipe: Recipe) -> Iterator[Any]:
    (table,) = recipe.tables
    lake, profile, batches = factory.lake, factory.profile, list(context.partition_keys)
    stamps = fingerprints(factory, recipe, batches)
    parts = [(recipe.part(table, batch, profile.name), stamp) for batch, stamp in zip(batches, stamps, strict=True)]
    started = time.perf_counter()
    preview: list[pl.DataFrame] = []
    parents = {"asked_gates": gold_sql.asked_gates(profile)}
    with _session(factory, statistics=()) as connection:
        chunks = _watched(gold_sql.compute_chunks(connection, table.name, profile, batches), preview)
        outcome = audit_and_land(
            lake, table, chunks, parts, parents, commit_metadata(context.run.run_id, factory, recipe)
        )
    yield check_result(outcome.report)
    if outcome.commit is None:
        raise refusal(table, batches)
    # Dagster takes one data version for all batches of a run
    version = stamps[0] if len(stamps) == 1 else fingerprint_of(*map(str, stamps))
    told = table_metadata(pl.concat(preview), outcome.commit.version, time.perf_counter() - started)
    yield dg.MaterializeResult(
        data_version=dg.DataVersion(f"{version:016x}"),
        metadata={**told, "dagster/row_count": outcome.commit.row_count},
    )


def _session(
    factory: Factory, snapshot: snapshots.Snapshot | None = None, *, statistics: Sequence[str]
) -> session.Session:
    return session.open_session(
        factory.lake,
        snapshot,
        read_only_user_sql=False,
        statistics=statistics,
        memory_limit_mb=session.RUN_MEMORY_MB,
    )


def _watched(chunks: Iterator[Chunk], preview: list[pl.DataFrame]) -> Iterator[Chunk]:
    """The chunks as they are; the first rows of the first one stay in `preview`."""
    for batches, frame in chunks:
        if not preview:
            preview.append(frame.head(PREVIEW_ROWS))
        yield batches, frame


def _percentiles(factory: Factory, marks: Marks, _: str) -> int | None:
    """Stands for the thresholds that enforced percentiles are in the lake now; None when the profile has none."""
    if not gold_sql.enforced_percentiles(factory.profile):
        return None

    def of_the_lake() -> int:
        with _session(factory, statistics=()) as connection:
            found = gold_sql.enforced_thresholds(connection, factory.profile)
        return fingerprint_of(*(f"{name}={value!r}" for name, value in sorted(found.items())))

    return marks.once("enforced percentiles", of_the_lake)


clip_gates = gold_asset(
    CLIP_GATES,
    ["gates/clip_gates", "gates/percentile"],
    [CLIP_SCORES, CLIPS],
    ["name", "gates"],
    population=_percentiles,
)
tiers = gold_asset(TIERS, ["tiers/tiers"], [CLIP_GATES, CLIPS], ["name", "gates"])
branch_single = gold_asset(BRANCH_SINGLE, ["branches/single"], [CLIPS, TIERS], ["name", "branches"])
branch_dialogue = gold_asset(
    BRANCH_DIALOGUE, ["branches/dialogue"], [CLIPS, SHOTS, SPEECH_TURNS, FACE_TRACKS, TIERS], ["name", "branches"]
)
branch_listening = gold_asset(
    BRANCH_LISTENING,
    ["branches/listening"],
    [CLIPS, SPEECH_TURNS, SPEAKER_BINDINGS, FACE_TRACKS, PEOPLE, TRANSCRIPTS, SYNC_SCORES, TIERS],
    ["name", "branches"],
)
branch_multi_turn = gold_asset(
    BRANCH_MULTI_TURN, ["branches/multi_turn"], [CLIPS, TRANSCRIPTS, TIERS], ["name", "branches"]
)


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
            description="No batch is unfinished, refused or hit by a fault; the same as `speakervid batches`.",
        )
    ],
    description="One consistent set of table versions, and the DuckDB file of analysts: what readers see from here on.",
)
def lake_snapshot(context: dg.AssetExecutionContext, factory: Factory) -> Iterator[Any]:
    """Publishes all tables together: whole batches anew, the others as they were shown before."""
    made = serving.publish_next(factory, context.run.run_id)
    told: dict[str, Any] = {"snapshot": made.number, "versions": dict(made.versions), "held_back": made.held_back}
    yield dg.MaterializeResult(metadata=told)
    yield _standing_check(factory)


def _standing_check(factory: Factory) -> dg.AssetCheckResult:
    """Tells at each publication which batches are left; it stops nothing."""
    left = standing(factory).filter(pl.col("state") != "finished")
    return dg.AssetCheckResult(
        check_name="every_batch_is_finished",
        passed=left.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"unfinished": left.height, "batches": dg.MetadataValue.md(markdown_table(left.head(40)))},
    )


def statistics_asset(name: str) -> dg.AssetsDefinition:
    """A statistic of the published snapshot: computed by its SQL file whenever asked, shown here as a preview."""
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
        with _session(factory, shown, statistics=[name]) as connection:
            frame = session.run_sql(connection, f'FROM "{name}"')
        preview = dg.MetadataValue.md(markdown_table(frame.head(40)))
        return dg.MaterializeResult(metadata={"dagster/row_count": frame.height, "preview": preview})

    return asset


statistics = [statistics_asset(name) for name in FREE]
