"""The lake: schemas, Delta tables, snapshots and SQL access.

Belongs here: schemas, reading and writing Delta, snapshots, the DuckDB session, artifact files. Does not belong here:
computing rows, Dagster.
"""
