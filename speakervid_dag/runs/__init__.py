"""Which batches run, on which Dagster instance, in which order."""
