"""Lost files: data files that Delta's log names but that are missing or truncated, and the remedy for each.

Belongs here: comparing sizes on disk with the log (a stat per file), the one-line message. Does not belong here:
reading rows (tables.py), recomputing them. A lost file makes its batch stale (assets/staleness.py), and the next write
replaces the file without reading it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from speakervid_dag.failures import OperationError
from speakervid_dag.formats import quantity
from speakervid_dag.lake.schemas import STAGE_OUTCOMES, Table
from speakervid_dag.places import inside_table

UNREADABLE = "unreadable table: "  # prefix of the error of a view that lost a file (queries/session.py)


class FileLost(OperationError):
    """A data file of a table is missing or truncated; the message names it."""


class LostFile(NamedTuple):
    """A file that is missing or not as it was written.

    Args:
        values: partition values of its rows.
        row_count: rows it held; None: not in the log.
    """

    path: Path
    why: str
    values: Mapping[str, str]
    row_count: int | None


def lost_files(handle: Any, folder: Path, table: Table, batches: Sequence[str] | None = None) -> list[LostFile]:
    """Return the lost files (missing, or of another size) of the version that a DeltaTable was opened at, by path.

    Args:
        folder: the table's folder, on a local disk.
        batches: check only files of these.
    """
    actions = pl.DataFrame(handle.get_add_actions(flatten=True))
    names = {f"partition.{name}": name for name in table.partition_by}
    if not actions.is_empty() and batches is not None and "batch" in table.partition_by:
        actions = actions.filter(pl.col("partition.batch").is_in(list(batches)))
    if actions.is_empty():
        return []
    shown = actions.select("path", "size_bytes", "num_records", *names).rename(names).sort("path")
    found = []
    for row in shown.iter_rows(named=True):
        path = folder / inside_table(row["path"])
        why = _trouble(path, row["size_bytes"])
        if why:
            found.append(LostFile(path, why, {name: row[name] for name in table.partition_by}, row["num_records"]))
    return found


def one_line(table: Table, lost: Sequence[LostFile]) -> str:
    """Return a message that names the first lost file, the number of others, and the remedy."""
    first = lost[0]
    more = f" (and {quantity(len(lost) - 1, 'more file')} of {table.name})" if len(lost) > 1 else ""
    return f"{table.name}: the data file {first.path} {first.why}{more}: {_remedy(table, first)}"


def told_by(problem: Exception) -> str | None:
    """Return the message of a query that failed because a view lost a file; None for another error."""
    told = next((line for line in str(problem).splitlines() if UNREADABLE in line), None)
    return told.partition(UNREADABLE)[2] if told else None


def is_made_by_a_stage(table: Table) -> bool:
    """Return whether a run can recompute the table's rows."""
    return table.layer != "system" or table is STAGE_OUTCOMES


def _remedy(table: Table, lost: LostFile) -> str:
    if not is_made_by_a_stage(table):
        return "restore it from a backup, or drop its rows with `speakervid maintain --apply --drop-lost`"
    profile = lost.values.get("profile")
    command = f"retier --profile {profile}" if profile else "run PATH"
    return f"`speakervid {command}` recomputes its rows of batch {lost.values.get('batch')}"


def _trouble(path: Path, size: int) -> str:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        return "is missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"
    return "" if found == size else f"has {found} bytes instead of {size}"
