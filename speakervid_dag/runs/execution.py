"""Execution of a selection of the asset graph in this process, on the lake's own Dagster instance.

Belongs here: starting a job for one batch or a range of batches, the one-sentence reason of its failure, ending runs
whose process was killed, refusing operations that are not allowed during a run. Does not belong here: deciding what to
run (runner.py, retier.py).
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
# the daemon must not retry a run of the command line: the command line does that itself
NOT_AGAIN = {"dagster/max_retries": "0"}


def execute(
    instance: "dg.DagsterInstance", job: str, assets: Sequence[str], *, batches: Sequence[str] = ()
) -> str | None:
    """Execute these assets of a job in one run. Return None on success, else the message of the first failed step.

    Args:
        batches: one batch, or adjacent batches in the instance's order (Dagster runs cover a range, not a set); none
            for assets without partitions.
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
    """Mark runs whose process no longer exists as failed, free their pool slots, and return their number.

    Otherwise the UI would show them as running forever, and the next run would wait for a dead run's slot. Runs of
    another host, or without a process tag, are left alone: their state cannot be determined here.
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
    """Raise UserError, naming the run, while a run is in progress on the lake.

    Runs whose process no longer exists do not count and are marked as failed. A run whose state cannot be determined
    (on another host, say) is assumed to be alive. Queued runs have not begun and do not count.
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
            f"{what} is not allowed while a run is in progress ({told}): wait until it ends, or, if its process no "
            f"longer exists, terminate it in `speakervid ui`"
        )


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _why(result: "dg.ExecuteInProcessResult") -> str:
    failures = [e for e in result.all_events if e.is_step_failure]
    told = failures[0].step_failure_data.error if failures else None
    cause = told.cause if told is not None and told.cause is not None else told
    said = cause.message.strip() if cause is not None else "see the run in `speakervid ui`"
    return re.sub(r"^[\w.]+(?:Error|Failure|Absent): ", "", said)
