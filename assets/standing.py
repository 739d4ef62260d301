"""Status of every batch in the lake: finished, or what it is waiting for.

Belongs here: deriving it from fingerprints, refusals and outcomes. Does not belong here: finishing batches
(runs/runner.py, runs/retier.py), what readers see meanwhile (serving.py).
"""

import polars as pl

from speakervid_dag.assets.freshness import open_refusals, stale_batches
from speakervid_dag.assets.resources import Factory
from speakervid_dag.failures import FAULT
from speakervid_dag.lake.schemas import STAGE_OUTCOMES

COLUMNS = pl.Schema({"batch": pl.String, "files": pl.Int64, "state": pl.String, "why": pl.String})
SHOWN = 4  # names of tables in one line


def standing(factory: Factory) -> pl.DataFrame:
    """Return one row per batch, in order: batch, files, state (finished, unfinished, refused, faulty), why."""
    names = factory.book.names()
    refused = open_refusals(factory, names)
    stale = stale_batches(factory, names)
    faults = _faults(factory)
    rows = []
    for batch in names:
        state, why = "finished", ""
        red = sorted(table for table, b in refused if b == batch)
        if red:
            state, why = "refused", f"{red[0]} is in quarantine: `speakervid quarantine show {red[0]}/{batch}`"
        elif batch in faults:
            state, why = "faulty", f"{faults[batch]}; `speakervid run` retries them"
        elif batch in stale:
            state, why = "unfinished", f"to be computed: {_some(stale[batch])}"
        rows.append((batch, len(factory.book.read(batch)), state, why))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _faults(factory: Factory) -> dict[str, str]:
    """Return, per batch, the videos that stages lost to internal errors; without batches of unreadable outcomes."""
    unread = {file.values["batch"] for file in factory.lake.lost_files(STAGE_OUTCOMES)}  # stale for that reason
    readable = ~pl.col("batch").is_in(sorted(unread))
    lost = factory.lake.read(STAGE_OUTCOMES, where=readable & (pl.col("reason") == FAULT))
    counted = lost.group_by("batch", "stage").len().sort("batch", "stage")
    return {
        str(batch): "; ".join(f"{stage} lost {n} videos" for stage, n in part.select("stage", "len").iter_rows())
        for (batch,), part in counted.group_by("batch", maintain_order=True)
    }


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
