"""A lake without models: batch b000001 is green; in b000002 the clips' times are milliseconds: its audit is red.

Run as a script, in a process of its own, because it replaces what the stages compute: `python canned_lake.py LAKE`.
"""

import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "assets"))

from canned import canned_run, plan

from speakervid_dag.assets import table_asset
from speakervid_dag.config.settings import load_settings
from speakervid_dag.runs import runner
from speakervid_dag.stages.stage import Stage

GREEN, RED = "b000001", "b000002"


def milliseconds(stage: Stage, rows: dict[str, pl.DataFrame]) -> None:
    """The planted defect."""
    if stage.batch == RED:
        rows["clips"] = rows["clips"].with_columns(pl.col("start_s", "end_s") * 1000)


def main(lake: Path) -> None:
    table_asset._run = canned_run(milliseconds)
    report = runner.run_plan(load_settings(lake=lake, isolate=False), plan(GREEN, RED))
    sys.stdout.write(f"done {report.done}, failed {report.failed}\n")
    sys.exit(0 if report.done == [GREEN] and list(report.failed) == [RED] else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
