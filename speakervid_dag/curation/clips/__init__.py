"""The tables clips and dropped_spans."""
