"""The DuckDB session: every table as a view of the same name, at one set of versions, and the package's SQL files.

Belongs here: opening a connection, its views, its lock-down for a user's SQL, running the package's queries. Does not
belong here: the queries (sql/), the analysts' database file (analyst_db.py), writing tables.
"""

import os
import re
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import duckdb
import polars as pl
import psutil

from speakervid_dag.failures import OperationError
from speakervid_dag.files import written_aside
from speakervid_dag.lake.queries import user_sql
from speakervid_dag.lake.queries.view_sql import (
    Shown,
    quoted,
    quoted_name,
    remote_conditions,
    select,
    sql_type,
    unreadable,
    with_second_names,
)
from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.schemas.measures import scores
from speakervid_dag.lake.snapshots import copies, parts
from speakervid_dag.lake.snapshots.snapshots import UNVERSIONED, Snapshot
from speakervid_dag.lake.storage import integrity
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.places import plain
from speakervid_dag.sql import measure_view

Session = duckdb.DuckDBPyConnection
MEMORY_SHARE = 0.5  # of the machine's memory; larger intermediate results go to temp_directory
RUN_MEMORY_MB = 2048  # limit of SQL inside a run, so that a run over five million clips stays below 4 GB
COPY_ROW_GROUP = 20_480  # rows: about ten batches of clips, so that a query about one batch reads little


def open_session(
    lake: DeltaLake,
    snapshot: Snapshot | None = None,
    *,
    read_only_user_sql: bool,
    statistics: Sequence[str] | None = None,
    threads: int | None = None,
    memory_limit_mb: int | None = None,
) -> Session:
    """Return an in-memory DuckDB with a view of every table, of `clip_measures` and of sql/statistics/*.sql.

    Args:
        snapshot: the versions to show; None: the present version of each table (for a run in progress).
        read_only_user_sql: True for SQL that a user wrote: only the snapshot's files can be read, and no other file,
            network, extension or setting can be accessed (`user_sql` also refuses everything but queries).
        statistics: the sql/statistics/*.sql to create views of; None: all, and `clip_measures`, which takes longer than
            most queries.
        threads: None: one per core.
        memory_limit_mb: capped at half of the machine's memory, which is also the default.
    """
    con = duckdb.connect()
    _set_limits(con, lake, threads, memory_limit_mb)
    shown = create_views(con, lake, snapshot, statistics)
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    con.execute("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")  # both forms: queries for DuckDB 1 have `x -> x + 1`
    con.execute("SET python_enable_replacements = false")  # a table name never means a Python variable
    if read_only_user_sql:
        _lock(con, [] if lake.is_remote else [f for s in shown for f in (*s.files, *s.copies)])
    return con


def run_session(lake: DeltaLake, snapshot: Snapshot | None = None, *, statistics: Sequence[str]) -> Session:
    """Return the session for the package's SQL inside a run, with little enough memory to run beside models."""
    return open_session(lake, snapshot, read_only_user_sql=False, statistics=statistics, memory_limit_mb=RUN_MEMORY_MB)


def create_views(
    con: Session,
    lake: DeltaLake,
    snapshot: Snapshot | None,
    statistics: Sequence[str] | None = None,
    *,
    is_lasting: bool = False,
) -> list[Shown]:
    """Create the views of `open_session` and return the files that they read.

    Args:
        is_lasting: for a file that others open later: its paths must not go through a link of this machine.
    """
    shown = [_create_view(con, lake, table, snapshot, is_lasting=is_lasting) for table in TABLES.values()]
    _create_helper_views(con, statistics)
    return shown


def run_sql(con: Session, text: str) -> pl.DataFrame:
    """Return the result of a read-only query. Raises UserError and OperationError as `user_sql.answer`."""
    query = user_sql.allowed(con, text)
    try:
        return _frame(con, query)
    except duckdb.Error as problem:
        raise user_sql.refusal(problem) from problem


