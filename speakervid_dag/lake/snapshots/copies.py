"""Readers' copies: the rows of many small files of a table in one larger file.

Belongs here: which copies are possible, which exist, which are unneeded. Does not belong here: writing and reading them
(queries/session.py), deciding when to (upkeep/maintenance.py).

A batch has at least one file in every table, and Delta never merges files across batches. With thousands of batches,
opening the files takes longer than reading them. A copy is named by the hash of the files it was made from. Delta's
files never change, so a copy is valid in every snapshot that shows all of its files. If one of them is not shown,
because its batch was recomputed or is pinned, the files themselves are read. Copies are optional: any may be removed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import slice_of

FOLDER = "copies"
NAME_DIGITS = 2  # one copy has the batches whose names differ only in the last two digits: 100, of one profile
MIN_FILES = 10  # opening fewer takes less than a millisecond
SMALL_BYTES = 256 * 1024  # mean file size up to which opening (0.1 ms) is a large part of reading


@dataclass(frozen=True)
class Copy:
    """A copy, existing or possible, of the rows of these files."""

    path: Path
    files: tuple[str, ...]


def folder_of(lake: DeltaLake, table: Table) -> Path:
    return Path(lake.root) / FOLDER / table.name


def possible(lake: DeltaLake, table: Table, files: Sequence[str]) -> list[Copy]:
    """Return the copies that could replace these files, whether they exist or not; none in an object store."""
    if "batch" not in table.partition_by or lake.is_remote:
        return []
    groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for uri in files:
        values = slice_of(table, uri).values
        groups[values["batch"][:-NAME_DIGITS], values.get("profile")].append(uri)
    chosen = {group: tuple(sorted(found)) for group, found in groups.items() if len(found) >= MIN_FILES}
    return [Copy(folder_of(lake, table) / _name(group, found), found) for (group, _), found in chosen.items()]


def shown(lake: DeltaLake, table: Table, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what to read instead of these files: existing copies, and the files that no copy contains."""
    there = {path.name for path in folder_of(lake, table).glob("*.parquet")}
    if not there:
        return [], list(files)
    used = [copy for copy in possible(lake, table, files) if copy.path.name in there]
    held = {uri for copy in used for uri in copy.files}
    return [str(copy.path) for copy in used], [uri for uri in files if uri not in held]


def missing(lake: DeltaLake, table: Table, files: Sequence[str]) -> list[Copy]:
    """Return the copies that are worth making and do not exist."""
    return [copy for copy in possible(lake, table, files) if not copy.path.exists() and _is_worth(copy)]


def unneeded(lake: DeltaLake, files: dict[str, list[str]]) -> Iterator[Path]:
    """Yield the copies that are not made from the files shown; `files`: table name → files shown."""
    for table in TABLES.values():
        wanted = {copy.path for copy in possible(lake, table, files.get(table.name, []))}
        yield from (path for path in sorted(folder_of(lake, table).glob("*.parquet")) if path not in wanted)


def _name(group: str, files: Sequence[str]) -> str:
    """Return the copy's file name: the group, and a hash of the last three parts of each path, UUID included."""
    told = "\n".join("/".join(uri.rsplit("/", 3)[1:]) for uri in files)
    return f"{group}-{hashlib.sha256(told.encode()).hexdigest()[:32]}.parquet"


def _is_worth(copy: Copy) -> bool:
    return sum(Path(uri).stat().st_size for uri in copy.files) < SMALL_BYTES * len(copy.files)
