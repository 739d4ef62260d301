"""The report of a snapshot: what it shows and how it is drawn."""
