"""What a lake needs besides runs: maintenance, quarantine, takedowns."""
