"""The loop over a batch's videos, in which a failure is a row; the process that computes it, and its watcher."""
