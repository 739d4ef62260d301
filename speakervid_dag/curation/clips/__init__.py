"""Rows of clips and dropped_spans, and a clip's sound."""
