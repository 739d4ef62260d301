"""The parent's side of a decoding process: its request, messages, time limits, and the failure recorded if it dies.

Belongs here: everything that keeps a decoder's crash, stall or flood away from our process. Does not belong here: what
all children have in common (processes/child.py), media, the meaning of messages.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from speakervid_dag.failures import PermanentFailure
from speakervid_dag.media.budget import MediaBudget
from speakervid_dag.media.decoder import wire
from speakervid_dag.processes.child import ChildProcess

PIPE_BYTES = 1 << 20
# A decoder must not see our secrets; libav and Python need nothing else.
PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL")
OWN_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

Payload = NDArray[np.uint8]


class Child:
    """One decoding process. Start it in the thread that reads it: the kernel ends it when that thread ends.

    Args:
        request: the task for `worker`, JSON-able.
        media_s: length of the media it will read, s; sets its time limits.
    """

    def __init__(self, request: dict[str, Any], budget: MediaBudget, media_s: float) -> None:
        self._wall_left_s = budget.wall_s(media_s)
        self._stall_s = budget.stall_s
        full_request = {
            **request,
            "memory_bytes": budget.memory_bytes,
            "cpu_s": int(self._wall_left_s * budget.decoder_threads) + 1,
            "threads": budget.decoder_threads,
        }
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | OWN_ENVIRONMENT
        self._process = ChildProcess("speakervid_dag.media.decoder.worker", full_request, environment=environment)
        _widen(self._process.stdout)

    @property
    def pid(self) -> int:
        return self._process.pid

    def messages(self) -> Iterator[tuple[wire.Header, Payload]]:
        """Yield messages up to and including the result, without pulses. Each payload is a new array, the caller's own.

        Raises:
            PermanentFailure: the reason that the child reported, or decoder_crashed, decoder_timeout,
                decoder_out_of_memory.
        """
        while True:
            header = wire.Header.unpack(self._read(wire.HEADER.size).tobytes())
            payload = self._read(header.size)
            if header.kind == wire.FAILURE:
                told = json.loads(payload.tobytes())
                raise PermanentFailure(told["reason"], told["detail"])
            if header.kind == wire.PULSE:
                continue
            yield header, payload
            if header.kind == wire.RESULT:
                return

    def close(self) -> None:
        """End the process and its group; harmless if it has ended or is already closed."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, size: int) -> Payload:
        data = np.empty(size, np.uint8)
        view = data.data
        while len(view):
            self._wait()
            count = os.readv(self._process.stdout, [view])
            if not count:
                raise self._post_mortem()
            view = view[count:]
        return data

    def _wait(self) -> None:
        """Wait until stdout has bytes."""
        began = time.monotonic()
        limit_s = min(self._stall_s, self._wall_left_s)
        has_bytes = self._process.wait(limit_s)
        self._wall_left_s -= time.monotonic() - began
        if not has_bytes:
            raise PermanentFailure("decoder_timeout", f"the decoder gave nothing for {limit_s:.0f} s")

    def _post_mortem(self) -> PermanentFailure:
        """Return the failure for a process that ended without a result."""
        death = self._process.death()
        if death.used_up_cpu:
            return PermanentFailure("decoder_timeout", "the decoder used up its CPU time")
        if death.was_killed or death.names_memory:  # a kill that is not ours is the kernel's out-of-memory killer
            return PermanentFailure("decoder_out_of_memory", "the decoder was ended for its memory")
        return PermanentFailure("decoder_crashed", death.told("the decoder"))


def run_task(request: dict[str, Any], budget: MediaBudget, media_s: float) -> dict[str, Any]:
    """Run a task that answers with one JSON object and no pictures, and return that object."""
    with Child(request, budget, media_s) as child:
        for _, payload in child.messages():
            result: dict[str, Any] = json.loads(payload.tobytes())
    return result


def as_argument(path: Path) -> str:
    """Return the absolute path as text for JSON; undecodable bytes survive as lone surrogates."""
    return str(path.absolute())


def _widen(fd: int) -> None:
    """Enlarge a pipe, for fewer switches between the processes; the system's own limit may refuse it."""
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
