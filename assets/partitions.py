"""The partitions of all table assets: one per ingestion batch.

Belongs here: the dynamic partitions definition and registering batches with an instance. Does not belong here: the
content of batches (speakervid_dag.lake.batches).
"""

from collections.abc import Sequence

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batch")


def register_batches(instance: dg.DagsterInstance, batches: Sequence[str]) -> None:
    """Register these batches with the instance, except those it already has."""
    known = set(instance.get_dynamic_partitions("batch"))
    fresh = [b for b in batches if b not in known]
    if fresh:
        instance.add_dynamic_partitions("batch", fresh)
