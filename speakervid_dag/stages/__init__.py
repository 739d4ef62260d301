"""The loop over a batch's videos, in which a failure becomes a row; the process that runs it, and its watcher."""
