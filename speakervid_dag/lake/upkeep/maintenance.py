"""Maintenance of tables: compaction, readers' copies, checkpoints, vacuum with retention, removal of unused files.

Belongs here: everything that keeps a lake small and fast without changing its content. Does not belong here: removing a
video (takedown.py), printing (cli/maintain.py).

No file that a published snapshot shows is removed as long as the snapshot is kept. So snapshots past the retention are
dropped first (never the newest), and vacuum keeps every version that the others show.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from speakervid_dag.failures import OperationError
from speakervid_dag.lake.artifacts import CUT_LAYOUTS, cut_folder
from speakervid_dag.lake.batches import BatchBook
from speakervid_dag.lake.queries import analyst_db, session
from speakervid_dag.lake.schemas import QUARANTINE, SNAPSHOT_PINS, SNAPSHOTS, TABLES, Table
from speakervid_dag.lake.snapshots import copies, snapshots
from speakervid_dag.lake.snapshots.snapshots import Pins, Snapshot
from speakervid_dag.lake.storage import integrity
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice, slice_of_row
from speakervid_dag.lake.storage.staging import Overtaken, StagedRows

TARGET_BYTES = 128 * 2**20  # size of a merged file; larger slices are left as they are
PUBLISH_ATTEMPTS = 20  # each restarts from what another process has published meanwhile
ASIDE_AGE = timedelta(days=1)  # an older temporary file was left behind by a killed process


@dataclass(frozen=True)
class TableUpkeep:
    """Maintenance of one table: number of files, files to merge, superseded files to remove."""

    name: str
    files: int
    mergeable_files: int
    superseded: tuple[str, ...]
    superseded_bytes: int
    is_busy: bool = False  # a run wrote to it meanwhile: left for next time


@dataclass(frozen=True)
class UpkeepPlan:
    """Planned (or completed) maintenance: tables, expired snapshots, unused files and folders, new readers' copies."""

    tables: tuple[TableUpkeep, ...]
    snapshots: tuple[Snapshot, ...]
    loose: tuple[Path, ...]
    loose_bytes: int
    copies: tuple[Path, ...] = ()


def plan_upkeep(lake: DeltaLake, lake_dir: Path, *, keep: timedelta, now: datetime | None = None) -> UpkeepPlan:
    """Return what `apply_upkeep` would do; change nothing.

    Args:
        keep: age up to which snapshots, and files that no snapshot shows, are kept.
    """
    moment = now or datetime.now(UTC)
    kept, expired = _split(snapshots.snapshots(lake), moment - keep)
    tables = tuple(_plan_table(lake, table, kept, keep) for table in TABLES.values() if lake.exists(table))
    loose = tuple(loose_files(lake, lake_dir, moment - keep))
    return UpkeepPlan(tables, tuple(expired), loose, sum(map(size_of, loose)), tuple(_missing_copies(lake)))


def apply_upkeep(
    lake: DeltaLake, lake_dir: Path, *, keep: timedelta, run_id: str, now: datetime | None = None
) -> UpkeepPlan:
    """Merge small files, republish, write readers' copies, drop old snapshots, vacuum, and remove unused files.

    Return what was done. Do not start it during a run (execution.refuse_while_running); a table that a run writes to
    nevertheless is skipped.

    Raises:
        OperationError: the store failed.
    """
    moment = now or datetime.now(UTC)
    plan = plan_upkeep(lake, lake_dir, keep=keep, now=moment)
    busy = _compact(lake, lake_dir, plan.tables, run_id)
    copied = _copy(lake, lake_dir)
    drop_snapshots(lake, plan.snapshots, run_id)
    kept = snapshots.snapshots(lake)
    done = []
    for table_plan in plan.tables:
        table = TABLES[table_plan.name]
        gone, size = vacuum(lake, table, kept, keep)
        lake.drop_old_log(table, oldest_shown(lake, table, kept))
        files = len(lake.files(table))
        done.append(
            TableUpkeep(table_plan.name, files, table_plan.mergeable_files, gone, size, table_plan.name in busy)
        )
    for path in plan.loose:
        remove(path)
    return UpkeepPlan(tuple(done), plan.snapshots, plan.loose, plan.loose_bytes, tuple(copied))


