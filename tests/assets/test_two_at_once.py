"""Two commands on one lake at the same moment: nothing is done twice, and nothing that one publishes is lost.

Belongs here: two real processes with canned stages, and one that publishes between another's decision and commit. Does
not belong here: what one process does after another.
"""

import re
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import canned
import dagster as dg
import duckdb
import polars as pl
import pytest
from backfills import (
    assert_every_batch_was_done_once,
    environment,
    is_published,
    made_of_people,
    made_settings,
    speakervid,
)
from house import B1, B2, House

from speakervid_dag import connect
from speakervid_dag.assets import publication
from speakervid_dag.assets.partitions import register_batches
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.schemas import SNAPSHOTS, TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.staging import Overtaken
from speakervid_dag.runs import instance as instances
from speakervid_dag.runs.execution import ORIGIN

pytestmark = pytest.mark.heavy

COUNT = 4


def test_two_runs_of_one_folder_share_its_batches(tmp_path: Path) -> None:
    videos, settings, meeting = tmp_path / "videos", made_settings(tmp_path / "lake"), tmp_path / "meeting"
    meeting.mkdir()
    canned.write_videos(videos, COUNT)
    command = speakervid("run", videos, "--lake", settings.lake)
    there = environment(settings, CANNED_MEET=str(meeting))
    both = [subprocess.Popen(command, env=there, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told

    assert len(list(meeting.iterdir())) == 2, "both had planned before either had enlisted"
    book = BatchBook(settings.lake_dir)
    taken = Counter(file.video_id for batch in book.names() for file in book.read(batch))
    assert set(taken.values()) == {1}
    assert len(taken) == 2 * COUNT
    assert sorted(bool(re.search(rf"\b{2 * COUNT}\b.*\balready\b", text)) for text in told) == [False, True]
    # where one process was quicker with a later batch, its people are linked anew to the earlier ones
    assert_every_batch_was_done_once(settings, COUNT, again=made_of_people())
    assert is_published(settings)
    with instances.lake_instance(settings) as instance:
        runs = instance.get_runs(dg.RunsFilter(tags=ORIGIN))
    batches = Counter(run.tags.get("dagster/partition") for run in runs if "dagster/partition" in run.tags)
    assert batches.keys() == {canned.batch_name(n) for n in range(1, COUNT + 1)}
    assert set(batches.values()) <= {1, 2}
    assert all(run.status == dg.DagsterRunStatus.SUCCESS for run in runs)


OPENS = """
import sys, time
from pathlib import Path
from speakervid_dag.runs import instance as instances
from speakervid_dag.config.settings import load_settings
import dagster
import dagster._core.storage.sqlite_storage
lake, meeting = Path(sys.argv[1]), Path(sys.argv[2])
(meeting / sys.argv[3]).touch()
while len(list(meeting.iterdir())) < int(sys.argv[4]):
    time.sleep(0.001)
with instances.lake_instance(load_settings(lake=lake)) as instance:
    print(instance.get_runs_count())
"""


def test_processes_that_open_a_new_lake_together_all_open_it(tmp_path: Path) -> None:
    """Found by the test above: both made Dagster's databases, and one was told that its table exists already."""
    (meeting := tmp_path / "meeting").mkdir()
    command = [sys.executable, "-c", OPENS, str(tmp_path / "lake"), str(meeting)]
    each = [
        subprocess.Popen([*command, str(i), "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(4)
    ]
    told = [process.communicate() for process in each]
    assert [out.strip() for out, _ in told] == ["0"] * 4, told


OTHERS = ("talkvid", "speakervid-5m")
GOLD = [name for name, table in TABLES.items() if table.layer == "gold"]


def shown_profiles(lake: Path) -> list[set[str]]:
    """Profiles whose tiers readers find, in each way of reading: the newest snapshot and the analysts' file."""
    query = "SELECT DISTINCT profile FROM tiers"
    with connect(lake) as newest, duckdb.connect(str(lake / "lake.duckdb"), read_only=True) as file:
        return [{str(p) for (p,) in con.sql(query).fetchall()} for con in (newest, file)]


def test_two_retier_of_different_profiles_are_both_published(house: House, tmp_path: Path) -> None:
    lake, meeting = house.settings.lake_dir, tmp_path / "meeting"
    meeting.mkdir()
    there = environment(house.settings, CANNED_MEET_TO_PUBLISH=str(meeting))
    commands = [speakervid("retier", "--lake", lake, "--profile", profile) for profile in OTHERS]
    both = [subprocess.Popen(command, env=there, stderr=subprocess.PIPE, text=True) for command in commands]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert shown_profiles(lake) == [{"laptop", *OTHERS}] * 2
    numbers = [s.number for s in snapshots.snapshots(house.lake)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_is_published_between_decision_and_commit_stays_shown(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a mount that ignores locks."""
    lake = house.settings.lake_dir
    mine, other = (Lakehouse(lake_dir=str(lake), profile_name=profile) for profile in OTHERS)
    register_batches(house.instance, [B1, B2])
    for lakehouse in (mine, other):
        settings = house.settings
        house.settings = settings.model_copy(update={"profile": lakehouse.profile_name})
        assert house.execute("retier", GOLD, B1, B2) is None
        house.settings = settings
    real, decided = publication.next_snapshot, []

    def next_snapshot(lakehouse: Lakehouse) -> tuple[dict[str, int], publication.Pinned]:
        found = real(lakehouse)
        decided.append(lakehouse.profile.name)
        if decided == [mine.profile.name]:
            publication.publish_next(other, "between")
        return found

    monkeypatch.setattr(snapshots, "only_publisher", lambda _: nullcontext())
    monkeypatch.setattr(publication, "next_snapshot", next_snapshot)
    made = publication.publish_next(mine, "mine")
    assert decided == [mine.profile.name, other.profile.name, mine.profile.name], "the loser looked again"
    assert made == snapshots.latest(house.lake)
    assert shown_profiles(lake) == [{"laptop", *OTHERS}] * 2


def test_a_snapshots_number_is_given_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = snapshots.latest(house.lake)
    assert newest is not None
    with pytest.raises(Overtaken):
        snapshots.publish(house.lake, "late", after=newest.number - 1)
    monkeypatch.setattr(snapshots, "latest", lambda _: newest)  # both have read the same newest one
    snapshots.publish(house.lake, "first", after=newest.number)
    monkeypatch.setattr(type(house.lake), "newest_turn", lambda *_: newest.number)
    with pytest.raises(Overtaken):
        snapshots.publish(house.lake, "second", after=newest.number)
    rows = house.lake.read(SNAPSHOTS, where=pl.col("snapshot") == newest.number + 1)
    assert set(rows["run_id"]) == {"first"}
