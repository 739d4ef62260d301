"""`speakervid forget`: removes a video everywhere; without --apply it says what would go.

Belongs here: arguments, help, printing. Does not belong here: the work (lake/upkeep/takedown.py).
"""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from speakervid_dag.cli.deletions import new_run_id, refuse_while_running
from speakervid_dag.cli.options import lake_option

if TYPE_CHECKING:
    from speakervid_dag.lake.upkeep.takedown import TakedownPlan


@click.command()
@click.argument("what", metavar="VIDEO_ID|SOURCE")
@lake_option
@click.option("--reason", default="on request", show_default=True, help="Stored with the takedown.")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without it, only report what would be removed.")
@click.option("--purge", is_flag=True, help="With --apply: also remove older versions of all tables now.")
def forget(what: str, lake: Path | None, reason: str, is_applied: bool, purge: bool) -> None:
    """Remove a video and everything derived from it from every table and artifact, and refuse its content from then on.

    SOURCE is the path it was ingested from, or its file name. Without --apply nothing is changed. The removal is
    published and recorded in the table `takedowns`. Older snapshots still show the video until `speakervid maintain`
    drops them; --purge drops them at once, for every table. A batch that is shown at an older version because a run did
    not end is then reset to that version, and the next run recomputes it. Delete the source file yourself. Releases
    that contain the video are listed here and marked in `speakervid releases list`: withdraw them yourself.
    """
    from speakervid_dag.cli.console import say
    from speakervid_dag.cli.report import write_after_run
    from speakervid_dag.config.settings import load_settings
    from speakervid_dag.failures import UserError
    from speakervid_dag.formats import quantity
    from speakervid_dag.lake.batches import BatchBook
    from speakervid_dag.lake.queries.published import open_lake
    from speakervid_dag.lake.snapshots import snapshots
    from speakervid_dag.lake.upkeep import takedown

    if purge and not is_applied:
        raise UserError("--purge needs --apply")
    settings = load_settings(lake=lake)
    opened = open_lake(settings.lake_dir)
    if is_applied:  # a run would write the video's rows again
        refuse_while_running(settings, "forget --apply")
    plan = takedown.plan_takedown(opened, settings.lake_dir, what)
    _print_takedown(plan, is_applied)
    if not is_applied:
        say("Nothing was changed: add --apply to do it.")
        return
    run_id, book = new_run_id("forget"), BatchBook(settings.lake_dir)
    with book.claim(plan.batch, wait=False) if plan.batch else nullcontext(True) as is_ours:
        if not is_ours:  # a run that has begun since we looked
            raise UserError(f"batch {plan.batch} is being processed: wait until it ends, then repeat the command")
        plan = takedown.plan_takedown(opened, settings.lake_dir, what)  # as it is now that nobody runs the batch
        made = takedown.take_down(opened, settings.lake_dir, plan, reason=reason, run_id=run_id)
    removed = takedown.purge(opened, settings.lake_dir, run_id) if purge else None
    newest = snapshots.latest(opened) if purge else made  # a purge publishes once more, and drops what was before
    say(f"Published as snapshot {newest.number}." if newest else "Nothing was published before, so nothing is now.")
    if removed is not None:
        count, size = removed
        say(f"Removed {quantity(count, 'superseded file')} ({_megabytes(size)}) and the older snapshots.")
        if newest is not None and newest.held_back:
            hidden = ", ".join(newest.held_back)
            say(f"Hidden until the next `speakervid run`, because their older rows are lost: batches {hidden}.")
    else:
        say("Older snapshots still show it until `speakervid maintain --apply` (or --purge) drops them.")
    if made is not None and settings.lake_dir / takedown.REPORT in plan.files:
        write_after_run(settings)  # the one that went showed the video
    say("Not touched: the source file, releases, and the previews in the run history of `speakervid ui`.")


def _print_takedown(plan: "TakedownPlan", is_applied: bool) -> None:
    import polars as pl

    from speakervid_dag.cli.console import print_frame, say
    from speakervid_dag.formats import quantity

    name = f" ({plan.file.name})" if plan.file else ""
    say(f"{plan.video_id}{name}: {'removing' if is_applied else 'would be removed'}")
    if plan.rows:
        print_frame(pl.DataFrame({"table": list(plan.rows), "rows": list(plan.rows.values())}))
    if plan.findings:
        say(f"{quantity(plan.findings, 'quarantine finding')} in which its name is redacted")
    for path in plan.files:
        say(f"artifact {path.parent.name}/{path.name}")
    if plan.links:
        told = quantity(len(plan.links), "person", "people")
        say(f"a new identity_id for {told} of other videos, linked until now to a person in it")
    for release_id, places in plan.releases.items():
        for place in places or ("(its location is unknown: the export was interrupted before recording it)",):
            say(f"Release {release_id} contains it and is not changed: withdraw {place} and everything made from it")
    if not (plan.rows or plan.findings or plan.files or plan.batch):
        say("nothing is left of it; its content stays refused")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
