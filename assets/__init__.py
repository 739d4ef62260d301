"""The asset graph: the modules of each layer declare stages; a stage reads, calls a pure function and returns rows.

Belongs here: recipes, staleness and publication derived from them, and Dagster's assets, jobs and sensors. Does not
belong here: computing anything (speakervid_dag.curation, .models, .media and sql/).
"""
