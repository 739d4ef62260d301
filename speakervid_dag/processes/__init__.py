"""Processes of this machine: which one executes a run, what it may use, how a child of ours is watched."""
