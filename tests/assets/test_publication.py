"""What readers see: whole batches, old or new, never a mix; whatever way they read."""

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import canned
import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from house import B1, B2, B3, House, made_house

from speakervid_dag import connect
from speakervid_dag.assets import publication
from speakervid_dag.cli.app import cli
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import parts, snapshots
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.upkeep import maintenance, takedown
from speakervid_dag.runs.retier import retier
from speakervid_dag.stages.stage import Stage

pytestmark = pytest.mark.heavy

SHOWN = [t.name for t in parts.batched()]
Seen = dict[str, list[tuple[object, ...]]]


def newest(house: House) -> Snapshot:
    found = snapshots.latest(house.lake)
    assert found is not None
    return found


def rows(con: duckdb.DuckDBPyConnection, batch: str) -> Seen:
    """Table → rows of the batch, sorted."""
    query = "SELECT * FROM {} WHERE batch = '{}' ORDER BY ALL"
    return {name: con.sql(query.format(name, batch)).fetchall() for name in SHOWN}


def seen(house: House, batch: str) -> Seen:
    """What every way of reading says alike: the session, connect(), the analysts' file, and Arrow for object stores."""
    lake_dir = house.settings.lake_dir
    with session.open_session(house.lake, newest(house), read_only_user_sql=True) as con:
        found = rows(con, batch)
    with connect(lake_dir) as con:
        assert rows(con, batch) == found
    with connect(lake_dir, newest(house).number) as con:
        assert rows(con, batch) == found
    with duckdb.connect(str(lake_dir / "lake.duckdb"), read_only=True) as con:
        assert rows(con, batch) == found
    with session.open_session(DeltaLake(f"file://{lake_dir}"), newest(house), read_only_user_sql=True) as con:
        assert rows(con, batch) == found
    return found


