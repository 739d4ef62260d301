"""A stage whose work does to its own process what the video's name says."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from exchanged import EXCHANGED, exact, known_rows

from speakervid_dag.assets.recipes import makes
from speakervid_dag.failures import PermanentFailure, TransientFailure, WeightsUnusable
from speakervid_dag.lake.schemas import SHOTS
from speakervid_dag.stages.stage import Rows, Stage, VideoTask


@makes(SHOTS)
def troubled(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """One shot a video; each call of a video's work leaves a line in the lake's `tries`."""

    def work(video: VideoTask) -> Mapping[str, Rows]:
        name = str(video.row["source_name"])
        with (stage.settings.lake_dir / "tries").open("a") as file:
            file.write(f"{name} {os.getpid()}\n")
        trouble(name, stage.settings.lake_dir)
        return {"shots": [{"shot_id": f"{video.video_id}-s0", "shot_index": 0, "start_s": 0.0, "end_s": 1.0}]}

    return stage.each_video([SHOTS], work)


@makes(SHOTS)
def finding(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """As `troubled`, of videos that it finds itself, as the intake does."""
    if stage.claim is None:
        stage.inputs = {"videos": pl.read_ipc(stage.settings.lake_dir / "listed.arrow")}
    return troubled.compute(stage)


@makes(SHOTS)
def together(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """One shot of all videos."""
    with (stage.settings.lake_dir / "tries").open("a") as file:
        file.write(f"all {os.getpid()}\n")
    first = next(iter(stage.videos())).video_id
    ids = {"batch": stage.batch, "video_id": first, "shot_id": f"{first}-s0"}
    return {"shots": SHOTS.frame([{**ids, "shot_index": 0, "start_s": 0.0, "end_s": 1.0}])}


@makes(EXCHANGED)
def handed_over(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """The known rows for each video but `nothing`; none where what came in is not exact."""
    known = known_rows()

    def work(video: VideoTask) -> Mapping[str, Rows]:
        name = str(video.row["source_name"])
        with (stage.settings.lake_dir / "tries").open("a") as file:
            file.write(f"{name} {os.getpid()}\n")
        if (exact(stage["known"]), exact(stage["empty"])) != (exact(known), exact(known.clear())):
            raise PermanentFailure("inexact", "the rows that came in are not the known ones")
        return {"exchanged": known.clear() if name == "nothing" else known}

    return stage.each_video([EXCHANGED], work)


def trouble(name: str, lake: Path) -> None:
    if name.startswith("together"):  # ends once two processes are at work
        while len({line.split()[-1] for line in (lake / "tries").read_text().splitlines()}) < 2:
            time.sleep(0.02)
    elif name == "segfault":
        ctypes.string_at(0)
    elif name == "abort":
        os.abort()
    elif name == "exit":
        os._exit(7)
    elif name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "killed once" and not (lake / "killed").exists():
        (lake / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "memory":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1 << 20) * 16))
    elif name == "much memory":
        held = bytearray(os.urandom(1 << 20) * 400)
        time.sleep(1.5)
        del held
    elif name == "memory at once":
        bytearray(16 << 30)
    elif name == "hang":
        time.sleep(600)
    elif name == "spin":
        resource.setrlimit(resource.RLIMIT_CPU, (1 + int(sum(os.times()[:2])), resource.RLIM_INFINITY))
        while True:
            pass
    elif name == "flood":
        for _ in range(200):
            sys.stdout.write("x" * (1 << 20))
            os.write(2, b"y" * (1 << 20))
    elif name == "long words":
        raise ZeroDivisionError("ü" * (4 << 20))
    elif name == "file":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        (lake / "runaway").write_bytes(bytes(2 << 20))
    elif name == "orphan":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        os.abort()
    elif name == "exception":
        raise ZeroDivisionError("of ours")
    elif name == "damaged weights":
        raise WeightsUnusable("weights 'x' are refused: run `speakervid models pull x`")
    elif name == "permanent":
        raise PermanentFailure("no_good", "it will never do")
    elif name == "transient":
        raise TransientFailure("busy", "come back later")
    elif name == "transient once" and not (lake / "busy").exists():
        (lake / "busy").touch()
        raise TransientFailure("busy", "come back later")


@makes(SHOTS)
def hopeless(stage: Stage) -> Mapping[str, pl.DataFrame]:
    raise ZeroDivisionError(stage.name)
