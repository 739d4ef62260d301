"""A backfill of many small batches from the command line, killed in the middle: every batch is done once.

Belongs here: `speakervid run` in processes of its own, with canned stages. Does not belong here: backfills that a
daemon runs. Of as many batches as one likes:
`SPEAKERVID_BACKFILL=50 python -m pytest -m benchmark -s tests/assets/test_backfill.py`.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import canned
import dagster as dg
import pytest
from backfills import MANY, assert_every_batch_was_done_once, environment, is_published, made_settings, speakervid

from speakervid_dag.runs import instance as instances
from speakervid_dag.runs.execution import ORIGIN

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    "count",
    [4, pytest.param(MANY, marks=[pytest.mark.benchmark, pytest.mark.timeout(3000)])],
    ids="{} batches".format,
)
def test_a_run_killed_in_the_middle_is_resumed_and_does_every_batch_once(tmp_path: Path, count: int) -> None:
    videos, settings, reached = tmp_path / "videos", made_settings(tmp_path / "lake"), tmp_path / "reached"
    canned.write_videos(videos, count)
    command = speakervid("run", videos, "--lake", settings.lake)
    started = time.monotonic()

    # in a stage with a pool: the dead run holds the one place in it, and the next one must not wait for that
    there = {"CANNED_HANG": f"face_tracks/{canned.batch_name(count // 2)}", "CANNED_REACHED": str(reached)}
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment(settings, **there), stdout=log, stderr=log)
        while worker.poll() is None and not reached.exists():
            time.sleep(0.05)
        worker.kill()
    assert worker.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()

    resumed = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    assert_every_batch_was_done_once(settings, count)
    assert is_published(settings)
    with instances.lake_instance(settings) as instance:
        runs = instance.get_runs(dg.RunsFilter(tags=ORIGIN))
    states = [run.status for run in runs]
    assert states.count(dg.DagsterRunStatus.SUCCESS) == count
    assert states.count(dg.DagsterRunStatus.FAILURE) == len(states) - count == 1, "the killed run is not left running"

    again = subprocess.run(command, env=environment(settings), capture_output=True, text=True, check=True)
    assert "Nothing" in again.stderr
    with instances.lake_instance(settings) as instance:
        assert instance.get_runs_count(dg.RunsFilter(tags=ORIGIN)) == len(runs)
    sys.stdout.write(f"\n{count} batches, killed and resumed, in {time.monotonic() - started:.0f} s\n")
