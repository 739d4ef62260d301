"""The Dagster entry point: assets, checks, resources, jobs and sensors.

Belongs here: assembling them. Does not belong here: the parts themselves (speakervid_dag.assets).
"""

import dagster as dg

from speakervid_dag.assets import automation, graph, jobs, snapshot_asset
from speakervid_dag.assets.gold_asset import gold_asset
from speakervid_dag.assets.recipes import StageRecipe
from speakervid_dag.assets.resources import Lakehouse
from speakervid_dag.assets.table_asset import table_asset

defs = dg.Definitions(
    assets=[
        *(table_asset(r) if isinstance(r, StageRecipe) else gold_asset(r) for r in graph.in_order()),
        snapshot_asset.lake_snapshot,
        *snapshot_asset.statistics,
    ],
    jobs=[jobs.curate, jobs.retier, jobs.publish],
    sensors=[jobs.landing_folder, automation.keep_gold_current],
    resources={"lakehouse": Lakehouse()},
    # one process per run: models are loaded once, and steps have no start-up cost
    executor=dg.in_process_executor,
)
