"""`speakervid batches`: the status of each batch.

Belongs here: arguments, help, printing. Does not belong here: determining it (assets/batch_status.py).
"""

import sys
from pathlib import Path

import click

from speakervid_dag.cli.options import format_option, lake_option, profile_option
from speakervid_dag.failures import UserError


@click.command()
@lake_option
@profile_option
@format_option
def batches(lake: Path | None, profile: str | None, form: str) -> None:
    """List the status of each batch: finished, unfinished, refused by an audit, or failed with an internal error.

    Exit status: 0 if all are finished, else 1. The Dagster UI shows the same as a check of `lake_snapshot`.
    """
    from speakervid_dag.assets.batch_status import batch_status
    from speakervid_dag.assets.resources import Lakehouse
    from speakervid_dag.cli.output import print_answer
    from speakervid_dag.cli.run import say_strangers
    from speakervid_dag.config.profile_files import is_file_name
    from speakervid_dag.config.profiles import load_profile
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.definitions import defs  # noqa: F401 - it fills the registry of recipes
    from speakervid_dag.lake.batches import BatchBook
    from speakervid_dag.lake.queries.published import open_lake

    settings = load_settings(lake=lake, profile=profile)
    try:
        load_profile(settings.profile)
    except UserError as problem:
        if is_file_name(settings.profile):
            raise
        raise UserError(
            f"{problem}; a profile of your own is given by its file here: what is stale depends on it"
        ) from None
    open_lake(settings.lake_dir)
    say_strangers(BatchBook(settings.lake_dir))
    found = batch_status(Lakehouse(lake_dir=str(settings.lake_dir), profile_name=settings.profile))
    print_answer(found, form)
    sys.exit(0 if (found["state"] == "finished").all() else 1)
