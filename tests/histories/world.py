"""The process of a history: `python world.py`, lines of JSON on stdin, an answer to each on stdout.

Belongs here: doing each action in a process of its own, forked from one that has imported everything and used nothing
(threads do not survive a fork): a command of `speakervid`, or an action of the reduced lake; and looking at what is
shown then. Does not belong here: which actions, and what must hold (machine.py).

A line is a list of requests that are done at the same time, {home, lake, do, args, fault, number, looks, lives}; the
answer a list of {status, said, gave, seen}: the exit status (or minus the signal), what was printed, what `do` gave,
and what a reader sees then (asked in the same process, where that lived). Where one request `lives`, its process does
the next such requests of this home too, as a server would, until a fault ends it: most of what a process of its own
costs is its first time of everything.
"""

import contextlib
import hashlib
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "faults"), str(HERE.parent / "assets"), str(HERE.parent)]

import polars as pl  # noqa: E402
from histories import faults, power, reduced  # noqa: E402

from speakervid_dag.lake.queries import session  # noqa: E402
from speakervid_dag.lake.schemas import TABLES  # noqa: E402
from speakervid_dag.lake.snapshots import snapshots  # noqa: E402
from speakervid_dag.lake.storage.delta import DeltaLake  # noqa: E402

WHOLE = ("videos", "shots", "speech_turns", "face_tracks", "speaker_bindings", "clips", "clip_scores", "tiers")
PASSING = ("run_id", "at", "elapsed_s", "media_s", "model_s", "costs", "batch", "source_uri", "sources", "source_name")


@cache
def prepare_whole() -> Any:
    """Imports what commands need, and puts canned stages in place of the real ones; gives the module of these."""
    import great_expectations  # noqa: F401 - what every run imports
    import stages

    from speakervid_dag.cli import app as cli  # noqa: F401
    from speakervid_dag.definitions import defs
    from speakervid_dag.runs import runner  # noqa: F401

    for job in ("curate", "retier", "publish"):
        defs.resolve_job_def(job)
    stages.replace_stages()
    return stages


def weights(home: Path) -> None:
    prepare_whole().write_weights(home / "weights")


def nothing(_: Path) -> None:
    """For who only looks."""


def speakervid(_: Path, *arguments: str) -> None:
    """A command; it ends the process as the program would."""
    from speakervid_dag.cli import app as cli

    sys.argv = ["speakervid", *arguments]
    cli.main()


def look(home: Path, lake_dir: str) -> dict[str, Any]:
    """What a reader of the newest snapshot sees: rows by film in each table, the profiles they tell of, the funnel, and
    a digest of all rows of each film in each table."""
    lake = DeltaLake(lake_dir)
    shown = snapshots.latest(lake)
    if shown is None:
        return {"snapshot": 0, "counts": {}, "digests": {}, "shades": {}, "funnel": []}
    with session.open_session(lake, shown, read_only_user_sql=True, statistics=["funnel"]) as con:
        frames = {n: session.run_sql(con, f'FROM "{n}"') for n, t in TABLES.items() if "video_id" in t.schema}
        funnel = session.run_sql(con, "FROM funnel").to_dicts()
    usable = frames["videos"].filter(pl.col("status").is_in(["ok", "degraded"]))
    counts = {name: _counted(usable if name == "videos" else frames[name]) for name in WHOLE}
    shades = {
        table: dict(frames[table].group_by("batch").agg(pl.col(column).unique().sort()).iter_rows())
        for table, column in prepare_whole().SHADES.items()
    }
    data = {n: f for n, f in frames.items() if TABLES[n].layer != "system"}
    # percentiles that decide nothing depend on the whole lake
    data["clip_gates"] = data["clip_gates"].filter(pl.col("mode") == "enforce")
    digests = {name: _digests(frame) for name, frame in data.items()}
    return {"snapshot": shown.number, "counts": counts, "digests": digests, "shades": shades, "funnel": funnel}


def _counted(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.group_by("video_id").len().iter_rows())


def _digests(frame: pl.DataFrame) -> dict[str, str]:
    """video_id → digest of its rows, less what may differ between two histories."""
    kept = frame.select(name for name in frame.columns if name not in PASSING)
    found = {}
    for (video_id,), rows in kept.partition_by("video_id", as_dict=True).items():
        texts = sorted(repr(row) for row in rows.iter_rows())
        found[str(video_id)] = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    return found


ACTIONS: dict[str, Callable[..., Any]] = {"speakervid": speakervid, "reduced": reduced.act, "weights": weights}


LOOKS: dict[str, Callable[..., Any]] = {
    "speakervid": look,
    "reduced": lambda home, lake: reduced.act(home, "look", lake),
}


