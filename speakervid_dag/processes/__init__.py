"""Processes of this machine: which one executes a run, which resources it may use, how child processes are watched."""
