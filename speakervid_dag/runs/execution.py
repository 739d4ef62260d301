"""Runs a selection of the asset graph in this process, on the lake's own Dagster instance.

Belongs here: starting a job for one batch or a range of them, saying in one sentence why it failed, closing the books
on runs whose process was killed, refusing what must not be done beside a run. Does not belong here: what is to be run
(runner.py, commands/).
"""

import re
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from speakervid_dag.failures import UserError
from speakervid_dag.processes.identity import PROCESS, is_dead, process_of

if TYPE_CHECKING:
    import dagster as dg

ORIGIN = {"speakervid/origin": "cli"}
# the daemon must not start a run of the command line again: the command line does that itself
NOT_AGAIN = {"dagster/max_retries": "0"}


def execute(
    instance: "dg.DagsterInstance", job: str, assets: Sequence[str], *, batches: Sequence[str] = ()
) -> str | None:
    """Runs these assets of a job in one run. Gives None when all went well, else what the first failed step said.

    Args:
        batches: one batch, or neighbours in the instance's order (Dagster knows a run over a range, not over a set);
            none for assets without partitions.
    """
    import dagster as dg

    from speakervid_dag.definitions import defs

    run_id = str(uuid.uuid4())
    single = batches[0] if len(batches) == 1 else None
    span = {} if len(batches) < 2 else _range_tags(batches[0], batches[-1])
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_id=run_id,
        partition_key=single,
        asset_selection=[dg.AssetKey(name) for name in assets],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # events are in the UI
        tags={**ORIGIN, **NOT_AGAIN, PROCESS: process_of(run_id), **span},
    )
    return None if result.success else _why(result)


def end_dead_runs(instance: "dg.DagsterInstance") -> int:
    """Marks runs as failed whose process is gone, and gives back the places in pools that they held.

    Else the UI would show them as running for ever, and the next run would wait for the place of a dead one. Gives
    their number. A run of another host, or one that did not say who executes it, is left alone: nobody here can tell.
    """
    import dagster as dg

    going = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    found = instance.get_runs(filters=dg.RunsFilter(statuses=going))
    dead = [run for run in found if is_dead(run)]
    for run in dead:
        instance.report_run_failed(run, "the process of this run ended before the run did")
    storage = instance.event_log_storage
    for run_id in storage.get_concurrency_run_ids() if storage.supports_global_concurrency_limits else ():
        holder = instance.get_run_by_id(run_id)
        if holder is None or holder.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
    return len(dead)


def refuse_while_running(instance: "dg.DagsterInstance", what: str) -> None:
    """Raises UserError, naming the run, while a run is in progress on the lake.

    Runs whose process is gone do not count, and are marked as failed. Of a run nobody here can tell about (of another
    host, say) it is assumed to be alive. A queued run has not begun, and does not count either.
    """
    import dagster as dg

    end_dead_runs(instance)
    going = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
    found = instance.get_runs(filters=dg.RunsFilter(statuses=going))
    run = next((run for run in found if not is_dead(run)), None)
    if run is not None:
        batch = run.tags.get("dagster/partition")
        told = run.run_id[:8] + (f", batch {batch}" if batch else "")
        raise UserError(
            f"{what} must not be done while a run is in progress ({told}): wait for its end, or, if its process is "
            f"gone, end it in `speakervid ui`"
        )


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _why(result: "dg.ExecuteInProcessResult") -> str:
    failures = [e for e in result.all_events if e.is_step_failure]
    told = failures[0].step_failure_data.error if failures else None
    cause = told.cause if told is not None and told.cause is not None else told
    said = cause.message.strip() if cause is not None else "see the run in `speakervid ui`"
    return re.sub(r"^[\w.]+(?:Error|Failure|Absent): ", "", said)
