"""What turns the recipe of a stage into audited Delta tables with an asset in the graph.

Belongs here: what every table asset shares — inputs, data version, audit before commit, checks, metadata. Does not
belong here: what any one table computes.
"""

import inspect
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from speakervid_dag.assets import graph
from speakervid_dag.assets import weights as checked_weights
from speakervid_dag.assets.partitions import BATCHES
from speakervid_dag.assets.recipes import DataVersions, Recipe, StageRecipe, promoted_version, weight_state
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.staleness import open_refusals
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, VIDEOS, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.upkeep import quarantine
from speakervid_dag.places import uri_of
from speakervid_dag.quality_checks.factory import audit_and_commit, check_name, check_result, check_spec
from speakervid_dag.stages.process import default_limits
from speakervid_dag.stages.stage import Compute, Stage
from speakervid_dag.stages.supervisor import compute_apart
from speakervid_dag.version import VERSION

OWNERS = ["team:speakervid"]

# partitioned checks and single-run backfills are preview features, tested here; Dagster warns once per asset
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)
# the job `curate` has one-batch and many-batch assets; Dagster then runs one batch per run, as intended
warnings.filterwarnings("ignore", message="Asset job curate materializes assets with varying BackfillPolicies")


def table_asset(recipe: StageRecipe) -> dg.AssetsDefinition:
    """Return the asset of a stage below gold, one batch per run: its rows are audited, then committed."""
    lakehouse = Lakehouse()

    @dg.multi_asset(
        name=recipe.name,
        specs=[_spec(lakehouse, recipe, table) for table in recipe.tables],
        check_specs=[
            check_spec(STAGE_OUTCOMES, BATCHES, asset=recipe.tables[0].name),  # every step writes some of its rows
            *(check_spec(t, BATCHES) for t in recipe.tables),
        ],
        backfill_policy=dg.BackfillPolicy.multi_run(1),  # so that an audit's verdict concerns exactly one batch
        pool=recipe.pool,
    )
    def asset(context: dg.AssetExecutionContext, lakehouse: Lakehouse) -> Iterator[Any]:
        yield from _run(context, lakehouse, recipe, _computed(recipe, is_apart=lakehouse.settings.isolate))

    return asset


def _computed(recipe: StageRecipe, *, is_apart: bool) -> Compute:
    """Return the function that computes the stage; in the worker process a crash costs only one video."""

    def apart(stage: Stage) -> Mapping[str, pl.DataFrame]:
        limits = default_limits(stage.settings.work_memory_mb)
        return compute_apart(stage, recipe.compute.__module__, limits)

    return apart if is_apart else recipe.compute


def _spec(lakehouse: Lakehouse, recipe: StageRecipe, table: Table) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=[t.name for t in recipe.parents(table)],
        description=f"One row is {table.doc}.\n\n{inspect.getdoc(recipe.compute) or ''}",
        group_name=table.layer,
        kinds={"deltalake", *recipe.kinds},
        owners=OWNERS,
        code_version=recipe.code_version(lakehouse),
        partitions_def=BATCHES,
        metadata={"dagster/column_schema": column_schema(table), "dagster/uri": uri_of(lakehouse.lake.uri(table))},
    )


def _run(context: dg.AssetExecutionContext, lakehouse: Lakehouse, recipe: Recipe, compute: Compute) -> Iterator[Any]:
    batch, lake = context.partition_key, lakehouse.lake
    (expected,) = data_versions(lakehouse, recipe, [batch])
    stage = Stage(
        name=recipe.name,
        batch=batch,
        run_id=context.run.run_id,
        data_version=expected,
        settings=lakehouse.settings,
        profile=lakehouse.profile,
        inputs={t.name: lake.read(t, batches=[batch]) for t in recipe.reads},
        upstream=_outcomes(lake, recipe, batch),
        log=context.log.info,
    )
    started = time.perf_counter()
    with checked_weights.kept(lakehouse, recipe, stage):
        frames = compute(stage)
    metadata = commit_metadata(context.run.run_id, lakehouse, recipe)
    data_version = promoted_version(expected, stage.outcomes)
    outcomes = stage.outcome_frame()
    parents = {**stage.inputs, **frames, STAGE_OUTCOMES.name: outcomes}
    parts = [(recipe.part(STAGE_OUTCOMES, batch, lakehouse.profile.name), data_version)]
    outcome = audit_and_commit(lake, STAGE_OUTCOMES, outcomes, parts, parents, metadata)
    yield check_result(outcome.report, asset=recipe.tables[0].name)
    if outcome.commit is None:
        stage.forget_checkpoints()
        _refuse_all(lake, recipe, batch, context.run.run_id)
        raise refusal(STAGE_OUTCOMES, [batch])
    for table in recipe.tables:
        parts = [(recipe.part(table, batch, lakehouse.profile.name), data_version)]
        outcome = audit_and_commit(
            lake, table, frames[table.name], parts, parents, metadata, audit_parameters(lakehouse)
        )
        yield check_result(outcome.report)
        if outcome.commit is None:
            stage.forget_checkpoints()  # the cause may be fixed by then: rows are recomputed, not read back
            raise refusal(table, [batch])
        yield dg.MaterializeResult(
            asset_key=table.name,
            data_version=dg.DataVersion(f"{data_version:016x}"),
            metadata=table_metadata(frames[table.name], outcome.commit.version, time.perf_counter() - started),
        )
    stage.forget_checkpoints()


