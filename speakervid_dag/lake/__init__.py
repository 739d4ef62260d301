"""The lake: what tables look like, how they are read and written, and how SQL sees them.

Belongs here: schemas, Delta reading and writing, snapshots, the DuckDB session, artifact files. Does not belong here:
how a row is computed, and Dagster.
"""
