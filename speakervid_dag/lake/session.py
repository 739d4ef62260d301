"""The DuckDB session: every table by its bare name, at one set of versions, and the SQL files of the package.

Belongs here: the only import of duckdb; opening a connection, its views, its lock-down for a user's SQL, the analysts'
database file. Does not belong here: what a query asks (that is sql/) and writing tables.
"""

import os
import re
import tempfile
from importlib import resources
from pathlib import Path

import duckdb
import polars as pl
import psutil

from speakervid_dag.failures import OperationError, UserError
from speakervid_dag.lake import parts
from speakervid_dag.lake.delta import DeltaLake
from speakervid_dag.lake.measures import scores
from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.snapshots import UNVERSIONED, Part, Snapshot

Session = duckdb.DuckDBPyConnection
MEMORY_SHARE = 0.5  # of the machine; larger intermediate results go to temp_directory

_SQL_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Int16: "SMALLINT",
    pl.Float32: "FLOAT",
}


def open_session(
    lake: DeltaLake,
    snapshot: Snapshot | None = None,
    *,
    read_only_user_sql: bool,
    threads: int | None = None,
    memory_limit_mb: int | None = None,
) -> Session:
    """An in-memory DuckDB in which every table of the lake, `clip_measures` and every sql/statistics/*.sql is a view.

    Args:
        snapshot: the versions to show; None shows the present version of each table (what a run in progress needs).
        read_only_user_sql: True for SQL that a person wrote: nothing outside the snapshot's own files can be read, no
            file, network, extension or setting can be touched (`run_sql` moreover refuses everything but SELECT).
        threads: None takes the machine's cores.
        memory_limit_mb: None takes half of the machine's memory.
    """
    con = duckdb.connect()
    _set_limits(con, lake, threads, memory_limit_mb)
    files = {name: _files(lake, table, snapshot) for name, table in TABLES.items()}
    for name, table in TABLES.items():
        if files[name] and "://" in lake.root:
            _remote_view(con, lake, table, snapshot)
        else:
            con.execute(f'CREATE VIEW "{name}" AS {_select(table, files[name], snapshot)}')
    _create_helper_views(con)
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    con.execute("SET python_enable_replacements = false")  # a table name never means a Python variable
    if read_only_user_sql:
        _lock(con, [] if "://" in lake.root else [f for listed in files.values() for f in listed])
    return con


def run_sql(con: Session, text: str) -> pl.DataFrame:
    """The result of a person's query.

    Raises:
        UserError: not exactly one SELECT (also DESCRIBE, SUMMARIZE, SHOW, VALUES, FROM …), or DuckDB refuses it; the
            message is DuckDB's first line.
    """
    try:
        statements = con.extract_statements(text)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise UserError("only one SELECT statement is allowed here (the lake is read-only)")
        return _frame(con, text)
    except duckdb.Error as problem:
        raise UserError(f"SQL: {_first_line(problem)}") from problem


def query_file(con: Session, name: str, **params: object) -> pl.DataFrame:
    """The result of sql/<name>.sql. Parameters that the file does not mention are left out.

    Raises:
        OperationError: no such file, or DuckDB refuses it.
    """
    text = sql_text(name)
    used = set(re.findall(r"\$([a-z_][a-z0-9_]*)", text))
    chosen = {k: v for k, v in params.items() if k in used}
    try:
        return _frame(con, text, chosen)
    except duckdb.Error as problem:
        raise OperationError(f"sql/{name}.sql: {_first_line(problem)}") from problem


def sql_text(name: str) -> str:
    """The text of sql/<name>.sql. Raises OperationError when there is none."""
    path = resources.files("speakervid_dag.sql").joinpath(*f"{name}.sql".split("/"))
    if not path.is_file():
        raise OperationError(f"there is no sql/{name}.sql")
    return path.read_text(encoding="utf-8")


def sql_names(folder: str) -> list[str]:
    """Names of the SQL files in sql/<folder>, sorted, as `sql_text` takes them."""
    entries = resources.files("speakervid_dag.sql").joinpath(folder).iterdir()
    return sorted(f"{folder}/{e.name.removesuffix('.sql')}" for e in entries if e.name.endswith(".sql"))


def statistics_names() -> list[str]:
    """Names of the statistics views (the files of sql/statistics), sorted."""
    return [name.removeprefix("statistics/") for name in sql_names("statistics")]


def write_analyst_db(lake: DeltaLake, snapshot: Snapshot | None, path: Path) -> None:
    """Writes a DuckDB file with the same views, pinned to these versions, beside `path` and renames it into place.

    The views name Parquet files by absolute path: make it again after each commit, and vacuum no version it shows.

    Raises:
        UserError: the lake is in an object store (DuckDB would need an extension that cannot be installed here).
    """
    if "://" in lake.root:
        raise UserError("an analysts' database file needs a lake in a local folder; use `speakervid sql`")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as aside:
        draft = Path(aside) / path.name
        con = duckdb.connect(str(draft))
        try:
            for name, table in TABLES.items():
                files = _files(lake, table, snapshot)
                con.execute(f'CREATE VIEW "{name}" AS {_select(table, files, snapshot)}')
            _create_helper_views(con)
        finally:
            con.close()
        draft.replace(path)


def _frame(con: Session, text: str, params: dict[str, object] | None = None) -> pl.DataFrame:
    frame: pl.DataFrame = con.sql(text, params=params).pl()
    return frame


