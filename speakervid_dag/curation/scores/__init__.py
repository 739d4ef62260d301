"""The table clip_scores: every measure of a clip."""
