"""`speakervid quarantine`: batches that an audit refused, why, and how to retry them.

Belongs here: arguments, help, printing. Does not belong here: the quarantine itself (lake/upkeep/quarantine.py),
running (runner.py).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.options import format_option, lake_option, profile_option

if TYPE_CHECKING:
    import polars as pl

    from speakervid_dag.lake.storage.delta import DeltaLake

SHOWN_COLUMNS = 8  # of a refused row: the key, then the table's first columns; the findings name the wrong value


@click.group()
def quarantine() -> None:
    """Inspect and retry batches that an audit refused.

    A refused batch is not committed: readers keep seeing its previous version, and nothing is computed from it until a
    later run passes the audit.
    """


@quarantine.command("list")
@lake_option
@format_option
def list_refusals(lake: Path | None, form: str) -> None:
    """List every open refusal: table, batch, expectation, number of failing rows, time."""
    import polars as pl

    from speakervid_dag.cli.console import say
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.lake.schemas import QUARANTINE

    found = open_lake(load_settings(lake=lake).lake_dir).read(QUARANTINE, where=pl.col("is_open"))
    keys = ["table", "batch", "expectation", "severity"]
    counted = found.group_by(keys).agg(failing=pl.len(), at=pl.col("at").max(), observed=pl.col("observed").first())
    if counted.is_empty() and form == "table":
        say("Nothing is refused: every batch was committed.")
        return
    print_answer(counted.sort("at", "table", "batch", "expectation", descending=[True, False, False, False]), form)


@quarantine.command("show")
@click.argument("what", metavar="TABLE/BATCH")
@lake_option
@click.option("--rows", default=10, show_default=True, type=click.IntRange(min=0), help="Failing rows to show.")
def show_refusal(what: str, lake: Path | None, rows: int) -> None:
    """Show why a batch of a table was refused, and a sample of the failing rows with their keys."""
    import polars as pl

    from speakervid_dag.cli.console import print_frame
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.lake.upkeep import quarantine as store

    opened = open_lake(load_settings(lake=lake).lake_dir)
    found = store.show(opened, what)
    newest = found.filter(pl.col("run_id") == found["run_id"][0])
    shown = newest.group_by("expectation", "severity", maintain_order=True).agg(
        failing=pl.len(),
        keys=pl.col("key").drop_nulls().unique(maintain_order=True).head(3).str.join(", "),
        observed=pl.col("observed").first(),
    )
    state = "open" if newest["is_open"].any() else "closed"
    print_frame(shown, title=f"{what}: {state}, run {newest['run_id'][0]}, {newest['at'][0]:%Y-%m-%d %H:%M} UTC")
    if rows:
        _print_rows(opened, newest, rows)


@quarantine.command("retry")
@click.argument("batch")
@lake_option
@profile_option
def retry(batch: str, lake: Path | None, profile: str | None) -> None:
    """Run a batch's refused stages again, and every stage that depends on them.

    Exit status: 0 if the batch is committed and published, 1 if it was refused again.
    """
    from speakervid_dag.cli.console import say
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.runs import runner

    settings = load_settings(lake=lake, profile=profile)
    open_lake(settings.lake_dir)
    report = runner.run_batches(settings, [batch], say)
    for name, why in report.failed.items():
        say(f"batch {name} failed: {why}")
    if report.done:
        say(f"Batch {batch} is committed and published.")
    elif report.did_nothing:
        say(f"Nothing to do: batch {batch} is up to date.")
    sys.exit(int(bool(report.failed)))


def _print_rows(lake: "DeltaLake", findings: "pl.DataFrame", count: int) -> None:
    """Print the refused rows that the findings name, flat columns only. The frame may have any columns."""
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.lake.schemas import TABLES
    from speakervid_dag.lake.upkeep import quarantine as store

    table, batch, run_id = findings.select("table", "batch", "run_id").row(0)
    key = list(TABLES[table].key)
    try:
        frame = store.refused_frame(lake, TABLES[table], batch, run_id)
    except FileNotFoundError:
        say("No refused rows are kept: this is a warning, concerns another table, or the rows were removed since.")
        return
    named = findings["key"].drop_nulls().unique().to_list()
    if set(key) <= set(frame.columns):
        frame = frame.filter(pl.concat_str([pl.col(k).cast(pl.String) for k in key], separator="/").is_in(named))
    flat = [n for n, t in frame.schema.items() if not t.is_nested()]
    shown = [*(n for n in key if n in flat), *(n for n in flat if n not in key and not frame[n].is_null().all())]
    if frame.height:
        print_frame(frame.select(shown[:SHOWN_COLUMNS]).head(count), title="Refused rows")
    say(f"The whole refused frame: {store.frame_uri(lake, TABLES[table], batch, run_id)}")
