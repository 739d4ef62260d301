"""Materialization events of promoted batches, reported again to a Dagster instance that has no record of them.

Belongs here: reporting promoted batches to an instance whose history was wiped, deleted or not copied along. Does not
belong here: running anything; what is promoted (recipes.py).

The lake records what is promoted, but automation conditions and the UI read the instance's events. Without the events,
gold of these batches would wait forever for inputs that exist.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import dagster as dg

from speakervid_dag.assets.graph import in_order, maker_of
from speakervid_dag.assets.recipes import DataVersions, Recipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.staleness import is_coherent
from speakervid_dag.dagster_private import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from speakervid_dag.formats import quantity
from speakervid_dag.lake.schemas import Table

Events = Callable[[str], Mapping[str, int]]  # table → batch → id of its newest event in the instance


def report_promoted(
    instance: dg.DagsterInstance, lakehouse: Lakehouse, batches: Sequence[str], announce: Callable[[str], None]
) -> None:
    """Report each promoted (table, batch) of which the instance has no materialization, upstream first.

    Args:
        announce: called once, before reporting, which takes some hundredths of a second each.
    """
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    events = cache(lambda name: instance.get_latest_storage_id_by_partition(dg.AssetKey(name), kind))
    recorded, missing = DataVersions(lakehouse.lake), []
    for recipe in in_order():
        for table in recipe.tables:
            known = instance.get_materialized_partitions(dg.AssetKey(table.name))
            unknown = [
                b for b in batches if b not in known and _data_version(lakehouse, recorded, table, b) is not None
            ]
            missing += [(recipe, table, batch) for batch in unknown]
    if missing:
        announce(f"Added to the run history, which had no record of it: {quantity(len(missing), 'part')} of tables.")
    for recipe, table, batch in missing:
        instance.report_runless_asset_event(_event(lakehouse, recorded, events, recipe, table, batch))


def _event(
    lakehouse: Lakehouse, recorded: DataVersions, events: Events, recipe: Recipe, table: Table, batch: str
) -> dg.AssetMaterialization:
    """Return the event that the asset itself would have reported, with the same data, code and input versions."""
    is_current = is_coherent(lakehouse, recorded, recipe, batch)
    tags = {
        DATA_VERSION_TAG: _version(_data_version(lakehouse, recorded, table, batch)),
        CODE_VERSION_TAG: recipe.code_version(lakehouse) if is_current else "of an earlier run",
    }
    for parent in recipe.parents(table):
        key = dg.AssetKey(parent.name)
        tags[get_input_data_version_tag(key)] = _version(_data_version(lakehouse, recorded, parent, batch))
        tags[get_input_event_pointer_tag(key)] = str(events(parent.name).get(batch, "NULL"))
    told = {"reported": "promoted in the lake; this instance had no record of it"}
    return dg.AssetMaterialization(table.name, partition=batch, tags=tags, metadata=told)


def _data_version(lakehouse: Lakehouse, recorded: DataVersions, table: Table, batch: str) -> int | None:
    return recorded.of(table, maker_of(table).part(table, batch, lakehouse.profile.name))


def _version(data_version: int | None) -> str:
    return f"{data_version:016x}" if data_version is not None else ""
