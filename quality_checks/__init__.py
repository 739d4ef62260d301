"""Audits: what must hold of every table before a batch of it is committed.

Belongs here: rules, the suites made from them (suites/*.json), running a suite, the blocking asset check. Does not
belong here: computing tables, reading or writing them.

The way of a frame: `rules_*.py` say what must hold → `generate.py` writes it as Great Expectations suites → `views.py`
flattens a frame and its parents into check columns → `audit.py` runs the suite over them → `factory.py` commits or
refuses.
"""