def _files(lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> list[str]:
    if snapshot is None or table.name in UNVERSIONED:  # those are always shown as they are
        return lake.files(table)
    return parts.shown_files(lake, table, snapshot)  # none for a table first written after this snapshot


def _select(table: Table, files: list[str], snapshot: Snapshot | None) -> str:
    """The SELECT that gives exactly the table's columns and types, also when there is no file."""
    columns = [(_name(c.name), sql_type(c.dtype)) for c in table.columns]
    none = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns) + " WHERE false"
    if not files:
        return none
    listed = ", ".join(_quoted(str(Path(f).absolute()) if "://" not in f else f) for f in files)
    # the values of partition columns stand only in the folders' names, and '0012' must stay text
    hive = ", ".join(f"{_name(name)}: {sql_type(table.schema[name])}" for name in table.partition_by)
    options = f", hive_partitioning = true, hive_types = {{{hive}}}" if hive else ", hive_partitioning = false"
    if snapshot is not None and len(snapshot.shown_versions(table.name)) > 1:
        options += ", union_by_name = true"  # older versions may lack columns; it reads the header of every file
    picked = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns)
    # a version that an older package wrote lacks the newest columns: the empty part names them, and costs nothing
    return f"SELECT {picked} FROM (FROM read_parquet([{listed}]{options}) UNION ALL BY NAME {none})"


def _remote_view(con: Session, lake: DeltaLake, table: Table, snapshot: Snapshot | None) -> None:
    """An object store is read through Arrow, with deltalake's own client: DuckDB needs no extension and no network."""
    picked = ", ".join(f"CAST({_name(c.name)} AS {sql_type(c.dtype)}) AS {_name(c.name)}" for c in table.columns)
    is_whole = snapshot is None or table.name in UNVERSIONED
    selects = []
    for version in [None] if is_whole else sorted(snapshot.shown_versions(table.name)):  # type: ignore[union-attr]
        source = f"__{table.name}" if version is None else f"__{table.name}_{version}"
        con.register(source, lake.open(table, version).to_pyarrow_dataset())  # type: ignore[attr-defined]
        shown = "true" if version is None else _shown_at(table, snapshot, version)  # type: ignore[arg-type]
        selects.append(f'SELECT {picked} FROM "{source}" WHERE {shown}')
    con.execute(f'CREATE TEMP VIEW "{table.name}" AS {" UNION ALL ".join(selects)}')


def _shown_at(table: Table, snapshot: Snapshot, version: int) -> str:
    """The condition of the rows that a snapshot shows at one of the table's versions."""
    pins = [part for part in snapshot.pins if part.table == table.name]
    if snapshot.versions[table.name] == version:  # everything but what is pinned elsewhere
        return " AND ".join(["true", *(f"NOT {_is_part(p)}" for p in pins if snapshot.pins[p] != version)])
    return " OR ".join(_is_part(part) for part in pins if snapshot.pins[part] == version)


def _is_part(part: Part) -> str:
    profile = "" if part.profile is None else f" AND profile = {_quoted(part.profile)}"
    return f"(batch = {_quoted(part.batch)}{profile})"


def _create_helper_views(con: Session) -> None:
    con.execute(f"CREATE VIEW clip_measures AS {_clip_measures()}")
    for name in statistics_names():
        con.execute(f'CREATE VIEW "{name}" AS {sql_text(f"statistics/{name}")}')


def _clip_measures() -> str:
    """What gates can ask, one row a clip and measure: batch, video_id, clip_id, measure, value, status."""
    parts = [
        f"SELECT batch, video_id, clip_id, '{m}' AS measure, {m} AS value, {m}_status AS status FROM clip_scores"
        for m in scores()
    ]
    parts.append("SELECT batch, video_id, clip_id, 'duration_s', duration_s, 'ok' FROM clips")
    return " UNION ALL ".join(parts)


def sql_type(dtype: pl.DataType) -> str:
    """DuckDB's name of a polars dtype. Raises TypeError for one that no table uses."""
    if isinstance(dtype, pl.List):
        return sql_type(dtype.inner) + "[]"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        inner = ", ".join(f"{_name(f.name)} {sql_type(f.dtype)}" for f in dtype.fields)  # type: ignore[arg-type]
        return f"STRUCT({inner})"
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMP WITH TIME ZONE" if dtype.time_zone else "TIMESTAMP"
    found = _SQL_TYPES.get(type(dtype))
    if found is None:
        raise TypeError(f"no SQL type for {dtype}")
    return found


def _set_limits(con: Session, lake: DeltaLake, threads: int | None, memory_limit_mb: int | None) -> None:
    memory_mb = memory_limit_mb or int(psutil.virtual_memory().total / 2**20 * MEMORY_SHARE)
    spill = Path(tempfile.gettempdir()) / "speakervid" if "://" in lake.root else Path(lake.root) / ".tmp"
    con.execute(f"SET memory_limit = '{memory_mb}MB'")
    con.execute(f"SET threads = {threads or os.cpu_count() or 2}")
    con.execute(f"SET temp_directory = {_quoted(str(spill.absolute()))}")
    con.execute("SET preserve_insertion_order = false")  # every query that needs an order says so
    con.execute("SET TimeZone = 'UTC'")


def _lock(con: Session, files: list[str]) -> None:
    listed = ", ".join(_quoted(str(Path(f).absolute())) for f in files)
    con.execute(f"SET allowed_paths = [{listed}]")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0]
