"""A backfill as the UI's button starts it: real webserver, real daemon, real run processes, all killed on the way.

Belongs here: what must come of it. Does not belong here: the services (dagster_pair.py). It takes minutes, so it runs
only when asked for, with as many batches as one likes:
`SPEAKERVID_BACKFILL=50 python -m pytest -m benchmark -s tests/assets/test_backfill_ui.py`.
"""

import sys
import time
from pathlib import Path

import canned
import dagster as dg
import pytest
from backfills import MANY, TABLE_NAMES, assert_every_batch_was_done_once, commits, is_published, made_settings
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus
from dagster_pair import Pair, dagster_pair
from loopback import graphql

from speakervid_dag.assets.partitions import register_batches
from speakervid_dag.config.settings import Settings
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.runs import instance as instances

pytestmark = pytest.mark.heavy

LAUNCH = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
# gold is left to `keep_gold_current`, which follows what is backfilled
BACKFILLED = [name for name in TABLE_NAMES if TABLES[name].layer in ("bronze", "silver")]


def prepare(settings: Settings, count: int) -> list[str]:
    """A lake of registered batches without tables."""
    book, batches = BatchBook(settings.lake_dir), [canned.batch_name(n) for n in range(1, count + 1)]
    for batch in batches:
        book.write(batch, canned.files_of(batch))
    home = instances.prepare_home(settings)
    config = (home / "dagster.yaml").read_text()
    assert "poll_interval_seconds: 30" in config
    (home / "dagster.yaml").write_text(config.replace("poll_interval_seconds: 30", "poll_interval_seconds: 3"))
    with instances.lake_instance(settings) as instance:
        register_batches(instance, batches)
    return batches


def launch(pair: Pair, batches: list[str]) -> str:
    """What the button "Materialize" over a range of partitions sends."""
    selection = [{"path": [name]} for name in BACKFILLED]
    params = {"assetSelection": selection, "partitionNames": batches}
    told = graphql(pair.url, LAUNCH, params=params)["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told
    return str(told["backfillId"])


def most_at_once(records: list[dg.RunRecord]) -> int:
    """The largest number of runs that were executing at one time."""
    marks = [(r.start_time, 1) for r in records if r.start_time] + [(r.end_time, -1) for r in records if r.start_time]
    running, most = 0, 0
    for _, step in sorted(marks):  # type: ignore[type-var]
        running += step
        most = max(most, running)
    return most


def has_followed(settings: Settings, count: int) -> bool:
    """Gold of every batch is there and published."""
    return all(len(batches) == count for batches in commits(settings).values()) and is_published(settings)


@pytest.mark.benchmark
@pytest.mark.timeout(9000)
def test_a_backfill_survives_its_daemon_and_its_machine(tmp_path: Path) -> None:
    count = MANY
    settings, reached = made_settings(tmp_path / "lake"), tmp_path / "reached"
    batches = prepare(settings, count)
    doomed = batches[count // 2]
    there = {"CANNED_HANG": f"face_tracks/{doomed}", "CANNED_REACHED": str(reached)}
    started = time.monotonic()
    with dagster_pair(settings, tmp_path) as pair, instances.lake_instance(settings) as instance:
        pair.start_webserver()
        pair.start_daemon(**there)
        backfill = launch(pair, batches)
        going = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        pair.wait(lambda: instance.get_runs_count(going) > 0, 300)
        pair.kill_daemon(with_children=False)  # the run goes on without it
        pair.start_daemon(**there)
        pair.wait(reached.exists, 300 + 60 * count)
        pair.kill_daemon(with_children=True)  # in a stage with a pool
        pair.start_daemon()

        def is_over() -> bool:
            found = instance.get_backfill(backfill)
            return found is not None and found.status in BULK_ACTION_TERMINAL_STATUSES

        pair.wait(is_over, 600 + 60 * count)
        found = instance.get_backfill(backfill)
        assert found is not None
        assert found.status == BulkActionStatus.COMPLETED_SUCCESS, found.error
        took_s = time.monotonic() - started
        pair.wait(lambda: has_followed(settings, count), 600 + 60 * count)
        records = instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    assert most_at_once(list(records)) == 1, "dagster.yaml lets one run of a backfill run at a time"
    wanted = {dg.AssetKey(name) for name in BACKFILLED}
    assert all(r.dagster_run.asset_selection == wanted for r in records), "a batch's bronze and silver are one run"
    assert len(records) == count + 1, "one run a batch, and the killed one again"
    failed = [r.dagster_run.tags for r in records if r.dagster_run.status == dg.DagsterRunStatus.FAILURE]
    assert [tags["dagster/asset_partition_range_start"] for tags in failed] == [doomed], "the killed one"
    assert failed[0]["dagster/will_retry"] == "true"
    assert_every_batch_was_done_once(settings, count)
    sys.stdout.write(
        f"\n{count} batches through the daemon, killed twice, in {took_s:.0f} s; "
        f"with gold and publication in {time.monotonic() - started:.0f} s\n"
    )
