"""The asset graph: one module a layer declares stages, each of which reads, calls a pure function, and returns.

Belongs here: recipes, what is stale and what is published by them, and the assets, jobs and sensors that Dagster makes
of them. Does not belong here: anything that computes — that is speakervid_dag.curation, .models, .media and sql/.
"""
