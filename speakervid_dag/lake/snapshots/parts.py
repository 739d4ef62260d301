"""Parts of tables: their files at a version, the files that a snapshot shows, and the parts that changed since.

Belongs here: comparing versions part by part. Does not belong here: deciding what is shown (assets/publication.py),
recording it (snapshots.py), SQL (session.py).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from speakervid_dag.lake.schemas import QUARANTINE, TABLES, Table
from speakervid_dag.lake.snapshots.snapshots import Part, Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice

Files = Mapping[Part, Mapping[str, Slice]]  # part → URI of a file → its partition values


def files_by_part(lake: DeltaLake, table: Table, version: int) -> Files:
    """Return the files of each part at one version; a part without rows is absent."""
    found: dict[Part, dict[str, Slice]] = defaultdict(dict)
    for values, uri in lake.files_by_slice(table, version):
        found[part_of(table, values)][uri] = values
    return found


def part_of(table: Table, values: Slice) -> Part:
    return Part(table.name, values.values["batch"], values.values.get("profile"))


def shown_files(lake: DeltaLake, table: Table, snapshot: Snapshot) -> list[str]:
    """Return the URIs of a table's Parquet files that a snapshot shows, sorted."""
    versions = snapshot.shown_versions(table.name)
    if not any(part.table == table.name for part in snapshot.pins):
        return [uri for version in versions for uri in lake.files(table, version)]
    found = {v: files_by_part(lake, table, v) for v in versions}
    return sorted(
        uri
        for v, parts in found.items()
        for part, uris in parts.items()
        if snapshot.version_of(part) == v
        for uri in uris
    )


def parts_of(lake: DeltaLake, versions: Mapping[str, int], batch: str) -> set[Part]:
    """Return the parts of a batch that have rows at these versions."""
    tables = [table for table in batched() if table.name in versions]
    return {p for t in tables for p in files_by_part(lake, t, versions[t.name]) if p.batch == batch}


class Change(NamedTuple):
    """A change to a part: its files differ from those that a snapshot shows.

    Args:
        before: the version at which it is shown; None: it is not shown.
        has_moved: it was computed from other inputs. False: it was compacted, lost rows to a takedown, or was
            recomputed from the same inputs.
    """

    before: int | None
    has_moved: bool


def changed(lake: DeltaLake, previous: Snapshot | None, versions: Mapping[str, int]) -> dict[Part, Change]:
    """Return the parts whose files in `versions` differ from those that `previous` shows."""
    tables = [table for table in batched() if table.name in versions]
    return {part: change for t in tables for part, change in _changes(lake, t, previous, versions[t.name])}


def moved(lake: DeltaLake, previous: Snapshot | None, versions: Mapping[str, int]) -> dict[Part, int | None]:
    """Return the parts computed from other inputs in `versions` than in what `previous` shows, each with its version
    in `previous` (None: not shown)."""
    return {part: change.before for part, change in changed(lake, previous, versions).items() if change.has_moved}


def batched() -> list[Table]:
    """Return the tables whose rows belong to batches, except quarantine: refusals are always shown as they are."""
    return [t for t in TABLES.values() if "batch" in t.partition_by and t.name != QUARANTINE.name]


def _changes(lake: DeltaLake, table: Table, previous: Snapshot | None, version: int) -> Iterator[tuple[Part, Change]]:
    shown = previous.shown_versions(table.name) if previous else set()
    if shown == {version} and previous and not any(part.table == table.name for part in previous.pins):
        return
    files = {v: files_by_part(lake, table, v) for v in {version, *shown}}
    recorded = {v: lake.data_versions(table, v) for v in files}
    for part in {part for parts in files.values() for part in parts}:
        before = previous.version_of(part) if previous else None
        now, then = files[version].get(part, {}), {} if before is None else files[before].get(part, {})
        if now.keys() == then.keys():
            continue
        slices = {values.app_id for values in (*now.values(), *then.values())}
        yield (
            part,
            Change(before, before is None or any(recorded[version](s) != recorded[before](s) for s in slices)),
        )
