"""Identity of the process that executes a run, to distinguish a dead one from a slow one.

Belongs here: naming a process of this host, and detecting that it ended. Does not belong here: handling that
(runs/execution.py).
"""

import os
import socket
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import dagster as dg

PROCESS = "speakervid/process"  # tag of a run: `process_of` it


def process_of(run_id: str) -> str:
    """Return the tag value that identifies the executing process of a run: run/host/process id/start time.

    It includes the run because a restarted run inherits the tags of the previous one.
    """
    return f"{run_id}/{_name(psutil.Process(os.getpid()))}"


def is_dead(run: "dg.DagsterRun") -> bool:
    """Return whether the run is tagged with a process of this host that no longer exists."""
    run_id, _, told = run.tags.get(PROCESS, "").partition("/")
    host, _, rest = told.partition("/")
    if run_id != run.run_id or host != socket.gethostname():
        return False
    try:
        return _name(psutil.Process(int(rest.partition("/")[0]))) != told
    except psutil.NoSuchProcess:
        return True


def _name(process: psutil.Process) -> str:
    return f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"
