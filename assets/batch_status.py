"""Batch status: each batch is finished, or something is missing.

Belongs here: determining it from data versions, refusals and outcomes. Does not belong here: fixing it (runs/runner.py,
runs/retier.py), what readers are shown meanwhile (publication.py).
"""

import polars as pl

from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.staleness import open_refusals, stale_batches
from speakervid_dag.failures import FAULT
from speakervid_dag.formats import quantity
from speakervid_dag.lake.schemas import STAGE_OUTCOMES

COLUMNS = pl.Schema({"batch": pl.String, "files": pl.Int64, "state": pl.String, "why": pl.String})
SHOWN = 4  # names of tables in one line


def batch_status(lakehouse: Lakehouse) -> pl.DataFrame:
    """Return one row per batch, in order: batch, files, state (finished, unfinished, refused, faulty), why."""
    names = lakehouse.book.names()
    refused = open_refusals(lakehouse, names)
    stale = stale_batches(lakehouse, names)
    faults = _faults(lakehouse)
    rows = []
    for batch in names:
        state, why = "finished", ""
        red = sorted(table for table, b in refused if b == batch)
        if red:
            state, why = "refused", f"{red[0]} is in quarantine: `speakervid quarantine show {red[0]}/{batch}`"
        elif batch in faults:
            state, why = "faulty", f"{faults[batch]}; `speakervid run` tries them again"
        elif batch in stale:
            state, why = "unfinished", f"to be made: {_some(stale[batch])}"
        rows.append((batch, len(lakehouse.book.read(batch)), state, why))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _faults(lakehouse: Lakehouse) -> dict[str, str]:
    """Return, per batch, the videos that stages lost to internal errors; without batches of unreadable outcomes."""
    unread = {file.values["batch"] for file in lakehouse.lake.lost_files(STAGE_OUTCOMES)}  # stale for that reason
    readable = ~pl.col("batch").is_in(sorted(unread))
    lost = lakehouse.lake.read(STAGE_OUTCOMES, where=readable & (pl.col("reason") == FAULT))
    counted = lost.group_by("batch", "stage").len().sort("batch", "stage")
    return {
        str(batch): "; ".join(
            f"{stage} lost {quantity(n, 'video')}" for stage, n in part.select("stage", "len").iter_rows()
        )
        for (batch,), part in counted.group_by("batch", maintain_order=True)
    }


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
