"""Rows of clip_scores: every score of a clip."""
