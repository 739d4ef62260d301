"""Audits: rules that every batch of a table must pass before it is committed.

Belongs here: rules, the suites generated from them (suites/*.json), running a suite, the blocking asset check. Does not
belong here: computing, reading or writing tables.

From rule to commit: `rules_*.py` state the rules → `generate.py` writes them as Great Expectations suites → `views.py`
flattens a frame and its parents into check columns → `audit.py` runs the suite over them → `factory.py` commits or
refuses the frame.
"""
