"""What a backfill did to a lake, told by the tables' Delta logs."""

import json
import os
import sys
from collections import Counter
from collections.abc import Set
from pathlib import Path

import canned
import polars as pl

from speakervid_dag.assets import publication
from speakervid_dag.assets.graph import recipes
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.config.settings import Settings, export_settings, load_settings
from speakervid_dag.lake.schemas import PEOPLE, TABLES
from speakervid_dag.lake.storage.delta import DeltaLake

MANY = int(os.environ.get("SPEAKERVID_BACKFILL", "50"))  # batches of the benchmarks
TABLE_NAMES = [name for name, table in TABLES.items() if table.layer != "system"]


def made_settings(lake: Path) -> Settings:
    """Canned stages are replaced in the process that runs the graph, so they are computed there."""
    return load_settings(lake=lake, profile="laptop", batch_size=2, isolate=False)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """For a process with canned stages on this lake."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("SPEAKERVID_", "DAGSTER_", "CANNED_"))}
    return {**plain, **export_settings(settings), **more}


def speakervid(*arguments: str | Path) -> list[str]:
    """The command line with canned stages."""
    return [sys.executable, str(Path(canned.__file__)), *map(str, arguments)]


def commits(settings: Settings) -> dict[str, Counter[str]]:
    """Table → batch → how many commits of the table's Delta log made that batch."""
    lake = DeltaLake(str(settings.lake_dir))
    return {name: _commits_of(Path(lake.uri(TABLES[name])) / "_delta_log") for name in TABLE_NAMES}


def _commits_of(log: Path) -> Counter[str]:
    actions = (json.loads(line) for entry in log.glob("*.json") for line in entry.read_text().splitlines())
    return Counter(action["txn"]["appId"].split("/")[0] for action in actions if "txn" in action)


def is_published(settings: Settings) -> bool:
    """Whether readers see all there is."""
    return publication.is_published(Lakehouse(lake_dir=str(settings.lake_dir), profile_name=settings.profile))


def made_of_people() -> set[str]:
    """Tables whose rows depend on the people of earlier batches: made again where a later batch was quicker."""
    from speakervid_dag.definitions import defs  # noqa: F401 - it fills the registry of recipes

    found = {PEOPLE.name}
    for _ in recipes():
        reading = [recipe for recipe in recipes().values() if found & {table.name for table in recipe.reads}]
        found |= {table.name for recipe in reading for table in recipe.tables}
    return found


def assert_every_batch_was_done_once(settings: Settings, count: int, again: Set[str] = frozenset()) -> None:
    """One commit a table and batch, and the rows of each batch are those of a lake that nobody interrupted.

    Args:
        again: tables of which a batch may have been made once more.
    """
    batches = [canned.batch_name(n) for n in range(1, count + 1)]
    made = commits(settings)
    assert {name: found for name, found in made.items() if name not in again} == {
        name: Counter(batches) for name in TABLE_NAMES if name not in again
    }
    for name in again:
        assert made[name].keys() == set(batches), name
        assert set(made[name].values()) <= {1, 2}, name
    lake = DeltaLake(str(settings.lake_dir))
    clips = lake.read(TABLES["clips"])
    assert clips.height == count * canned.frames_of(batches[0])["clips"].height
    assert lake.read(TABLES["tiers"]).select("clip_id").sort("clip_id").equals(clips.select("clip_id").sort("clip_id"))
    assert clips.select(pl.col("clip_id").is_unique().all()).item()
