"""`speakervid snapshots`: the published states of a lake.

Belongs here: arguments, help, printing. Does not belong here: publishing and reading them
(lake/snapshots/snapshots.py).
"""

from pathlib import Path

import click

from speakervid_dag.cli.options import format_option, lake_option


@click.command("snapshots")
@lake_option
@format_option
def list_snapshots(lake: Path | None, form: str) -> None:
    """List the published states of the lake, for `speakervid sql --as-of NUMBER|TIME`."""
    import polars as pl

    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.lake.snapshots import snapshots

    known = snapshots.snapshots(open_lake(load_settings(lake=lake).lake_dir))
    rows = [(s.number, s.at, s.profile, len(s.versions), ", ".join(s.held_back), s.run_id) for s in known]
    columns = ["snapshot", "at", "profile", "tables", "held_back", "run_id"]
    print_answer(pl.DataFrame(rows, schema=columns, orient="row"), form)
