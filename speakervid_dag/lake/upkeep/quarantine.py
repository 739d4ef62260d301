"""Quarantine: batches that an audit refused, why, and whether they have been replaced since.

Belongs here: storing refused frames and the findings about them, opening and closing findings. Does not belong here:
auditing a frame (quality_checks), the command line.

Findings are rows of the `quarantine` table (one slice per table × batch). The refused frame itself is a Parquet file,
`artifacts/quarantine/<table>/<batch>/<run_id>.parquet`, and may have any columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from speakervid_dag.failures import UserError
from speakervid_dag.files import written_aside
from speakervid_dag.lake.schemas import QUARANTINE, Table
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice, data_version_of

Change = Callable[[pl.DataFrame], pl.DataFrame]
MAX_KEYS = 1000  # failing rows listed per expectation; the refused frame has them all


@dataclass(frozen=True)
class Entry:
    """One failing row of one expectation; `key` is None if the finding concerns the batch as a whole."""

    expectation: str
    severity: str
    key: str | None
    observed: str


def record(
    lake: DeltaLake, table: Table, entries: Mapping[str, Sequence[Entry]], run_id: str, *, is_open: bool
) -> None:
    """Add findings by batch. With `is_open`, the batches count as refused until `close`, and earlier findings close."""
    at = datetime.now(UTC)
    rows: list[dict[str, object]] = [
        {
            "quarantine_id": f"{table.name}/{batch}/{run_id}/{at:%Y%m%dT%H%M%S%f}-{index}",
            "table": table.name,
            "batch": batch,
            "expectation": entry.expectation,
            "severity": entry.severity,
            "key": entry.key,
            "observed": entry.observed,
            "run_id": run_id,
            "at": at,
            "is_open": is_open,
        }
        for batch, found in entries.items()
        for index, entry in enumerate(found)
    ]
    found = QUARANTINE.frame(rows)

    def change(before: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([_closed(before) if is_open else before, found])

    _change(lake, table.name, list(entries), change, run_id)


def open_findings(lake: DeltaLake, table: Table, batch: str) -> pl.DataFrame:
    """Return the rows of `quarantine` that keep this batch of the table from being used; empty if none is open."""
    found = _findings(lake, table.name, [batch])
    return found.filter(pl.col("is_open")).sort("quarantine_id")


def close(lake: DeltaLake, table: Table, batches: Sequence[str], run_id: str = "") -> int:
    """Close the batches' findings once a later commit has promoted the batches. Return the number of findings."""
    still = _findings(lake, table.name, batches).filter(pl.col("is_open"))
    if still.height:
        ids = still["quarantine_id"].to_list()  # findings opened meanwhile stay open
        _change(lake, table.name, still["batch"].unique().sort().to_list(), lambda before: _closed(before, ids), run_id)
    return still.height


def list_open(lake: DeltaLake) -> pl.DataFrame:
    """Return one row per refused batch: table, batch, run_id, at, expectations (list), failing_count; newest first."""
    found = lake.read(QUARANTINE, where=pl.col("is_open"))
    return (
        found.group_by("table", "batch", "run_id")
        .agg(
            pl.col("at").max(),
            pl.col("expectation").unique().sort().alias("expectations"),
            pl.len().alias("failing_count"),
        )
        .sort("at", "table", "batch", descending=[True, False, False])
    )


def show(lake: DeltaLake, ident: str) -> pl.DataFrame:
    """Return the findings of a `table/batch` (newest first), or the one with a quarantine_id.

    Raises:
        UserError: there is no such finding.
    """
    table, _, rest = ident.partition("/")
    batch = rest.partition("/")[0]
    found = _findings(lake, table, [batch])
    if "/" in rest:
        found = found.filter(pl.col("quarantine_id") == ident)
    if found.is_empty():
        raise UserError(f"nothing in quarantine is called {ident}: see `speakervid quarantine list`")
    return found.sort("is_open", "at", "quarantine_id", descending=[True, True, False])


def frame_uri(lake: DeltaLake, table: Table, batch: str, run_id: str) -> str:
    """Return the path or URI of a run's refused frame."""
    return f"{lake.root.rstrip('/')}/artifacts/quarantine/{table.name}/{batch}/{run_id}.parquet"


def keep_frame(lake: DeltaLake, table: Table, batch: str, frame: pl.DataFrame, run_id: str) -> str:
    """Store a refused frame unchanged and return its path or URI."""
    uri = frame_uri(lake, table, batch, run_id)
    if lake.is_remote:
        frame.write_parquet(uri, storage_options=dict(lake.storage_options) or None)
        return uri
    with written_aside(Path(uri)) as aside:
        frame.write_parquet(aside)
    return uri


def refused_frame(lake: DeltaLake, table: Table, batch: str, run_id: str) -> pl.DataFrame:
    """Return a run's refused frame. Raises FileNotFoundError."""
    options = dict(lake.storage_options) or None
    uri = frame_uri(lake, table, batch, run_id)
    return pl.read_parquet(uri, storage_options=options, glob=False, hive_partitioning=False)


def _findings(lake: DeltaLake, table: str, batches: Sequence[str]) -> pl.DataFrame:
    return lake.read(QUARANTINE, batches=batches, where=pl.col("table") == table)


def _closed(findings: pl.DataFrame, ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the findings with these ids closed (None: all)."""
    is_meant = pl.lit(True) if ids is None else pl.col("quarantine_id").is_in(ids)
    return findings.with_columns(is_open=pl.col("is_open") & ~is_meant)


def _change(lake: DeltaLake, table: str, batches: Sequence[str], change: Change, run_id: str) -> None:
    now = datetime.now(UTC).isoformat()
    parts = [(Slice({"table": table, "batch": batch}), data_version_of(table, batch, run_id, now)) for batch in batches]
    lake.rewrite(QUARANTINE, change, parts, {"run_id": run_id})
