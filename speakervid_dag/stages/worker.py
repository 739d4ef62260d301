"""The process that computes stages: `python -m speakervid_dag.stages.worker`, requests on stdin, events on stdout.

Belongs here: serving requests one by one, each a stage over one batch; the process's limits. Does not belong here: what
stages compute (assets/), handling of a process that dies (stages/supervisor.py).

Each input line is a JSON request. Output lines are JSON events: the calls of a progress.Watcher, `began` with the
video's id, `log`, and finally `done` or `failed`. Rows are passed as Arrow files in the request's folder. The process
stays alive between requests, so that models are loaded once.
"""

import importlib
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from speakervid_dag.config.profiles import Profile
from speakervid_dag.config.settings import Settings
from speakervid_dag.processes.limits import confine
from speakervid_dag.stages import progress
from speakervid_dag.stages.stage import AllClaimed, LostVideos, Stage, read_frame

FILE_BYTES = 8 * 1024**3  # per written file; checkpoints of a video are megabytes
ALONE, LEADER, MEMBER = "alone", "leader", "member"  # what a process is in the work on one stage
TOLD_CHARS = 1 << 16  # of a text in an event; an error's text may be as long as the data that caused it


class Events:
    """Stdout as a stream of events, and the process's watcher."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def tell(self, event: str, *values: object) -> None:
        told = [value[:TOLD_CHARS] if isinstance(value, str) else value for value in values]
        self._stream.write(json.dumps([event, *told]) + "\n")
        self._stream.flush()

    def stage_started(self, stage: str, batch: str, videos: int, media_s: float) -> None:
        self.tell("stage_started", stage, batch, videos, media_s)

    def video_started(self, name: str, media_s: float) -> None:
        self.tell("video_started", name, media_s)

    def video_advanced(self, done_s: float) -> None:
        self.tell("video_advanced", done_s)

    def video_done(self, status: str, reason: str | None) -> None:
        self.tell("video_done", status, reason)

    def stage_advanced(self, done_s: float, videos: str) -> None:
        self.tell("stage_advanced", done_s, videos)

    def stage_done(self, elapsed_s: float) -> None:
        self.tell("stage_done", elapsed_s)


def write_frames(folder: Path, frames: "dict[str, pl.DataFrame]") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.write_ipc(folder / f"{name}.arrow")


def read_frames(folder: Path) -> dict[str, pl.DataFrame]:
    return {path.stem: read_frame(path) for path in sorted(folder.glob("*.arrow"))}


def compute(request: dict[str, Any], events: Events) -> None:
    """Run the stage; write its frames to `out/` and its outcomes to `outcomes.json` in the request's folder.

    One of several processes on the videos of a stage (MEMBER) writes checkpoints only; the one that gathers the rows
    (LEADER) waits for them when it knows the videos.
    """
    recipe = getattr(importlib.import_module(request["module"]), request["stage"])
    folder = Path(request["folder"])
    stage = Stage(
        name=request["stage"],
        batch=request["batch"],
        run_id=request["run_id"],
        data_version=request["data_version"],
        settings=Settings.model_validate(request["settings"]),
        profile=Profile.model_validate(request["profile"]),
        inputs=read_frames(folder / "in"),
        upstream=read_frame(folder / "upstream.arrow"),
        log=lambda text: events.tell("log", text),
        lost=_lost(request["lost"]),
        began=_announcer(events, request["cpu_base_s"], request["cpu_s_per_media_s"]),
        claim=_claimer(events) if request["role"] == MEMBER else None,
        share=_sharer(events, folder) if request["role"] == LEADER else None,
    )
    try:
        made = dict(recipe.compute(stage))
    except AllClaimed:
        return
    write_frames(folder / "out", made)
    (folder / "outcomes.json").write_text(json.dumps(stage.outcomes))


def _lost(told: dict[str, list[str]]) -> LostVideos:
    return {video: (reason, detail) for video, (reason, detail) in told.items()}


def _sharer(events: Events, folder: Path) -> Callable[[pl.DataFrame], LostVideos]:
    """Return a function that hands the videos to the parent and waits until it has had them computed."""

    def share(videos: pl.DataFrame) -> LostVideos:
        write_frames(folder / "in", {"videos": videos})
        events.tell("share")
        return _lost(json.loads(sys.stdin.readline()))

    return share


def _claimer(events: Events) -> Callable[[], str | None]:
    """Return a function that asks the parent for the next video; None: there is none left."""

    def claim() -> str | None:
        events.tell("next")
        video_id: str | None = json.loads(sys.stdin.readline())
        return video_id

    return claim


def _announcer(events: Events, base_s: float, per_media_s: float) -> Callable[[str, float], None]:
    """Return a callback that announces each video and sets its CPU limit; SIGXCPU ends a process that exceeds it."""

    def began(video_id: str, media_s: float) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + base_s + per_media_s * media_s) + 1, hard)
        )
        events.tell("began", video_id, media_s)

    return began


def main() -> int:
    events = Events(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries is not an event
    limits = json.loads(sys.argv[1])
    memory, everything = limits["memory_bytes"], resource.RLIM_INFINITY
    bounds = {resource.RLIMIT_DATA: (memory, memory), resource.RLIMIT_FSIZE: (FILE_BYTES, FILE_BYTES)}
    confine(limits["parent_pid"], {**bounds, resource.RLIMIT_CPU: (everything, everything)})
    progress.watch_with(events)
    for line in sys.stdin:
        try:
            compute(json.loads(line), events)
        except Exception as problem:  # noqa: BLE001 - reported to the parent, which raises it
            events.tell("log", traceback.format_exc())
            events.tell("failed", type(problem).__name__, str(problem))
        else:
            events.tell("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
