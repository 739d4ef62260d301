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
from typing import Any

import polars as pl

from speakervid_dag.failures import FAULT, OperationError
from speakervid_dag.stages.crew import compute_ahead
from speakervid_dag.stages.process import POLL_S, Limits, Lost, StageProcess, process_of, request_of
from speakervid_dag.stages.progress import watcher
from speakervid_dag.stages.stage import Stage
from speakervid_dag.stages.worker import read_frames, write_frames

KILLS_FORGIVEN = 1  # per video
RELAYED = ("stage_started", "video_started", "video_advanced", "video_done", "stage_done")


def compute_apart(stage: Stage, module: str, limits: Limits) -> Mapping[str, pl.DataFrame]:
    """Run the recipe of the stage's name in `module`; return its frames and fill in `stage.outcomes`.

    With several workers (`Settings.worker_count`) videos are computed at once before (crew.py); what is left, and what
    belongs to no single video, is done by one process.

    Raises:
        OperationError: the stage failed as a whole, or the process died between videos.
    """
    folder = stage.exchange
    shutil.rmtree(folder, ignore_errors=True)
    write_frames(folder / "in", dict(stage.inputs))
    stage.upstream.write_ipc(folder / "upstream.arrow")
    lost: dict[str, tuple[str, str]] = {}
    kills: dict[str, int] = {}
    began = time.monotonic()
    is_shared = compute_ahead(stage, module, limits, lost)
    while True:
        try:
            _relay(process_of(limits), request_of(stage, module, lost, limits), stage, is_shown=not is_shared)
            break
        except Lost as problem:
            if problem.video_id is None:
                raise OperationError(f"{stage.name}: the working process was lost: {problem.detail}") from problem
            stage.log(f"{problem.video_id}: {problem.reason}: {problem.detail}")
            kills[problem.video_id] = kills.get(problem.video_id, 0) + 1
            if problem.reason != FAULT or kills[problem.video_id] > KILLS_FORGIVEN:
                lost[problem.video_id] = (problem.reason, problem.detail)
    if is_shared:
        watcher().stage_done(time.monotonic() - began)
    stage.outcomes = json.loads((folder / "outcomes.json").read_text())
    return read_frames(folder / "out")


def _relay(process: StageProcess, request: Mapping[str, Any], stage: Stage, *, is_shown: bool) -> None:
    """Send a request and relay events until the stage is done.

    Raises:
        Lost: the process died, or exceeded its memory or time limit and was ended.
        OperationError: the stage failed as a whole.
    """
    try:
        process.begin(request)
        while True:
            for kind, *values in process.events(POLL_S):
                if kind in RELAYED and is_shown:
                    getattr(watcher(), kind)(*values)
                elif kind == "log":
                    stage.log(values[0])
                elif kind == "failed":
                    raise OperationError(f"{stage.name}: {values[1]} ({values[0]})")
                elif kind == "done":
                    return
    except (Lost, KeyboardInterrupt):
        process.close()
        raise
