"""Supervision of the process that runs stages: a crash, a hang or a flood costs one video's row and nothing else.

Belongs here: the parent's side: requests, events, time and memory limits per video, and the reason recorded for a
process that died. Does not belong here: what all children have in common (processes/child.py), what a stage computes,
the process itself (worker.py).

The video being processed when the worker died is not retried: the same input would crash it again. It is recorded as
`process_crashed`, `out_of_memory` or `timed_out`, and the stage continues with the next video. Videos finished before
are in checkpoints. Only after a kill from outside is a video retried, once: such a kill says nothing about the video.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import psutil

from speakervid_dag.failures import FAULT, OUT_OF_MEMORY, OperationError
from speakervid_dag.processes.child import ChildProcess
from speakervid_dag.stages.progress import watcher
from speakervid_dag.stages.stage import Stage
from speakervid_dag.stages.worker import read_frames, write_frames

POLL_S = 0.5
LINE_BYTES = 1 << 20  # far longer than any event
KILLS_FORGIVEN = 1  # per video
RELAYED = ("stage_started", "video_started", "video_advanced", "video_done", "stage_done")


@dataclass(frozen=True)
class Limits:
    """Limits on computing: memory of the process with its decoders, and time of one video in one stage."""

    memory_bytes: int
    base_s: float = 300.0  # includes loading models
    s_per_media_s: float = 120.0  # the slowest stage takes 2 on two busy cores

    def wall_s(self, media_s: float) -> float:
        return self.base_s + self.s_per_media_s * media_s


class Lost(Exception):
    """The process ended before the stage did. `video_id` None: no video was being processed."""

    def __init__(self, video_id: str | None, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.video_id, self.reason, self.detail = video_id, reason, detail


def compute_apart(stage: Stage, module: str, limits: Limits) -> Mapping[str, pl.DataFrame]:
    """Run the recipe of the stage's name in `module`; return its frames and fill in `stage.outcomes`.

    Raises:
        OperationError: the stage failed as a whole, or the process died between videos.
    """
    folder = stage.exchange
    shutil.rmtree(folder, ignore_errors=True)
    write_frames(folder / "in", dict(stage.inputs))
    stage.upstream.write_ipc(folder / "upstream.arrow")
    lost: dict[str, tuple[str, str]] = {}
    kills: dict[str, int] = {}
    while True:
        try:
            _process(limits).run(_request(stage, module, lost, limits), stage)
            break
        except Lost as problem:
            if problem.video_id is None:
                raise OperationError(f"{stage.name}: the working process was lost: {problem.detail}") from problem
            stage.log(f"{problem.video_id}: {problem.reason}: {problem.detail}")
            kills[problem.video_id] = kills.get(problem.video_id, 0) + 1
            if problem.reason != FAULT or kills[problem.video_id] > KILLS_FORGIVEN:
                lost[problem.video_id] = (problem.reason, problem.detail)
    stage.outcomes = json.loads((folder / "outcomes.json").read_text())
    return read_frames(folder / "out")


def default_limits(memory_mb: int | None) -> Limits:
    """Return limits with `memory_mb` MiB of memory; None: three quarters of the machine's memory."""
    return Limits(memory_mb * 2**20 if memory_mb else psutil.virtual_memory().total * 3 // 4)


def _request(stage: Stage, module: str, lost: Mapping[str, tuple[str, str]], limits: Limits) -> dict[str, Any]:
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
        "cpu_base_s": limits.base_s * threads,
        "cpu_s_per_media_s": limits.s_per_media_s * threads,
    }


@cache
def _process(limits: Limits) -> "StageProcess":
    return StageProcess(limits)


def start_early(limits: Limits) -> None:
    """Start the process now, so that its imports run in parallel with ours."""
    _process(limits).start()


class StageProcess:
    """One worker process, started when needed and restarted when lost; it ends with the thread or program.

    The kernel ends it when the thread that started it ends, so each stage starts a new one if none is running.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: ChildProcess | None = None
        self._buffer = b""

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def start(self) -> ChildProcess:
        """Return the running process; start one if there is none."""
        if self._child is None or not self._child.is_running:
            self.close()
            limits = {"memory_bytes": self._limits.memory_bytes * 3 // 2}
            self._child = ChildProcess("speakervid_dag.stages.worker", limits, is_asked=True)
        return self._child

    def run(self, request: Mapping[str, Any], stage: Stage) -> None:
        """Send a request and relay events until the stage is done.

        Raises:
            Lost: the process died, or exceeded its memory or time limit and was ended.
            OperationError: the stage failed as a whole.
        """
        child = self.start()
        video_id, deadline = None, math.inf  # between videos no input is read, so there is no deadline
        try:
            child.ask(json.dumps(request).encode() + b"\n")
            for event in self._events(child):
                if event is None:
                    self._check(child, video_id, deadline)
                    continue
                kind, *values = event
                if kind == "began":
                    video_id = str(values[0])
                    deadline = time.monotonic() + self._limits.wall_s(float(values[1]))
                elif kind in RELAYED:
                    if kind == "video_done":
                        video_id, deadline = None, math.inf
                    getattr(watcher(), kind)(*values)
                elif kind == "log":
                    stage.log(values[0])
                elif kind == "failed":
                    raise OperationError(f"{stage.name}: {values[1]} ({values[0]})")
                elif kind == "done":
                    return
            raise _post_mortem(child, video_id)
        except BrokenPipeError:
            raise _post_mortem(child, video_id) from None
        except (Lost, KeyboardInterrupt):
            self.close()
            raise

    def close(self) -> None:
        """End the process and its decoders; harmless if there is none."""
        if self._child is not None:
            self._child.close()
        self._child, self._buffer = None, b""

    def _events(self, child: ChildProcess) -> Iterator[list[Any] | None]:
        """Yield events as they come, and None about every POLL_S seconds; stop when the process ends."""
        polled = time.monotonic()
        while True:
            if child.wait(POLL_S):
                chunk = os.read(child.stdout, 1 << 16)
                if not chunk or len(self._buffer) > LINE_BYTES:
                    return
                *lines, self._buffer = (self._buffer + chunk).split(b"\n")
                yield from map(json.loads, lines)
            if time.monotonic() - polled >= POLL_S:
                polled = time.monotonic()
                yield None

    def _check(self, child: ChildProcess, video_id: str | None, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise Lost(video_id, "timed_out", "the video took more time than its length allows")
        used = _memory(child.pid)
        if used > self._limits.memory_bytes:
            told = f"{used >> 20} MB of memory were used, {self._limits.memory_bytes >> 20} are allowed"
            raise Lost(video_id, OUT_OF_MEMORY, told)


def _post_mortem(child: ChildProcess, video_id: str | None) -> Lost:
    death = child.death()
    if death.used_up_cpu:
        return Lost(video_id, "timed_out", "the video used up its CPU time")
    reason = OUT_OF_MEMORY if death.names_memory else FAULT if death.was_killed else "process_crashed"
    return Lost(video_id, reason, death.told("the working process"))


def _memory(pid: int) -> int:
    """Return the resident bytes of a process and all its descendants; 0 if it has ended."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total
