"""Supervision of the process that runs stages: a crash, a hang or a flood costs one video's row and nothing else.

Belongs here: a stage from its inputs to its rows, and what becomes of a video whose process died. Does not belong here:
one process and its limits (process.py), several at once (crew.py), what a stage computes.

The video being processed when the worker died is not retried: the same input would crash it again. It is recorded as
`process_crashed`, `out_of_memory` or `timed_out`, and the stage continues with the next video. Videos finished before
are in checkpoints. Only after a kill from outside is a video retried, once: such a kill says nothing about the video.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from speakervid_dag.failures import FAULT, OperationError
from speakervid_dag.stages.crew import compute_ahead
from speakervid_dag.stages.process import POLL_S, Limits, Lost, StageProcess, process_of, request_of
from speakervid_dag.stages.progress import watcher
from speakervid_dag.stages.stage import Stage, read_frame
from speakervid_dag.stages.worker import ALONE, LEADER, read_frames, write_frames

KILLS_FORGIVEN = 1  # per video
RELAYED = ("stage_started", "video_started", "video_advanced", "video_done", "stage_done")


def compute_apart(stage: Stage, module: str, limits: Limits) -> Mapping[str, pl.DataFrame]:
    """Run the recipe of the stage's name in `module`; return its frames and fill in `stage.outcomes`.

    With several workers (`Settings.worker_count`) the process waits where it knows the videos, and they are computed at
    once (crew.py); what is left, and what belongs to no single video, it does itself.

    Raises:
        OperationError: the stage failed as a whole, or the process died between videos.
    """
    folder = stage.exchange
    shutil.rmtree(folder, ignore_errors=True)
    write_frames(folder / "in", dict(stage.inputs))
    stage.upstream.write_ipc(folder / "upstream.arrow")
    lost: dict[str, tuple[str, str]] = {}
    kills: dict[str, int] = {}
    crew = _Crew(stage, module, limits, lost)
    role = LEADER if stage.settings.worker_count > 1 else ALONE
    while True:
        try:
            _relay(process_of(limits), request_of(stage, module, lost, limits, role), stage, crew)
            break
        except Lost as problem:
            if problem.video_id is None:
                raise OperationError(f"{stage.name}: the working process was lost: {problem.detail}") from problem
            stage.log(f"{problem.video_id}: {problem.reason}: {problem.detail}")
            kills[problem.video_id] = kills.get(problem.video_id, 0) + 1
            if problem.reason != FAULT or kills[problem.video_id] > KILLS_FORGIVEN:
                lost[problem.video_id] = (problem.reason, problem.detail)
    crew.end()
    stage.outcomes = json.loads((folder / "outcomes.json").read_text())
    return read_frames(folder / "out")


@dataclass
class _Crew:
    """Several processes that compute the videos of a stage, once, when its videos are known."""

    stage: Stage
    module: str
    limits: Limits
    lost: dict[str, tuple[str, str]]
    has_worked: bool = False  # it told the progress, which is not told again
    _was_asked: bool = False
    _began: float = field(default_factory=time.monotonic)

    def work(self) -> None:
        """Compute the videos, if it was not asked before."""
        if not self._was_asked:
            self._was_asked = True
            videos = read_frame(self.stage.exchange / "in" / "videos.arrow")
            known = replace(self.stage, inputs={**self.stage.inputs, "videos": videos})
            self.has_worked = compute_ahead(known, self.module, self.limits, self.lost)

    def end(self) -> None:
        if self.has_worked:
            watcher().stage_done(time.monotonic() - self._began)


def _relay(process: StageProcess, request: Mapping[str, Any], stage: Stage, crew: _Crew) -> None:
    """Send a request and relay events until the stage is done.

    Raises:
        Lost: the process died, or exceeded its memory or time limit and was ended.
        OperationError: the stage failed as a whole.
    """
    try:
        process.begin(request)
        while True:
            for kind, *values in process.events(POLL_S):
                if kind in RELAYED and not crew.has_worked:
                    getattr(watcher(), kind)(*values)
                elif kind == "share":
                    crew.work()
                    process.tell(crew.lost)
                elif kind == "log":
                    stage.log(values[0])
                elif kind == "failed":
                    raise OperationError(f"{stage.name}: {values[1]} ({values[0]})")
                elif kind == "done":
                    return
    except (Lost, KeyboardInterrupt):
        process.close()
        raise
