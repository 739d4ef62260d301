"""The mini lake, published, and a profile of the name that decided in it."""

from pathlib import Path

import polars as pl
from mini_lake import mini_lake
from rows import BATCH, PROFILE

from speakervid_dag.config.settings import Settings, load_settings
from speakervid_dag.lake.schemas import TABLES
from speakervid_dag.lake.snapshots import snapshots
from speakervid_dag.lake.storage.delta import DeltaLake
from speakervid_dag.lake.storage.slices import Slice


def published_lake(root: Path, profile: str = PROFILE, **changes: pl.DataFrame) -> Settings:
    """Settings of a lake with the mini lake's tables (or these instead), decided by a profile of this name."""
    own = root / f"{profile}.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("inherits: laptop\n")
    lake, values = DeltaLake(str(root)), {"batch": BATCH, "profile": profile}
    for name, rows in {**mini_lake(), **changes}.items():
        table = TABLES.get(name)
        if table is None or rows.height == 0:
            continue
        if "profile" in table.partition_by:
            rows = rows.with_columns(profile=pl.lit(profile))
        stages = rows["stage"].unique().to_list() if "stage" in table.partition_by else [None]
        parts = [Slice({k: values.get(k, stage) for k in table.partition_by}) for stage in stages]  # type: ignore[misc]
        lake.replace(table, rows, [(part, 1) for part in parts], {"run_id": "made"})
    snapshots.publish(lake, "made", profile)
    return load_settings(lake=root, profile=str(own))
