"""The run launcher of a lake's Dagster instance: Dagster's own, which also notices a run whose process is gone.

Belongs here: what dagster.yaml names as its launcher. Does not belong here: how a process is told from another one
(execution.py).

Dagster's default launcher cannot be asked about a run's health. A machine that goes down with its daemon would leave
its runs STARTED for ever, each holding its place in the run queue: a backfill (one run at a time) would never go on.
"""

from dagster import DagsterRun, DefaultRunLauncher

from speakervid_dag.dagster_private import CheckRunHealthResult, WorkerStatus
from speakervid_dag.processes.identity import is_dead


class LocalRunLauncher(DefaultRunLauncher):
    """Runs in processes of this machine; the monitoring daemon learns which of them are dead."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED when the run said which process of this host executes it, and that is no more."""
        if is_dead(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the process of this run ended before the run did")
        return CheckRunHealthResult(WorkerStatus.RUNNING)
