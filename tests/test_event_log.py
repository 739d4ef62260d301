"""The event log that keeps its files open: as Dagster's own reads it, alive for who watches a run, gone when closed."""

import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from speakervid_dag.config.settings import load_settings
from speakervid_dag.event_log import FOLDER, EventLogStorage
from speakervid_dag.runs import instance as instances

pytestmark = pytest.mark.heavy


@dg.asset
def something() -> int:
    return 1


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with instances.lake_instance(load_settings(lake=tmp_path / "lake")) as opened:
        yield opened


def test_a_lake_keeps_its_events_in_dagsters_own_files(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, EventLogStorage)
    done = dg.materialize([something], instance=instance)
    folder = Path(instance.root_directory, *FOLDER)
    assert (folder / f"{done.run_id}.db").is_file()
    told = [entry.event_log_entry.message for entry in storage.get_records_for_run(done.run_id).records]
    plain = SqliteEventLogStorage(str(folder))
    assert [e.event_log_entry.message for e in plain.get_records_for_run(done.run_id).records] == told
    assert len(told) > 5
    assert plain.get_latest_materialization_events([dg.AssetKey("something")])[dg.AssetKey("something")] is not None


def test_who_watches_a_run_hears_of_each_event(instance: dg.DagsterInstance) -> None:
    run_id, heard = str(uuid.uuid4()), threading.Event()
    run = instance.create_run_for_job(
        dg.define_asset_job("j", [something]).resolve(  # a run, to store events of
            asset_graph=dg.Definitions([something]).resolve_asset_graph()
        ),
        run_id=run_id,
    )
    instance.report_engine_event("first", run)
    watcher = SqliteEventLogStorage(str(Path(instance.root_directory, *FOLDER)))  # as the webserver, another process
    watcher.watch(run_id, None, lambda entry, _: heard.set() if entry.message == "second" else None)
    instance.report_engine_event("second", run)
    try:
        assert heard.wait(20)
    finally:
        watcher.dispose()


def test_few_files_stay_open_and_none_after_closing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speakervid_dag.event_log.OPEN_SHARDS", 3)
    runs = [dg.materialize([something], instance=instance).run_id for _ in range(4)]
    assert len(instance.event_log_storage._engines) == 3  # type: ignore[attr-defined]
    assert all(instance.event_log_storage.get_records_for_run(r).records for r in runs)
    instance.dispose()
    folder = Path(instance.root_directory, *FOLDER)
    assert not list(folder.glob("*-wal")), "closed files are whole"


def test_the_environment_is_as_before_once_a_lake_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEAKERVID_PROFILE", "laptop")
    before = dict(os.environ)
    with instances.lake_instance(load_settings(lake=tmp_path / "lake", profile="talkvid")):
        assert os.environ["SPEAKERVID_LAKE"] == str(tmp_path / "lake")
        assert os.environ["SPEAKERVID_PROFILE"] == "talkvid"
    assert dict(os.environ) == before
