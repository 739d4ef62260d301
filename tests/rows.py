"""Rows for tests: a table's columns filled with plain values, so that a test names only what it is about."""

from typing import Any

import polars as pl

from speakervid_dag.lake.schemas import TABLES, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice

BATCH = "b0001"
PROFILE = "test"


def filled(table: Table, **values: Any) -> dict[str, Any]:
    """One row: `values`, null where null may stand, else a value of the column's type."""
    plain = {
        c.name: None
        if c.nullable
        else []
        if c.dtype.is_nested()
        else {pl.String: "ok", pl.Boolean: False}.get(c.dtype, 0)
        for c in table.columns
    }
    return {**plain, "batch": BATCH, "video_id": "v1", **({"profile": PROFILE} if "profile" in plain else {}), **values}


def frame(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    names = table.schema.names()
    complete = [{k: v for k, v in filled(table, **row).items() if k in names} for row in rows]
    return table.frame(complete)


def write_lake(root: str, tables: dict[str, list[dict[str, Any]]]) -> DeltaLake:
    """A lake with these rows (each row may name only some columns)."""
    lake = DeltaLake(root)
    for name, rows in tables.items():
        table = TABLES[name]
        made = frame(table, rows)
        keys = list(table.partition_by)
        parts = [(Slice(part), 1) for part in made.select(keys).unique().to_dicts()]
        lake.replace(table, made, parts, {"run_id": "test"})
    return lake
