"""DeltaTables that stay open: to bring one up to date takes a tenth of opening a table of 1,000 batches, and one at a
version that a snapshot shows never changes.

Belongs here: keeping them, by thread, and telling a table from another in its place. Does not belong here: what is done
with one (tables.py). Only tables in local folders are kept: of others nobody can tell cheaply that they are the same.
"""

import threading
from pathlib import Path
from typing import Any

MOST_COMMITS = 20  # that a table is moved on by: with each, delta-rs is slower by 0.1 ms, until it is opened anew
MOST_PINNED = 64  # tables at a version that are kept: a session of a snapshot asks for some 30 of them, twice
_kept = threading.local()  # .tables: (log folder, version or None for the newest) → (its identity, opened at, table)
Identity = tuple[int, ...]
Key = tuple[Path, int | None]


def held(log_folder: Path, version: int | None = None) -> Any:
    """This thread's DeltaTable at a version, or at whatever version it was left (None); None without one, or when it is
    to be opened anew."""
    identity, opened_at, handle = _tables().get((log_folder, version), (None, 0, None))
    if handle is None or identity != identity_of(log_folder, opened_at) or handle.version() - opened_at > MOST_COMMITS:
        return None
    return handle


def hold(log_folder: Path, handle: Any, *, is_pinned: bool = False) -> None:
    """Keep it; `is_pinned`: as the one at its version, else as the one that is moved on."""
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
    """Differs for a log made anew in its place, also where the folder's inode is used again; None where the log has no
    entry of this version."""
    try:
        folder, entry = log_folder.stat(), (log_folder / f"{version:020d}.json").stat()
    except FileNotFoundError:
        return None
    return folder.st_dev, folder.st_ino, entry.st_ino, entry.st_mtime_ns
