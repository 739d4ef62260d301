"""Snapshots: what is published, found by number and time, and stays as it was."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from rows import write_lake

from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas import CLIPS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake


def test_nothing_is_published_in_a_new_lake(tmp_path: Path) -> None:
    lake = DeltaLake(str(tmp_path))
    assert snapshots.latest(lake) is None
    with pytest.raises(UserError, match="speakervid run"):
        snapshots.as_of(lake, "1")
    with pytest.raises(UserError, match="speakervid run"):
        snapshots.publish(lake, "run")


def test_each_publication_keeps_the_versions_of_its_moment(tmp_path: Path) -> None:
    lake = write_lake(str(tmp_path), {"clips": [{"clip_id": "c1"}], "videos": [{}]})
    first = snapshots.publish(lake, "run-1", "laptop")
    write_lake(str(tmp_path), {"clips": [{"clip_id": "c2"}]})
    second = snapshots.publish(lake, "run-2")

    assert (first.number, second.number) == (1, 2)
    assert set(first.versions) == {"clips", "videos"}
    assert second.versions["clips"] > first.versions["clips"]
    assert second.versions["videos"] == first.versions["videos"]
    assert snapshots.latest(lake) == second
    found = snapshots.as_of(lake, "1")
    assert found == first
    assert found.profile == "laptop"
    assert lake.read(CLIPS, version=found.versions["clips"])["clip_id"].to_list() == ["c1"]


def test_a_time_means_the_newest_snapshot_before_it(tmp_path: Path) -> None:
    lake = write_lake(str(tmp_path), {"clips": [{"clip_id": "c1"}]})
    first, second = snapshots.publish(lake, "run-1"), snapshots.publish(lake, "run-2")
    assert snapshots.as_of(lake, first.at.isoformat()) == first
    assert snapshots.as_of(lake, second.at.replace(tzinfo=None).isoformat()) == second  # no zone: UTC
    earlier = (first.at - timedelta(seconds=1)).isoformat()
    for unknown in (earlier, "3"):
        with pytest.raises(UserError, match=rf"'{re.escape(unknown)}'.* 1 .* 2 "):
            snapshots.as_of(lake, unknown)
    with pytest.raises(UserError, match="neither"):
        snapshots.as_of(lake, "yesterday")
