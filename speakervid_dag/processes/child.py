"""The parent's side of a child process: start it, read its output, end it, and report its cause of death.

Belongs here: what all children have in common. Does not belong here: requests, the meaning of messages and time limits
(stages/process.py, media/child.py), the limits that a child sets on itself (limits.py).
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

STDERR_BYTES = 4096  # kept from the end of stderr
PIPE_BYTES = 1 << 16  # capacity of a pipe


@dataclass(frozen=True)
class Death:
    """The end of a child.

    Attributes:
        code: its exit status; negative: the signal.
        last_words: the last line of its stderr, or "".
    """

    code: int
    last_words: str

    @property
    def was_killed(self) -> bool:
        """Return whether SIGKILL ended it, from outside: the kernel's out-of-memory killer or a person."""
        return self.code == -signal.SIGKILL

    @property
    def used_up_cpu(self) -> bool:
        """Return whether it reached its CPU time limit."""
        return self.code == -signal.SIGXCPU

    @property
    def names_memory(self) -> bool:
        """Return whether its last line is about memory: Python, glibc, OpenBLAS and C++ print it when they get none."""
        return "memory" in self.last_words.lower() or "bad_alloc" in self.last_words

    def told(self, who: str) -> str:
        how = signal.Signals(-self.code).name if self.code < 0 else f"status {self.code}"
        return ": ".join([f"{who} ended with {how}", *([self.last_words] if self.last_words else [])])


class ChildProcess:
    """A module run in its own process and process group until it is closed or garbage-collected, or we exit.

    Start it in the thread that reads it: the kernel ends it when that thread ends (limits.confine).

    Args:
        module: what `python -m` runs.
        argument: JSON-able; passed as its only argument, with our process id as `parent_pid`.
        is_asked: it reads requests from stdin; otherwise stdin is empty.
        environment: its whole environment; None: ours.
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

    def fileno(self) -> int:
        """Return what is readable when `wait` would not wait, so that several children can be waited for."""
        return int(self._selector.fileno())  # type: ignore[attr-defined]  # epoll and kqueue have one

    def ask(self, request: bytes) -> None:
        """Write a request to its stdin. Raise BrokenPipeError if it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(request)

    def wait(self, limit_s: float) -> bool:
        """Wait until `stdout` has data or is closed. Return False if neither happened within `limit_s`.

        Meanwhile stderr is read, so the child never blocks on it.
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
        """Wait for it to end and return its death. Its process id is not reused before `close`."""
        code = _ended(self.pid, wait=True)
        assert code is not None
        if any(key.fd == self._stderr for key, _ in self._selector.select(0)):
            self._take_stderr()
        return Death(code, "".join(self._said.decode(errors="replace").strip().splitlines()[-1:]))

    def close(self) -> None:
        """End it and its group; harmless if it has ended or is already closed."""
        self._end()

    def _take_stderr(self) -> None:
        chunk = os.read(self._stderr, PIPE_BYTES)
        self._said = (self._said + chunk)[-STDERR_BYTES:]
        if not chunk:
            self._selector.unregister(self._stderr)


def _ended(pid: int, *, wait: bool = False) -> int | None:
    """Return a child's exit status (negative: the signal), or None while it runs. It is not reaped."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG))
    if found is None or not found.si_pid:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _end(process: "subprocess.Popen[bytes]", selector: selectors.BaseSelector) -> None:
    selector.close()
    with suppress(ProcessLookupError):  # not reaped yet, so the group's id has not been reused
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
