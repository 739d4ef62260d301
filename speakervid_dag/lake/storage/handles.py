"""Cache of open DeltaTables, per thread.

Belongs here: the cache, and detecting that a table was replaced by another. Does not belong here: using a table
(tables.py).

Updating an open table of 1,000 batches takes a tenth of the time of opening it, and a table at the version of a
snapshot never changes. Only tables in local folders are cached: elsewhere a replaced table cannot be detected cheaply.
"""

import threading
from pathlib import Path
from typing import Any

MOST_COMMITS = 20  # updates before a table is reopened: each makes delta-rs 0.1 ms slower
MOST_PINNED = 64  # cached tables at a fixed version: a session of a snapshot opens about 30 of them, twice
_kept = threading.local()  # .tables: (log folder, version or None for the newest) → (its identity, opened at, table)
Identity = tuple[int, ...]
Key = tuple[Path, int | None]


def held(log_folder: Path, version: int | None = None) -> Any:
    """Return this thread's cached DeltaTable at a version (None: the one that follows the newest version).

    Return None if there is none, or if it must be reopened.
    """
    identity, opened_at, handle = _tables().get((log_folder, version), (None, 0, None))
    if handle is None or identity != identity_of(log_folder, opened_at) or handle.version() - opened_at > MOST_COMMITS:
        return None
    return handle


def hold(log_folder: Path, handle: Any, *, is_pinned: bool = False) -> None:
    """Cache a DeltaTable; `is_pinned`: as the one at its version, else as the one that follows the newest version."""
    tables, version = _tables(), handle.version()
    identity = identity_of(log_folder, version)
    if identity is None:
        return
    if is_pinned:
        pinned = [key for key in tables if key[1] is not None]
        for key in pinned[: len(pinned) - MOST_PINNED + 1]:
            del tables[key]
    tables[log_folder, version if is_pinned else None] = identity, version, handle


def _tables() -> dict[Key, tuple[Identity, int, Any]]:
    if not hasattr(_kept, "tables"):
        _kept.tables = {}
    found: dict[Key, tuple[Identity, int, Any]] = _kept.tables
    return found


def identity_of(log_folder: Path, version: int) -> Identity | None:
    """Return a value that changes when a log is recreated in the same place, even if the folder's inode is reused.

    Return None if the log has no entry of this version.
    """
    try:
        folder, entry = log_folder.stat(), (log_folder / f"{version:020d}.json").stat()
    except FileNotFoundError:
        return None
    return folder.st_dev, folder.st_ino, entry.st_ino, entry.st_mtime_ns