def query_file(con: Session, name: str, **params: object) -> pl.DataFrame:
    """Return the result of sql/<name>.sql. Parameters that the file does not use are ignored.

    Raises:
        OperationError: no such file, or DuckDB rejects it.
    """
    text = sql_text(name)
    used = set(re.findall(r"\$([a-z_][a-z0-9_]*)", text))
    chosen = {k: v for k, v in params.items() if k in used}
    try:
        return _frame(con, text, chosen)
    except duckdb.Error as problem:
        _check_readable(problem)
        raise OperationError(f"sql/{name}.sql: {_first_line(problem)}") from problem


def sql_text(name: str) -> str:
    """Return the text of sql/<name>.sql. Raises OperationError if there is none."""
    path = resources.files("speakervid_dag.sql").joinpath(*f"{name}.sql".split("/"))
    if not path.is_file():
        raise OperationError(f"there is no sql/{name}.sql")
    return path.read_text(encoding="utf-8")


def sql_names(folder: str) -> list[str]:
    """Return the sorted names of the SQL files in sql/<folder>, in the form for `sql_text`."""
    entries = resources.files("speakervid_dag.sql").joinpath(folder).iterdir()
    return sorted(f"{folder}/{e.name.removesuffix('.sql')}" for e in entries if e.name.endswith(".sql"))


def statistics_names() -> list[str]:
    """Return the sorted names of the statistics views (the files in sql/statistics)."""
    return [name.removeprefix("statistics/") for name in sql_names("statistics")]


def _frame(con: Session, text: str, params: dict[str, object] | None = None) -> pl.DataFrame:
    frame: pl.DataFrame = con.sql(text, params=params).pl()
    return frame


def write_copies(lake: DeltaLake, snapshot: Snapshot) -> list[Path]:
    """Write the readers' copies that this snapshot lacks (snapshots/copies.py) and return their paths."""
    made = []
    with duckdb.connect() as con:
        _set_limits(con, lake, None, None)
        for table in TABLES.values():
            for copy in copies.missing(lake, table, _files(lake, table, snapshot)):
                files = Shown(copy.files, are_mixed=_is_mixed(table, snapshot))
                rows = select(table, _readable(lake, files))
                with written_aside(copy.path) as aside:
                    target = plain(aside.parent.absolute()) / aside.name
                    how = f"FORMAT parquet, ROW_GROUP_SIZE {COPY_ROW_GROUP}"
                    con.execute(f"COPY ({rows} ORDER BY batch) TO {quoted(str(target))} ({how})")
                made.append(copy.path)
    return made


def shown_files(lake: DeltaLake, snapshot: Snapshot) -> dict[str, list[str]]:
    """Return table name → Delta files that the snapshot shows."""
    return {name: _files(lake, table, snapshot) for name, table in TABLES.items()}


def _create_view(con: Session, lake: DeltaLake, table: Table, snapshot: Snapshot | None, *, is_lasting: bool) -> Shown:
    """Create the view of a table and return the files that it reads.

    If a file is lost, create a view that fails with that message when it is queried; other tables remain usable.
    """
    try:
        shown = _shown(lake, table, snapshot)
        if not is_lasting:
            shown = _readable(lake, shown)
        if shown.files and lake.is_remote:
            _remote_view(con, lake, table, snapshot)
        else:
            con.execute(f'CREATE VIEW "{table.name}" AS {with_second_names(table, select(table, shown))}')
        return shown
    except OperationError as problem:
        told = str(problem)
    except duckdb.Error as problem:
        told = _lost(lake, table, snapshot) or f"{table.name}: {_first_line(problem)}"
    fails = unreadable(table, integrity.UNREADABLE + " ".join(told.split()))
    con.execute(f'CREATE VIEW "{table.name}" AS {with_second_names(table, fails)}')
    return Shown(())


