"""Tables of whole files: shots, near-duplicates, the chosen sound."""
