"""Care of tables: what a snapshot shows stays readable, what nothing shows goes, and a dry run changes nothing."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from rows import frame

from speakervid_dag.lake.batches import BatchBook, Place, SourceFile
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.schemas import SHOTS, SNAPSHOTS, TIERS
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage import handles
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.upkeep import maintenance
from speakervid_dag.lake.upkeep.quarantine import Entry, record

pytestmark = pytest.mark.heavy

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=40)
KEEP = timedelta(days=30)


@pytest.fixture
def lake(lake_dir: Path) -> DeltaLake:
    """Shots of two batches written twice: version 2 in snapshot 1, version 4 in snapshot 2."""
    made = DeltaLake(str(lake_dir))
    for run in ("one", "two"):
        for batch in ("a", "b"):
            rows = [{"batch": batch, "shot_id": f"{run}-{batch}-{i}", "end_s": 1.0} for i in range(3)]
            made.replace(SHOTS, frame(SHOTS, rows), [(Slice({"batch": batch}), 7)], {"run_id": run})
        snapshots.publish(made, run)
    return made


def files_on_disk(lake_dir: Path) -> set[str]:
    return {str(p.relative_to(lake_dir)) for p in lake_dir.rglob("*") if p.is_file()}


def shown(lake: DeltaLake, number: int) -> list[str]:
    chosen = snapshots.as_of(lake, str(number))
    with session.open_session(lake, chosen, read_only_user_sql=True) as con:
        return sorted(session.run_sql(con, "SELECT shot_id FROM shots")["shot_id"])


def age(path: Path, days: int) -> None:
    stamp = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (stamp, stamp))


def test_a_dry_run_says_what_would_go_and_changes_nothing(lake: DeltaLake, lake_dir: Path) -> None:
    before = files_on_disk(lake_dir)
    plan = maintenance.plan_upkeep(lake, lake_dir, keep=timedelta(0), now=LATER)
    assert files_on_disk(lake_dir) == before
    assert [s.number for s in plan.snapshots] == [1]
    (shots,) = [t for t in plan.tables if t.name == "shots"]
    assert (shots.files, shots.mergeable_files, len(shots.superseded)) == (2, 0, 2)
    assert shots.superseded_bytes > 0


def test_snapshots_within_the_retention_keep_their_files(lake: DeltaLake, lake_dir: Path) -> None:
    first = shown(lake, 1)
    for path in lake_dir.rglob("*.parquet"):
        age(path, 400)
    done = maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    assert done.snapshots == ()
    assert shown(lake, 1) == first
    assert shown(lake, 2)[0].startswith("two")


def test_old_snapshots_go_with_their_files_and_the_newest_stays(lake: DeltaLake, lake_dir: Path) -> None:
    keep = timedelta(0)  # file times cannot be put back in Delta's log, so the retention is what is short
    served, before = shown(lake, 2), len(list(lake_dir.glob("tables/shots/batch=*/*.parquet")))
    done = maintenance.apply_upkeep(lake, lake_dir, keep=keep, run_id="care", now=LATER)
    assert [s.number for s in done.snapshots] == [1]
    assert [s.number for s in snapshots.snapshots(lake)] == [2]
    assert (before, len(list(lake_dir.glob("tables/shots/batch=*/*.parquet")))) == (4, 2)
    assert shown(lake, 2) == served
    assert maintenance.plan_upkeep(lake, lake_dir, keep=keep, now=LATER).snapshots == ()
    assert lake.data_version(SHOTS, Slice({"batch": "a"})) == 7


def test_log_that_the_newest_snapshot_needs_stays_however_old_it_is(lake: DeltaLake, lake_dir: Path) -> None:
    rows = frame(SHOTS, [{"batch": "c", "shot_id": "never published", "end_s": 1.0}])
    lake.replace(SHOTS, rows, [(Slice({"batch": "c"}), 7)], {"run_id": "that failed"})
    before = shown(lake, 2)
    for path in lake_dir.rglob("*.json"):
        age(path, 60)
    maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    handles._kept.__dict__.clear()  # as a process that has not seen the table
    assert shown(lake, 2) == before
    entries = sorted(Path(lake.uri(SHOTS), "_delta_log").glob("*.json"))
    assert int(entries[0].stem) == 2  # what the older snapshot shows; nothing needs those before
    assert lake.version(SHOTS) == 5


def split(lake: DeltaLake) -> None:
    """Batch a of tiers in three files."""
    for i in range(3):
        lake.append(TIERS, frame(TIERS, [{"batch": "a", "clip_id": f"c{i}", "tier": "sft"}]), {"run_id": "r"})


def test_small_files_of_a_partition_are_merged_and_published(lake: DeltaLake, lake_dir: Path) -> None:
    split(lake)
    snapshots.publish(lake, "r")
    done = maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    (tiers,) = [t for t in done.tables if t.name == "tiers"]
    assert (tiers.mergeable_files, tiers.files) == (3, 1)
    newest = snapshots.latest(lake)
    assert newest is not None
    assert newest.number == 4
    assert newest.versions["tiers"] == lake.version(TIERS)
    with session.open_session(lake, newest, read_only_user_sql=True) as con:
        assert session.run_sql(con, "SELECT count(*) FROM tiers").item() == 3
    assert (lake_dir / "lake.duckdb").is_file()
    assert lake.open(TIERS).history(1)[0]["run_id"] == "care"  # type: ignore[attr-defined]
    assert maintenance.plan_upkeep(lake, lake_dir, keep=KEEP, now=NOW).tables[0].mergeable_files == 0


def test_rows_that_were_never_published_are_not_published_by_a_compaction(lake: DeltaLake, lake_dir: Path) -> None:
    split(lake)  # a run in progress: tiers are not in any snapshot
    maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    assert len(lake.files(TIERS)) == 1
    newest = snapshots.latest(lake)
    assert newest is not None
    assert "tiers" not in newest.versions


def test_the_list_of_snapshots_is_compacted_too(lake: DeltaLake, lake_dir: Path) -> None:
    for i in range(4):
        snapshots.publish(lake, f"r{i}")
    told = [(s.number, dict(s.versions)) for s in snapshots.snapshots(lake)]
    maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    assert len(lake.files(SNAPSHOTS)) == 1
    assert [(s.number, dict(s.versions)) for s in snapshots.snapshots(lake)] == told


def test_marks_survive_a_checkpoint(lake: DeltaLake, lake_dir: Path) -> None:
    maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    log = Path(lake.uri(SHOTS)) / "_delta_log"
    assert list(log.glob("*.checkpoint.parquet"))
    for path in log.glob("*.json"):
        path.unlink()  # the checkpoint alone must carry them
    assert lake.data_version(SHOTS, Slice({"batch": "b"})) == 7


def put(path: Path, days: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pl.DataFrame({"x": [1]}).write_parquet(path)
    else:
        path.write_bytes(b"x")
    age(path, days)
    age(path.parent, days)
    return path


def test_files_that_nothing_names_are_found_and_collected(lake: DeltaLake, lake_dir: Path) -> None:
    book, file = BatchBook(lake_dir), SourceFile((Place("/a.mp4", 1),), 1, "0" * 64)
    book.write("b000001", [file])
    record(lake, SHOTS, {"b000001": [Entry("x", "critical", None, "x")]}, "closed", is_open=True)
    record(lake, SHOTS, {"b000001": [Entry("x", "critical", None, "x")]}, "open", is_open=True)  # closes the one before
    artifacts = lake_dir / "artifacts"
    kept = [
        put(artifacts / f"audio/v1/{file.video_id}.wav", 400),
        put(artifacts / f"face_crops/v1/{file.video_id}-s0000-t00.npz", 400),
        put(artifacts / "checkpoints/clips/b000001/00ff/v1.json", 3),
        put(artifacts / "quarantine/shots/b000001/open.parquet", 400),
        put(artifacts / f"posters/v2/{file.video_id}-c01234567-89ab.webp", 400),
        put(artifacts / "audio/v1/.tmp-young"),
    ]
    loose = [
        put(artifacts / "audio/v1/v1234567890abcdef.wav"),
        put(artifacts / "face_crops/v1/v1234567890abcdef-s0000-t00.npz"),
        put(artifacts / "posters/v2/v1234567890abcdef-c01234567-89ab.webp"),
        put(artifacts / f"posters/v1/{file.video_id}-c01234567-89ab.webp"),
        put(artifacts / "audio/v1/.tmp-old", 3),
        put(artifacts / "checkpoints/clips/b000001/00aa/v1.json", 400).parent,
        put(artifacts / "checkpoints/clips/b000009/00ff/v1.json").parent,
        put(artifacts / "quarantine/shots/b000001/closed.parquet", 400),
        put(artifacts / "quarantine/shots/b000001/unknown.parquet"),
    ]
    assert set(maintenance.plan_upkeep(lake, lake_dir, keep=KEEP, now=NOW).loose) == set(loose)
    maintenance.apply_upkeep(lake, lake_dir, keep=KEEP, run_id="care", now=NOW)
    assert [p for p in loose if p.exists()] == []
    assert [p for p in kept if not p.exists()] == []
