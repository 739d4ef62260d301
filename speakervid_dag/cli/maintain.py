"""`speakervid maintain`: merges small files and removes what no snapshot shows; without --apply it says what would go.

Belongs here: arguments, help, printing. Does not belong here: the work (lake/upkeep/maintenance.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.deletions import new_run_id, refuse_while_running
from speakervid_dag.cli.options import lake_option

if TYPE_CHECKING:
    from speakervid_dag.lake.upkeep.maintenance import UpkeepPlan


@click.command()
@lake_option
@click.option(
    "--keep-days", default=30, show_default=True, type=click.IntRange(min=1), help="Keep everything younger than this."
)
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without it, only report what would be done.")
@click.option(
    "--drop-lost", is_flag=True, help="With --apply: drop rows whose file is lost and that no run can recompute."
)
def maintain(lake: Path | None, keep_days: int, is_applied: bool, drop_lost: bool) -> None:
    """Merge small files, drop old snapshots, remove files that no snapshot uses.

    Without --apply nothing is changed. Files of snapshots of the last --keep-days days, and of the newest snapshot, are
    never removed.
    """
    from datetime import timedelta

    from speakervid_dag.cli.console import say
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.failures import UserError
    from speakervid_dag.formats import quantity
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.lake.upkeep import maintenance

    if drop_lost and not is_applied:
        raise UserError("--drop-lost needs --apply")
    settings = load_settings(lake=lake)
    opened, keep = open_lake(settings.lake_dir), timedelta(days=keep_days)
    if is_applied:
        refuse_while_running(settings, "maintain --apply")
        run_id = new_run_id("maintain")
        for table, rows in maintenance.drop_lost(opened, run_id).items() if drop_lost else ():
            say(f"Lost with their file: {quantity(rows, 'row')} of {table}.")
        done = maintenance.apply_upkeep(opened, settings.lake_dir, keep=keep, run_id=run_id)
    else:
        done = maintenance.plan_upkeep(opened, settings.lake_dir, keep=keep)
    _print_upkeep(done, settings.lake_dir, is_applied)


def _print_upkeep(plan: "UpkeepPlan", lake_dir: Path, is_applied: bool) -> None:
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.formats import quantity

    rows = [
        (t.name, t.files, t.mergeable_files, len(t.superseded), t.superseded_bytes / 2**20, "busy" if t.is_busy else "")
        for t in plan.tables
        if t.mergeable_files or t.superseded or t.is_busy
    ]
    names = ["table", "files", "to merge", "to remove", "MB", "note"]
    if is_applied:
        names = ["table", "files", "merged", "removed", "MB", "note"]
    if rows:
        print_frame(pl.DataFrame(rows, schema=names, orient="row"), title=quantity(len(plan.tables), "table"))
    for snapshot in plan.snapshots:
        told = "dropped" if is_applied else "would be dropped"
        say(f"Snapshot {snapshot.number} of {snapshot.at:%Y-%m-%d %H:%M} {told}.")
    for path in plan.loose:
        say(f"{'Removed' if is_applied else 'Unused:'} {path.relative_to(lake_dir)}")
    if plan.copies:
        told = "written" if is_applied else "would be written"
        count = quantity(len(plan.copies), "readers' copy", "readers' copies")
        say(f"{count} of small files {told}: queries over them open fewer files.")
    if not (rows or plan.snapshots or plan.loose or plan.copies):
        say("Nothing to do.")
    elif not is_applied:
        say("Nothing was changed: add --apply to do it.")
