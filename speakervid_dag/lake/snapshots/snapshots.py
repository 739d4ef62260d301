"""Snapshots: one consistent set of table versions, numbered, published after a run.

Belongs here: publishing and finding snapshots, one publisher at a time. Does not belong here: deciding which batches
are whole (assets/publication.py), what has moved since a snapshot (parts.py), reading rows of a version (session.py,
tables.py), and releases (a release is made from a snapshot).

Each table has its own Delta history; a reader who opens them one by one could see a batch in one table and not in the
next. A snapshot names the versions that belong together. A batch that is not whole at that moment is pinned: its parts
that have moved stay at the version that the snapshot before showed, or are not shown.

What a publisher decides holds for the newest snapshot it has read. So it reads, decides and publishes under one lock,
and a snapshot lands only as the direct successor of the one it was decided from (docs/decisions/0010).
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

# always shown as they are: a snapshot cannot name the version that its own rows make; releases are made from it later,
# and people answer about it later
SERIES = Slice({"log": "entry"})  # its mark in the table of snapshots is the newest number
UNVERSIONED = (SNAPSHOTS.name, SNAPSHOT_PINS.name, RELEASES.name, RELEASE_SPLITS.name, REVIEWS.name)


class Part(NamedTuple):
    """What a snapshot can pin: the rows of a batch in a table, in a gold table those of one profile.

    It is a key with the columns of `snapshot_pins`. A Slice (storage/slices.py) is what one write replaces in a given
    table, whatever its partition columns are: a reviewer's answers, and marks that are no rows at all, have no Part.
    """

    table: str
    batch: str
    profile: str | None = None


Pins = Mapping[Part, int | None]


@dataclass(frozen=True)
class Snapshot:
    """A published set of versions.

    Args:
        versions: table name → Delta version; a table never written is absent.
        pins: parts shown at another version than their table's; None: not shown.
    """

    number: int
    at: datetime
    run_id: str
    profile: str | None
    versions: Mapping[str, int]
    pins: Pins = field(default_factory=dict)

    def version_of(self, part: Part) -> int | None:
        """The Delta version at which readers see this part; None when they do not."""
        return self.pins[part] if part in self.pins else self.versions.get(part.table)

    def shown_versions(self, table: str) -> set[int]:
        """Every version of the table of which something is shown: vacuum must leave their files."""
        pinned = {v for part, v in self.pins.items() if part.table == table and v is not None}
        return pinned | ({self.versions[table]} if table in self.versions else set())

    @property
    def held_back(self) -> list[str]:
        """Batches that are shown as they were before, or not at all, because they were not whole."""
        return sorted({part.batch for part in self.pins if part.profile in (None, self.profile)})


def present_versions(lake: DeltaLake) -> dict[str, int]:
    """The latest version of every table that was ever written, but of those that are always shown as they are."""
    return {
        name: version
        for name, table in TABLES.items()
        if name not in UNVERSIONED and (version := lake.version(table)) is not None
    }


@contextmanager
def only_publisher(lake: DeltaLake) -> Iterator[None]:
    """Wait until no other process of this lake publishes, and keep the others waiting while inside.

    A lock of the operating system, which a killed process gives back. An object store has none, and some network
    mounts ignore it: there `publish` refuses what another publisher has overtaken.
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
        after: number of the snapshot that versions and pins were decided from (0: there was none); None: any.

    Raises:
        UserError: no table was ever written.
        Overtaken: another snapshot was published since: decide again.
        OperationError: the store refused the commit.
    """
    versions = present_versions(lake) if versions is None else versions
    if not versions:
        raise UserError(f"the lake {lake.root} has no tables yet: run `speakervid run PATH` first")
    shown = latest(lake)
    newest = shown.number if shown else 0
    if after is not None and newest != after:
        raise Overtaken(f"snapshot {newest} was published after {after}, from which the next one was decided")
    # rows of the newest snapshot may be lost with their file; its number is not given again
    number = max(newest, lake.newest_turn(SNAPSHOTS, SERIES)) + 1
    made = Snapshot(number, datetime.now(UTC), run_id, profile, versions, pins or {})
    which: dict[str, object] = {"snapshot": made.number, "at": made.at}
    if made.pins:  # before the snapshot, which is there only once its own rows are
        held = [{**which, **part._asdict(), "version": version} for part, version in sorted(made.pins.items(), key=str)]
        lake.append(SNAPSHOT_PINS, SNAPSHOT_PINS.frame(held), {"run_id": run_id})
    which |= {"run_id": run_id, "profile": profile}
    rows = [{**which, "table": name, "version": version} for name, version in versions.items()]
    lake.append(SNAPSHOTS, SNAPSHOTS.frame(rows), {"run_id": run_id}, (SERIES, number))
    return made


def snapshots(lake: DeltaLake) -> list[Snapshot]:
    """Every published snapshot, oldest first."""
    frame, pins = lake.read(SNAPSHOTS), lake.read(SNAPSHOT_PINS)
    return [_load(part, pins) for _, part in sorted(frame.group_by("snapshot"), key=lambda pair: pair[0])]


def latest(lake: DeltaLake) -> Snapshot | None:
    """The newest snapshot, or None when nothing was published."""
    frame = lake.read(SNAPSHOTS)
    if frame.is_empty():
        return None
    newest = frame.filter(pl.col("snapshot") == pl.col("snapshot").max())
    return _load(newest, lake.read(SNAPSHOT_PINS, where=pl.col("snapshot") == newest["snapshot"][0]))


def as_of(lake: DeltaLake, what: str) -> Snapshot:
    """The snapshot with this number, or the newest one published at or before this ISO time (UTC if it names no zone).

    Raises:
        UserError: neither a number nor a time, or there is no such snapshot; the message says which there are.
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
    """One snapshot from its rows; of two publications under one number, of an older package, the later one counts."""
    newest = rows.filter(pl.col("at") == pl.col("at").max())
    first = newest.row(0, named=True)
    versions = dict(zip(newest["table"].to_list(), newest["version"].to_list(), strict=True))
    mine = pins.filter((pl.col("snapshot") == first["snapshot"]) & (pl.col("at") == first["at"]))
    pinned = {Part(*row[:3]): row[3] for row in mine.select("table", "batch", "profile", "version").iter_rows()}
    return Snapshot(first["snapshot"], first["at"], first["run_id"], first["profile"], versions, pinned)
