"""Settings of an installation and profiles of curation: every number a user may want to change.

Belongs here: typed settings, profile sections, profile files. Does not belong here: anything that computes.
"""
