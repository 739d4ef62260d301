"""Own output: marker files in folders that this program writes, by which it recognises them wherever they are moved.

Belongs here: the markers, and which folders of a lake are its own. Does not belong here: what `run` does with them
(walk.py).

A lake has a marker file from the start, and a release while it is being written, so that the remains of a killed
process are recognised too. A complete release is recognised by its manifest, a lake older than the marker by a table.
"""

import os
from pathlib import Path

from speakervid_dag.files import write_bytes

LAKE_MARK = ".speakervid-lake"
RELEASE_MARK = ".speakervid-release"
MARK_TEXT = b"Written by speakervid-dag. `speakervid run` takes no videos from here unless a path inside is named.\n"
DEMO = "demo"  # videos made by `speakervid demo`: skipped by a walk, but taken if named
LAKE_FOLDERS = frozenset({"artifacts", "batches", "copies", "tables"})
LAKE_FILES = frozenset({"lake.duckdb", "lake.duckdb.wal", "report.html"})
RELEASE_MANIFEST = "manifest.json"
MADE_BY = b' "made_by": "speakervid-dag '  # a line of every release's manifest
LONGEST_LINE = 1 << 16  # bytes


def mark(folder: Path, name: str) -> None:
    """Write the marker file `name` (LAKE_MARK or RELEASE_MARK) into `folder` unless it exists."""
    if not (folder / name).exists():
        write_bytes(folder / name, MARK_TEXT)


def is_lake(folder: Path) -> bool:
    """Return whether `folder` is a lake, marked or older than the marker."""
    # os.path returns False where a folder is not readable; pathlib raises there
    return os.path.exists(folder / LAKE_MARK) or os.path.isdir(folder / "tables/videos/_delta_log")  # noqa: PTH110, PTH112


def is_release(folder: Path) -> bool:
    """Return whether `folder` is an exported release, complete or partly written."""
    if os.path.exists(folder / RELEASE_MARK):  # noqa: PTH110
        return True
    manifest = folder / RELEASE_MANIFEST
    try:
        if not manifest.is_file():  # reading a FIFO would block
            return False
        with manifest.open("rb") as stream:  # another program's file may be one huge line
            return any(line.startswith(MADE_BY) for line in iter(lambda: stream.readline(LONGEST_LINE), b""))
    except OSError:
        return False


def owner_of(path: Path) -> Path | None:
    """Return the release that is or contains `path`, or the lake whose own folders contain it; None if there is none.

    Other files in a lake's folder belong to the user, and so does the folder itself: a lake may be placed among the
    videos (`--lake .`).
    """
    for folder in (path, *path.parents):
        inside = path.relative_to(folder).parts
        if is_release(folder) or (inside and inside[0] in LAKE_FOLDERS and is_lake(folder)):
            return folder
    return None
