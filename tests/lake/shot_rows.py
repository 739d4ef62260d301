"""Rows of the table `shots`, which any test of tables can write, and the mark of their batch."""

import polars as pl
from rows import frame

from speakervid_dag.lake.schemas import SHOTS
from speakervid_dag.lake.storage.slices import Slice


def shots(batch: str, *ids: str, start_s: float = 0.0) -> pl.DataFrame:
    return frame(SHOTS, [{"batch": batch, "shot_id": i, "start_s": start_s, "end_s": start_s + 1} for i in ids])


def part(batch: str, stamp: int = 1) -> list[tuple[Slice, int]]:
    return [(Slice({"batch": batch}), stamp)]
