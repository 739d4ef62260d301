"""Several processes at once on the videos of one stage: whoever is free takes the longest that is left.

Belongs here: handing out videos, what becomes of one whose process died meanwhile, progress. Does not belong here: one
process (process.py), gathering rows and videos that are left over (supervisor.py).

Each finished video is in its checkpoint, from which the one process that gathers the rows reads it. So rows, their
order, outcomes and errors are those of one process. What has no checkpoint is left to that process: videos that gave no
result, or needed more than one worker's part of the memory.
"""

import selectors
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from speakervid_dag.failures import FAULT, OUT_OF_MEMORY
from speakervid_dag.stages.process import (
    POLL_S,
    Limits,
    Lost,
    StageProcess,
    processes_of,
    request_of,
)
from speakervid_dag.stages.progress import watcher
from speakervid_dag.stages.stage import Stage
from speakervid_dag.stages.worker import MEMBER

Reasons = dict[str, tuple[str, str]]


def compute_ahead(stage: Stage, module: str, limits: Limits, lost: Reasons) -> bool:
    """Compute the videos of a stage in several processes, if there are several videos.

    Args:
        stage: with its `videos`.
        lost: gets the videos that ended their process, with the reason.

    Returns:
        Whether it did.
    """
    waiting = [video for video in stage.longest_first() if video[0] not in lost]
    count = min(stage.settings.worker_count, len(waiting))
    if count < 2:
        return False
    threads = stage.settings.worker_threads
    shared = replace(stage, settings=stage.settings.model_copy(update={"threads": threads}))
    processes = processes_of(limits, stage.settings.worker_count, threads)[:count]
    work = _SharedWork(waiting, request_of(shared, module, {}, limits, MEMBER))
    watcher().stage_started(stage.name, stage.batch, len(waiting), sum(length_s for *_, length_s in waiting))
    with ExitStack() as failing:
        for process in processes:
            failing.callback(process.close)
        work.run(processes)
        failing.pop_all()
    lost |= work.lost
    return True


class _SharedWork:
    """The videos of one stage, handed out one by one.

    Args:
        videos: id, name and length (s) of each, in the order in which they are taken.
        request: what each process is asked.
    """

    def __init__(self, videos: Sequence[tuple[str, str, float]], request: Mapping[str, Any]) -> None:
        self.lost: Reasons = {}
        self._waiting = deque(video_id for video_id, *_ in videos)
        self._names = {video_id: name for video_id, name, _ in videos}
        self._lengths_s = {video_id: length_s for video_id, _, length_s in videos}
        self._request = request
        self._killed: set[str] = set()
        self._done_s = 0.0
        self._under_way: dict[StageProcess, tuple[str, float]] = {}  # video and seconds of it that are done

    def run(self, processes: Sequence[StageProcess]) -> None:
        """Return when every video is computed, lost or left over."""
        for process in processes:
            process.begin(self._request)
        busy = set(processes)
        while busy:
            for process in _readable(busy):
                try:
                    is_busy = self._serve(process)
                except Lost as problem:
                    process.close()
                    is_busy = self._goes_on_after(problem)
                    if is_busy:
                        process.begin(self._request)
                if not is_busy:
                    busy.discard(process)
                    self._under_way.pop(process, None)

    def _serve(self, process: StageProcess) -> bool:
        """Answer what a process says; return whether it goes on. Raise Lost if it does not."""
        for kind, *values in process.events(0):
            if kind == "next":
                self._finish(process)
                video_id = self._waiting.popleft() if self._waiting else None
                if video_id is not None:
                    self._under_way[process] = video_id, 0.0
                process.tell(video_id)
            elif kind == "video_advanced" and process in self._under_way:
                self._under_way[process] = self._under_way[process][0], float(values[0])
            elif kind in ("done", "failed"):  # what failed will fail where rows are gathered, and is told there
                return False
        self._show()
        return True

    def _goes_on_after(self, problem: Lost) -> bool:
        """Note why a process was lost; return whether it is worth starting anew."""
        video_id = problem.video_id
        if video_id is None:
            return False
        if problem.reason == FAULT and video_id not in self._killed:  # a kill from outside says nothing about it
            self._killed.add(video_id)
            self._waiting.append(video_id)
        elif problem.reason != OUT_OF_MEMORY:  # alone it may use all that is allowed
            self.lost[video_id] = problem.reason, str(problem)
        return bool(self._waiting)

    def _finish(self, process: StageProcess) -> None:
        if process in self._under_way:
            self._done_s += self._lengths_s[self._under_way.pop(process)[0]]

    def _show(self) -> None:
        under_way = self._under_way.values()
        done_s = self._done_s + sum(min(done_s, self._lengths_s[video_id]) for video_id, done_s in under_way)
        watcher().stage_advanced(done_s, ", ".join(self._names[video_id] for video_id, _ in under_way))


def _readable(processes: set[StageProcess]) -> list[StageProcess]:
    """Return the processes, after some of them have something to say or a moment has passed."""
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(process.fileno(), selectors.EVENT_READ)
        selector.select(POLL_S)
    return list(processes)
