"""Fills a lake without models: real jobs, audits and commits, but each stage hands back rows written by hand.

Run as a script, in a process of its own, because it replaces what the stages compute:
`python canned_lake.py LAKE`. Batch b000001 is green; in b000002 the clips' times are milliseconds, so that its audit is red.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mini_lake import SHAS, mini_lake

from speakervid_dag import runner
from speakervid_dag.assets import table_asset
from speakervid_dag.config.settings import load_settings
from speakervid_dag.lake.batches import Plan, SourceFile
from speakervid_dag.stage import Stage

GREEN, RED = "b000001", "b000002"


def canned(stage: Stage) -> Mapping[str, pl.DataFrame]:
    """The stage's tables as mini_lake has them, and its outcome for each video."""
    rows = {name: made.with_columns(batch=pl.lit(stage.batch)) for name, made in mini_lake().items() if "batch" in made}
    if stage.batch == RED:
        rows["clips"] = rows["clips"].with_columns(pl.col("start_s", "end_s") * 1000)
    told = rows["stage_outcomes"].filter(pl.col("stage") == stage.name)
    stage.outcomes = told.with_columns(run_id=pl.lit(stage.run_id)).select(told.columns).to_dicts()
    return rows


def main(lake: Path) -> None:
    real = table_asset._run

    def run(context: Any, factory: Any, recipe: Any, compute: Any) -> Iterator[Any]:
        yield from real(context, factory, recipe, canned)

    table_asset._run = run
    files = [SourceFile((f"/nowhere/{sha[:4]}.mp4",), 20_000, 0, sha) for sha in SHAS]
    report = runner.run_plan(load_settings(lake=lake), Plan({GREEN: files, RED: files}))
    sys.stdout.write(f"done {report.done}, failed {report.failed}\n")
    sys.exit(0 if report.done == [GREEN] and list(report.failed) == [RED] else 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
