"""The partition of everything: one ingestion batch.

Belongs here: the dynamic partitions definition and registering batches with an instance. Does not belong here: what a
batch holds (speakervid_dag.lake.batches).
"""

from collections.abc import Sequence

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batch")


def register_batches(instance: dg.DagsterInstance, batches: Sequence[str]) -> None:
    """Makes these batches known to the instance; those it knows already are left alone."""
    known = set(instance.get_dynamic_partitions("batch"))
    fresh = [b for b in batches if b not in known]
    if fresh:
        instance.add_dynamic_partitions("batch", fresh)
