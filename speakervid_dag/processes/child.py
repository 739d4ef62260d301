"""A child process of ours, from its parent's side: start it, hear it, end it, and tell what it died of.

Belongs here: what all children have in common. Does not belong here: what is said to a child, what its messages mean
and how long it may take (stages/supervisor.py, media/child.py), the limits it sets on itself (limits.py).
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

STDERR_BYTES = 4096  # kept of what it said last
PIPE_BYTES = 1 << 16  # what a pipe holds


@dataclass(frozen=True)
class Death:
    """How a child ended.

    Attributes:
        code: its exit status; negative: the signal.
        last_words: the last line on its stderr; none: empty.
    """

    code: int
    last_words: str

    @property
    def was_killed(self) -> bool:
        """By somebody else: the kernel's out-of-memory killer, or a person."""
        return self.code == -signal.SIGKILL

    @property
    def used_up_cpu(self) -> bool:
        """It reached its limit of CPU time."""
        return self.code == -signal.SIGXCPU

    @property
    def names_memory(self) -> bool:
        """It ended with words about memory, as Python, glibc, OpenBLAS and C++ do where they get none."""
        return "memory" in self.last_words.lower() or "bad_alloc" in self.last_words

    def told(self, who: str) -> str:
        how = signal.Signals(-self.code).name if self.code < 0 else f"status {self.code}"
        return ": ".join([f"{who} ended with {how}", *([self.last_words] if self.last_words else [])])


class ChildProcess:
    """A module of ours that runs in a process and a group of its own, until it is closed, dropped or our program ends.

    Start it in the thread that reads it: the kernel ends it when that thread ends (limits.confine).

    Args:
        module: what `python -m` runs.
        argument: JSON-able; its one argument, with our process id as `parent_pid`.
        is_asked: whether it reads requests on stdin; else it has none.
        environment: all that it sees; None: what we see.
    """

    def __init__(
        self,
        module: str,
        argument: Mapping[str, Any],
        *,
        is_asked: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, json.dumps({**argument, "parent_pid": os.getpid()})],
            stdin=subprocess.PIPE if is_asked else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout
        assert self._process.stderr
        self.stdout, self._stderr = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._said = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self._end = weakref.finalize(self, _end, self._process, self._selector)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return _ended(self.pid) is None

    def ask(self, request: bytes) -> None:
        """Write a request to its stdin. Raises BrokenPipeError when it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(request)

    def wait(self, limit_s: float) -> bool:
        """Wait until there is something to read on `stdout`, its end included. False: there was nothing in this time.

        What comes on stderr meanwhile is taken, so that the child never waits for us to read it.
        """
        deadline = time.monotonic() + limit_s
        while True:
            ready = {key.fd for key, _ in self._selector.select(max(deadline - time.monotonic(), 0.0))}
            if self._stderr in ready:
                self._take_stderr()
            if self.stdout in ready:
                return True
            if time.monotonic() >= deadline:
                return False

    def death(self) -> Death:
        """Wait for its end and return how it was. Its process id stays its own until `close`."""
        code = _ended(self.pid, wait=True)
        assert code is not None
        if any(key.fd == self._stderr for key, _ in self._selector.select(0)):
            self._take_stderr()
        return Death(code, "".join(self._said.decode(errors="replace").strip().splitlines()[-1:]))

    def close(self) -> None:
        """End it and its group; harmless when it has ended, or was closed before."""
        self._end()

    def _take_stderr(self) -> None:
        chunk = os.read(self._stderr, PIPE_BYTES)
        self._said = (self._said + chunk)[-STDERR_BYTES:]
        if not chunk:
            self._selector.unregister(self._stderr)


def _ended(pid: int, *, wait: bool = False) -> int | None:
    """How a child ended (negative: the signal), None while it runs. It stays unreaped, and its number its own."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG))
    if found is None or not found.si_pid:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _end(process: "subprocess.Popen[bytes]", selector: selectors.BaseSelector) -> None:
    selector.close()
    with suppress(ProcessLookupError):  # not reaped yet, so the group's number is still its own
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
