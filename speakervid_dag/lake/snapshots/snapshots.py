"""Snapshots: one consistent set of table versions, numbered, published after a run.

Belongs here: publishing and finding snapshots, one publisher at a time. Does not belong here: deciding which batches
are complete (assets/publication.py), changes since a snapshot (parts.py), reading rows of a version
(queries/session.py, storage/tables.py), releases (they are made from a snapshot).

Each table has its own Delta history, so a reader who opens tables one by one could see a batch in one table and not in
the next. A snapshot records the versions that belong together. A batch that is incomplete at that moment is pinned:
those of its parts that have changed stay at the version that the previous snapshot showed, or are hidden.

A publisher's decision is valid only for the newest snapshot that it has read. So it reads, decides and publishes under
one lock, and a snapshot is committed only as the direct successor of the one it was based on (docs/decisions/0010).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
from filelock import FileLock

from speakervid_dag.failures import UserError
from speakervid_dag.lake.schemas import RELEASE_SPLITS, RELEASES, REVIEWS, SNAPSHOT_PINS, SNAPSHOTS, TABLES
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice
from speakervid_dag.lake.storage.staging import Overtaken

# UNVERSIONED tables are always shown at their latest version: a snapshot cannot record the version that its own rows
# create, and releases and reviews follow after it
SERIES = Slice({"log": "entry"})  # its data version in the table of snapshots is the newest number
UNVERSIONED = (SNAPSHOTS.name, SNAPSHOT_PINS.name, RELEASES.name, RELEASE_SPLITS.name, REVIEWS.name)


class Part(NamedTuple):
    """The unit that a snapshot can pin: the rows of a batch in a table; in a gold table, those of one profile.

    It is a key with the columns of `snapshot_pins`. A Slice (storage/slices.py) is what one write replaces in a table,
    whatever its partition columns are. A reviewer's answers, and marks that are not rows, have a Slice but no Part.
    """

    table: str
    batch: str
    profile: str | None = None


Pins = Mapping[Part, int | None]


@dataclass(frozen=True)
class Snapshot:
    """A published set of versions.

    Args:
        versions: table name → Delta version, without tables that were never written.
        pins: parts shown at another version than their table; None: hidden.
    """

    number: int
    at: datetime
    run_id: str
    profile: str | None
    versions: Mapping[str, int]
    pins: Pins = field(default_factory=dict)

    def version_of(self, part: Part) -> int | None:
        """Return the Delta version at which readers see this part; None if they do not."""
        return self.pins[part] if part in self.pins else self.versions.get(part.table)

    def shown_versions(self, table: str) -> set[int]:
        """Return every version of the table that has rows shown; vacuum must keep their files."""
        pinned = {v for part, v in self.pins.items() if part.table == table and v is not None}
        return pinned | ({self.versions[table]} if table in self.versions else set())

    @property
    def held_back(self) -> list[str]:
        """Return the batches shown in their previous state, or not at all, because they were incomplete."""
        return sorted({part.batch for part in self.pins if part.profile in (None, self.profile)})


def present_versions(lake: DeltaLake) -> dict[str, int]:
    """Return the latest version of every table that was ever written, without the UNVERSIONED ones."""
    return {
        name: version
        for name, table in TABLES.items()
        if name not in UNVERSIONED and (version := lake.version(table)) is not None
    }


@contextmanager
def only_publisher(lake: DeltaLake) -> Iterator[None]:
    """Hold the lake's publishing lock: wait until no other process publishes, and keep others waiting while inside.

    The lock belongs to the operating system and is released when a process is killed. An object store has none, and
    some network mounts ignore it: there, `publish` raises Overtaken if another publisher was faster.
    """
    if lake.is_remote:
        yield
        return
    Path(lake.root).mkdir(parents=True, exist_ok=True)
    with FileLock(Path(lake.root) / ".publish.lock"):
        yield


def publish(
    lake: DeltaLake,
    run_id: str,
    profile: str | None = None,
    versions: Mapping[str, int] | None = None,
    pins: Pins | None = None,
    *,
    after: int | None = None,
) -> Snapshot:
    """Record these versions (None: the present version of every table) as the next snapshot and return it.

    Args:
        after: number of the snapshot that versions and pins are based on (0: there was none); None: any.

    Raises:
        UserError: no table was ever written.
        Overtaken: another snapshot was published meanwhile: decide again.
        OperationError: the store failed.
    """
    versions = present_versions(lake) if versions is None else versions
    if not versions:
        raise UserError(f"the lake {lake.root} has no tables yet: run `speakervid run PATH` first")
    shown = latest(lake)
    newest = shown.number if shown else 0
    if after is not None and newest != after:
        raise Overtaken(f"snapshot {newest} was published after {after}, from which the next one was decided")
    # rows of the newest snapshot may be lost with their file; its number is not reused
    number = max(newest, lake.newest_turn(SNAPSHOTS, SERIES)) + 1
    made = Snapshot(number, datetime.now(UTC), run_id, profile, versions, pins or {})
    which: dict[str, object] = {"snapshot": made.number, "at": made.at}
    if made.pins:  # before the snapshot, which exists only once its own rows do
        held = [{**which, **part._asdict(), "version": version} for part, version in sorted(made.pins.items(), key=str)]
        lake.append(SNAPSHOT_PINS, SNAPSHOT_PINS.frame(held), {"run_id": run_id})
    which |= {"run_id": run_id, "profile": profile}
    rows = [{**which, "table": name, "version": version} for name, version in versions.items()]
    lake.append(SNAPSHOTS, SNAPSHOTS.frame(rows), {"run_id": run_id}, (SERIES, number))
    return made


def snapshots(lake: DeltaLake) -> list[Snapshot]:
    """Return every published snapshot, oldest first."""
    frame, pins = lake.read(SNAPSHOTS), lake.read(SNAPSHOT_PINS)
    return [_load(part, pins) for _, part in sorted(frame.group_by("snapshot"), key=lambda pair: pair[0])]


def latest(lake: DeltaLake) -> Snapshot | None:
    """Return the newest snapshot, or None if nothing was published."""
    frame = lake.read(SNAPSHOTS)
    if frame.is_empty():
        return None
    newest = frame.filter(pl.col("snapshot") == pl.col("snapshot").max())
    return _load(newest, lake.read(SNAPSHOT_PINS, where=pl.col("snapshot") == newest["snapshot"][0]))


def as_of(lake: DeltaLake, what: str) -> Snapshot:
    """Return the snapshot with this number, or the newest one at or before this ISO time (UTC if it has no zone).

    Raises:
        UserError: `what` is neither a number nor a time, or there is no such snapshot; the message lists the range.
    """
    known = snapshots(lake)
    if not known:
        raise UserError("nothing was published yet: run `speakervid run PATH` first")
    if what.isdecimal():
        chosen = [s for s in known if s.number == int(what)]
    else:
        moment = _moment(what)
        chosen = [s for s in known if s.at <= moment]
    if not chosen:
        raise UserError(
            f"there is no snapshot '{what}'; there are {known[0].number} ({known[0].at:%Y-%m-%dT%H:%M:%S}Z) "
            f"to {known[-1].number} ({known[-1].at:%Y-%m-%dT%H:%M:%S}Z)"
        )
    return chosen[-1]


def _moment(what: str) -> datetime:
    try:
        moment = datetime.fromisoformat(what)
    except ValueError as problem:
        raise UserError(f"'{what}' is neither a snapshot's number nor an ISO time") from problem
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _load(rows: pl.DataFrame, pins: pl.DataFrame) -> Snapshot:
    """Return a snapshot from its rows; an older package may have used a number twice: the later one counts."""
    newest = rows.filter(pl.col("at") == pl.col("at").max())
    first = newest.row(0, named=True)
    versions = dict(zip(newest["table"].to_list(), newest["version"].to_list(), strict=True))
    mine = pins.filter((pl.col("snapshot") == first["snapshot"]) & (pl.col("at") == first["at"]))
    pinned = {Part(*row[:3]): row[3] for row in mine.select("table", "batch", "profile", "version").iter_rows()}
    return Snapshot(first["snapshot"], first["at"], first["run_id"], first["profile"], versions, pinned)
