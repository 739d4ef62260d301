"""Runs of batches: which ones, in which order, on which Dagster instance."""
