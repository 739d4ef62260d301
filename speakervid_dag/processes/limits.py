"""What a process of ours may take from the machine, and that it dies with its parent.

Belongs here: kernel limits, set by a process on itself. Does not belong here: how large they are (media/budget.py,
isolation.py).
"""

import ctypes
import os
import resource
import signal
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def confine(parent_pid: int, limits: Mapping[int, tuple[int, int]]) -> None:
    """Bounds this process; it gains no rights, writes no core and does not outlive the thread that started it.

    Args:
        limits: resource.RLIMIT_* → (soft, hard); what the system already forbids stays forbidden.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the line above
        os._exit(1)
    for limit, (soft, hard) in {**limits, resource.RLIMIT_CORE: (0, 0)}.items():
        allowed = resource.getrlimit(limit)[1]
        ceiling = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(limit, (min(soft, ceiling), ceiling))
