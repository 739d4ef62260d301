"""Which runs are dead: those whose process is gone, and none else."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import filter_runs_to_should_retry
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

from speakervid_dag.config.settings import load_settings
from speakervid_dag.launcher import LocalRunLauncher
from speakervid_dag.processes.identity import PROCESS, process_of
from speakervid_dag.runs import instance as instances
from speakervid_dag.runs.execution import NOT_AGAIN, end_dead_runs

pytestmark = pytest.mark.heavy

RUN = "run-1"


def health(tag: str | None) -> WorkerStatus:
    run = dg.DagsterRun(job_name="curate", run_id=RUN, tags={} if tag is None else {PROCESS: tag})
    return LocalRunLauncher().check_run_worker_health(run).status


def gone(run_id: str = RUN) -> str:
    """The tag that a process left which has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host = process_of(run_id).split("/")[1]
    tag = f"{run_id}/{host}/{child.pid}/{psutil.Process(child.pid).create_time():.2f}"
    child.kill()
    child.communicate()
    return tag


def test_a_run_is_dead_when_its_process_is_gone() -> None:
    assert health(gone()) == WorkerStatus.FAILED
    assert health(process_of(RUN)) == WorkerStatus.RUNNING


def test_a_process_that_took_over_the_number_is_another_one() -> None:
    host = process_of(RUN).split("/")[1]
    assert health(f"{RUN}/{host}/{os.getpid()}/1.00") == WorkerStatus.FAILED


def test_nobody_here_can_tell_of_a_run_that_said_nothing_or_runs_elsewhere() -> None:
    assert health(None) == WorkerStatus.RUNNING
    assert health(f"{RUN}/another-host/1/1.00") == WorkerStatus.RUNNING


def test_a_run_started_again_is_not_dead_by_the_tag_it_inherited() -> None:
    assert health(gone().replace(RUN, "run-0")) == WorkerStatus.RUNNING


def test_a_dead_run_is_ended_whoever_started_it() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for run_id, tag in (("run-1", gone()), ("run-2", process_of("run-2"))):
            status = dg.DagsterRunStatus.STARTED
            instance.add_run(dg.DagsterRun(job_name="curate", run_id=run_id, status=status, tags={PROCESS: tag}))
        assert end_dead_runs(instance) == 1
        states = {run.run_id: run.status.value for run in instance.get_runs()}
    assert states == {"run-1": "FAILURE", "run-2": "STARTED"}


def test_the_lakes_instance_uses_it(tmp_path: Path) -> None:
    """dagster.yaml names the launcher, frees the places of dead runs, and tries a killed run once more."""
    with instances.lake_instance(load_settings(lake=tmp_path)) as instance:
        assert isinstance(instance.run_launcher, LocalRunLauncher)
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 10
        assert instance.run_retries_max_retries == 1
        assert not instance.run_retries_retry_on_asset_or_op_failure
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_user_code_failure_retries == 5, "a busy code server costs no run"
        assert queue.max_concurrent_runs == 2


def monitored(instance: dg.DagsterInstance) -> None:
    """What Dagster's monitoring daemon does every 30 s."""
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context:
        problems = list(execute_run_monitoring_iteration(context, logging.getLogger("monitoring")))
    assert problems
    assert not any(problems)


def test_the_daemon_fails_a_dead_run_once_and_tries_it_again(tmp_path: Path) -> None:
    """A run of the command line is the command line's to repeat: it says so in its tags."""
    with instances.lake_instance(load_settings(lake=tmp_path)) as instance:
        for run_id, tags in (("dead", {PROCESS: gone("dead")}), ("alive", {PROCESS: process_of("alive")})):
            instance.add_run(
                dg.DagsterRun(job_name="curate", run_id=run_id, status=dg.DagsterRunStatus.STARTED, tags=tags)
            )
        typed = {PROCESS: gone("typed"), **NOT_AGAIN}
        instance.add_run(
            dg.DagsterRun(job_name="curate", run_id="typed", status=dg.DagsterRunStatus.STARTED, tags=typed)
        )
        monitored(instance)
        runs = {run.run_id: run for run in instance.get_runs()}
        assert {name: run.status.value for name, run in runs.items()} == {
            "dead": "FAILURE",
            "alive": "STARTED",
            "typed": "FAILURE",
        }
        said = [e.message for e in instance.all_logs("dead") if e.dagster_event and e.dagster_event.is_run_failure]
        assert len(said) == 1
        assert "process" in said[0]
        failed = [runs["dead"], runs["typed"]]
        again = filter_runs_to_should_retry(failed, instance)
        assert [run.run_id for run in again] == ["dead"]
