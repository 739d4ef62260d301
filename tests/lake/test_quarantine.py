"""Quarantine: findings open, are superseded, close; frames are kept as they were."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas import CLIPS, QUARANTINE, SHOTS
from speakervid_dag.lake.storage import staging
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.staging import StagedRows
from speakervid_dag.lake.upkeep import quarantine
from speakervid_dag.lake.upkeep.quarantine import Entry

RED = Entry("key_unique", "critical", "v1-c1", "clip_id = v1-c1")


@pytest.fixture
def lake(tmp_path: Path) -> DeltaLake:
    return DeltaLake(str(tmp_path))


def test_nothing_is_open_in_a_new_lake(lake: DeltaLake) -> None:
    assert quarantine.open_findings(lake, CLIPS, "a").is_empty()
    assert quarantine.list_open(lake).is_empty()
    assert quarantine.close(lake, CLIPS, ["a"]) == 0
    assert not lake.exists(QUARANTINE)


def test_findings_belong_to_one_table_and_batch(lake: DeltaLake) -> None:
    quarantine.record(lake, CLIPS, {"a": [RED]}, "r1", is_open=True)
    quarantine.record(lake, CLIPS, {"b": [RED, RED]}, "r2", is_open=True)
    quarantine.record(lake, SHOTS, {"a": [RED]}, "r1", is_open=True)
    assert quarantine.close(lake, CLIPS, ["a"], "r3") == 1
    assert quarantine.open_findings(lake, CLIPS, "a").is_empty()
    assert quarantine.open_findings(lake, CLIPS, "b").height == 2
    told = quarantine.list_open(lake).select("table", "batch", "run_id", "expectations", "failing_count").rows()
    assert told == [("shots", "a", "r1", ["key_unique"], 1), ("clips", "b", "r2", ["key_unique"], 2)]


def test_a_second_refusal_supersedes_the_first_and_keeps_its_history(lake: DeltaLake) -> None:
    quarantine.record(lake, CLIPS, {"a": [RED]}, "r1", is_open=True)
    quarantine.record(lake, CLIPS, {"a": [Entry("schema", "critical", None, "x")]}, "r2", is_open=True)
    assert quarantine.open_findings(lake, CLIPS, "a")["expectation"].to_list() == ["schema"]
    told = quarantine.show(lake, "clips/a")
    assert told.select("run_id", "is_open").rows() == [("r2", True), ("r1", False)]


def test_ids_are_unique_also_when_one_run_is_refused_twice(lake: DeltaLake) -> None:
    for _ in range(2):
        quarantine.record(lake, CLIPS, {"a": [RED, RED]}, "r1", is_open=True)
    assert quarantine.show(lake, "clips/a")["quarantine_id"].n_unique() == 4


def test_one_finding_by_its_id(lake: DeltaLake) -> None:
    quarantine.record(lake, CLIPS, {"a": [RED, RED]}, "r1", is_open=True)
    ident = quarantine.open_findings(lake, CLIPS, "a")["quarantine_id"][1]
    assert quarantine.show(lake, ident)["quarantine_id"].to_list() == [ident]
    for unknown in ("clips/zzz", "nothing", f"{ident}0"):
        with pytest.raises(UserError, match="quarantine"):
            quarantine.show(lake, unknown)


def test_a_refused_frame_is_kept_as_it_is(lake: DeltaLake) -> None:
    odd = pl.DataFrame({"unknown": [[1.5, None]], "clip_id": ["x"]})
    uri = quarantine.keep_frame(lake, CLIPS, "a", odd, "r1")
    assert Path(uri).is_relative_to(lake.root)
    assert quarantine.refused_frame(lake, CLIPS, "a", "r1").equals(odd)


def test_many_batches_are_recorded_and_closed_in_one_commit_each(lake: DeltaLake) -> None:
    quarantine.record(lake, CLIPS, {batch: [RED] for batch in "abc"}, "r1", is_open=True)
    assert lake.version(QUARANTINE) == 1  # version 0 makes the table
    assert quarantine.close(lake, CLIPS, ["a", "c", "never seen"], "r2") == 2
    assert lake.version(QUARANTINE) == 2
    assert quarantine.list_open(lake)["batch"].to_list() == ["b"]


@pytest.mark.parametrize(
    "ours",
    [
        lambda lake: quarantine.close(lake, CLIPS, ["a"], "r2"),
        lambda lake: quarantine.record(lake, CLIPS, {"a": [RED]}, "r2", is_open=False),
    ],
    ids=["close", "record"],
)
@pytest.mark.parametrize(
    ("place", "name"), [(StagedRows, "land"), (staging, "_additions")], ids=["before the commit", "inside the commit"]
)
def test_a_refusal_that_lands_while_another_run_writes_is_not_lost(
    lake: DeltaLake, monkeypatch: pytest.MonkeyPatch, ours: Callable[[DeltaLake], object], place: Any, name: str
) -> None:
    quarantine.record(lake, CLIPS, {"a": [RED]}, "r1", is_open=True)
    real, met = getattr(place, name), []

    def overtaken(*arguments: Any, **options: Any) -> Any:
        if not met:
            met.append("theirs")
            other = threading.Thread(
                target=lambda: quarantine.record(lake, CLIPS, {"a": [RED]}, "theirs", is_open=True)
            )  # a thread has handles of its own, as a process has
            other.start()
            other.join()
        return real(*arguments, **options)

    monkeypatch.setattr(place, name, overtaken)
    ours(lake)
    assert "r1" in set(quarantine.show(lake, "clips/a")["run_id"])
    assert "theirs" in set(quarantine.open_findings(lake, CLIPS, "a")["run_id"])
