"""One process that computes stages, from the parent's side: requests, events, time and memory limits per video.

Belongs here: that process, the processes of this program, the reason recorded for one that died. Does not belong here:
what all children have in common (processes/child.py), what becomes of a lost video (supervisor.py), several processes
at once (crew.py), the process itself (worker.py).
"""

import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import psutil

from speakervid_dag.config.settings import Settings
from speakervid_dag.failures import FAULT, OUT_OF_MEMORY
from speakervid_dag.processes.child import ChildProcess, Death
from speakervid_dag.stages.stage import Stage

POLL_S = 0.5
LINE_BYTES = 1 << 20  # far longer than any event


@dataclass(frozen=True)
class Limits:
    """Limits on computing: memory of the process with its decoders, and time of one video in one stage."""

    memory_bytes: int
    base_s: float = 300.0  # includes loading models
    s_per_media_s: float = 120.0  # the slowest stage takes 2 on two busy cores

    def wall_s(self, media_s: float) -> float:
        return self.base_s + self.s_per_media_s * media_s


def default_limits(memory_mb: int | None) -> Limits:
    """Return limits with `memory_mb` MiB of memory; None: three quarters of the machine's memory."""
    return Limits(memory_mb * 2**20 if memory_mb else psutil.virtual_memory().total * 3 // 4)


class Lost(Exception):
    """The process ended before the stage did. `video_id` None: no video was being processed."""

    def __init__(self, video_id: str | None, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.video_id, self.reason, self.detail = video_id, reason, detail


class StageProcess:
    """One worker process, started when needed and restarted when lost; it ends with the thread or program.

    The kernel ends it when the thread that started it ends, so each stage starts a new one if none is running.

    Args:
        limits: of the process and of each video.
        memory_share: it may use this share of the memory.
        threads: of libraries that take them from the environment; None: as many as they like.
    """

    def __init__(self, limits: Limits, memory_share: float = 1.0, threads: int | None = None) -> None:
        self._limits, self._memory_share, self._threads = limits, memory_share, threads
        self._child: ChildProcess | None = None
        self._buffer = b""
        self._video_id: str | None = None
        self._deadline = math.inf  # between videos no input is read, so there is no deadline
        self._checked = 0.0

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def fileno(self) -> int:
        """Return what is readable when `events` would not wait; while it runs."""
        assert self._child is not None
        return self._child.fileno()

    def start(self) -> ChildProcess:
        """Return the running process; start one if there is none."""
        if self._child is None or not self._child.is_running:
            self.close()
            limits = {"memory_bytes": self._limits.memory_bytes * 3 // 2}
            threads = {} if self._threads is None else {"OMP_NUM_THREADS": str(self._threads)}
            self._child = ChildProcess(
                "speakervid_dag.stages.worker", limits, is_asked=True, environment=os.environ | threads
            )
        return self._child

    def begin(self, request: Mapping[str, Any]) -> None:
        """Send a request. Raise Lost if the process is gone."""
        self._video_id, self._deadline = None, math.inf
        self.tell(request)

    def tell(self, message: object) -> None:
        """Send one line. Raise Lost if the process is gone."""
        child = self.start()
        try:
            child.ask(json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            raise self._post_mortem(child) from None

    def events(self, limit_s: float) -> list[list[Any]]:
        """Return the events that came within `limit_s`; [] if none did.

        Raises:
            Lost: the process died, or the video exceeds its memory or time limit.
        """
        assert self._child is not None
        found: list[list[Any]] = []
        if self._child.wait(limit_s):
            chunk = os.read(self._child.stdout, 1 << 16)
            if not chunk or len(self._buffer) > LINE_BYTES:
                raise self._post_mortem(self._child)
            *lines, self._buffer = (self._buffer + chunk).split(b"\n")
            found = [self._noted(json.loads(line)) for line in lines]
        if time.monotonic() - self._checked >= POLL_S:
            self._checked = time.monotonic()
            self._check(self._child)
        return found

    def close(self) -> None:
        """End the process and its decoders; harmless if there is none."""
        if self._child is not None:
            self._child.close()
        self._child, self._buffer = None, b""

    def _noted(self, event: list[Any]) -> list[Any]:
        if event[0] == "began":
            self._video_id = str(event[1])
            self._deadline = time.monotonic() + self._limits.wall_s(float(event[2]))
        elif event[0] == "video_done":
            self._video_id, self._deadline = None, math.inf
        return event

    def _check(self, child: ChildProcess) -> None:
        if time.monotonic() > self._deadline:
            raise Lost(self._video_id, "timed_out", "the video took more time than its length allows")
        used, allowed = _memory(child.pid), int(self._limits.memory_bytes * self._memory_share)
        if used > allowed:
            told = f"{used >> 20} MB of memory were used, {allowed >> 20} are allowed"
            raise Lost(self._video_id, OUT_OF_MEMORY, told)

    def _post_mortem(self, child: ChildProcess) -> Lost:
        death = child.death()
        if death.used_up_cpu:
            return Lost(self._video_id, "timed_out", "the video used up its CPU time")
        return Lost(self._video_id, _reason(death), death.told("the working process"))


@cache
def process_of(limits: Limits) -> StageProcess:
    """Return this program's process for work that is not shared."""
    return StageProcess(limits)


@cache
def processes_of(limits: Limits, count: int, threads: int) -> tuple[StageProcess, ...]:
    """Return this program's processes for shared work; each may use its part of the memory."""
    return tuple(StageProcess(limits, 1 / count, threads) for _ in range(count))


def start_early(settings: Settings) -> None:
    """Start the processes now, so that their imports run in parallel with ours."""
    limits = default_limits(settings.work_memory_mb)
    process_of(limits).start()
    if settings.worker_count > 1:
        for process in processes_of(limits, settings.worker_count, settings.worker_threads):
            process.start()


def request_of(
    stage: Stage, module: str, lost: Mapping[str, tuple[str, str]], limits: Limits, role: str
) -> dict[str, Any]:
    """Return what a process is asked to compute.

    Args:
        lost: videos that are not computed, with the reason.
        role: see worker.py.
    """
    threads = stage.settings.threads + 2
    return {
        "stage": stage.name,
        "module": module,
        "batch": stage.batch,
        "run_id": stage.run_id,
        "data_version": stage.data_version,
        "settings": stage.settings.model_dump(mode="json"),
        "profile": stage.profile.model_dump(mode="json"),
        "folder": str(stage.exchange),
        "lost": lost,
        "role": role,
        "cpu_base_s": limits.base_s * threads,
        "cpu_s_per_media_s": limits.s_per_media_s * threads,
    }


def _reason(death: Death) -> str:
    return OUT_OF_MEMORY if death.names_memory else FAULT if death.was_killed else "process_crashed"


def _memory(pid: int) -> int:
    """Return the resident bytes of a process and all its descendants; 0 if it has ended."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total
