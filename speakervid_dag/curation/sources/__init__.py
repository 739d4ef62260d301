"""Tables of whole files: shots, near-duplicates, the sound that is used."""
