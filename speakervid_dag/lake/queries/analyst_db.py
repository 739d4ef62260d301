"""The analysts' database file, `lake.duckdb`: the session's views for any DuckDB client, without this package.

Belongs here: writing the file, the record of the folder that it was written for. Does not belong here: the SQL of the
views (view_sql.py, session.py), publishing (upkeep/maintenance.py).

The views name Parquet files by absolute path, since DuckDB resolves relative paths from the reader's working folder. So
the file is rewritten after each publication, and when a lake is opened in another folder than the recorded one.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from filelock import FileLock

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.files import write_bytes, written_aside
from speakervid_dag.lake.queries import session
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.version import VERSION

NAME = "lake.duckdb"
RECORD = f".{NAME}.place"  # what the file was written for: version of the package, folder of the lake
LOCK = f".{NAME}.lock"
STORAGE_VERSION = "v1.0.0"  # of DuckDB's file format, for clients that use DuckDB 1.3 or later


def remake(lake: DeltaLake, lake_dir: Path) -> None:
    """Write the file of the newest snapshot; do nothing if nothing is published.

    The newest snapshot is read under the lock, so that the last process to write has the newest one. It is read again
    after writing, since another machine, which does not see the lock, may have published.

    Raises:
        OperationError: DuckDB refused a view.
        OSError: the folder cannot be written.
    """
    with FileLock(lake_dir / LOCK):
        written = 0
        while (newest := snapshots.latest(lake)) is not None and newest.number != written:
            write(lake, newest, lake_dir / NAME)
            written = newest.number
        if written:
            write_bytes(lake_dir / RECORD, _made_for(lake_dir))


def remake_elsewhere(lake: DeltaLake, lake_dir: Path) -> None:
    """Rewrite the file if it is missing, was modified, or was written by another version or for another folder.

    Takes 0.1 ms if there is nothing to do. Raises as `remake`.
    """
    if not lake.is_remote and not _is_of(lake_dir):
        remake(lake, lake_dir)


def write(lake: DeltaLake, snapshot: Snapshot | None, path: Path) -> None:
    """Write a read-only DuckDB file at `path` with the session's views, pinned to the snapshot's versions.

    Do not vacuum these versions. A client that had the old file open for writing may have left files beside it (such as
    a write-ahead log) that prevent opening the new one: they are removed first.

    Raises:
        UserError: the lake is in an object store (DuckDB would need an extension that cannot be installed here).
        OperationError: DuckDB refused a view.
    """
    if lake.is_remote:
        raise UserError("an analysts' database file needs a lake in a local folder; use `speakervid sql`")
    with written_aside(path) as aside, TemporaryDirectory() as folder:
        draft = Path(folder) / path.name  # DuckDB may misread the lake's own path
        try:
            with duckdb.connect(str(draft), config={"storage_compatibility_version": STORAGE_VERSION}) as con:
                session.create_views(con, lake, snapshot, is_lasting=True)
        except duckdb.Error as problem:
            raise OperationError(f"{path.name}: {str(problem).splitlines()[0]}") from problem
        shutil.copyfile(draft, aside)
        aside.chmod(0o444)
        for beside in path.parent.glob(f"{path.name}.*"):
            shutil.rmtree(beside) if beside.is_dir() else beside.unlink(missing_ok=True)


def _is_of(lake_dir: Path) -> bool:
    """Return whether the file was written by this version for this folder, under any name of the folder."""
    try:
        version, _, place = (lake_dir / RECORD).read_bytes().partition(b" ")
        is_same = Path(os.fsdecode(place)).samefile(lake_dir)
    except OSError:  # no record, or the recorded folder cannot be reached
        return False
    if (lake_dir / f"{NAME}.wal").exists():  # left by a client that wrote to this file or the previous one
        return False
    return is_same and version == VERSION.encode() and (lake_dir / NAME).exists()


def _made_for(lake_dir: Path) -> bytes:
    return b" ".join([VERSION.encode(), os.fsencode(lake_dir.absolute())])
