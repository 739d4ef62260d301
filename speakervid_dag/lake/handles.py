"""DeltaTables that stay open: to bring one up to date takes a tenth of opening a table of 1,000 batches.

Belongs here: keeping one a table and thread, and telling a table from another in its place. Does not belong here: what
is done with one (delta.py). Only tables in local folders are kept: of others nobody can tell cheaply that they are the
same.
"""

import threading
from pathlib import Path
from typing import Any

MOST_COMMITS = 20  # that a table is moved on by: with each, delta-rs is slower by 0.1 ms, until it is opened anew
_kept = threading.local()  # .tables: log folder → (its identity, the version it was opened at, DeltaTable)
Identity = tuple[int, int]


def held(log_folder: Path) -> Any:
    """This thread's DeltaTable, at whatever version it was left; None without one, or when it is to be opened anew."""
    identity, opened_at, handle = _tables().get(log_folder, (None, 0, None))
    if handle is None or identity != identity_of(log_folder) or handle.version() - opened_at > MOST_COMMITS:
        return None
    return handle


def hold(log_folder: Path, handle: Any) -> None:
    found = identity_of(log_folder)
    if found is not None:
        _tables()[log_folder] = found, handle.version(), handle


def _tables() -> dict[Path, tuple[Identity, int, Any]]:
    if not hasattr(_kept, "tables"):
        _kept.tables = {}
    found: dict[Path, tuple[Identity, int, Any]] = _kept.tables
    return found


def identity_of(folder: Path) -> Identity | None:
    """Differs for a folder made anew in its place; None where there is none."""
    try:
        told = folder.stat()
    except FileNotFoundError:
        return None
    return told.st_dev, told.st_ino
