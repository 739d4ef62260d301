"""Releases: data sets exported from a published snapshot.

Belongs here: what `export` writes: clips, records, splits, the card, and the record of releases. Does not belong here:
queries (sql/release), opening media (media/), the report (report/).
"""
