"""Re-tiering: gates, tiers and branches recomputed from stored scores under a profile, all batches in one run.

Belongs here: choosing the batches, starting the run, tier shares before and after. Does not belong here: gold assets
(assets/gold.py), SQL, printing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from speakervid_dag.assets.graph import gold_recipes, maker_of
from speakervid_dag.assets.recipes import Marks
from speakervid_dag.assets.resources import Factory
from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import UserError
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TABLES, TIERS, Table
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.runs.report import AFTER_EVERY_RUN
from speakervid_dag.runs.runner import LOG, Say

SHARES = """
SELECT tier, count(*) AS clips, count(*) / sum(count(*)) OVER () AS share
FROM tiers WHERE profile = $profile AND list_contains($batches, batch) GROUP BY tier
"""
TIER_ORDER = ("sft", "pretrain", "rejected")


@dataclass(frozen=True)
class Retiering:
    """Outcome of a re-tiering. `failure` is None on success; `shares`: tier, clips and share before and after."""

    profile: str
    batches: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    snapshot: int | None = None
    shares: pl.DataFrame = field(default_factory=pl.DataFrame)


def retier(settings: Settings, batches: Sequence[str] = (), say: Say = LOG.warning) -> Retiering:
    """Recompute all gold tables of these batches (none named: of all ready ones) in one run of the job `retier`.

    It runs even if the fingerprints are unchanged: a `score_only` percentile depends on the whole lake, but
    fingerprints cover that for enforced gates only.

    Raises:
        UserError: a batch is unknown, none is ready, or the batches are not adjacent.
    """
    from speakervid_dag.assets import materializations
    from speakervid_dag.assets.partitions import register_batches
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.runs import execution
    from speakervid_dag.runs.instance import lake_instance

    lake, book = open_lake(settings.lake_dir), BatchBook(settings.lake_dir)
    factory = Factory(lake_dir=str(settings.lake_dir), profile_name=settings.profile)
    for batch in batches:
        book.read(batch)
    before = snapshots.latest(lake)
    with lake_instance(settings) as instance:
        execution.end_dead_runs(instance)
        register_batches(instance, book.names())
        order = list(instance.get_dynamic_partitions("batch"))
        wanted = [b for b in order if b in (batches or book.names())]
        left_out = _unready(factory, wanted)
        chosen = _neighbours(order, wanted, left_out)
        gold = [t.name for t in TABLES.values() if t.layer == "gold"]
        failure = execution.execute(instance, "retier", [*gold, *AFTER_EVERY_RUN], batches=chosen)
        materializations.report_promoted(instance, factory, book.names(), say)
    done = Retiering(factory.profile.name, tuple(chosen), left_out, failure)
    if failure is not None:
        return done
    after = snapshots.latest(lake)
    shares = _compared(_shares(lake, before, done), _shares(lake, after, done))
    return Retiering(done.profile, done.batches, left_out, None, after.number if after else None, shares)


def _unready(factory: Factory, batches: Sequence[str]) -> dict[str, str]:
    """Return the batches whose stored scores are incomplete, each with the reason."""
    from speakervid_dag.assets import serving
    from speakervid_dag.assets.freshness import open_refusals

    marks, refused, found = Marks(factory.lake), open_refusals(factory, batches), {}
    half_done = serving.half_done(factory)
    inputs = _inputs()
    for batch in batches:
        missing = [t.name for t in inputs if marks.of(t, maker_of(t).part(t, batch, factory.profile.name)) is None]
        red = [t.name for t in inputs if (t.name, batch) in refused]
        if red:
            found[batch] = f"{red[0]} is in quarantine: see `speakervid quarantine show {red[0]}/{batch}`"
        elif missing:
            found[batch] = f"{missing[0]} is not computed yet: finish the batch with `speakervid run`"
        elif batch in half_done:
            found[batch] = "its stages were computed from different inputs: finish the batch with `speakervid run`"
    return found


def _inputs() -> list[Table]:
    """Return the tables below gold that gold is computed from."""
    found = {t.name: t for recipe in gold_recipes() for t in recipe.reads if t.layer != "gold"}
    return [found[name] for name in sorted(found)]


def _neighbours(order: Sequence[str], wanted: Sequence[str], left_out: Mapping[str, str]) -> list[str]:
    """Return the batches of the run. Raise UserError if there are none, or if they are not adjacent in the lake."""
    chosen = [b for b in wanted if b not in left_out]
    if not chosen:
        raise UserError(
            "; ".join(dict.fromkeys(left_out.values())) or "there are no batches yet: run `speakervid run PATH…` first"
        )
    span = order[order.index(chosen[0]) : order.index(chosen[-1]) + 1]
    holes = [b for b in span if b not in chosen]
    if holes:
        why = left_out.get(holes[0], "it was not named")
        raise UserError(
            f"batch {holes[0]} lies between the batches of this run ({why}); the batches of one run must be adjacent: "
            f"fix it, or name only the batches on one side of it with --batch"
        )
    return chosen


def _shares(lake: DeltaLake, snapshot: Snapshot | None, done: Retiering) -> pl.DataFrame:
    """Return tier, clips and share; no rows if nothing was published or its file is lost."""
    shown = snapshot.shown_versions(TIERS.name) if snapshot else set()
    if snapshot is None or any(lake.lost_files(TIERS, version) for version in shown):
        return pl.DataFrame(schema={"tier": pl.String, "clips": pl.Int64, "share": pl.Float64})
    with session.open_session(lake, snapshot, read_only_user_sql=False, statistics=()) as connection:
        params = {"profile": done.profile, "batches": list(done.batches)}
        found: pl.DataFrame = connection.sql(SHARES, params=params).pl()
    return found


def _compared(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return tier, clips_before, share_before, clips_after, share_after (shares 0-1)."""
    tiers = pl.DataFrame({"tier": TIER_ORDER})
    for name, shares in (("before", before), ("after", after)):
        counted = shares.rename({"clips": f"clips_{name}", "share": f"share_{name}"})
        tiers = tiers.join(counted, on="tier", how="left", maintain_order="left")
    return tiers.with_columns(pl.exclude("tier").fill_null(0))