def _refuse_all(lake: DeltaLake, recipe: Recipe, batch: str, run_id: str) -> None:
    """Open a finding for each table of a step whose outcomes were refused.

    The finding for `stage_outcomes` alone is not enough: all steps of the batch share that table, so the next step that
    passes closes it.
    """
    told = f"the outcomes of {recipe.name} were refused: `speakervid quarantine show {STAGE_OUTCOMES.name}/{batch}`"
    entry = quarantine.Entry(check_name(STAGE_OUTCOMES), "critical", None, told)
    for table in recipe.tables:
        quarantine.record(lake, table, {batch: [entry]}, run_id, is_open=True)


def refusal(table: Table, batches: Sequence[str]) -> dg.Failure:
    """Return the failure that ends a step whose rows did not pass their audit; a retry cannot help."""
    where = f"{table.name}/{batches[0]}"
    told = f"{table.name} of {', '.join(batches)} was refused by its audit: `speakervid quarantine show {where}`"
    return dg.Failure(told, allow_retries=False)


def data_versions(lakehouse: Lakehouse, recipe: Recipe, batches: Sequence[str]) -> list[int]:
    """Return, per batch, the data version that its rows are about to be computed for.

    Protects across runs: nothing is computed from an input that was refused or never computed.

    Raises:
        OperationError: an input is refused or missing; the message names it and says what to do.
        WeightsUnusable: weights it needs are damaged, or rows of the lake were computed with them and they are missing.
    """
    checked_weights.require_weights(lakehouse, [recipe])
    recorded, refused, found = DataVersions(lakehouse.lake), open_refusals(lakehouse, batches), []
    for batch in batches:
        upstream = recipe.upstream(recorded, batch, lakehouse.profile.name)
        for table in (t.name for t in recipe.reads):
            if (table, batch) in refused:
                where = f"{table}/{batch}"
                raise OperationError(
                    f"{recipe.name} needs {where}, which is in quarantine: see `speakervid quarantine show {where}`"
                )
            if upstream[table] is None:
                raise OperationError(f"{recipe.name} needs {table} of batch {batch}, which is not there yet: run it")
        found.append(recipe.data_version(lakehouse, recorded, batch))
    return found


def _outcomes(lake: DeltaLake, recipe: Recipe, batch: str) -> pl.DataFrame:
    """Return the outcomes of the stages that computed the inputs."""
    makers = {graph.maker_of(t).name for t in recipe.reads if t is not VIDEOS}
    return lake.read(STAGE_OUTCOMES, batches=[batch], where=pl.col("stage").is_in(sorted(makers)))


def commit_metadata(run_id: str, lakehouse: Lakehouse, recipe: Recipe) -> dict[str, str]:
    """Return the provenance stored with every commit."""
    return {
        "run_id": run_id,
        "stage": recipe.name,
        "package_version": VERSION,
        "code_version": recipe.code_version(lakehouse),
        "profile": lakehouse.profile.name,
        "profile_hash": lakehouse.profile.digest(*recipe.sections),
        "weights": ",".join(f"{name}={weight_state(name)}" for name in recipe.weights(lakehouse)),
    }


def audit_parameters(lakehouse: Lakehouse) -> dict[str, float]:
    """Return the bounds in audits that the profile sets."""
    return {"clip_min_s": lakehouse.profile.clips.min_s, "clip_max_s": lakehouse.profile.clips.max_s}


def column_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                c.name,
                str(c.dtype),
                description=c.doc,
                constraints=dg.TableColumnConstraints(nullable=c.nullable, unique=table.key == (c.name,)),
            )
            for c in table.columns
        ]
    )


def table_metadata(frame: pl.DataFrame, version: int, elapsed_s: float) -> dict[str, Any]:
    """Return row count, Delta version, time and a preview without the long lists."""
    flat = [n for n, t in frame.schema.items() if not isinstance(t, pl.List | pl.Struct)]
    return {
        "dagster/row_count": frame.height,
        "delta_version": version,
        "elapsed_s": round(elapsed_s, 3),
        "preview": dg.MetadataValue.md(markdown_table(frame.select(flat).head(8))),
    }


def markdown_table(frame: pl.DataFrame) -> str:
    """Return a frame as a Markdown table. Cells are escaped, so that a file name cannot become markup."""
    if frame.is_empty():
        return "(no rows)"
    lines = [frame.columns, ["---"] * frame.width, *([_cell(v) for v in row] for row in frame.iter_rows())]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return "".join("\\" + c if c in r"\`*_{}[]()<>#|!~" else c for c in text[:80].replace("\n", " "))