def _lost(lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> str | None:
    """Return a one-line message about lost files of the versions shown; None if none is lost."""
    is_pinned = snapshot is not None and table.name not in UNVERSIONED
    versions = sorted(snapshot.shown_versions(table.name)) if snapshot and is_pinned else [None]
    lost = [file for version in versions for file in lake.lost_files(table, version)]
    return integrity.one_line(table, lost) if lost else None


def _shown(lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> Shown:
    """Return the files to read. A snapshot is read through copies; a run in progress prunes Delta's files by folder."""
    files = _files(lake, table, snapshot)
    if snapshot is None:
        return Shown(files)
    copied, rest = copies.shown(lake, table, files)
    return Shown(rest, copied, _is_mixed(table, snapshot))


def _readable(lake: DeltaLake, shown: Shown) -> Shown:
    """Return the same files by paths that DuckDB reads literally."""
    root = lake.readable_root
    files, made = ([root + path.removeprefix(lake.root) for path in paths] for paths in (shown.files, shown.copies))
    return Shown(files, made, shown.are_mixed)


def _files(lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> list[str]:
    if snapshot is None or table.name in UNVERSIONED:  # those are always shown at their latest version
        return lake.files(table)
    return parts.shown_files(lake, table, snapshot)  # [] for a table first written after this snapshot


def _is_mixed(table: Table, snapshot: Snapshot) -> bool:
    return len(snapshot.shown_versions(table.name)) > 1


def _remote_view(con: Session, lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> None:
    """Create a view of a table in an object store, read through Arrow by deltalake: DuckDB needs no extension."""
    columns = [(quoted_name(c.name), sql_type(c.dtype)) for c in table.columns]
    picked = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns)
    selects = []
    for version, condition in remote_conditions(table, snapshot).items():
        source = f"__{table.name}" if version is None else f"__{table.name}_{version}"
        con.register(source, lake.open(table, version).to_pyarrow_dataset())  # type: ignore[attr-defined]
        selects.append(f'SELECT {picked} FROM "{source}" WHERE {condition}')
    rows = with_second_names(table, " UNION ALL ".join(selects))
    con.execute(f'CREATE TEMP VIEW "{table.name}" AS {rows}')


def _create_helper_views(con: Session, statistics: Sequence[str] | None = None) -> None:
    """Create the views of these statistics and of those that they read; None: all of them, and `clip_measures`."""
    if statistics is None:
        con.execute(f"CREATE VIEW clip_measures AS {measure_view.of_all(scores())}")
    texts = {name: sql_text(f"statistics/{name}") for name in statistics_names()}
    wanted = [text for name, text in texts.items() if statistics is None or name in statistics]
    for name, text in texts.items():
        if statistics is None or name in statistics or any(re.search(rf"\b{name}\b", other) for other in wanted):
            con.execute(f'CREATE VIEW "{name}" AS {text}')


def ask_measures(con: Session, measures: Sequence[str], batches: Sequence[str] | None = None) -> None:
    """Restrict `clip_measures` to these scores, and to these batches (None: all).

    The view of all scores is one SELECT per score, each over thousands of files: DuckDB takes seconds to plan it. With
    batches it is a single pass over their rows.
    """
    asked = [name for name in scores() if name in measures]
    view = measure_view.of_all(asked)
    if batches is not None:
        view = measure_view.of_batches(asked, f"list_contains([{', '.join(map(quoted, batches))}], batch)")
    con.execute(f"CREATE OR REPLACE TEMP VIEW clip_measures AS {view}")


def _set_limits(con: Session, lake: DeltaLake, threads: int | None, memory_limit_mb: int | None) -> None:
    most_mb = int(psutil.virtual_memory().total / 2**20 * MEMORY_SHARE)
    memory_mb = min(memory_limit_mb or most_mb, most_mb)
    is_ours = not lake.is_remote and os.access(lake.root, os.W_OK)  # False if the lake is mounted read-only
    spill = Path(lake.readable_root, ".tmp") if is_ours else Path(tempfile.gettempdir(), "speakervid")
    con.execute(f"SET memory_limit = '{memory_mb}MB'")
    con.execute(f"SET threads = {threads or os.cpu_count() or 2}")
    con.execute(f"SET temp_directory = {quoted(str(spill))}")
    con.execute("SET preserve_insertion_order = false")  # queries that need an order have an ORDER BY
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")  # else the bar is printed into the output of slow queries


def _lock(con: Session, files: list[str]) -> None:
    listed = ", ".join(quoted(str(Path(f).absolute())) for f in files)
    con.execute(f"SET allowed_paths = [{listed}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _check_readable(problem: duckdb.Error) -> None:
    """Raise OperationError if a query failed because a table that it reads lost a file."""
    told = integrity.told_by(problem)
    if told:
        raise OperationError(told) from problem


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0]
