"""Rows of frame_series and poses: the pass over all frames and what it records."""
