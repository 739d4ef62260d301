"""The SELECT behind each view: exactly a table's columns and types, whichever files have its rows.

Belongs here: SQL text over Parquet files and Arrow sources, names of types. Does not belong here: connections
(session.py), choosing the files to show (snapshots/parts.py, snapshots/copies.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from speakervid_dag.lake.schemas import SECOND_NAMES, Table
from speakervid_dag.lake.snapshots.snapshots import UNVERSIONED, Part, Snapshot
from speakervid_dag.places import literal

_SQL_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Int16: "SMALLINT",
    pl.Float32: "FLOAT",
}


@dataclass(frozen=True)
class Shown:
    """Files from which a session reads a table: files of its Delta versions, and readers' copies instead of others.

    Args:
        are_mixed: the files belong to several versions; older ones may lack columns.
    """

    files: Sequence[str]
    copies: Sequence[str] = ()
    are_mixed: bool = False


def select(table: Table, shown: Shown) -> str:
    """Return a SELECT with exactly the table's columns and types, even if there is no file."""
    columns = [(quoted_name(c.name), sql_type(c.dtype)) for c in table.columns]
    none = "SELECT " + ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in columns) + " WHERE false"
    parts = []
    if shown.files:
        parts.append(_from_files(table, shown))
    if shown.copies:
        parts.append(f"FROM read_parquet({_listed(shown.copies)}, hive_partitioning = false, union_by_name = true)")
    if not parts:
        return none
    picked = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns)
    # a version written by an older package lacks the newest columns: the empty part adds them at no cost
    return f"SELECT {picked} FROM ({' UNION ALL BY NAME '.join([*parts, none])})"


def unreadable(table: Table, told: str) -> str:
    """Return a SELECT with exactly the table's columns and types that always fails with this message."""
    fails = f"error({quoted(told)})"
    picked = ", ".join(f"CAST({fails} AS {sql_type(c.dtype)}) AS {quoted_name(c.name)}" for c in table.columns)
    return f"SELECT {picked} WHERE {fails}"


def _from_files(table: Table, shown: Shown) -> str:
    """Return the FROM clause of Delta's files. Partition values are only in folder names, and '0012' must stay text.

    DuckDB treats every folder named like `name=value` in a path as a partition. If there is one above the table, the
    values are parsed from a file's last folders instead; joins then cannot prune files.
    """
    listed, count = _listed(shown.files), len(table.partition_by)
    mixed = ", union_by_name = true" if shown.are_mixed else ""  # it reads the header of every file
    if not count:
        return f"FROM read_parquet({listed}, hive_partitioning = false{mixed})"
    if "=" not in str(Path(shown.files[0]).absolute().parents[count]):
        types = ", ".join(f"{quoted_name(name)}: {sql_type(table.schema[name])}" for name in table.partition_by)
        return f"FROM read_parquet({listed}, hive_partitioning = true, hive_types = {{{types}}}{mixed})"
    folders = [f"split_part(filename, '/', {place - count - 1})" for place in range(count)]
    values = [
        f"url_decode({folder}[{len(name) + 2}:]) AS {quoted_name(name)}"
        for name, folder in zip(table.partition_by, folders, strict=True)
    ]
    source = f"read_parquet({listed}, filename = true, hive_partitioning = false{mixed})"
    return f"SELECT * EXCLUDE (filename), {', '.join(values)} FROM {source}"


def with_second_names(table: Table, rows: str) -> str:
    """Return a view's SELECT: these rows, with columns named by an SQL keyword repeated under their second name."""
    more = [f"{quoted_name(name)} AS {second}" for name, second in SECOND_NAMES.items() if name in table.schema]
    return f"SELECT {', '.join(['*', *more])} FROM ({rows})" if more else rows


def remote_conditions(table: Table, snapshot: Snapshot | None) -> dict[int | None, str]:
    """Return version → condition of the rows shown at that version of the table (None: the present one)."""
    if snapshot is None or table.name in UNVERSIONED:
        return {None: "true"}
    return {version: _shown_at(table, snapshot, version) for version in sorted(snapshot.shown_versions(table.name))}


def _shown_at(table: Table, snapshot: Snapshot, version: int) -> str:
    """Return the condition of the rows that a snapshot shows at one of the table's versions."""
    pins = [part for part in snapshot.pins if part.table == table.name]
    if snapshot.versions[table.name] == version:  # everything but what is pinned elsewhere
        return " AND ".join(["true", *(f"NOT {_is_part(p)}" for p in pins if snapshot.pins[p] != version)])
    return " OR ".join(_is_part(part) for part in pins if snapshot.pins[part] == version)


def _is_part(part: Part) -> str:
    profile = "" if part.profile is None else f" AND profile = {quoted(part.profile)}"
    return f"(batch = {quoted(part.batch)}{profile})"


def sql_type(dtype: pl.DataType) -> str:
    """Return DuckDB's name of a polars dtype. Raises TypeError for one that no table uses."""
    if isinstance(dtype, pl.List):
        return sql_type(dtype.inner) + "[]"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        inner = ", ".join(f"{quoted_name(f.name)} {sql_type(f.dtype)}" for f in dtype.fields)  # type: ignore[arg-type]
        return f"STRUCT({inner})"
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMP WITH TIME ZONE" if dtype.time_zone else "TIMESTAMP"
    found = _SQL_TYPES.get(type(dtype))
    if found is None:
        raise TypeError(f"no SQL type for {dtype}")
    return found


def quoted_name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _listed(files: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(literal(str(Path(f).absolute()))) for f in files) + "]"
