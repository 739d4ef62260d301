"""Published snapshots: the one place that opens a lake for reading.

Belongs here: opening a lake and its published snapshots, choosing a profile. Does not belong here: the session itself
(session.py), printing answers (cli/output.py).
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake.queries import analyst_db, session
from speakervid_dag.lake.queries.session import Session, query_file
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.snapshots.snapshots import Snapshot
from speakervid_dag.lake.storage.delta import DeltaLake


def open_lake(lake_dir: Path) -> DeltaLake:
    """Return the lake in a folder; rewrite its `lake.duckdb` if the lake was moved or copied.

    Raises UserError if there is no lake.
    """
    if not (lake_dir / "tables").is_dir():
        raise UserError(f"there is no lake in {lake_dir}: make one with `speakervid run PATH…` or `speakervid demo`")
    opened = DeltaLake(str(lake_dir))
    try:
        analyst_db.remake_elsewhere(opened, lake_dir)
    except (OSError, OperationError) as problem:  # a read-only lake can still be queried
        _warn_once(f"{analyst_db.NAME} was written for another folder or version and cannot be rewritten: {problem}")
    return opened


@cache
def _warn_once(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def published_snapshot(lake: DeltaLake, as_of: str | None = None) -> Snapshot:
    """Return the newest published snapshot, or the one as of a number or an ISO time.

    Raises UserError if nothing is published or there is no such snapshot.
    """
    found = snapshots.latest(lake) if as_of is None else snapshots.as_of(lake, as_of)
    if found is None:
        raise UserError("nothing is published in this lake yet: `speakervid run PATH…` publishes a snapshot at its end")
    return found


def open_published(
    lake_dir: Path,
    as_of: str | None = None,
    *,
    read_only_user_sql: bool = True,
    statistics: Sequence[str] | None = None,
) -> Session:
    """Return a session over a published snapshot; see `published_snapshot` and `session.open_session`.

    Raises UserError if there is no lake, nothing is published, or there is no such snapshot.
    """
    lake = open_lake(lake_dir)
    snapshot = published_snapshot(lake, as_of)
    return session.open_session(lake, snapshot, read_only_user_sql=read_only_user_sql, statistics=statistics)


def has_profile(con: Session, name: str) -> bool:
    """Return whether any clip in the session has a tier under the profile."""
    return bool(con.execute("SELECT count(*) FROM tiers WHERE profile = $name", {"name": name}).fetchall()[0][0])


def choose_profile(con: Session, asked: str | None, published: str | None) -> str:
    """Return the requested profile; else the one the snapshot was published with; else the one with the most clips.

    Raises UserError if the snapshot has no decisions of the requested profile; the message lists those it has.
    """
    known = [str(name) for name in query_file(con, "report/profile_names")["profile"]]
    if asked is not None and asked not in known and (known or asked != published):
        told = f"it has those of {', '.join(known)}" if known else f"it has no clips, and is of the profile {published}"
        raise UserError(f"this snapshot has no decisions of the profile '{asked}'; {told}")
    if asked is None and published not in known and known:
        return known[0]
    return asked or published or "none"
