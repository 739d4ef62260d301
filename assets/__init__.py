"""Dagster wiring: one module a layer, each asset reads, calls a pure function, and returns.

Belongs here: assets, jobs, sensors, the decorator that turns a function into an audited, partitioned table. Does not
belong here: anything that computes — that is speakervid_dag.curation, .models, .media and sql/.
"""