def main(request: dict[str, Any]) -> dict[str, Any]:
    """How the action ended, what it gave, and what a reader sees after it."""
    home, do = Path(request["home"]), request["do"]
    os.environ |= {
        "SPEAKERVID_WEIGHTS": str(home / "weights"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "SPEAKERVID_BATCH_SIZE": "2",
        "SPEAKERVID_PROFILE": str(home / "laptop.yaml"),
        "SPEAKERVID_LAKE": request["lake"],
        "COLUMNS": "200",
    }
    os.chdir(home)
    status, gave = 0, None
    with contextlib.ExitStack() as until_done:
        if request["fault"] == "power":
            until_done.enter_context(power.watched(home / "journal"))
        if request["fault"]:
            until_done.enter_context(faults.armed(request["fault"], request["number"]))
        try:
            gave = ACTIONS[do](home, *request["args"])
        except SystemExit as wanted:
            status = wanted.code if isinstance(wanted.code, int) else int(wanted.code is not None)
        except Exception:  # noqa: BLE001 - how it ended is the answer
            traceback.print_exc()
            status = 70
    return {"status": status, "gave": gave, "seen": LOOKS[do](home, request["lake"]) if request["looks"] else None}


class Worlds:
    """Forks the processes, and keeps the one that lives."""

    def __init__(self) -> None:
        self._living: tuple[str, int, int, int] | None = None  # home, process, where it is asked, where it answers

    def answers(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of a process each, that run at the same time."""
        if requests[0]["do"] != "reduced":
            prepare_whole()
        if len(requests) == 1 and requests[0]["lives"]:
            return [self._of_the_living(requests[0])]
        begun = [(begin(request, number, len(requests)), request, number) for number, request in enumerate(requests)]
        return [_answer(request, number, _ended(process)) for process, request, number in begun]

    def _of_the_living(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._living is not None and self._living[0] != request["home"]:
            self.end()
        _forget_answer(request, 0)
        _, process, asked, answered = self._living = self._living or self._born(request["home"])
        os.write(asked, (json.dumps(request) + "\n").encode())
        if os.read(answered, 1):
            return _answer(request, 0, 0)
        self._living = None
        os.close(asked)
        os.close(answered)
        return _answer(request, 0, _ended(process))

    def _born(self, home: str) -> tuple[str, int, int, int]:
        (reads, asked), (answered, writes) = os.pipe(), os.pipe()
        process = os.fork()
        if not process:
            os.close(asked)
            os.close(answered)
            with os.fdopen(reads) as lines, contextlib.suppress(BaseException):
                for line in lines:
                    do(json.loads(line), 0)
                    os.write(writes, b".")
            os._exit(71)
        os.close(reads)
        os.close(writes)
        return home, process, asked, answered

    def end(self) -> None:
        if self._living is not None:
            _, process, asked, answered = self._living
            os.close(asked)
            os.close(answered)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            self._living = None


def _ended(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _forget_answer(request: dict[str, Any], number: int) -> None:
    Path(request["home"], f"told{number}").unlink(missing_ok=True)


def _answer(request: dict[str, Any], number: int, status: int) -> dict[str, Any]:
    said, told = (Path(request["home"], f"{name}{number}") for name in ("said", "told"))
    answer = json.loads(told.read_text()) if told.exists() else {"status": status, "gave": None, "seen": None}
    for module in answer.pop("imported", []):  # the next processes have it from the start
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    return {**answer, "said": said.read_text(errors="replace")}


def begin(request: dict[str, Any], number: int, beside: int) -> int:
    """Forks the process that does it, one of `beside` at the same time; gives its id."""
    _forget_answer(request, number)
    process = os.fork()
    if process:
        return process
    try:
        if beside > 1:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
        do(request, number)
    finally:
        os._exit(71)


def do(request: dict[str, Any], number: int) -> None:
    """Does it in this process, whose output goes into a file, as its answer does."""
    try:
        out = os.open(Path(request["home"], f"said{number}"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.close(out)
        known = set(sys.modules)
        answer = main(request) | {"imported": sorted(set(sys.modules) - known)}
        Path(request["home"], f"told{number}").write_text(json.dumps(answer, default=str))
    except BaseException:  # nothing of an action may come back into the process it was forked from
        traceback.print_exc()
        raise
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()


def serve() -> None:
    channel = os.fdopen(os.dup(1), "w", buffering=1)
    usable = sorted(os.sched_getaffinity(0))  # on one core threads of polars and tokio cost a quarter less
    os.sched_setaffinity(0, {usable[int(sys.argv[1]) % len(usable)]})
    worlds = Worlds()
    for line in sys.stdin:
        channel.write(json.dumps(worlds.answers(json.loads(line))) + "\n")
    worlds.end()


if __name__ == "__main__":
    serve()
