"""Readers' copies: a session says the same with and without them, and a copy never outlives what it was made from."""

from datetime import timedelta
from pathlib import Path

import pytest
from rows import frame

from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import SHOTS, TIERS
from speakervid_dag.lake.snapshots import copies, snapshots
from speakervid_dag.lake.snapshots.snapshots import Part, Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.upkeep import maintenance, takedown

pytestmark = pytest.mark.heavy

KEEP = timedelta(days=30)
BATCHES = [f"b{n:06d}" for n in range(95, 95 + 2 * copies.MIN_FILES)]  # 5 of the first hundred, 15 of the next


def write(lake: DeltaLake, batch: str, tier: str) -> None:
    rows = [{"batch": batch, "profile": "p", "clip_id": f"{batch}-{i}", "tier": tier} for i in range(2)]
    lake.replace(TIERS, frame(TIERS, rows), [(Slice({"batch": batch, "profile": "p"}), 1)], {"run_id": "r"})


@pytest.fixture
def lake(lake_dir: Path) -> DeltaLake:
    made = DeltaLake(str(lake_dir))
    for batch in BATCHES:
        write(made, batch, "sft")
    snapshots.publish(made, "r")
    return made


def care(lake: DeltaLake, lake_dir: Path) -> tuple[Path, ...]:
    return maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care").copies


def newest(lake: DeltaLake) -> Snapshot:
    found = snapshots.latest(lake)
    assert found is not None
    return found


def tiers(lake: DeltaLake, snapshot: Snapshot) -> list[tuple[str, str, str, str]]:
    with session.open_session(lake, snapshot, read_only_user_sql=True) as con:
        rows = session.run_sql(con, "SELECT batch, profile, clip_id, tier FROM tiers ORDER BY clip_id").rows()
    return rows  # type: ignore[return-value]


def files_read(lake: DeltaLake, snapshot: Snapshot) -> tuple[int, int]:
    copied, rest = copies.shown(lake, TIERS, session.shown_files(lake, snapshot)["tiers"])
    return len(copied), len(rest)


def test_care_writes_a_copy_of_a_hundred_batches_and_readers_see_the_same(lake: DeltaLake, lake_dir: Path) -> None:
    planned = maintenance.plan_upkeep(lake, lake_dir, keep=KEEP).copies
    assert [path.exists() for path in planned] == [False], "a dry run writes nothing"
    before = tiers(lake, newest(lake))
    assert files_read(lake, newest(lake)) == (0, 20)
    assert care(lake, lake_dir) == planned
    assert files_read(lake, newest(lake)) == (1, 5), "the first hundred has too few files"
    assert tiers(lake, newest(lake)) == before
    assert len(before) == 2 * len(BATCHES)
    assert care(lake, lake_dir) == (), "once is enough"


def test_the_analysts_file_reads_copies(lake: DeltaLake, lake_dir: Path) -> None:
    import duckdb

    (copy,) = care(lake, lake_dir)
    with duckdb.connect(str(lake_dir / "lake.duckdb"), read_only=True) as con:
        ((text,),) = con.sql("SELECT sql FROM duckdb_views() WHERE view_name = 'tiers'").fetchall()
        assert copy.name in text
        assert con.sql("SELECT count(*) FROM tiers WHERE batch = 'b000101'").fetchall() == [(2,)]


def test_a_batch_made_again_or_pinned_is_read_from_its_own_file(lake: DeltaLake, lake_dir: Path) -> None:
    care(lake, lake_dir)
    old = newest(lake)
    write(lake, BATCHES[-1], "rejected")
    pinned = snapshots.publish(lake, "r", pins={Part("tiers", BATCHES[-1], "p"): old.versions["tiers"]})
    assert files_read(lake, pinned) == (1, 5), "the pin shows what the copy was made from"
    assert {row[3] for row in tiers(lake, pinned)} == {"sft"}
    hidden = snapshots.publish(lake, "r", pins={Part("tiers", BATCHES[-1], "p"): None})
    assert files_read(lake, hidden) == (0, 19)
    made_again = snapshots.publish(lake, "r")
    assert files_read(lake, made_again) == (0, 20)
    assert [row[3] for row in tiers(lake, made_again)][-2:] == ["rejected"] * 2
    care(lake, lake_dir)
    assert files_read(lake, made_again) == (1, 5)
    assert [row[3] for row in tiers(lake, made_again)][-2:] == ["rejected"] * 2
    assert {row[3] for row in tiers(lake, old)} == {"sft"}, "an older snapshot shows what it showed"


def test_copies_that_serve_no_more_are_collected_after_the_retention(lake: DeltaLake, lake_dir: Path) -> None:
    (copy,) = care(lake, lake_dir)
    write(lake, BATCHES[-1], "rejected")
    snapshots.publish(lake, "r")
    assert copy not in maintenance.plan_upkeep(lake, lake_dir, keep=KEEP).loose
    done = maintenance.apply_upkeep(lake, lake_dir, keep=timedelta(0), run_id="care")
    assert copy in done.loose
    assert not copy.exists()
    assert [path.exists() for path in done.copies] == [True]


def test_no_copy_holds_a_video_that_was_taken_down(lake: DeltaLake, lake_dir: Path) -> None:
    rows = [{"batch": b, "video_id": f"v{b}", "shot_id": f"v{b}-s1", "end_s": 1.0} for b in BATCHES]
    lake.replace(SHOTS, frame(SHOTS, rows), [(Slice({"batch": b}), 1) for b in BATCHES], {"run_id": "r"})
    snapshots.publish(lake, "r")
    assert len(care(lake, lake_dir)) == 2
    gone = f"v{BATCHES[-1]}"
    plan = takedown.TakedownPlan(gone, None, None, {"shots": 1}, 0, (), {}, {}, is_recorded=False)
    shown = takedown.take_down(lake, lake_dir, plan, reason="asked", run_id="forget")
    assert shown is not None
    assert [p.parent.name for p in (lake_dir / copies.FOLDER).rglob("*.parquet")] == ["tiers"]
    with session.open_session(lake, shown, read_only_user_sql=True) as con:
        assert session.run_sql(con, "SELECT count(*) FROM shots").item() == len(BATCHES) - 1
