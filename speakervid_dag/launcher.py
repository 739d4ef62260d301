"""The run launcher of a lake's Dagster instance: Dagster's default, which also detects runs whose process died.

Belongs here: the launcher class that dagster.yaml names. Does not belong here: how processes are distinguished
(processes/identity.py).

Dagster's default launcher does not support health checks. If the machine went down together with its daemon, its runs
would stay STARTED forever, each holding its slot in the run queue, and a backfill (one run at a time) would hang.
"""

from dagster import DagsterRun, DefaultRunLauncher

from speakervid_dag.dagster_private import CheckRunHealthResult, WorkerStatus
from speakervid_dag.processes.identity import is_dead


class LocalRunLauncher(DefaultRunLauncher):
    """Launcher of runs in processes of this machine; it reports to the monitoring daemon which of them are dead."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return FAILED if the run is tagged with a process of this host that no longer exists, else RUNNING."""
        if is_dead(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the process of this run ended before the run did")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
