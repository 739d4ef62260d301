"""Slices, the parts of a table that a write replaces, and checks that rows fit a table and its slices.

Belongs here: pure functions of frames, rows and paths. Does not belong here: anything that opens a table (tables.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from speakervid_dag import places
from speakervid_dag.failures import OperationError
from speakervid_dag.lake.schemas import Table


class SchemaMismatch(OperationError):
    """A frame does not have exactly the table's columns and dtypes."""


@dataclass(frozen=True)
class Slice:
    """The part of a table that a write replaces, given by values of its partition columns (none: the whole table)."""

    values: Mapping[str, str]

    @property
    def app_id(self) -> str:
        return "/".join(self.values[k] for k in sorted(self.values))

    @property
    def where(self) -> pl.Expr:
        """Return the condition that a row belongs to the slice."""
        return pl.all_horizontal(pl.lit(True), *(pl.col(name) == value for name, value in self.values.items()))


def data_version_of(*parts: str) -> int:
    """Return a non-negative 63-bit hash of these strings (it fits Delta's transaction version)."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def slice_of(table: Table, uri: str) -> Slice:
    """Return the slice of a file from its folders, as Delta and Hive write them: `batch=b000001/profile=laptop`."""
    return Slice(places.partition_values(uri, table.partition_by))


def slice_of_row(table: Table, row: Mapping[str, Any]) -> Slice:
    """Return the slice that a row belongs to."""
    return Slice({name: str(row[name]) for name in table.partition_by})


def check_schema(table: Table, frame: pl.DataFrame) -> None:
    """Raise SchemaMismatch unless columns, order and dtypes are exact; Delta's own merge would cast a wrong type
    silently."""
    if frame.schema == table.schema:
        return
    wanted, found = dict(table.schema), dict(frame.schema)
    missing, extra = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    other = [f"{n}: {found[n]} instead of {wanted[n]}" for n in wanted if n in found and found[n] != wanted[n]]
    told = [f"missing {missing}"] * bool(missing) + [f"unknown {extra}"] * bool(extra) + other
    raise SchemaMismatch(f"{table.name}: {'; '.join(told) or 'columns in another order'}")


def check_inside(table: Table, frame: pl.DataFrame, parts: Sequence[Slice]) -> None:
    """Raise SchemaMismatch for rows outside the slices, or slices that do not name the table's partition columns."""
    names = list(table.partition_by)
    if any(set(part.values) != set(names) for part in parts):
        raise SchemaMismatch(f"{table.name}: a slice must name exactly {names}")
    allowed = {tuple(part.values[n] for n in names) for part in parts}
    stray = [row for row in frame.select(names).unique().iter_rows() if row not in allowed]
    if stray:
        raise SchemaMismatch(f"{table.name}: rows outside what is being replaced: {stray[:3]}")
