"""Own output: how a folder that this program wrote is marked, and recognised wherever it was moved to.

Belongs here: the marks, and which folders of a lake are its own. Does not belong here: what `run` does with them
(walk.py).

A lake holds a mark file from its first moment, a release while it is half written, so that what a killed process left
is recognised too. A whole release is recognised by its manifest, a lake older than the mark by a table.
"""

import os
from pathlib import Path

from speakervid_dag.files import write_bytes

LAKE_MARK = ".speakervid-lake"
RELEASE_MARK = ".speakervid-release"
MARK_TEXT = b"Written by speakervid-dag. `speakervid run` takes no videos from here unless a path inside is named.\n"
DEMO = "demo"  # videos that `speakervid demo` makes: not walked into, but made to be taken in when they are named
LAKE_FOLDERS = frozenset({"artifacts", "batches", "copies", "tables"})
LAKE_FILES = frozenset({"lake.duckdb", "lake.duckdb.wal", "report.html"})
RELEASE_MANIFEST = "manifest.json"
MADE_BY = b' "made_by": "speakervid-dag '  # a line of every release's manifest
LONGEST_LINE = 1 << 16  # bytes


def mark(folder: Path, name: str) -> None:
    """Write the mark `name` (LAKE_MARK or RELEASE_MARK) into `folder`, unless it is there."""
    if not (folder / name).exists():
        write_bytes(folder / name, MARK_TEXT)


def is_lake(folder: Path) -> bool:
    """Return whether `folder` is a lake, marked or older than the mark."""
    # os.path answers False where a folder may not be read; pathlib raises there
    return os.path.exists(folder / LAKE_MARK) or os.path.isdir(folder / "tables/videos/_delta_log")  # noqa: PTH110, PTH112


def is_release(folder: Path) -> bool:
    """Return whether `folder` is an exported release, whole or half written."""
    if os.path.exists(folder / RELEASE_MARK):  # noqa: PTH110
        return True
    manifest = folder / RELEASE_MANIFEST
    try:
        if not manifest.is_file():  # a FIFO of that name would never end
            return False
        with manifest.open("rb") as stream:  # somebody else's may be huge and a single line
            return any(line.startswith(MADE_BY) for line in iter(lambda: stream.readline(LONGEST_LINE), b""))
    except OSError:
        return False


def owner_of(path: Path) -> Path | None:
    """Return the release that holds or is `path`, or the lake in whose own folders it lies; None if there is none.

    Other files and folders in a lake's folder are the user's, and so is the lake's own folder as a whole: a lake may
    lie among the videos (`--lake .`).
    """
    for folder in (path, *path.parents):
        inside = path.relative_to(folder).parts
        if is_release(folder) or (inside and inside[0] in LAKE_FOLDERS and is_lake(folder)):
            return folder
    return None
