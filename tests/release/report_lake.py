"""The mini lake on disk, published, with names and words of strangers in it."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from mini_lake import SHAS, mini_lake

from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice

HOSTILE_NAME = "\"><script>alert('name')</script>\n\u202egpm.mp4'; DROP TABLE videos; --"
HOSTILE_WORDS = (
    '</q></title><img src=x onerror="alert(2)">{{ 7 * 7 }} \u2066"said" & 話す\x00 https://tracker.example/x.js'
)
PROFILE = "laptop"


def publish(folder: Path, frames: dict[str, pl.DataFrame]) -> DeltaLake:
    """Writes these frames as they are, and publishes them under the profile `laptop`."""
    lake = DeltaLake(str(folder))
    for name, frame in frames.items():
        if name not in TABLES or frame.is_empty():
            continue
        table = TABLES[name]
        made = frame.with_columns(profile=pl.lit(PROFILE)) if "profile" in table.schema else frame
        parts = [(Slice(part), 1) for part in made.select(table.partition_by).unique().to_dicts()]
        lake.replace(table, made, parts, {"run_id": "made"})
    snapshots.publish(lake, "made", PROFILE)
    return lake


def hostile(shas: Sequence[str] = SHAS) -> dict[str, pl.DataFrame]:
    """The mini lake of these two files; every text that comes from a file is hostile."""
    frames = mini_lake(shas)
    frames["videos"] = frames["videos"].with_columns(
        source_name=pl.lit(HOSTILE_NAME), source_uri=pl.lit(f"/nowhere/{HOSTILE_NAME}"), detail=pl.lit(HOSTILE_WORDS)
    )
    frames["transcripts"] = frames["transcripts"].with_columns(text=pl.lit(HOSTILE_WORDS), language=pl.lit('en" x="'))
    return frames
