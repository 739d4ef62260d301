"""Snapshots: recorded sets of table versions that readers see, changes between two of them, copies for reading."""
