"""The parent's side of a decoding process: start, read, watch, end.

Belongs here: everything that keeps a decoder's crash, stall or flood from reaching us. Does not belong here: media, and
what the messages mean.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
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

PIPE_BYTES = 1 << 20
STDERR_BYTES = 4096
# A decoder sees no secrets of ours; libav and Python need nothing else.
PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "LANG", "LC_ALL")
OWN_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}

Payload = NDArray[np.uint8]


class Child:
    """One decoding process. Start it in the thread that reads it: the kernel ends it when that thread ends.

    Args:
        request: the task for `worker`, JSON-able.
        media_s: length of what it will read, s; sets its time limits.
    """

    def __init__(self, request: dict[str, Any], budget: MediaBudget, media_s: float) -> None:
        self._wall_left_s = budget.wall_s(media_s)
        self._stall_s = budget.stall_s
        full_request = {
            **request,
            "parent_pid": os.getpid(),
            "memory_bytes": budget.memory_bytes,
            "cpu_s": int(self._wall_left_s * budget.decoder_threads) + 1,
            "threads": budget.decoder_threads,
        }
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | OWN_ENVIRONMENT
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "speakervid_dag.media.decoder.worker", json.dumps(full_request)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout
        assert self._process.stderr
        self._end = weakref.finalize(self, _end, self._process)
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._stderr = b""
        _widen(self._out)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    def messages(self) -> Iterator[tuple[wire.Header, Payload]]:
        """Messages up to and including the result, without pulses. The payload is a fresh array, the reader's own.

        Raises:
            PermanentFailure: what the child reported, or decoder_crashed, decoder_timeout, decoder_out_of_memory.
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
        """End the process and its group; harmless when it has ended, or was closed before."""
        self._selector.close()
        self._end()

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
            count = os.readv(self._out, [view])
            if not count:
                raise self._post_mortem()
            view = view[count:]
        return data

    def _wait(self) -> None:
        """Wait until stdout has bytes; what comes on stderr is kept for the post-mortem."""
        while True:
            began = time.monotonic()
            limit_s = min(self._stall_s, self._wall_left_s)
            ready = {key.fd for key, _ in self._selector.select(max(limit_s, 0.0))}
            self._wall_left_s -= time.monotonic() - began
            if self._err in ready:
                self._take_stderr()
            if self._out in ready:
                return
            if not ready:
                raise PermanentFailure("decoder_timeout", f"the decoder gave nothing for {limit_s:.0f} s")

    def _take_stderr(self) -> None:
        chunk = os.read(self._err, STDERR_BYTES)
        self._stderr = (self._stderr + chunk)[-STDERR_BYTES:]
        if not chunk:
            self._selector.unregister(self._err)

    def _post_mortem(self) -> PermanentFailure:
        """Why the process ended without a result."""
        code = self._process.wait()
        if self._err in self._selector.get_map():
            self._take_stderr()
        if code == -signal.SIGXCPU:
            return PermanentFailure("decoder_timeout", "the decoder used up its CPU time")
        last_words = self._stderr.decode(errors="replace").strip().splitlines()[-1:]
        # SIGKILL that is not ours is the kernel's out-of-memory killer; glibc and OpenBLAS abort with words.
        if code == -signal.SIGKILL or any("memory" in line.lower() for line in last_words):
            return PermanentFailure("decoder_out_of_memory", "the decoder was ended for its memory")
        how = signal.Signals(-code).name if code < 0 else f"status {code}"
        return PermanentFailure("decoder_crashed", ": ".join([f"the decoder ended with {how}", *last_words]))


def run_task(request: dict[str, Any], budget: MediaBudget, media_s: float) -> dict[str, Any]:
    """A task that answers with one JSON object and no pictures."""
    with Child(request, budget, media_s) as child:
        for _, payload in child.messages():
            result: dict[str, Any] = json.loads(payload.tobytes())
    return result


def as_argument(path: Path) -> str:
    """A path as JSON can carry it; undecodable bytes survive as lone surrogates."""
    return str(path.absolute())


def _widen(fd: int) -> None:
    """A larger pipe means fewer switches between the processes; the system's own limit may refuse it."""
    import fcntl

    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:  # not reaped, so the number is still its own
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()
