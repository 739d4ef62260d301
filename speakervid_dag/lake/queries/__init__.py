"""Querying the lake: a DuckDB session over a snapshot, its views, the analysts' database file, published snapshots."""
