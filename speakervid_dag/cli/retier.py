"""`speakervid retier`: new decisions from stored scores.

Belongs here: arguments, help, printing. Does not belong here: the run (runs/retier.py).
"""

import sys
from pathlib import Path

import click

from speakervid_dag.cli.options import lake_option, profile_option


@click.command()
@lake_option
@profile_option
@click.option("--batch", "batches", multiple=True, metavar="B", help="Only this batch (repeat for adjacent ones).")
def retier(lake: Path | None, profile: str | None, batches: tuple[str, ...]) -> None:
    """Apply gates, tiers and branches again to the stored scores; no model runs.

    All batches form one run: either all of it is published, or nothing. Percentile gates depend on the whole lake and
    are recomputed. Prints each tier's share before and after. Exit status: 0, or 1 if an audit refused the run.
    """
    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.cli.report import write_after_run
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.formats import quantity
    from speakervid_dag.runs import retier as work

    settings = load_settings(lake=lake, profile=profile)
    load_profile(settings.profile)
    done = work.retier(settings, batches, say)
    for batch, why in done.left_out.items():
        say(f"batch {batch} is skipped: {why}")
    if done.failure is not None:
        say(f"Nothing was published: {done.failure}")
        sys.exit(1)
    print_frame(done.shares, title=f"Tiers of {done.profile}, {quantity(len(done.batches), 'batch', 'batches')}")
    say(f"Published as snapshot {done.snapshot}.")
    write_after_run(settings)