def clips_moved(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    """Every clip is a little shorter."""
    rows["clips"] = rows["clips"].with_columns(end_s=pl.col("end_s") - 0.125)


def scores_refused(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    clips_moved(stage, rows)
    if stage.name == "clip_scores" and stage.batch == B1:
        rows["clip_scores"] = pl.concat([rows["clip_scores"]] * 2)


NEW_CLIPS = {"pad_s": 0.123}


@pytest.fixture(scope="module")
def red_lake(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Seen]]:
    """Batch 1 was made again: its clips landed, its scores were refused. Then batches 2 and 3 were published."""
    lake = tmp_path_factory.mktemp("red") / "lake"
    shutil.copytree(finished, lake)
    with pytest.MonkeyPatch.context() as patch:
        house = made_house(lake, patch)
        before = {batch: seen(house, batch) for batch in (B1, B2)}
        house.breaks = scores_refused
        house.change_profile(clips=NEW_CLIPS)
        report = house.run(B3)
        assert (report.done, list(report.failed)) == ([B2, B3], [B1])
        return lake, before


@pytest.fixture
def red(
    red_lake: tuple[Path, Mapping[str, Seen]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[House, Mapping[str, Seen]]:
    """A copy of that lake, and what its batches showed before; batch 1 would be refused again."""
    made, before = red_lake
    shutil.copytree(made, tmp_path / "lake")
    house = made_house(tmp_path / "lake", monkeypatch)
    house.breaks = scores_refused
    house.change_profile(clips=NEW_CLIPS)
    return house, before


def end_s(found: Seen) -> set[object]:
    return {row[[c.name for c in TABLES["clips"].columns].index("end_s")] for row in found["clips"]}


def test_a_red_batch_is_shown_as_before_in_every_table_and_the_others_anew(
    red: tuple[House, Mapping[str, Seen]],
) -> None:
    house, before = red
    assert end_s(before[B1]) != {r["end_s"] for r in house.lake.read(TABLES["clips"], batches=[B1]).to_dicts()}
    assert seen(house, B1) == before[B1]
    assert end_s(seen(house, B2)) == {end - 0.125 for end in end_s(before[B2])}  # type: ignore[operator]
    assert seen(house, B3)["tiers"]
    assert newest(house).held_back == [B1]
    assert {"clips", "dropped_spans"} <= {part.table for part in newest(house).pins}
    assert "videos" not in {part.table for part in newest(house).pins}, "only what has moved is pinned"
    assert publication.is_published(house.lakehouse)

    house.run()  # still red; batches 2 and 3 have nothing to do
    assert seen(house, B1) == before[B1]
    house.breaks = clips_moved
    assert house.run().done == [B1]
    assert newest(house).pins == {}
    assert end_s(seen(house, B1)) == {end - 0.125 for end in end_s(before[B1])}  # type: ignore[operator]


def test_a_batch_that_was_never_whole_is_not_shown(house: House) -> None:
    house.breaks = lambda stage, rows: (
        rows.update(clip_scores=pl.concat([rows["clip_scores"]] * 2)) if stage.batch == B3 else None
    )
    assert list(house.run(B3).failed) == [B3]
    assert house.lake.read(TABLES["clips"], batches=[B3]).height > 0
    assert house.execute("publish", ["lake_snapshot"]) is None
    assert seen(house, B3) == {name: [] for name in SHOWN}
    assert newest(house).held_back == [B3]
    house.breaks = canned.no_breaks
    assert house.run().done == [B3]
    assert seen(house, B3)["branch_single"]


def test_a_video_lost_by_a_fault_of_ours_does_not_hold_its_batch_back(house: House) -> None:
    def fault(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
        clips_moved(stage, rows)
        if stage.name == "clip_scores" and stage.batch == B1:
            stage.outcomes[0] |= {"status": "not_evaluated", "reason": "internal_error"}

    before = seen(house, B1)
    house.breaks = fault
    house.change_profile(clips={"pad_s": 0.123})
    assert house.run().failed == {}
    assert newest(house).pins == {}
    assert end_s(seen(house, B1)) != end_s(before)


def profiles(found: Seen) -> set[object]:
    at = [c.name for c in TABLES["tiers"].columns].index("profile")
    return {row[at] for row in found["tiers"]}


def test_gold_of_another_profile_goes_when_its_clips_are_replaced_and_comes_back_with_its_run(house: House) -> None:
    other = house.settings.model_copy(update={"profile": "talkvid"})
    assert retier(other).failure is None
    assert profiles(seen(house, B1)) == {"laptop", "talkvid"}
    house.change_profile(gates={"sft_face_size": {"threshold": 300}})
    house.run()
    assert profiles(seen(house, B1)) == {"laptop", "talkvid"}, (
        "gold alone was made again: the other's is as good as it was"
    )

    house.breaks = clips_moved
    house.change_profile(clips={"pad_s": 0.123})
    assert house.execute("curate", ["clips", "dropped_spans"], B1) is None  # killed here
    done = retier(house.settings.model_copy(update={"profile": "talkvid"}))
    assert list(done.left_out) == [B1]
    assert profiles(seen(house, B1)) == {"laptop", "talkvid"}, "a half-made batch stays as it was"
    house.run()
    for batch in (B1, B2):
        assert profiles(found := seen(house, batch)) == {"laptop"}
        assert {row[0] for row in found["tiers"]} == {batch}
    assert retier(other).failure is None
    assert profiles(seen(house, B1)) == {"laptop", "talkvid"}


def test_maintenance_keeps_what_is_pinned(red: tuple[House, Mapping[str, Seen]]) -> None:
    house, before = red
    lake_dir = house.settings.lake_dir
    maintenance.apply_upkeep(house.lake, lake_dir, keep=timedelta(0), run_id="care")
    (kept,) = snapshots.snapshots(house.lake)
    assert kept.held_back == [B1]
    assert seen(house, B1) == before[B1]


@pytest.mark.parametrize("is_purged", [False, True])
def test_a_forgotten_video_is_not_shown_through_a_pin(red: tuple[House, Mapping[str, Seen]], is_purged: bool) -> None:
    house, before = red
    lake_dir = house.settings.lake_dir
    video_id = canned.files_of(B1)[0].video_id
    plan = takedown.plan_takedown(house.lake, lake_dir, video_id)
    takedown.take_down(house.lake, lake_dir, plan, reason="asked", run_id="forget")
    if is_purged:
        takedown.purge(house.lake, lake_dir, "forget")
    other = canned.files_of(B1)[1].video_id
    now = seen(house, B1)
    assert {row[1] for row in now["clips"]} == {other}
    assert end_s(now) == end_s(before[B1]), "as it was shown before, not as the run that was refused left it"
    assert seen(house, B2)["tiers"]

    def without_it(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
        rows |= {n: f.filter(pl.col("video_id") != video_id) for n, f in rows.items() if "video_id" in f.columns}
        stage.outcomes = [o for o in stage.outcomes if o["video_id"] != video_id]

    house.breaks = without_it
    assert house.run().failed == {}
    assert {row[1] for row in seen(house, B1)["clips"]} == {canned.files_of(B1)[1].video_id}


def test_a_video_forgotten_elsewhere_leaves_what_is_shown_of_a_half_made_batch(
    red: tuple[House, Mapping[str, Seen]],
) -> None:
    house, before = red
    lake_dir = house.settings.lake_dir
    video_id = canned.files_of(B2)[0].video_id
    plan = takedown.plan_takedown(house.lake, lake_dir, video_id)
    takedown.take_down(house.lake, lake_dir, plan, reason="asked", run_id="forget")
    assert seen(house, B1) == before[B1]
    done = CliRunner().invoke(cli, ["forget", video_id, "--lake", str(lake_dir), "--apply", "--purge"])
    assert done.exit_code == 0
    assert newest(house).held_back == []
    assert seen(house, B1) == before[B1]
    house.breaks = clips_moved
    assert house.run().failed == {}
    assert end_s(seen(house, B1)) != end_s(before[B1]), "it is stale, and made again"


def test_nothing_is_published_while_a_takedown_is_half_done(
    red: tuple[House, Mapping[str, Seen]], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = red
    lake_dir, before = house.settings.lake_dir, newest(house)
    plan = takedown.plan_takedown(house.lake, lake_dir, canned.files_of(B2)[0].video_id)
    with monkeypatch.context() as patched:
        patched.setattr(takedown, "_delete", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            takedown.take_down(house.lake, lake_dir, plan, reason="asked", run_id="forget")
    with pytest.raises(OperationError, match=plan.video_id):
        publication.publish_next(house.lakehouse, "from the UI")
    assert newest(house) == before
    takedown.finish(house.lake, lake_dir, "next run")
    assert publication.publish_next(house.lakehouse, "from the UI").number == before.number + 2
