"""Snapshots: one consistent set of table versions, numbered, published after a run.

Belongs here: publishing and finding snapshots. Does not belong here: reading rows of a version (session.py, delta.py),
and releases (a release is made from a snapshot).

Each table has its own Delta history; a reader who opens them one by one could see a batch in one table and not in the
next. A snapshot names the versions that belong together: one commit of rows (snapshot, table, version).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from speakervid_dag.failures import UserError
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.schemas import SNAPSHOTS, TABLES


@dataclass(frozen=True)
class Snapshot:
    """A published set of versions. `versions` maps table name → Delta version; a table never written is absent."""

    number: int
    at: datetime
    run_id: str
    profile: str | None
    versions: Mapping[str, int]


def present_versions(lake: DeltaLake) -> dict[str, int]:
    """The latest version of every table that was ever written, but of `snapshots` itself."""
    return {
        name: version
        for name, table in TABLES.items()
        if name != SNAPSHOTS.name and (version := lake.version(table)) is not None
    }


def publish(
    lake: DeltaLake, run_id: str, profile: str | None = None, versions: Mapping[str, int] | None = None
) -> Snapshot:
    """Records these versions (None: the present version of every table) as the next snapshot and returns it.

    Two runs that publish at the same moment may take the same number; the later commit then wins as a whole (`_load`).

    Raises:
        UserError: no table was ever written.
        OperationError: the store refused the commit.
    """
    versions = present_versions(lake) if versions is None else versions
    if not versions:
        raise UserError(f"the lake {lake.root} has no tables yet: run `speakervid run PATH` first")
    newest = latest(lake)
    made = Snapshot((newest.number if newest else 0) + 1, datetime.now(UTC), run_id, profile, versions)
    rows: list[dict[str, object]] = [
        {
            "snapshot": made.number,
            "at": made.at,
            "run_id": run_id,
            "profile": profile,
            "table": name,
            "version": version,
        }
        for name, version in versions.items()
    ]
    lake.append(SNAPSHOTS, SNAPSHOTS.frame(rows), {"run_id": run_id})
    return made


def snapshots(lake: DeltaLake) -> list[Snapshot]:
    """Every published snapshot, oldest first."""
    frame = lake.read(SNAPSHOTS)
    return [_load(part) for _, part in sorted(frame.group_by("snapshot"), key=lambda pair: pair[0])]


def latest(lake: DeltaLake) -> Snapshot | None:
    """The newest snapshot, or None when nothing was published."""
    frame = lake.read(SNAPSHOTS)
    return None if frame.is_empty() else _load(frame.filter(pl.col("snapshot") == pl.col("snapshot").max()))


def is_published(lake: DeltaLake) -> bool:
    """Whether the newest snapshot shows the present version of every data table (of system tables it may lag)."""
    newest = latest(lake)
    shown = newest.versions if newest else {}
    present = present_versions(lake)
    return all(shown.get(name) == version for name, version in present.items() if TABLES[name].layer != "system")


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


def _load(rows: pl.DataFrame) -> Snapshot:
    """One snapshot from its rows; of two publications under one number the later one counts."""
    newest = rows.filter(pl.col("at") == pl.col("at").max())
    first = newest.row(0, named=True)
    versions = dict(zip(newest["table"].to_list(), newest["version"].to_list(), strict=True))
    return Snapshot(first["snapshot"], first["at"], first["run_id"], first["profile"], versions)
