"""Jobs and the landing sensor: runs that a user or the daemon can start.

Belongs here: selections of assets and when they run. Does not belong here: assets.
"""

import os
import stat
import time
from pathlib import Path

import dagster as dg

from speakervid_dag.assets.partitions import register_batches
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.config.profiles import load_profile
from speakervid_dag.failures import UserError
from speakervid_dag.lake.own_output import owner_of
from speakervid_dag.lake.schemas import VIDEOS
from speakervid_dag.lake.walk import not_read

SETTLE_S = 30.0  # a file that changed within this time may still be being copied
GOLD = dg.AssetSelection.groups("gold", "statistics")

curate = dg.define_asset_job(
    "curate",
    selection=dg.AssetSelection.groups("bronze", "silver", "gold", "statistics"),
    description="Everything for one batch: intake to branches, then a new snapshot.",
)

retier = dg.define_asset_job(
    "retier",
    selection=GOLD,
    description="Gates, tiers and branches again from the stored scores, for any number of batches in one run.",
)


publish = dg.define_asset_job(
    "publish",
    selection=dg.AssetSelection.assets("lake_snapshot") | dg.AssetSelection.groups("statistics"),
    description="A new snapshot of what is committed, and the statistics of it.",
)


@dg.sensor(
    job=curate,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns new files in the landing folder (SPEAKERVID_LANDING) into a batch and starts its run.",
)
def landing_folder(context: dg.SensorEvaluationContext, lakehouse: Lakehouse) -> dg.SensorResult | dg.SkipReason:
    """Evaluate one tick: new files that are complete become batches, and each batch one run."""
    folder = lakehouse.settings.landing
    if folder is None:
        return dg.SkipReason("no landing folder: set SPEAKERVID_LANDING to watch one")
    if not folder.is_dir():
        return dg.SkipReason(f"the landing folder {folder} does not exist")
    if owner_of(folder.resolve()) is not None:  # unlike a path named on the command line, which is an explicit wish
        return dg.SkipReason(f"the landing folder {folder} lies inside a lake or a release: set SPEAKERVID_LANDING")
    lost = _never_started(context.instance, lakehouse, folder)
    try:
        load_profile(lakehouse.settings.profile)  # a wrong one must not enlist anything
        plan = lakehouse.book.plan(
            [folder],
            batch_size=lakehouse.settings.batch_size,
            follow_links=lakehouse.settings.follow_links,
            takes=_is_settled,
        )
        plan = lakehouse.book.enlist(plan)
    except UserError as problem:
        return dg.SkipReason(str(problem))
    told = not_read(plan.unread)
    for line in told:
        context.log.warning(line)
    wanted = [*lost, *plan.batches]
    if not wanted:
        return dg.SkipReason(" ".join([f"nothing new in {folder}.", *told, *plan.found.passed_over()]))
    register_batches(context.instance, wanted)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=batch, partition_key=batch) for batch in wanted])


def _never_started(instance: dg.DagsterInstance, lakehouse: Lakehouse, folder: Path) -> list[str]:
    """Return the batches of the folder's files for which no run was ever created.

    A tick that was killed between writing a manifest and launching its run leaves one. The lake already knows its
    files, so no later tick would find them new. The run key prevents a batch requested twice from running twice.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - like walk(): links are not followed
    done = set(lakehouse.lake.batches(VIDEOS))
    return [
        batch
        for batch in lakehouse.book.names()
        if batch not in done
        and any(Path(uri).is_relative_to(place) for file in lakehouse.book.read(batch) for uri in file.uris)
        and not instance.get_runs(dg.RunsFilter(tags={"dagster/partition": batch}), limit=1)
    ]


def _is_settled(path: Path) -> bool:
    """Return whether this is a regular file not modified for SETTLE_S seconds; False if it no longer exists."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and abs(time.time() - found.st_mtime) > SETTLE_S
