"""Upkeep of a lake besides runs: maintenance, quarantine, takedowns."""
