"""Readers' copies: the rows of many small files of a table in one larger file.

Belongs here: which copies there could be, which there are, which nobody needs. Does not belong here: writing and
reading them (session.py), deciding when (maintenance.py).

A batch is a file or more in every table, and Delta never merges across batches, so over thousands of batches opening
files takes longer than reading them. A copy is named by the digest of the files it was made from. Delta's files never
change: a copy is right wherever all of its files are shown, whatever the snapshot and its pins. Where one is not, since
its batch was made again or is pinned, the files themselves are read. No copy is ever needed, and any may be removed.
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
NAME_DIGITS = 2  # one copy holds the batches whose names differ in the last two digits: 100 of them, of one profile
MIN_FILES = 10  # fewer are opened in a millisecond
SMALL_BYTES = 256 * 1024  # mean size up to which opening a file (0.1 ms) is a good part of reading it


@dataclass(frozen=True)
class Copy:
    """A file that holds, or could hold, the rows of these files."""

    path: Path
    files: tuple[str, ...]


def folder_of(lake: DeltaLake, table: Table) -> Path:
    return Path(lake.root) / FOLDER / table.name


def possible(lake: DeltaLake, table: Table, files: Sequence[str]) -> list[Copy]:
    """The copies that would serve these files, whether they are there or not; none in an object store."""
    if "batch" not in table.partition_by or lake.is_remote:
        return []
    groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for uri in files:
        values = slice_of(table, uri).values
        groups[values["batch"][:-NAME_DIGITS], values.get("profile")].append(uri)
    chosen = {group: tuple(sorted(found)) for group, found in groups.items() if len(found) >= MIN_FILES}
    return [Copy(folder_of(lake, table) / _name(group, found), found) for (group, _), found in chosen.items()]


def shown(lake: DeltaLake, table: Table, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """What to read in place of these files: copies, and the files that no copy holds."""
    there = {path.name for path in folder_of(lake, table).glob("*.parquet")}
    if not there:
        return [], list(files)
    used = [copy for copy in possible(lake, table, files) if copy.path.name in there]
    held = {uri for copy in used for uri in copy.files}
    return [str(copy.path) for copy in used], [uri for uri in files if uri not in held]


def missing(lake: DeltaLake, table: Table, files: Sequence[str]) -> list[Copy]:
    """The copies that are worth making and not there."""
    return [copy for copy in possible(lake, table, files) if not copy.path.exists() and _is_worth(copy)]


def unneeded(lake: DeltaLake, files: dict[str, list[str]]) -> Iterator[Path]:
    """Copies that do not serve what is shown: `files` of each table by name."""
    for table in TABLES.values():
        wanted = {copy.path for copy in possible(lake, table, files.get(table.name, []))}
        yield from (path for path in sorted(folder_of(lake, table).glob("*.parquet")) if path not in wanted)


def _name(group: str, files: Sequence[str]) -> str:
    """Data files bear a UUID each, and the last three parts of the path tell table-independent folders apart."""
    told = "\n".join("/".join(uri.rsplit("/", 3)[1:]) for uri in files)
    return f"{group}-{hashlib.sha256(told.encode()).hexdigest()[:32]}.parquet"


def _is_worth(copy: Copy) -> bool:
    return sum(Path(uri).stat().st_size for uri in copy.files) < SMALL_BYTES * len(copy.files)
