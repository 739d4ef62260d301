"""Runs of the canned graph that meet one fault at one point each: `python faulty.py`, requests on stdin.

Belongs here: the points at which something is written, and the faults that can meet a writer there. Does not belong
here: what must hold afterwards (test_fault_matrix.py). FAULT is `kill`, an errno's name, or `clock` for a clock that
goes backwards.

A request is a line of JSON, [lake, batch, point, fault, file for stderr]; the answer is how the run ended, as
subprocess tells it. Each run is a process of its own, forked from one that has imported everything: imports cost as
much as a run.
"""

import json
import os
import pathlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "assets"), str(HERE.parent)]

import canned  # noqa: E402
import deltalake  # noqa: E402
import pytest  # noqa: E402
from histories.faults import strike, turn_back_the_clock  # noqa: E402

from speakervid_dag.assets import gold_asset, table_asset  # noqa: E402
from speakervid_dag.config.settings import load_settings  # noqa: E402
from speakervid_dag.lake.storage.delta import DeltaLake  # noqa: E402
from speakervid_dag.runs import runner  # noqa: E402

Call = Callable[..., Any]


def to_table(name: str) -> Callable[..., bool]:
    return lambda target, *_, **__: f"/tables/{name}" in str(getattr(target, "table_uri", target)).rstrip("/") + "/"


def to_file(part: str) -> Callable[..., bool]:
    return lambda _, target, *__: part in str(target)


def of_table(name: str) -> Callable[..., bool]:
    return lambda _, table, *__, **___: bool(table.name == name)


# point → (where the function lies, its name, whether the fault comes after it, which call)
LANDED = "silver table, its commit landed but says nothing"
POINTS: dict[str, tuple[Any, str, bool, Callable[..., bool]]] = {
    "manifest written, not renamed": (pathlib.Path, "replace", False, to_file("batches/b000002")),
    "manifest renamed": (pathlib.Path, "replace", True, to_file("batches/b000002")),
    "first table, before its commit": (DeltaLake, "commit", False, of_table("videos")),
    "silver table, before its commit": (DeltaLake, "commit", False, of_table("clips")),
    "silver table, after its commit": (DeltaLake, "commit", True, of_table("clips")),
    LANDED: (deltalake.DeltaTable, "create_write_transaction", True, to_table("clips")),
    "silver table, before its event": (table_asset, "audit_and_commit", True, of_table("clips")),
    "outcomes, before their commit": (DeltaLake, "commit", False, of_table("stage_outcomes")),
    "gold table, staged, before its commit": (DeltaLake, "commit", False, of_table("tiers")),
    "gold table, after its commit": (DeltaLake, "commit", True, of_table("tiers")),
    "gold table, before its event": (gold_asset, "audit_and_commit_chunks", True, of_table("tiers")),
    "snapshot, before its commit": (DeltaLake, "commit", False, of_table("snapshots")),
    "snapshot, after its commit": (DeltaLake, "commit", True, of_table("snapshots")),
    "analysts' file written, not renamed": (pathlib.Path, "replace", False, to_file("lake.duckdb")),
    "analysts' file renamed": (pathlib.Path, "replace", True, to_file("lake.duckdb")),
}
LATE = tuple(POINTS)[list(POINTS).index("gold table, staged, before its commit") :]  # behind all silver
ERRORS = ("ENOSPC", "EIO", "EMFILE", "EROFS")


def plant(point: str, fault: str) -> None:
    """From here on the first call at the point meets the fault; later ones do not."""
    owner, name, is_after, concerns = POINTS[point]
    real: Call = getattr(owner, name)
    struck = []

    def trapped(*args: Any, **options: Any) -> Any:
        is_first = not struck and concerns(*args, **options)
        if is_first and not is_after:
            struck.append(1)
            strike(fault)
        result = real(*args, **options)
        if is_first and is_after:
            struck.append(1)
            strike(fault)
        return result

    setattr(owner, name, trapped)


def main(lake: Path, batch: str, point: str, fault: str) -> int:
    canned.replace_stages()
    if fault == "clock":
        turn_back_the_clock(pytest.MonkeyPatch())
    elif fault != "none":
        plant(point, fault)
    report = runner.run_plan(load_settings(lake=lake, isolate=False), canned.plan(batch))
    for batch, why in report.failed.items():
        sys.stderr.write(f"batch {batch} failed: {why}\n")
    return len(report.failed)


def forked(lake: str, batch: str, point: str, fault: str, stderr: str) -> int:
    """How a process of its own ended that ran `main`: its status, or minus the signal that ended it."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    status = 1
    try:
        told = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(told, 1)  # ours is for answers
        os.dup2(told, 2)
        status = main(Path(lake), batch, point, fault)
    except BaseException:  # noqa: BLE001 - nothing of a run may come back into the process it was forked from
        traceback.print_exc()
    finally:
        os._exit(status)


def serve() -> None:
    import great_expectations  # noqa: F401 - what every run imports

    from speakervid_dag.definitions import defs

    defs.resolve_job_def("curate")
    for line in sys.stdin:
        sys.stdout.write(f"{forked(*json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
