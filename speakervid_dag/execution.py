"""Runs a selection of the asset graph in this process, on the lake's own Dagster instance.

Belongs here: starting a job for one batch or a range of them, saying in one sentence why it failed, closing the books
on runs whose process was killed. Does not belong here: what is to be run (runner.py, commands/).
"""

import os
import re
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import dagster as dg

ORIGIN = {"speakervid/origin": "cli"}
PROCESS = "speakervid/process"  # tag of a run: host, process id and start time of the process that executes it


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

    single = batches[0] if len(batches) == 1 else None
    span = {} if len(batches) < 2 else _range_tags(batches[0], batches[-1])
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=single,
        asset_selection=[dg.AssetKey(name) for name in assets],
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # events are in the UI
        tags={**ORIGIN, PROCESS: this_process(), **span},
    )
    return None if result.success else _why(result)


def end_dead_runs(instance: "dg.DagsterInstance") -> int:
    """Marks runs of ours as failed whose process is gone; else the UI would show them as running for ever.

    Gives their number. A run of another host is left alone: nobody here can tell.
    """
    import dagster as dg

    going = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    found = instance.get_runs(filters=dg.RunsFilter(statuses=going, tags=ORIGIN))
    dead = [run for run in found if not _is_alive(run.tags.get(PROCESS, ""))]
    for run in dead:
        instance.report_run_failed(run, "the process of this run ended before the run did")
    return len(dead)


def this_process() -> str:
    return _name(psutil.Process(os.getpid()))


def _name(process: psutil.Process) -> str:
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"


def _is_alive(told: str) -> bool:
    host, _, rest = told.partition("/")
    if host != socket.gethostname():
        return True
    try:
        return _name(psutil.Process(int(rest.partition("/")[0]))) == told
    except (psutil.NoSuchProcess, ValueError):
        return False


def _range_tags(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _why(result: "dg.ExecuteInProcessResult") -> str:
    failures = [e for e in result.all_events if e.is_step_failure]
    told = failures[0].step_failure_data.error if failures else None
    cause = told.cause if told is not None and told.cause is not None else told
    said = cause.message.strip() if cause is not None else "see the run in `speakervid ui`"
    return re.sub(r"^[\w.]+(?:Error|Failure): ", "", said)