def vacuum(
    lake: DeltaLake,
    table: Table,
    kept: Sequence[Snapshot],
    keep: timedelta,
    *,
    dry_run: bool = False,
    is_full: bool = True,
) -> tuple[tuple[str, ...], int]:
    """Remove files that are older than `keep` and that neither the latest version nor a kept snapshot shows.

    Args:
        dry_run: remove nothing.
        is_full: also remove files that no commit ever named (of a killed write). `keep` must be longer than any write.

    Returns:
        Their paths in the table's folder, and their bytes (0 in an object store).
    """
    options: dict[str, Any] = {
        "retention_hours": int(keep.total_seconds() // 3600),
        "enforce_retention_duration": False,
        "full": is_full,
        "keep_versions": sorted({v for s in kept for v in s.shown_versions(table.name)}),
    }
    folder, files = Path(lake.uri(table)), lake.file_system(table)
    handle: Any = lake.open(table)
    listed = sorted(handle.vacuum(dry_run=True, **options))
    found = tuple(name for name in listed if lake.is_remote or (folder / name).is_file())  # OpenDAL lists folders too
    size = 0 if lake.is_remote else sum(size_of(folder / name) for name in found)
    # delta-rs would commit its removals, and with every twentieth commit drop log entries that a snapshot needs
    for name in () if dry_run else found:
        files.delete_file(name) if lake.is_remote else remove(folder / name)
    return found, size


def oldest_shown(lake: DeltaLake, table: Table, kept: Sequence[Snapshot]) -> int:
    """Return the oldest version of an existing table that its present state or one of these snapshots shows."""
    return min({lake.version(table) or 0, *(v for snapshot in kept for v in snapshot.shown_versions(table.name))})


def drop_lost(lake: DeltaLake, run_id: str) -> dict[str, int]:
    """Drop the lost files of tables that no run can recompute. Return table → number of rows lost for good.

    Raises:
        OperationError: the store failed.
    """
    gone = {}
    for table, lost in lake.all_lost_files():
        if integrity.is_made_by_a_stage(table):
            continue
        for file in lost:
            file.path.unlink(missing_ok=True)  # a truncated file: Delta's repair finds only missing ones
        lake.change(table, lambda handle, how: handle.repair(**how), run_id)
        gone[table.name] = sum(file.row_count or 0 for file in lost)
    return gone


def drop_snapshots(lake: DeltaLake, dropped: Sequence[Snapshot], run_id: str) -> None:
    """Remove snapshots from the list; vacuum then removes their files."""
    if dropped:
        is_dropped = pl.col("snapshot").is_in([s.number for s in dropped])
        for table in (SNAPSHOTS, SNAPSHOT_PINS):
            lake.amend(table, is_dropped, lambda rows: rows.filter(~is_dropped), {"run_id": run_id})


class Publication(NamedTuple):
    """Content of the next snapshot."""

    profile: str | None
    versions: Mapping[str, int]
    pins: Pins


def publish_for_readers(
    lake: DeltaLake, lake_dir: Path, run_id: str, decide: Callable[[Snapshot | None], Publication | None]
) -> Snapshot | None:
    """Publish `decide(newest snapshot)` as the next snapshot, and write its analysts' database file.

    Args:
        decide: gets the newest snapshot (None: there is none) and reads the tables' versions itself. It is called again
            if another process has published meanwhile. It returns None if there is nothing to publish.

    Raises:
        OperationError: the store failed, or others kept publishing.
    """
    for _ in range(PUBLISH_ATTEMPTS):
        with snapshots.only_publisher(lake):
            newest = snapshots.latest(lake)
            wanted = decide(newest)
            if wanted is None:
                return None
            try:
                made = snapshots.publish(lake, run_id, *wanted, after=newest.number if newest else 0)
            except Overtaken:  # by a process that does not see the lock
                continue
            analyst_db.remake(lake, lake_dir)
            return made
    raise OperationError(f"other processes kept publishing ({PUBLISH_ATTEMPTS} attempts): rerun the command")


def loose_files(lake: DeltaLake, lake_dir: Path, before: datetime) -> Iterator[Path]:
    """Yield unused artifacts: of videos in no batch, old checkpoints, refused frames closed long ago, leftovers."""
    book, artifacts = BatchBook(lake_dir), lake_dir / "artifacts"
    batches = set(book.names())
    videos = {file.video_id for batch in batches for file in book.read(batch)}
    yield from (p for p in sorted(artifacts.glob("audio/*/*.wav")) if p.stem.partition("-")[0] not in videos)
    crops = sorted(artifacts.glob("face_crops/*/*.npz"))
    yield from (p for p in crops if p.name.partition("-")[0] not in videos)
    pictures = [
        *artifacts.glob("posters/*/*.webp"),
        *artifacts.glob("previews/*/*.mp4"),
        *artifacts.glob("clips/*/*/v*"),
    ]
    current = tuple(cut_folder(lake_dir, kind) for kind in CUT_LAYOUTS)
    for path in sorted(pictures):
        if path.name.partition("-")[0] not in videos or not any(map(path.is_relative_to, current)):
            yield path
    for folder in sorted(artifacts.glob("checkpoints/*/*/*")):
        if folder.parent.name not in batches or _changed(folder) < before:
            yield folder
    findings = lake.read(QUARANTINE).group_by("table", "batch", "run_id").agg(pl.col("is_open").any())
    is_open = {row[:3]: row[3] for row in findings.iter_rows()}
    for path in sorted(artifacts.glob("quarantine/*/*/*.parquet")):
        told = is_open.get((path.parts[-3], path.parts[-2], path.stem))
        if told is None or (not told and _changed(path) < before):
            yield path
    yield from (p for p in unneeded_copies(lake) if _changed(p) < before)
    aside = [
        *artifacts.rglob(".tmp-*"),
        *lake_dir.glob(f"{copies.FOLDER}/*/.tmp-*"),
        *book.folder.glob(".tmp-*"),
        *lake_dir.glob(".tmp-*"),
        *lake_dir.glob("tables/.aside/*"),
    ]
    yield from (p for p in sorted(aside) if _changed(p) < datetime.now(UTC) - ASIDE_AGE)


def unneeded_copies(lake: DeltaLake) -> list[Path]:
    """Return the readers' copies that the newest snapshot does not use."""
    newest = snapshots.latest(lake)
    return list(copies.unneeded(lake, session.shown_files(lake, newest) if newest else {}))


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(p.stat().st_size for p in files if p.is_file())


def remove(path: Path) -> None:
    """Remove a file or a whole folder; a missing file is fine."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _split(found: Sequence[Snapshot], before: datetime) -> tuple[list[Snapshot], list[Snapshot]]:
    """Return the snapshots to keep and those past the retention; the newest is always kept."""
    expired = [s for s in found[:-1] if s.at < before]
    return [s for s in found if s not in expired], expired


def _plan_table(lake: DeltaLake, table: Table, kept: Sequence[Snapshot], keep: timedelta) -> TableUpkeep:
    superseded, size = vacuum(lake, table, kept, keep, dry_run=True)
    mergeable = sum(files for _, files in _mergeable(lake, table))
    return TableUpkeep(table.name, len(lake.files(table)), mergeable, superseded, size)


def _mergeable(lake: DeltaLake, table: Table) -> list[tuple[Slice, int]]:
    """Return the slices whose files can be merged into one, with the number of files."""
    actions = pl.DataFrame(lake.open(table).get_add_actions(flatten=True))  # type: ignore[attr-defined]
    if actions.is_empty():
        return []
    names = {f"partition.{name}": name for name in table.partition_by}
    grouped = actions.group_by(list(names)) if names else actions.group_by(pl.lit(True).alias("all"))
    found = grouped.agg(files=pl.len(), size=pl.col("size_bytes").sum()).rename(names)
    several = found.filter(pl.col("files") > 1, pl.col("size") <= TARGET_BYTES)
    return [(slice_of_row(table, row), row["files"]) for row in several.to_dicts()]


def _missing_copies(lake: DeltaLake) -> list[Path]:
    newest = snapshots.latest(lake)
    found = session.shown_files(lake, newest) if newest else {}
    return [copy.path for name, files in found.items() for copy in copies.missing(lake, TABLES[name], files)]


def _copy(lake: DeltaLake, lake_dir: Path) -> list[Path]:
    """Write the copies of the newest snapshot, and point the analysts' database file to them."""
    with snapshots.only_publisher(lake):
        newest = snapshots.latest(lake)
        made = session.write_copies(lake, newest) if newest else []
        if made:
            analyst_db.remake(lake, lake_dir)
    return made


def _compact(lake: DeltaLake, lake_dir: Path, tables: Sequence[TableUpkeep], run_id: str) -> set[str]:
    """Merge small files per partition and republish the newest snapshot over them. Return the tables that were busy."""
    compacted: dict[str, tuple[int, int]] = {}  # version before and after
    busy = set()
    for table_plan in tables:
        if table_plan.mergeable_files < 2:
            continue
        table = TABLES[table_plan.name]
        try:
            version = _merge_files(lake, table, run_id)
        except Overtaken:
            busy.add(table_plan.name)
            continue
        compacted[table_plan.name] = version - 1, version

    def over_them(newest: Snapshot | None) -> Publication | None:
        shown = newest.versions if newest else {}
        merged = {name: after for name, (before, after) in compacted.items() if shown.get(name) == before}
        return Publication(newest.profile, {**shown, **merged}, newest.pins) if newest and merged else None

    publish_for_readers(lake, lake_dir, run_id, over_them)
    return busy


def _merge_files(lake: DeltaLake, table: Table, run_id: str) -> int:
    """Merge the table's small files and return its new version. Raises Overtaken if another writer has committed."""
    version, slices = lake.version(table), [part for part, _ in _mergeable(lake, table)]
    with StagedRows(lake, table) as staged:
        for part in slices:  # one at a time: a table may be larger than memory
            staged.add(lake.read(table, version=version, where=part.where), [part])
        return staged.land([(part, None) for part in slices], {"run_id": run_id}, after=version).version


def _changed(path: Path) -> datetime:
    """Return when the file was last written; for a folder, the newest time in it."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    return datetime.fromtimestamp(max(p.stat().st_mtime for p in paths), UTC)
