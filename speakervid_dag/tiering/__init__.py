"""Decisions from stored scores: applying a profile's gates and branches.

Belongs here: turning scores into tiers without reading media again. Does not belong here: SQL (sql/), storage.
"""
