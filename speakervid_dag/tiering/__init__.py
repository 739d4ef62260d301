"""Decisions from stored scores: a profile's gates and branches, applied.

Belongs here: what turns measures into tiers without looking at media again. Does not belong here: SQL (sql/), storing.
"""
