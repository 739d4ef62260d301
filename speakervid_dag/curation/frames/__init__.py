"""The tables frame_series and poses: the pass over all frames and what it notes."""
