"""Which process executes a run, so that a dead one can be told from a slow one.

Belongs here: naming a process of this host, and telling whether it is gone. Does not belong here: what is done about it
(execution.py).
"""

import os
import socket
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import dagster as dg

PROCESS = "speakervid/process"  # tag of a run: `process_of` it


def process_of(run_id: str) -> str:
    """What a run is tagged with by the process that executes it: run/host/process id/start time.

    The run is in it because a run that is started again takes over the tags of the one before.
    """
    return f"{run_id}/{_name(psutil.Process(os.getpid()))}"


def is_dead(run: "dg.DagsterRun") -> bool:
    """The run said which process of this host executes it, and that is no more."""
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
