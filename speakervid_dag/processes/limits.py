"""Resource limits of child processes, and their end together with the parent.

Belongs here: kernel limits, set by a process on itself. Does not belong here: their values (media/budget.py,
stages/process.py).
"""

import ctypes
import os
import resource
import signal
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def confine(parent_pid: int, limits: Mapping[int, tuple[int, int]]) -> None:
    """Limit this process: it gains no privileges, writes no core and does not outlive the thread that started it.

    Args:
        limits: resource.RLIMIT_* → (soft, hard); a stricter limit of the system stays in force.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent_pid:  # the parent died before prctl took effect
        os._exit(1)
    for limit, (soft, hard) in {**limits, resource.RLIMIT_CORE: (0, 0)}.items():
        allowed = resource.getrlimit(limit)[1]
        ceiling = hard if allowed == resource.RLIM_INFINITY else min(hard, allowed)
        resource.setrlimit(limit, (min(soft, ceiling), ceiling))
