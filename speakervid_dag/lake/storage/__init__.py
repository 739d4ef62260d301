"""Delta tables as files: reading, committing, open handles, logs, damage."""
