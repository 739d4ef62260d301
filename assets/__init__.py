"""Dagster wiring: one module a layer, each asset reads, calls a pure function, and returns.

Belongs here: assets, jobs, sensors, the decorator that turns a function into an audited, partitioned table. Does not
belong here: anything that computes — that is speakervid_dag.curation, .models, .media and sql/.
"""

import warnings

from dagster import BetaWarning, PreviewWarning

# partitioned checks and single-run backfills are preview features that were tried here; the notice comes once an asset
warnings.filterwarnings("ignore", category=PreviewWarning)
warnings.filterwarnings("ignore", category=BetaWarning)
# the job `curate` holds one-batch and many-batch assets; Dagster then takes one batch a run, which is what it is for
warnings.filterwarnings("ignore", message="Asset job curate materializes assets with varying BackfillPolicies")
