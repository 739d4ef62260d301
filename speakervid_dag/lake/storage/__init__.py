"""Delta tables as files: reading, committing, handles, logs, what is damaged."""
