"""The report of a snapshot: its contents, and drawing them."""
