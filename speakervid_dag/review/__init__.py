"""Review: people look at clips, pairs and listening samples and answer one question at a time; gates are held to it.

Belongs here: the local page of `speakervid review`, what it asks, shows and stores, and the table of agreement.
Does not belong here: choosing subjects and thresholds (curation/), counting answers (sql/review).
"""
