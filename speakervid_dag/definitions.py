"""The Dagster entry point: loads assets, checks, resources, jobs and sensors.

Belongs here: putting the parts together. Does not belong here: the parts (speakervid_dag.assets).
"""

import dagster as dg

from speakervid_dag.assets import (
    automation,
    bronze,
    gold,
    jobs,
    silver_labels,
    silver_pictures,
    silver_scores,
    silver_sound,
    silver_sources,
    silver_sync,
    training,
)
from speakervid_dag.assets.resources import Factory

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [
            bronze,
            silver_sources,
            silver_sound,
            silver_pictures,
            silver_sync,
            silver_labels,
            silver_scores,
            gold,
            training,
        ]
    ),
    jobs=[jobs.curate, jobs.retier, jobs.publish, jobs.train],
    sensors=[jobs.landing_folder, automation.keep_gold_current],
    resources={"factory": Factory()},
    # one process a run: models are loaded once, and a step costs no start-up
    executor=dg.in_process_executor,
)
